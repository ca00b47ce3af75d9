"""How lists become bytes: item ids once a version, lists as pairs of an index and a score.

Keys start with one byte that says what follows, in the order in which an export writes them:

    a            the popular list, which is for all
    n ITEM       what people use next after an item
    p PERSON     a person's list            s ITEM   the items similar to an item
    t NUMBER     a chunk of the table of item ids: 256 ids as a MessagePack array
    u NUMBER     the chunk of the catalogue with the facts of those 256 items, column by column (`DescribedItems`)
    v NUMBER     the chunk of the item vectors: 256 rows of little-endian float16, all zero where an item has none
    w PERSON     what the person bought and viewed (`History`)
    x NAME       what there is one of, such as the click model
    y PERSON     what is foreseen of the person: as_of in microseconds, then a float16 for each of predictions.NIGHTLY

A list is a format byte, the uint16 index of its model version in the manifest, and
its items from rank 1 on: uint16 (format 1) or uint32 (format 2) index of the item,
float32 score, all little-endian. A hundred items are 603 bytes, where JSON takes 4 kB.
"""

import hashlib
import struct
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final, TypeVar

import msgspec

from nextclick.errors import ModelError

POPULAR: Final = b"a"
PERSON: Final = ord("p")
LISTS: Final = b"anps"
"""First bytes of keys."""
CTR_MODEL: Final = b"xctr"
TRANSITIONS: Final = b"xtransitions"
CONVERSION: Final = b"xconversion"
QUERIES: Final = b"xqueries"
PREDICTIONS: Final = b"xpredictions"
RANKER: Final = b"xranker"
FORESEEN: Final = struct.Struct("<qee")
"""not a number: nobody foresees it."""
CHUNK: Final = 256
"""Item ids a chunk: a list of ten items costs at most ten gets of about 2 kB, not the whole table."""
SHORT, LONG = 1, 2
HEADER: Final = struct.Struct("<BH")
PAIRS: Final = {SHORT: struct.Struct("<Hf"), LONG: struct.Struct("<If")}
_MAX_KEY: Final = 511  # LMDB's own limit
_encode_ids = msgspec.msgpack.Encoder().encode
_decode_ids = msgspec.msgpack.Decoder(list[str]).decode


def person_key(person_id: str) -> bytes:
    return _key(b"p", person_id)


def next_key(item_id: str) -> bytes:
    return _key(b"n", item_id)


def similar_key(item_id: str) -> bytes:
    return _key(b"s", item_id)


def chunk_key(number: int) -> bytes:
    return b"t" + number.to_bytes(4, "big")


def shelf_key(number: int) -> bytes:
    return b"u" + number.to_bytes(4, "big")


def history_key(person_id: str) -> bytes:
    return _key(b"w", person_id)


def prediction_key(person_id: str) -> bytes:
    return _key(b"y", person_id)


def vectors_key(number: int) -> bytes:
    return b"v" + number.to_bytes(4, "big")


def chunks(count: int) -> range:
    """The numbers of the chunks that `count` items take."""
    return range(-(-count // CHUNK))


class DescribedItems(msgspec.Struct, frozen=True, array_like=True):
    """What silver.items says of the items of one chunk, in the order of their ids; None where nobody said."""

    names: list[str | None]
    categories: list[str | None]
    prices: list[float | None]
    currencies: list[str | None]
    available: list[bool | None]
    attributes: list[dict[str, str] | None]
    first_seen: list[int | None]
    """Milliseconds since 1970-01-01 UTC."""
    last_seen: list[int | None]
    strengths: list[float]
    """How much people use the item: the strength of all its interactions, decayed to the newest."""
    recommendable: list[bool] = []
    """The catalogue knows it, or, where the site has none, people used it. None said by an export of an older version: all."""


encode_shelf = msgspec.msgpack.Encoder().encode
_decode_shelf = msgspec.msgpack.Decoder(DescribedItems).decode


def decode_shelf(value: bytes) -> DescribedItems:
    """A chunk of the catalogue. ModelError if it is damaged."""
    return _decoded(_decode_shelf, value, "A part of the catalogue")


Part = TypeVar("Part")


class History(msgspec.Struct, frozen=True, array_like=True):
    """Items that a person used, as little-endian uint32 indices, the newest first."""

    bought: bytes
    seen: bytes


encode_history = msgspec.msgpack.Encoder().encode
_decode_history = msgspec.msgpack.Decoder(History).decode


def decode_history(value: bytes) -> History:
    """A person's history. ModelError if it is damaged."""
    return _decoded(_decode_history, value, "A person's history")


def _decoded(decode: Callable[[bytes], Part], value: bytes, what: str) -> Part:
    try:
        return decode(value)
    except msgspec.MsgspecError as error:
        raise ModelError(f"{what} cannot be read: {error}. Run `nextclick export --full`.") from error


def _key(kind: bytes, text: str) -> bytes:
    key = kind + text.encode("utf-8", "surrogatepass")
    if len(key) <= _MAX_KEY:
        return key
    # A NUL after the kind keeps hashed keys apart from plain ones, which hold none (silver refuses it).
    return kind + b"\0" + hashlib.blake2b(key).digest()


def unpack(value: bytes, limit: int | None = None) -> tuple[int, list[tuple[int, float]]]:
    """The index of the model version, and up to `limit` pairs of item index and score in rank order."""
    try:
        form, model = HEADER.unpack_from(value)
        pairs = PAIRS[form].iter_unpack(memoryview(value)[HEADER.size :])
    except (struct.error, KeyError) as error:
        raise ModelError(
            f"A list in the key-value table cannot be read (it starts with {value[:4].hex()!r}): it is damaged or of "
            "another nextclick. Run `nextclick export --full` to write the lists anew."
        ) from error
    return model, list(islice(pairs, limit))


def list_length(value: bytes) -> int:
    """Items in a packed list."""
    return (len(value) - HEADER.size) // PAIRS[value[0]].size


def pack_ids(ids: Sequence[str], first: int = 0) -> list[tuple[bytes, bytes]]:
    """The chunks of the table of ids, from the one that holds index `first` on."""
    numbers = chunks(len(ids))[first // CHUNK :]
    return [(chunk_key(number), _encode_ids(ids[number * CHUNK : (number + 1) * CHUNK])) for number in numbers]


def unpack_ids(value: bytes) -> list[str]:
    return _decode_ids(value)


def fingerprint(key: bytes, value: bytes) -> int:
    """128 bits of an entry, to be summed: a sum can be added to, taken from, and needs no order."""
    hashed = hashlib.blake2b(len(key).to_bytes(2, "big") + key + value, digest_size=16)
    return int.from_bytes(hashed.digest(), "big")
