"""Packages of npm for tests: fetched once into pytest's cache, never committed."""

import shutil
import subprocess
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

_PATIENCE_SECONDS = 120
_QUIET = (
    "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--no-progress", "--prefer-offline",
    "--fetch-retries=1",
)  # fmt: skip


def installed(cache: pytest.Cache, *packages: str) -> Path:
    """The folder `node_modules` with `packages` (`NAME@VERSION`); skips the test where they cannot be had."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed (Debian: apt-get install nodejs npm)")
    home = cache.mkdir("npm")
    place = home / blake2b(" ".join(packages).encode(), digest_size=8).hexdigest()
    if not place.exists():
        with TemporaryDirectory(dir=home) as fresh:
            _install(Path(fresh), packages)
            _publish(Path(fresh), place)
    return place / "node_modules"


def _install(folder: Path, packages: tuple[str, ...]) -> None:
    try:
        subprocess.run(
            ["npm", "install", *_QUIET, "--prefix", folder, *packages],
            capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not bring {', '.join(packages)} within {_PATIENCE_SECONDS} seconds")
    except subprocess.CalledProcessError as failed:
        why = next((line for line in failed.stderr.splitlines() if " error " in line), "no reason given")
        pytest.skip(f"npm cannot install {', '.join(packages)}: {why}")


def _publish(fresh: Path, place: Path) -> None:
    """Move what is whole to its place; another process may have been faster, and then its folder is as good."""
    whole = fresh / "whole"
    whole.mkdir()
    (fresh / "node_modules").rename(whole / "node_modules")
    try:
        whole.rename(place)
    except OSError:
        if not place.exists():
            raise
