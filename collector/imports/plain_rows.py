"""The short way of rows whose values are what the readers of fields would make of them, which most are: a third of the time.

Whatever differs in the least (a sign, a blank around a text, a float, a word for nobody) is left to the readers; a test holds
the two equal.
"""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from collector.dialects.shared.readers import Json, limits_of, type_of
from collector.imports.mapping import EVENT_FIELDS
from collector.request.model import Request
from collector.request.numbers import PLAIN_MONEY, is_code
from nextclick.contracts.events import NO_ITEM, UNFILLED, Event, payload_id, somebody
from nextclick.harmless import may_hold
from nextclick.redaction import redacted_event

_SPECIAL: Final = ("alias", "item_update")
"""Kinds of which more is asked than of others."""
_LONGEST_WHOLE: Final = 15
_LONGEST_CODE: Final = 3
_money: Final = re.compile(PLAIN_MONEY)


def _whole(name: str) -> Callable[[str], int | None]:
    low, high = limits_of(name)

    def read(written: str) -> int | None:
        number = int(written) if len(written) <= _LONGEST_WHOLE and written.isdecimal() else -1
        return number if max(low or 0, 0) <= number <= (high or 0) else None

    return read


_READERS: Final[dict[str, Callable[[str], Any]]] = {
    **{name: _whole(name) for name, field in EVENT_FIELDS.items() if type_of(field) is int and limits_of(name)[1]},
    "price": lambda written: written if _money.fullmatch(written) else None,
    "currency": lambda written: written if len(written) <= _LONGEST_CODE and is_code(written) else None,
}
"""What texts mean; None: the long way tells."""
_AS_WRITTEN: Final = {name for name, field in EVENT_FIELDS.items() if type_of(field) is str} - {
    *_READERS,
    "timezone",
    "ip",
}
"""Fields that are their text."""


def reader(request: Request) -> Callable[[Any, Any, int, dict[str, str] | None, Json, bool], Event | None]:
    """Makes an event of kind, id, time, properties and fields, if they are all plain; without what its texts must not hold.

    The last argument says whether a property has the name of a secret.
    """
    limits, nobody = request.limits, request.nobody

    def event(
        kind: Any,
        identity: Any,
        client_time: int,
        properties: dict[str, str] | None,
        fields: Json,
        may_be_secret: bool,
    ) -> Event | None:
        kept = properties or {}
        texts = (kind, identity or "-", *fields.values(), *kept, *kept.values())
        try:
            lines = "\n".join(("", *texts, ""))
        except TypeError:
            return None
        written = lines.replace("\n", "")
        is_plain = (
            len(lines) == len(written) + len(texts) + 1 and written.isprintable() and kind not in _SPECIAL
            and (len(written) <= limits.max_id_chars or max(map(len, texts)) <= limits.max_id_chars)
            and len(kept) <= limits.max_properties
            # an empty text, blanks around one, and a mark that no id holds
            and "\n\n" not in lines and "\n " not in lines and " \n" not in lines and "\ufffd" not in lines
        )  # fmt: skip
        who = visitor, user = fields.get("visitor_id"), fields.get("user_id")
        item = fields.get("item_id") or ""
        is_nothing = item.lower() in NO_ITEM or any(name and name[0] in UNFILLED for name in (visitor, user, item))
        if not is_plain or is_nothing or who == (None, None) or somebody(visitor, user, nobody) != who:
            return None
        if not fields.keys() <= _AS_WRITTEN:
            fields = fields.copy()
            for name in fields.keys() - _AS_WRITTEN:
                read = _READERS.get(name)
                if read is None or (value := read(fields[name])) is None:
                    return None
                fields[name] = value
        result = Event(event=kind, event_id=identity or "", client_time=client_time, properties=properties, **fields)
        result = result if identity else msgspec.structs.replace(result, event_id=payload_id(result))
        return redacted_event(result) if may_be_secret or may_hold(lines) else result

    return event
