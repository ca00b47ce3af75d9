"""What the protocol's answers consist of, in its two formats: `parquet`, which every client reads, and `delta`."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from analytics.sharing.cut_files import CutFile
from analytics.sharing.parts import SharedVersion, TablePart
from analytics.sharing.shares import SharedTable
from nextclick.web.answers import Refused

CAPABILITIES: Final = "delta-sharing-capabilities"
VERSION_HEADER: Final = "delta-table-version"
_MOST_LISTED: Final = 500
_Whole = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class TableQuery(msgspec.Struct, frozen=True, rename="camel"):
    """What a client asks of a table; fields of newer clients are hints, and left out."""

    predicate_hints: tuple[str, ...] | None = None
    json_predicate_hints: str | None = None
    limit_hint: _Whole | None = None
    version: _Whole | None = None
    timestamp: str | None = None
    starting_version: _Whole | None = None


class LinkedFile(msgspec.Struct, frozen=True):
    """A file of an answer, and the address that opens it until its end, in milliseconds since 1970-01-01 UTC."""

    part: TablePart
    file: CutFile
    address: str
    until_ms: int


def listing(request: Request, items: Sequence[Mapping[str, str]]) -> Response:
    """A page of a list: maxResults items from pageToken on. Refused 400 for words that are no numbers."""
    words = [request.query_params.get(name, "") for name in ("pageToken", "maxResults")]
    if any(word and not (word.isascii() and word.isdecimal() and len(word) < 10) for word in words):
        raise Refused(
            400, "INVALID_PARAMETER_VALUE", "maxResults is a number, and pageToken that of the answer before."
        )
    first, most = int(words[0] or 0), min(int(words[1] or _MOST_LISTED), _MOST_LISTED)
    page = {"items": [*items[first : first + most]]}
    return JSONResponse(page | ({"nextPageToken": str(first + most)} if first + most < len(items) else {}))


def is_delta(request: Request) -> bool:
    """Whether the client takes the format `delta` alone."""
    words = request.headers.get(CAPABILITIES, "").lower().replace(" ", "").split(";")
    formats = next((word.removeprefix("responseformat=") for word in words if word.startswith("responseformat=")), "")
    return formats == "delta"


def answer(request: Request, shared: SharedTable, there: SharedVersion, files: Sequence[LinkedFile] = ()) -> Response:
    """Protocol, metadata and files, a line each."""
    lines = (_of_delta if is_delta(request) else _of_parquet)(_metadata(shared, there), files)
    headers = {
        VERSION_HEADER: str(there.version),
        CAPABILITIES: f"responseformat={'delta' if is_delta(request) else 'parquet'}",
    }
    body = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
    return Response(body, media_type="application/x-ndjson; charset=utf-8", headers=headers)


def _metadata(shared: SharedTable, there: SharedVersion) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"nextclick/{shared.share}/{shared.table}")),
        "name": shared.table,
        "description": there.doc,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": there.schema,
        "partitionColumns": [*there.folders],
        "configuration": {},
    }


def _of_parquet(metadata: Mapping[str, Any], files: Sequence[LinkedFile]) -> Iterator[dict[str, Any]]:
    yield {"protocol": {"minReaderVersion": 1}}
    yield {"metaData": metadata}
    for each in files:
        values = {name: "" if value is None else str(value) for name, value in each.part.values.items()}
        facts = {"url": each.address, "partitionValues": values, "size": each.file.bytes, "stats": _stats(each)}
        yield {"file": {**facts, "id": each.part.id, "expirationTimestamp": each.until_ms}}


def _of_delta(metadata: Mapping[str, Any], files: Sequence[LinkedFile]) -> Iterator[dict[str, Any]]:
    yield {"protocol": {"deltaProtocol": {"minReaderVersion": 1, "minWriterVersion": 2}}}
    yield {"metaData": {"deltaMetadata": metadata}}
    for each in files:
        values = {name: None if value is None else str(value) for name, value in each.part.values.items()}
        add = {"path": each.address, "partitionValues": values, "size": each.file.bytes, "stats": _stats(each)}
        action = {"add": {**add, "modificationTime": 0, "dataChange": True}}
        yield {"file": {"id": each.part.id, "expirationTimestamp": each.until_ms, "deltaSingleAction": action}}


def _stats(each: LinkedFile) -> str:
    """Of the rows that are in the file alone: bounds of the log are those of rows and columns that nobody may see."""
    return msgspec.json.encode({"numRecords": each.file.rows}).decode()
