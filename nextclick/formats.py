"""Which form what is stored has, by number, and the settings that a table was made with (docs/design.md, rule 22).

A number grows when what an older nextclick wrote cannot be read as it stands; the change that makes it grow brings the
older form up to the newer one. What a newer nextclick wrote is refused in words, never guessed at.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from nextclick.contracts.table import Table
from nextclick.errors import LakeError, ModelError, NextclickError

if TYPE_CHECKING:
    from nextclick.settings import Settings

# Delta tables have theirs in their contract, `Table.format`, and in their property FORMAT_PROPERTY.
CHECKPOINT: Final = 1
"""Checkpoints of Spark's jobs, in CHECKPOINT_FILE beside Spark's own files."""
PROFILE: Final = 1
"""Live profiles: their first byte."""
STANDING: Final = 1
"""Standings among audiences: their first byte."""
LISTS: Final = 1
"""Versions of the key-value table, in their manifest."""
MODEL: Final = 1
"""Artifacts of models, in their card."""
SESSION_MODEL: Final = 1
"""Session models that answers are made of, in their card."""
RANKER: Final = 1
"""Learned rankers, in their card."""
PREDICTOR: Final = 1
"""Models of predictions about people, in their JSON."""
ACTIONS: Final = 1
"""What was learned about next best actions, in its JSON."""
OUTBOX: Final = 1
"""The outbox of triggers, in SQLite's user_version."""

FORMAT_PROPERTY: Final = "nextclick.format"
MADE_WITH_PROPERTY: Final = "nextclick.made_with"
CHECKPOINT_FILE: Final = "nextclick.json"
_FORMERLY: Final = {"analytics.timezone": "UTC", "analytics.timezones": {}, "anomalies.leave_out_suspects": False}
"""Settings with which tables were made before they said so."""


class _Said(msgspec.Struct):
    format: int = 0


def refuse_newer(what: str, version: int, known: int, error: type[NextclickError] = LakeError) -> None:
    """Raise `error` where `what` was written by a newer nextclick."""
    if version > known:
        raise error(
            f"{what} has format {version}, and this nextclick reads formats up to {known}: a newer version wrote it. "
            "Use that version or a newer one; nothing was changed."
        )


def refuse_newer_json(what: str, stored: bytes, known: int, error: type[NextclickError] = ModelError) -> None:
    """Raise `error` where a JSON object's `format` is newer; what is no such object is left to its reader."""
    try:
        version = msgspec.json.decode(stored, type=_Said).format
    except msgspec.MsgspecError:
        return
    refuse_newer(what, version, known, error)


def made_with(settings: "Settings", keys: Sequence[str]) -> str:
    """The settings of these keys and sections, as JSON; `{}` where there are none."""
    values = {}
    for key in keys:
        value: Any = settings
        for name in key.split("."):
            value = getattr(value, name)
        values[key] = msgspec.to_builtins(value)
    return json.dumps(values, sort_keys=True)


def properties(settings: "Settings", table: Table) -> dict[str, str]:
    """What a table says of itself beside its rows."""
    return {FORMAT_PROPERTY: str(table.format), MADE_WITH_PROPERTY: made_with(settings, table.made_with)}


def refuse_newer_table(table: Table, stored: Mapping[str, str]) -> None:
    """LakeError where a table's properties name a newer format."""
    refuse_newer(f"The table {table.name}", int(stored.get(FORMAT_PROPERTY, 0)), table.format)


def refuse_mixture(table: Table, stored: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """LakeError, which names the rebuild, where a table's rows are of an older form or were made with other settings."""
    rebuild = f"nextclick rebuild {table.layer}"
    if stored.get(FORMAT_PROPERTY) != wanted[FORMAT_PROPERTY]:
        raise LakeError(
            f"{table.name} is of an older form (format {stored.get(FORMAT_PROPERTY, 'none')}, now {table.format}). "
            f"Call `{rebuild}`: it makes the table anew from the layer below, and nothing is lost."
        )
    before, now = (json.loads(one.get(MADE_WITH_PROPERTY, "{}")) for one in (stored, wanted))
    before = {key: value for key, value in _FORMERLY.items() if key in now} | before
    if before != now:
        changed = "; ".join(
            f"{key} was {before.get(key)} and is {now.get(key)}" for key in now if before.get(key) != now[key]
        )
        raise LakeError(
            f"The rows of {table.name} were made with other settings: {changed or before}. New rows beside them would be a "
            f"mixture. Call `{rebuild}`, which makes all of them with what is set now, or set the former value again."
        )
