"""What was learned of answers, one JSON file each beside the lists: written whole, read with errors in words."""

from typing import TypeVar

import msgspec

from nextclick import formats
from nextclick.errors import LakeError
from nextclick.lake import files

T = TypeVar("T", bound=msgspec.Struct)


def write(address: str, learned: msgspec.Struct, what: str) -> None:
    """Put it in place of the one before; `what` names it in an error."""
    try:
        files.write(address, msgspec.json.encode(learned))
    except OSError as error:
        raise LakeError(f"{what} cannot be written to {address}: {error.strerror}.") from error


def read(address: str, kind: type[T], what: str, newest_format: int | None = None) -> T | None:
    """What is there; None before the first time. LakeError where it cannot be read, or has a newer format than this."""
    try:
        data = files.read(address)
        if data is None:
            return None
        if newest_format is not None:
            formats.refuse_newer_json(what, data, newest_format, LakeError)
        return msgspec.json.decode(data, type=kind)
    except (OSError, msgspec.MsgspecError) as error:
        raise LakeError(
            f"{what} cannot be read from {address}: {error}. Remove the file; `nextclick run` makes it anew."
        ) from error
