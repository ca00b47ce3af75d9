"""A registered model's files as MLflow keeps them, code among them: pinned in the registry, checked before any of that code runs."""

import hashlib
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

import msgspec

from nextclick.errors import ModelError

_TAG: Final = "nextclick.files"
NOTE: Final = "registered_model_meta"
"""What MLflow itself writes into the folder when it loads a model."""
BYTECODE: Final = "__pycache__"
"""What Python writes there when MLflow's own `load_model` imports the code; `only_source` never reads it."""


def pin(client: Any, name: str, version: str, where: Path) -> None:
    """Write the digests of a version's files down with it; `where` they are."""
    client.set_model_version_tag(name, version, _TAG, msgspec.json.encode(_digests(where)).decode())


@contextmanager
def checked(client: Any, version: Any) -> Iterator[Path]:
    """The folder of a version, within the block. ModelError where its files are not those that were registered."""
    with folder(client, version.source.rpartition("/")[2]) as where:  # models:/ID
        _require_as_registered(where, version)
        yield where


def _require_as_registered(where: Path, version: Any) -> None:
    named, pinned = f"version {version.version} of {version.name}", version.tags.get(_TAG)
    if pinned is None:
        raise ModelError(
            f"Nobody wrote the digests of {named} down: `nextclick train --force` makes one that has them."
        )
    expected, there = msgspec.json.decode(pinned, type=dict[str, str]), _digests(where)
    if changed := sorted(file for file in {*expected, *there} if expected.get(file) != there.get(file)):
        raise ModelError(
            f"These are not the files that were registered as {named}: {', '.join(changed)} in {where}. None of it was run. "
            "Find out who changed them; `nextclick train --force` makes a new version."
        )


@contextmanager
def only_source() -> Iterator[None]:
    """Python compiles what it imports anew, and leaves nothing beside it: a folder's bytecode is not what was registered."""
    before = sys.pycache_prefix
    with tempfile.TemporaryDirectory() as sys.pycache_prefix:
        try:
            yield
        finally:
            sys.pycache_prefix = before


@contextmanager
def folder(client: Any, model_id: str) -> Iterator[Path]:
    """A local folder with what MLflow keeps of a model, to be read within the block: its own, or a copy."""
    place = client.get_logged_model(model_id).artifact_location
    if urlsplit(place).scheme == "file":
        yield Path(url2pathname(urlsplit(place).path))
        return
    from mlflow.artifacts import download_artifacts

    with tempfile.TemporaryDirectory(prefix="nextclick-") as fetched:
        yield Path(download_artifacts(artifact_uri=place, dst_path=fetched))


def _digests(where: Path) -> dict[str, str]:
    """sha256 of each file below a folder."""
    files = sorted(path for path in where.rglob("*") if path.is_file() and path.name != NOTE)
    return {
        str(path.relative_to(where)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.parent.name != BYTECODE
    }
