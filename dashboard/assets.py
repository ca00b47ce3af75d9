"""Files that pages load: ours and vendored ones, each by an address with its digest, so that a browser keeps it for good."""

import mimetypes
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

_HERE: Final = Path(__file__).parent
_FOLDERS: Final = (_HERE / "static", _HERE / "vendored")
_DIGITS: Final = 16


class Asset(NamedTuple):
    """A file and how it is served."""

    content: bytes
    kind: str
    digest: str


@cache
def assets() -> dict[str, Asset]:
    """By name; read once."""
    return {
        path.name: Asset(
            content := path.read_bytes(), mimetypes.guess_type(path.name)[0] or "", sha256(content).hexdigest()
        )
        for folder in _FOLDERS
        for path in sorted(folder.iterdir())
        if path.suffix in (".js", ".css", ".svg")
    }


def address(name: str) -> str:
    """Where a page loads it from."""
    return f"/static/{assets()[name].digest[:_DIGITS]}/{name}"


def served(digest: str, name: str) -> Asset | None:
    """The file of an address; None where it is of another version."""
    asset = assets().get(name)
    return asset if asset and asset.digest[:_DIGITS] == digest else None
