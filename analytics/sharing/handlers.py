"""What each path of the protocol answers."""

from datetime import UTC, datetime

import msgspec
from starlette.responses import FileResponse, JSONResponse, Response

from analytics.sharing import messages
from analytics.sharing.hints import Hints
from analytics.sharing.messages import LinkedFile, TableQuery
from analytics.sharing.server import PartnerRequest, Reply, SharingServer
from analytics.sharing.shares import SharedTable
from nextclick.web.answers import Refused


def shares(server: SharingServer, asks: PartnerRequest) -> Reply:
    names = server.shares.of(asks.recipient.name)
    return Reply(messages.listing(asks.request, [{"name": name} for name in names]))


def share(server: SharingServer, asks: PartnerRequest) -> Reply:
    return Reply(JSONResponse({"share": {"name": _of_share(server, asks)[0].share}}))


def schemas(server: SharingServer, asks: PartnerRequest) -> Reply:
    named = dict.fromkeys((each.schema, each.share) for each in _of_share(server, asks))
    return Reply(messages.listing(asks.request, [{"name": schema, "share": share} for schema, share in named]))


def tables(server: SharingServer, asks: PartnerRequest) -> Reply:
    schema = asks.request.path_params["schema"].lower()
    named = [each for each in _of_share(server, asks) if each.schema == schema]
    if not named:
        raise _nothing()
    return Reply(messages.listing(asks.request, [*map(_table_item, named)]))


def all_tables(server: SharingServer, asks: PartnerRequest) -> Reply:
    return Reply(messages.listing(asks.request, [*map(_table_item, _of_share(server, asks))]))


def _table_item(shared: SharedTable) -> dict[str, str]:
    return {"name": shared.name, "schema": shared.schema, "share": shared.share}


def _of_share(server: SharingServer, asks: PartnerRequest) -> list[SharedTable]:
    """The tables of the share that the path names. Refused 404 where the recipient has none of this name, there or not."""
    tables = server.shares.of(asks.recipient.name).get(asks.request.path_params["share"].lower())
    if not tables:
        raise _nothing()
    return tables


def _table(server: SharingServer, asks: PartnerRequest) -> SharedTable:
    name = f"{asks.request.path_params['schema']}.{asks.request.path_params['table']}".lower()
    table = next((each for each in _of_share(server, asks) if each.table == name), None)
    if table is None:
        raise _nothing()
    return table


def _nothing() -> Refused:
    return Refused(404, "RESOURCE_DOES_NOT_EXIST", "Nothing of this name is shared with you.")


def version(server: SharingServer, asks: PartnerRequest) -> Reply:
    since = _moment(asks.request.query_params.get("startingTimestamp"))
    version = server.tables.version(_table(server, asks), since)
    return Reply(Response(headers={messages.VERSION_HEADER: str(version)}), {"version": version})


def metadata(server: SharingServer, asks: PartnerRequest) -> Reply:
    shared, words = _table(server, asks), asks.request.query_params
    version = words.get("version", "")
    if version and not (version.isascii() and version.isdecimal() and len(version) < 19):
        raise Refused(400, "INVALID_PARAMETER_VALUE", "version is a number.")
    with server.tables.connection(shared) as database:
        when = _moment(words.get("timestamp"))
        there = server.tables.at(database, shared, int(version) if version else None, when)
    return Reply(messages.answer(asks.request, shared, there), {"version": there.version})


def query(server: SharingServer, asks: PartnerRequest) -> Reply:
    """Files of the table, each made before it is named: those whose rows no hint leaves out, up to the limit."""
    shared, query = _table(server, asks), _parsed(asks.body)
    if query.starting_version is not None:
        raise _no_changes()
    hints = Hints(query.predicate_hints or (), query.json_predicate_hints)
    files: list[LinkedFile] = []
    with server.tables.connection(shared) as database:
        there = server.tables.at(database, shared, query.version, _moment(query.timestamp))
        for part in there.parts:
            if query.limit_hint is not None and sum(each.file.rows for each in files) >= query.limit_hint:
                break
            if hints.may_match(part.values) and (file := server.files.get(database, part)).rows:
                address, until = server.link(asks.request, asks.recipient, file.name)
                files.append(LinkedFile(part, file, address, until * 1000))
    counts = {"rows": sum(each.file.rows for each in files), "bytes": sum(each.file.bytes for each in files)}
    response = messages.answer(asks.request, shared, there, files)
    return Reply(response, {"version": there.version, "files": len(files), **counts})


def changes(server: SharingServer, asks: PartnerRequest) -> Reply:
    _table(server, asks)
    raise _no_changes()


def file(server: SharingServer, asks: PartnerRequest) -> Reply:
    name = asks.request.path_params["name"]
    path = server.files.path(name)
    if path is None:
        raise Refused(404, "RESOURCE_DOES_NOT_EXIST", "The file made room for others: query the table again.")
    response = FileResponse(path, media_type="application/vnd.apache.parquet")
    return Reply(response, {"file": name, "bytes": path.stat().st_size})


def _no_changes() -> Refused:
    return Refused(
        400, "INVALID_PARAMETER_VALUE", "Changes between versions are not shared: read the table at a version."
    )


def _parsed(body: bytes) -> TableQuery:
    try:
        return msgspec.json.decode(body or b"{}", type=TableQuery)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Refused(400, "MALFORMED_REQUEST", f"The body is no query of the protocol: {error}.") from error


def _moment(text: str | None) -> datetime | None:
    """`2026-01-31T00:00:00Z`. Refused 400 for another form."""
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        raise Refused(400, "INVALID_PARAMETER_VALUE", "A timestamp looks like 2026-01-31T00:00:00Z.") from None
    return moment.replace(tzinfo=moment.tzinfo or UTC) if moment else None
