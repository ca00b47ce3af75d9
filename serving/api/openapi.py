"""The OpenAPI document, from the structs of the routes, and its page: one file, nothing fetched from elsewhere."""

import inspect
import re
from functools import cache
from html import escape
from typing import Any, Final

import msgspec

from nextclick import __version__
from nextclick.web.answers import HTML_HEADERS, HttpAnswer
from serving.api.routes import ROUTES, ApiRoute
from serving.schema.responses import Health, Problem, Ready

_REF: Final = "#/components/schemas/{name}"
_REFUSALS: Final = {
    "400": "A field is missing, unknown, of another type or out of its range; `message` names it.",
    "401": "The key is missing or unknown.",
    "403": "Pages of this origin may not ask here, or the route is closed.",
    "408": "The body did not come in time.",
    "413": "The body is too large.",
    "415": "The body is packed.",
    "429": "Too many requests with this key.",
}
_COMMON: Final = ("400", "401", "403", "429")


@cache
def document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    kinds: list[type[msgspec.Struct]] = [
        Health,
        Ready,
        Problem,
        *(kind for route in ROUTES for kind in (route.request, route.answer)),
    ]
    _, schemas = msgspec.json.schema_components(kinds, ref_template=_REF)
    for kind in kinds:
        _describe(schemas, kind)
    paths: dict[str, Any] = {
        "/health": {"get": _page("It runs", Health)},
        "/ready": {"get": _page("There are lists to answer from", Ready, {"503": _said(Ready, "There are none yet.")})},
    }
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "nextclick",
            "version": __version__,
            "description": "What to show next. docs/api.md says how scores and lists are made.",
        },
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"secret": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(route: ApiRoute, schemas: dict[str, Any]) -> dict[str, Any]:
    codes = _COMMON if route.method == "GET" else tuple(_REFUSALS)
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": route.answer.__name__ + route.path.partition("{")[0].title().replace("/", "").replace("-", ""),
        "responses": {"200": _said(route.answer, "The answer.")}
        | {code: _said(Problem, _REFUSALS[code]) for code in codes},
    }
    if route.secret:
        operation["security"] = [{"secret": []}]
    if route.method == "POST":
        operation["requestBody"] = {"required": True, "content": _content(route.request)}
    else:
        operation["parameters"] = parameters(route, schemas)
    return operation


def parameters(route: ApiRoute, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    """The fields of a question as parameters of the query and the path."""
    component = schemas[route.request.__name__]
    required = component.get("required", [])
    return [
        {
            "name": name,
            "in": "path" if name == route.parameter else "query",
            "required": name in required,
            "description": schema.pop("description", ""),
            "schema": schema,
        }
        for name, schema in ((name, dict(schema)) for name, schema in component["properties"].items())
    ]


def _page(summary: str, kind: type, more: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": _said(kind, "It is so.")} | (more or {})}


def _said(kind: type, description: str) -> dict[str, Any]:
    return {"description": description, "content": _content(kind)}


def _content(kind: type) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REF.format(name=kind.__name__)}}}


def _describe(schemas: dict[str, Any], kind: type[msgspec.Struct]) -> None:
    """Add what the source says below each field to its schema."""
    properties = schemas[kind.__name__]["properties"]
    for base in reversed(kind.__mro__):
        if base.__module__.startswith("serving."):
            for name, text in re.findall(r'^    (\w+): [^\n]*\n    """(.+?)"""$', inspect.getsource(base), re.M | re.S):
                properties[name]["description"] = text


def document_page() -> HttpAnswer:
    """The document as it is served."""
    return HttpAnswer(body=msgspec.json.encode(document()))


def html_page() -> HttpAnswer:
    """The page as it is served: it runs no script and loads nothing."""
    return HttpAnswer(body=page(), content_type="text/html; charset=utf-8", headers=HTML_HEADERS)


@cache
def page() -> bytes:
    """The document as a page for people."""
    spec = document()
    routes = "".join(
        _section(path, method, operation)
        for path, methods in spec["paths"].items()
        for method, operation in methods.items()
    )
    schemas = "".join(
        f"<h3 id='{escape(name)}'>{escape(name)}</h3><p>{escape(schema.get('description', ''))}</p>"
        f"{_table(_fields(schema))}"
        for name, schema in spec["components"]["schemas"].items()
    )
    return _HTML.format(version=__version__, routes=routes, schemas=schemas).encode()


def _section(path: str, method: str, operation: dict[str, Any]) -> str:
    rows = [
        (
            each["name"],
            each["in"] + (", required" if each["required"] else ""),
            _kind(each["schema"]),
            each["description"],
        )
        for each in operation.get("parameters", [])
    ]
    body = operation.get("requestBody")
    request = f"<p>Body: {_kind(body['content']['application/json']['schema'])}</p>" if body else ""
    answers = "".join(
        f"<li><b>{code}</b> {_kind(said['content']['application/json']['schema'])} {escape(said['description'])}</li>"
        for code, said in operation["responses"].items()
    )
    closed = " · secret key" if "security" in operation else ""
    return (
        f"<section><h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(operation['summary'])}{closed}</p>"
        f"{request}{_table(rows)}<ul>{answers}</ul></section>"
    )


def _fields(schema: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    required = schema.get("required", [])
    return [
        (name, "required" if name in required else "", _kind(each), each.get("description", ""))
        for name, each in schema.get("properties", {}).items()
    ]


def _table(rows: list[tuple[str, str, str, str]]) -> str:
    cells = "".join(
        f"<tr><td><code>{escape(name)}</code><td>{escape(where)}<td>{kind}<td>{escape(text)}"
        for name, where, kind, text in rows
    )
    return f"<table>{cells}</table>" if rows else ""


def _kind(schema: dict[str, Any]) -> str:
    """A schema in a few words, as HTML."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f"<a href='#{name}'>{name}</a>"
    if "anyOf" in schema:
        return " or ".join(map(_kind, schema["anyOf"]))
    if "enum" in schema:
        return " or ".join(f"<code>{escape(str(word))}</code>" for word in schema["enum"])
    said = str(schema.get("type", "anything"))
    said += f" of {_kind(schema['items'])}" if schema.get("items") else ""
    limits = [f"{text} {schema[name]}" for name, text in _LIMITS.items() if name in schema]
    default = f", default {escape(str(schema['default']))}" if schema.get("default") not in (None, [], ()) else ""
    return said + (f" ({', '.join(limits)})" if limits else "") + default


_LIMITS: Final = {
    "minimum": "≥", "maximum": "≤", "minLength": "length ≥", "maxLength": "length ≤", "minItems": "at least",
    "maxItems": "at most",
}  # fmt: skip
_HTML: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>nextclick API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}}
table{{border-collapse:collapse;width:100%}}td{{border-top:1px solid #ccc;padding:.3rem .6rem;vertical-align:top}}
section{{border-top:3px solid #888;margin-top:2rem}}code{{background:#8882;padding:0 .2em}}
@media(prefers-color-scheme:dark){{body{{background:#111;color:#ddd}}a{{color:#8bf}}}}</style>
<h1>nextclick API {version}</h1><p>The machine's form of this page: <a href="/openapi.json">/openapi.json</a>.</p>
{routes}<h1>Structures</h1>{schemas}</html>"""
