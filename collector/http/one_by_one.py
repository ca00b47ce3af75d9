"""A mistake of ours while a request is understood costs the record that shows it, and no other."""

import logging
from typing import Any, Final

import msgspec

from collector.dialects import DialectRoute
from collector.dialects.shared.events import envelope
from collector.dialects.shared.readers import Json
from collector.request.model import Parsed, Refused, Request, RequestLimits, without_aside
from nextclick.contracts.events import Reject
from nextclick.web.failures import OncePerMinute

_LISTS: Final = ("events", "batch", "data", "requests")
"""Names under which dialects list the records of a body."""

_log: Final = logging.getLogger("_granian.collector")


class Mistakes:
    """Logs mistakes of dialects once a minute, by their place in the code: who causes them must not fill the log, or write in it."""

    def __init__(self) -> None:
        self._lines = OncePerMinute()

    def log(self, route: DialectRoute, error: Exception) -> Refused:
        """Count a mistake; the refusal that says so."""
        name = type(error).__name__
        if count := self._lines.count():
            place = error.__traceback__
            while place and place.tb_next:
                place = place.tb_next
            where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "?"
            _log.error("The dialect %s failed at %s: %s (%d since the last such line).", route.name, where, name, count)
        return Refused(400, "dialect_error", f"The dialect {route.name} failed: {name}. This is a mistake of ours.")


def one_by_one(route: DialectRoute, request: Request, limits: RequestLimits, mistakes: Mistakes) -> Parsed | None:
    """The request without the records that the dialect fails on, which are rejects; None where it has no list of records."""
    records, whole = _records(request.body)
    good: list[Any] = []
    bad: list[Reject] = []
    for record in records:
        alone = msgspec.structs.replace(request, body=msgspec.json.encode(_with(whole, [record])))
        try:
            route.dialect.parse(alone, limits)
        except Refused:
            good.append(record)  # the dialect says itself what is wrong with it
        except Exception as error:
            refused = mistakes.log(route, error)
            payload = alone.body.decode()
            bad.append(Reject(reason=refused.reason, message=str(refused), payload=payload, request=envelope(request)))
        else:
            good.append(record)
    if not good:
        return None
    try:
        together = msgspec.structs.replace(request, body=msgspec.json.encode(_with(whole, good)))
        parsed = route.dialect.parse(together, limits)
    except Refused:
        raise
    except Exception as error:
        mistakes.log(route, error)
        return None
    parsed.rejects += bad
    parsed.answer = without_aside(parsed.answer, bad, counted=False)
    return parsed


def _records(body: bytes) -> tuple[list[Any], Json]:
    """The records of a body, and the object that they are listed in."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _lines(body), {}
    if isinstance(value, list):
        return value, {}
    name = next((name for name in _LISTS if isinstance(value, dict) and isinstance(value.get(name), list)), None)
    return (value[name], value | {name: []}) if name else ([], {})


def _lines(body: bytes) -> list[Any]:
    """The lines of NDJSON; none where one of them is no JSON."""
    try:
        return [msgspec.json.decode(line) for line in body.splitlines() if line.strip()]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []


def _with(whole: Json, records: list[Any]) -> Any:
    return {name: records if value == [] and name in _LISTS else value for name, value in whole.items()} or records
