"""Which typed events may enter silver, and why the others may not."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from pyspark.sql import DataFrame

from nextclick.contracts import silver
from nextclick.contracts.events import IDS
from nextclick.settings import EventsSettings
from spark_jobs.transforms import Transformer
from spark_jobs.transforms.silver.type_events import FIELDS

TEXTS: Final = tuple(
    column.name
    for column in silver.EVENTS.columns
    if column.name in FIELDS and column.type == "string" and column.name not in IDS
)
RANGES: Final = {
    column.name: (column.minimum, column.maximum)
    for column in silver.EVENTS.columns
    if column.minimum is not None or column.maximum is not None
}


class RejectRule(NamedTuple):
    """A reject's reason; SQL that is true where the rule is broken; SQL of the message, evaluated only there."""

    reason: str
    broken: str
    message: str


def validate_events(limits: EventsSettings) -> Transformer:
    """Add `reject` (struct of reason and message; null where the event is good): the first rule that fails."""
    cases = " ".join(
        f"WHEN {rule.broken} THEN struct('{rule.reason}' AS reason, {rule.message} AS message)"
        for rule in _rules(limits)
    )
    nothing = "cast(NULL AS struct<reason:string,message:string>)"

    def transform(events: DataFrame) -> DataFrame:
        return events.selectExpr("*", f"CASE {cases} ELSE {nothing} END AS reject")

    return transform


def _rules(limits: EventsSettings) -> Iterator[RejectRule]:
    yield RejectRule(
        "damaged_line", "NOT intact", "'The landing line\\'s CRC-32 does not hold: torn or altered on disk.'"
    )
    yield RejectRule("malformed_json", "malformed", "'The payload is not a JSON object.'")
    yield RejectRule("bad_text", _BAD_TEXT, "'The payload holds NUL or half of a surrogate pair.'")
    yield _any("missing_field", "Required fields are missing: ", _missing())
    yield RejectRule("bad_type", "bad_fields <> ''", "concat('Fields do not take their type: ', bad_fields, '.')")
    allowed = f"{limits.max_id_chars} (ids) or {limits.max_text_chars} (texts)"
    yield _any("too_long", f"Longer than {allowed} characters: ", _too_long(limits))
    yield RejectRule(
        "too_many_properties",
        f"size(properties) > {limits.max_properties}",
        f"'More than {limits.max_properties} properties (events.max_properties).'",
    )
    yield _any("out_of_range", "Fields are out of their range: ", _out_of_range())
    yield RejectRule(
        "impossible_time",
        f"occurred_at < TIMESTAMP'{limits.oldest} 00:00:00 UTC'",
        f"'The event lies before {limits.oldest} (events.oldest).'",
    )
    minutes = limits.future_limit_minutes
    yield RejectRule(
        "future_time",
        f"occurred_at > received_at + INTERVAL {minutes} MINUTES",
        f"'The event lies more than {minutes} minutes after its arrival (events.future_limit_minutes).'",
    )


def _any(reason: str, text: str, marks: Mapping[str, str]) -> RejectRule:
    """Broken where one of `marks` (name → SQL) is true; the message names those that are."""
    named = ", ".join(f"if({broken}, '{name}', NULL)" for name, broken in marks.items())
    return RejectRule(
        reason,
        " OR ".join(f"({broken})" for broken in marks.values()),
        f"concat('{text}', concat_ws(', ', {named}), '.')",
    )


# NUL and lone surrogates appear in JSON as escapes only; look closer only where one is.
# An escaped backslash hides the u after it.
_BAD_TEXT: Final = r"""(contains(payload, r'\u') OR contains(payload, char(0)))
    AND regexp_replace(regexp_replace(payload, r'\\\\', ''), r'(?i)\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}', '')
    RLIKE r'(?i)\\u0000|\\ud[89a-f][0-9a-f]{2}|\x00'"""


def _missing() -> dict[str, str]:
    # bad_fields says more than "missing" where a time is there but is no time.
    marks = {
        name: f"`{name}` IS NULL AND NOT contains(bad_fields, '{name}')"
        for name in ("event", "event_id", "client_time")
    }
    marks |= {name: f"{marks[name]} OR `{name}` = ''" for name in ("event", "event_id")}
    marks["visitor_id or user_id"] = "coalesce(visitor_id, user_id, '') = '' AND NOT event <=> 'item_update'"
    marks["item_id"] = "event <=> 'item_update' AND item_id IS NULL"
    return marks


def _too_long(limits: EventsSettings) -> dict[str, str]:
    most = dict.fromkeys(IDS, limits.max_id_chars) | dict.fromkeys(TEXTS, limits.max_text_chars)
    # Bytes are known, characters must be counted: they are never more.
    return {
        name: f"octet_length(`{name}`) > {chars} AND char_length(`{name}`) > {chars}" for name, chars in most.items()
    }


def _out_of_range() -> dict[str, str]:
    return {
        name: " OR ".join(f"`{name}` {sign} {bound}" for sign, bound in (("<", low), (">", high)) if bound is not None)
        for name, (low, high) in RANGES.items()
    }
