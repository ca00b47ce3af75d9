"""The door of partners as an ASGI app: the REST interface of Delta Sharing, and the files that its answers link."""

import logging
from collections.abc import Callable
from typing import Any, Final

import duckdb
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

from analytics.sharing import handlers, shares
from analytics.sharing.recipients import Recipient
from analytics.sharing.server import PREFIX, PartnerRequest, Reply, SharingServer
from nextclick.errors import NextclickError
from nextclick.settings import Settings
from nextclick.web.answers import Refused

_BODY_BYTES: Final = 65_536
_TABLE: Final = "/shares/{share}/schemas/{schema}/tables/{table}"
_HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_log: Final = logging.getLogger("uvicorn.error")
Handler = Callable[[SharingServer, PartnerRequest], Reply]


def app(settings: Settings) -> Starlette:
    """The app; SettingsError where conf/shares.toml is wrong."""
    server = SharingServer(settings, shares.load(settings.conf_dir / "shares.toml"))
    routes = [
        Route("/shares", _endpoint(server, "list", handlers.shares)),
        Route("/shares/{share}", _endpoint(server, "list", handlers.share)),
        Route("/shares/{share}/schemas", _endpoint(server, "list", handlers.schemas)),
        Route("/shares/{share}/all-tables", _endpoint(server, "list", handlers.all_tables)),
        Route("/shares/{share}/schemas/{schema}/tables", _endpoint(server, "list", handlers.tables)),
        Route(f"{_TABLE}/version", _endpoint(server, "version", handlers.version)),
        Route(f"{_TABLE}/metadata", _endpoint(server, "metadata", handlers.metadata)),
        Route(f"{_TABLE}/query", _endpoint(server, "query", handlers.query), methods=["POST"]),
        Route(f"{_TABLE}/changes", _endpoint(server, "changes", handlers.changes)),
        Route("/files/{name}", _endpoint(server, "file", handlers.file)),
    ]
    return Starlette(
        routes=[Route("/health", lambda _: PlainTextResponse("ok")), Mount(PREFIX, routes=routes)],
        exception_handlers={404: _no_path, 405: _no_path},
    )


def _endpoint(server: SharingServer, what: str, handler: Handler) -> Any:
    """Knows who asks, answers, and puts that on record before the answer leaves."""

    async def endpoint(request: Request) -> Response:
        try:
            recipient = (server.by_link if what == "file" else server.by_token)(request)
        except Refused as refusal:
            return _refused(refusal)
        reply = await _reply(server, handler, request, recipient)
        path = {name: str(request.path_params.get(name, ""))[:256] for name in ("share", "schema", "table")}
        table = f"{path['schema']}.{path['table']}" if path["table"] else path["schema"]
        facts = {"share": path["share"], "table": table, **reply.facts}
        server.audit.add(recipient=recipient.name, what=what, status=reply.response.status_code, **facts)
        reply.response.headers.update(_HEADERS)
        return reply.response

    return endpoint


async def _reply(server: SharingServer, handler: Handler, request: Request, recipient: Recipient) -> Reply:
    try:
        body = await _body(request)
        return await run_in_threadpool(handler, server, PartnerRequest(request, recipient, body))
    except Refused as refusal:
        return Reply(_refused(refusal), {"reason": refusal.reason})
    except (NextclickError, duckdb.Error, OSError) as error:
        _log.error("%s", error)
        unread = Refused(500, "INTERNAL", "The table cannot be read now; whoever shares it can see why in the log.")
        return Reply(_refused(unread), {"reason": unread.reason})


async def _body(request: Request) -> bytes:
    """Refused 413 for one that is larger than any query is."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _BODY_BYTES:
            raise Refused(413, "BODY_TOO_LARGE", f"The body is larger than {_BODY_BYTES:,} bytes.")
    return body


def _refused(refusal: Refused) -> Response:
    headers = _HEADERS | ({"www-authenticate": "Bearer"} if refusal.status == 401 else {})
    return JSONResponse({"errorCode": refusal.reason, "message": str(refusal)}, refusal.status, headers)


async def _no_path(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    return _refused(Refused(status, "RESOURCE_DOES_NOT_EXIST", "The protocol has no such path or method."))
