"""`make setup`: everything that a checkout needs, below the checkout, from nothing or from a half-finished attempt.
`make extras`: the same, with the packages of all extras of pyproject.toml; later set-ups keep them.
`make demo`: the same as `make setup`, but the archive is made beside the demo, with what the machine has left.

    Java 17, libgomp → .venv → uv (pinned in requirements.lock) → the locked packages → this project → .jars → their classes as an archive

The stamp is written when .venv is whole. Without it the environment is built anew, as is a half-done one; with it
but of another lock it is brought up to date; with the right one nothing happens.
Python's own library alone is imported here.
"""

import ctypes
import fcntl
import hashlib
import re
import ssl
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nextclick.errors import NextclickError, SetupError
from spark_jobs import class_archive, jars
from spark_jobs.java import require_java

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UV = VENV / "bin" / "uv"
LOCK = ROOT / "requirements.lock"
EXTRAS = ROOT / "requirements-extras.lock"
"""What the extras need on top of LOCK."""
STAMP = VENV / "nextclick-setup"
Command = list[str | Path]
_NO_VENV = "On Debian and Ubuntu `apt-get install python3.11-venv` brings what is missing; then call again."
_NETWORK = "The package index must be reachable (a mirror: name it in pip's configuration): mend what it says, then call again."


def set_up(extras: bool = False, archive_later: bool = False) -> None:
    """Bring .venv and .jars to what the committed files say; under a second where they are. Extras that are there stay.

    `archive_later`: who waits has more of the time that the archive takes than of what it saves the next JVM.
    """
    java = require_java()
    require_libgomp()
    start = time.monotonic()
    stamped = _stamped()
    extras = extras or len(stamped) > 2
    if stamped != _stamp(extras) or not PYTHON.exists():
        _environment(extras)
        STAMP.write_text("\n".join(_stamp(extras)), encoding="utf-8")
    if jars.wanting(jars.FOLDER):
        _step("Delta jars", [PYTHON, "-m", "spark_jobs.jars"], "Nothing half-done is left behind.")
    if class_archive.wanting(java) and archive_later:
        _begin([PYTHON, "-m", "spark_jobs.class_archive", class_archive.BESIDE])
        print(f"{'class archive':<20}is made beside")
    elif class_archive.wanting(java):
        _step("class archive", [PYTHON, "-m", "spark_jobs.class_archive"], "Call again to try once more.")
    if (seconds := time.monotonic() - start) > 1:
        print(f"set up in {seconds:.0f} s")


def require_libgomp() -> None:
    """SetupError where Linux lacks the OpenMP runtime that the model's packages are linked to and do not bring."""
    if sys.platform != "linux":
        return
    try:
        ctypes.CDLL("libgomp.so.1")
    except OSError as error:
        raise SetupError(
            f"GNU's OpenMP runtime is needed, but: {error}. "
            "Install it (Debian, Ubuntu: `apt-get install libgomp1`), then call again."
        ) from error


def _environment(extras: bool) -> None:
    if _stamped()[:1] != _stamp(extras)[:1] or not PYTHON.exists():
        _new_environment()
    STAMP.write_text("\n".join(["half-done", *_stamp(extras)[1:]]), encoding="utf-8")
    _packages([LOCK, EXTRAS] if extras else [LOCK])


def _stamp(extras: bool) -> list[str]:
    """What the environment was made by (place and Python) and from (lock and project; with extras their lock, too)."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = pyproject["project"], pyproject.get("tool", {}).get("setuptools")
    made_from = hashlib.sha256(LOCK.read_bytes() + repr(project).encode())
    stamp = [f"{ROOT} {sys.version_info.major}.{sys.version_info.minor}", made_from.hexdigest()]
    return [*stamp, hashlib.sha256(EXTRAS.read_bytes()).hexdigest()] if extras else stamp


def _stamped() -> list[str]:
    return STAMP.read_text(encoding="utf-8").split("\n") if STAMP.exists() else []


def _new_environment() -> None:
    _step("environment", [sys.executable, "-m", "venv", "--clear", VENV], _NO_VENV)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as only_uv:
        only_uv.write(uv_requirement(LOCK.read_text(encoding="utf-8")))
        only_uv.flush()
        install: Command = [PYTHON, "-m", "pip", "install", "--quiet", "--retries=2", "--require-hashes"]
        _step("installer", [*install, "--requirement", only_uv.name], _NETWORK)


def uv_requirement(lock: str) -> str:
    """The lines of the lock that pin uv, so that pip may install it, hashes checked, before uv installs the rest."""
    block = re.search(r"^uv==[^\n]*\n(?:[ \t]+[^\n]*\n)*", lock, re.MULTILINE)
    if not block:
        raise SetupError(f"{LOCK.name} does not pin uv. Restore it from git, or make it anew with `make lock`.")
    return block[0]


def _packages(locks: list[Path]) -> None:
    into: Command = ["--quiet", "--python", PYTHON, *_certificates(), *_index()]
    # Compiled once, here: where PYTHONDONTWRITEBYTECODE is set, each process would compile thousands of modules again.
    _step("packages (2 GB)", [UV, "pip", "sync", "--compile-bytecode", *into, "--require-hashes", *locks], _NETWORK)
    editable: Command = ["--no-deps", "--no-build-isolation", "--editable", ROOT]
    _step("this project", [UV, "pip", "install", *into, *editable], _NETWORK)


def _certificates() -> Command:
    """The machine's own certificates, where it has some: uv brings a list of its own, which knows no company's proxy."""
    return ["--system-certs"] if any(ssl.get_default_verify_paths()[:2]) else []


def _index() -> Command:
    """The index that pip is set to use, where it is: uv does not read pip's settings."""
    listed = subprocess.run([PYTHON, "-m", "pip", "config", "list"], capture_output=True, text=True).stdout
    settings = (line.partition("=") for line in listed.splitlines())
    named = ((*name.rpartition("."), value.strip("'")) for name, _, value in settings)
    indexes = {place: value for place, _, option, value in named if option.split("-") == ["index", "url"]}
    url = indexes.get(":env:") or indexes.get("install") or indexes.get("global")
    return ["--default-index", url] if url else []


def _step(name: str, command: Command, advice: str) -> None:
    """Run one step: its line grows its seconds; what it printed is shown only if it fails."""
    start, live = time.monotonic(), sys.stdout.isatty()
    print(f"{name:<20}", end="", flush=True)
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        while True:
            try:
                output, _ = process.communicate(timeout=1)
                break
            except subprocess.TimeoutExpired:
                print(f"\r{name:<20}{time.monotonic() - start:6.0f} s" if live else "", end="", flush=True)
    print("\r" * live + f"{name:<20}" * live + f"{time.monotonic() - start:6.1f} s")
    if process.returncode:
        raise SetupError(f"{name} failed:\n{output.strip()[-2000:]}\n{advice}")


def _begin(command: Command) -> None:
    """Start a step that nobody waits for, at the lowest priority; it goes on when this process ends, and holds its lock till then."""
    subprocess.Popen(
        ["nice", "-n", "19", *command],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=_LOCK,
    )


_LOCK: list[int] = []
"""The file that this process has locked."""


@contextmanager
def _alone() -> Iterator[None]:
    """One set-up of a checkout at a time; the lock is on this very file and dies with the process, and with what it began."""
    with open(__file__, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print("Another set-up of this checkout is running; waiting for it.", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        _LOCK.append(file.fileno())
        try:
            yield
        finally:
            _LOCK.clear()


def main() -> None:
    """Set up, with `extras` or for the `demo` where that is the argument, or say in one message what to do, with exit code 1."""
    wanted = sys.argv[1:]
    try:
        with _alone():
            set_up(extras=wanted == ["extras"], archive_later=wanted == ["demo"])
    except NextclickError as error:
        sys.exit(f"set-up: {error}")
    except KeyboardInterrupt:
        sys.exit("\nset-up: interrupted; call again to go on.")


if __name__ == "__main__":
    main()
