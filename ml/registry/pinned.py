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
_NOTE: Final = "registered_model_meta"
"""What MLflow itself writes into the folder when it loads a model."""
_BYTECODE: Final = "__pycache__"
"""What Python writes there when MLflow's own `load_model` imports the code; `only_source` never reads it."""


def pin(client: Any, name: str, version: str, model_id: str) -> None:
    """Write the digests of the model's files down with its version."""
    client.set_model_version_tag(name, version, _TAG, msgspec.json.encode(_digests(folder(client, model_id))).decode())


def checked(client: Any, version: Any) -> Path:
    """The folder of a version. ModelError where its files are not those that were registered."""
    named, pinned = f"version {version.version} of {version.name}", version.tags.get(_TAG)
    where = folder(client, version.source.rpartition("/")[2])  # models:/ID
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
    return where


@contextmanager
def only_source() -> Iterator[None]:
    """Python compiles what it imports anew, and leaves nothing beside it: a folder's bytecode is not what was registered."""
    before = sys.pycache_prefix
    with tempfile.TemporaryDirectory() as sys.pycache_prefix:
        try:
            yield
        finally:
            sys.pycache_prefix = before


def folder(client: Any, model_id: str) -> Path:
    """Where MLflow keeps a model."""
    return Path(url2pathname(urlsplit(client.get_logged_model(model_id).artifact_location).path))


def _digests(where: Path) -> dict[str, str]:
    """sha256 of each file below a folder."""
    files = sorted(path for path in where.rglob("*") if path.is_file() and path.name != _NOTE)
    return {
        str(path.relative_to(where)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.parent.name != _BYTECODE
    }
