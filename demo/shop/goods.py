"""What the shop sells: the catalogue that the demo made, read from the file that it was imported from."""

from pathlib import Path
from typing import Any

import msgspec

from nextclick.errors import UsageError


class Good(msgspec.Struct, frozen=True):
    """One thing on sale; the fields are those of the catalogue's record."""

    item_id: str
    name: str
    category: str
    price: str
    currency: str
    attributes: dict[str, str]


def read_goods(file: Path) -> dict[str, Good]:
    """The goods by their id, in the catalogue's order."""
    try:
        lines = file.read_bytes().splitlines()
    except FileNotFoundError as error:
        raise UsageError(f"{file} is not there: the shop sells what `make demo` made. Run it first.") from error
    goods: list[Any] = [msgspec.json.decode(line, type=Good) for line in lines]
    return {good.item_id: good for good in goods}
