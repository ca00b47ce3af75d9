"""The wire formats of trackers, one module each, and which of them a request speaks.

Each module has

- ROUTES: path → methods, as the tracker asks for them (protocol pages of the trackers; see docs/trackers/);
- `parse(request, limits) -> Parsed`: pure; raises `Refused` for a request that is not taken at all, and
  turns a record that cannot be an event into a reject, so that the others go on;
- `refuse(request, refused) -> HttpAnswer`: how this tracker is told no, so that it neither loses what it
  could send again nor sends again what can never be taken;
- SECRET = True where only who brings the secret key may send;
- `outer_key(request) -> str | None`, where the write key stands outside of the body: it is checked before the body is
  read; None where the body may bring one;
- `claims(request) -> bool`, where another dialect has the same path: whether the body is this one's.

Every dialect answers at its own paths and, under its name, at `/NAME/…`.
"""

import re
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Final, NamedTuple, Protocol, cast

import msgspec

from collector.request.model import HttpAnswer, Parsed, Refused, Request, RequestLimits

NAMES: Final = (
    "plain",
    "catalogue",
    "segment",
    "snowplow",
    "mixpanel",
    "amplitude",
    "posthog",
    "ga4",
    "plausible",
    "matomo",
)


_SLASHES: Final = re.compile(r"/{2,}")


class Dialect(Protocol):
    """What a module of this folder offers."""

    ROUTES: Mapping[str, tuple[str, ...]]

    def parse(self, request: Request, limits: RequestLimits) -> Parsed: ...
    def refuse(self, request: Request, refused: Refused) -> HttpAnswer: ...


class DialectRoute(NamedTuple):
    """A dialect at one of its paths."""

    name: str
    dialect: Dialect
    path: str
    """Without the dialect's prefix."""
    methods: tuple[str, ...]
    is_secret: bool
    """Only who brings the secret key may send here."""
    outer_key: Callable[[Request], str | None]
    """The write key that a request brings before its body; None where the body may bring it."""


def _in_body(request: Request) -> None:
    """The `outer_key` of a dialect that has none."""


def dialect(name: str) -> Dialect:
    return cast(Dialect, import_module(f"collector.dialects.{name}"))


class Router:
    """Finds the dialects that have a path; more than one may, and then the body decides."""

    def __init__(self, names: tuple[str, ...] = NAMES) -> None:
        self._exact: dict[str, tuple[DialectRoute, ...]] = {}
        self._patterns: list[tuple[re.Pattern[str], DialectRoute]] = []
        for name in names:
            module = dialect(name)
            for path, methods in module.ROUTES.items():
                is_secret, outer_key = getattr(module, "SECRET", False), getattr(module, "outer_key", _in_body)
                for prefix in ("", f"/{name}"):
                    self._add(prefix, DialectRoute(name, module, path, methods, is_secret, outer_key))

    def _add(self, prefix: str, route: DialectRoute) -> None:
        if "*" in route.path:
            pattern = re.escape(prefix + route.path).replace(r"\*", r"[^/]+")
            self._patterns.append((re.compile(pattern), route))
        else:
            path = prefix + route.path
            self._exact[path] = (*self._exact.get(path, ()), route)

    def find(self, path: str) -> tuple[DialectRoute, ...]:
        """The routes at `path`; a slash at its end does not count, nor one beside another: `HOST//v1/batch`."""
        if routes := self._exact.get(path):
            return routes
        plain = _SLASHES.sub("/", path).rstrip("/") or "/"
        if routes := self._exact.get(plain):
            return routes
        matched = ((route, pattern.fullmatch(plain)) for pattern, route in self._patterns)
        return tuple(route._replace(path=plain) for route, match in matched if match)[:1]


def choose(routes: tuple[DialectRoute, ...], request: Request) -> tuple[DialectRoute, Request]:
    """The route that takes a request, and the request with the route's path.

    Of dialects that share a path it is the first that claims the body; else the first.
    """
    route = routes[0]
    if len(routes) > 1:
        route = next((rival for rival in routes if _claims(rival, request)), route)
    return route, request if request.path == route.path else msgspec.structs.replace(request, path=route.path)


def _claims(route: DialectRoute, request: Request) -> bool:
    claims = getattr(route.dialect, "claims", None)
    return bool(claims and claims(request))
