"""bronze.events → typed columns, with the fields that would not take their type named in `bad_fields`.

The columns are SQL text, made from the contract: built operator by operator, they were
thousands of calls into the JVM for every batch.
"""

from collections.abc import Mapping, Set
from typing import Final

import msgspec
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nextclick.contracts import events as wire
from nextclick.contracts import silver
from nextclick.contracts.availability import is_unread_sql
from spark_jobs.transforms import Transformer
from spark_jobs.transforms.silver import nobody

FIELDS: Final = tuple(field.name for field in msgspec.structs.fields(wire.Event))
"""Fields of the event on the wire."""

TIMES: Final = ("client_time", "occurred_at", "sent_at")
_TYPES: Final = {column.name: column.type for column in silver.EVENTS.columns if column.name in FIELDS}
NESTED: Final = {name: kind for name, kind in _TYPES.items() if "<" in kind}
NUMBERS: Final = {
    name: kind for name, kind in _TYPES.items() if kind not in ("string", "timestamp") and name not in NESTED
}
_COLUMNS: Final = silver.EVENTS.column_names
_LATER: Final = tuple(name for name in _COLUMNS[_COLUMNS.index("payload_hash") + 1 :] if name != "unread_fields")
"""Fields that a table gained after its hash: null is not hashed, so an event keeps the hash that it had without them."""

# Money is read as text: a decimal with an exponent of a billion would be spelled out by the parser.
_PARSED: Final = {
    name: "bigint" if name in TIMES else "string" if kind.startswith("decimal") else kind
    for name, kind in _TYPES.items()
}
_LOOSE: Final = dict.fromkeys(FIELDS, "string")
_MONEY: Final = tuple(name for name in NUMBERS if _PARSED[name] == "string")
_WRITTEN_OUT: Final = r"r'^\s*[+-]?[0-9.]{1,99}([eE][+-]?[0-9]{1,3})?\s*$'"
"""Money whose exponent can be reckoned with: try_cast answers a greater one with an error, not with null."""
_DOUBLES: Final = tuple(name for name, kind in NUMBERS.items() if kind == "double")


def type_events(site: str, nobody_words: Set[str]) -> Transformer:
    """One row per bronze row, all columns of silver.events but `channel`, plus `bad_fields` and `malformed`; visitors as they were sent.

    `site` stands for events that name none; ids that are `nobody_words` are null. Fields that no one knows are kept in
    `properties`. Values are not judged here: `validate_events` does that.

    Nearly every payload takes its types at once (`raw`). One that does not is read again with
    each field as text (`loose`), so that a cast that fails is seen and named, never silent.
    """
    typed = {name: _typed(name) for name in (*TIMES, *NUMBERS)} | {name: _nested(name) for name in NESTED}
    visitor = nobody.visitor("raw.visitor_id", nobody_words)
    user = nobody.user("raw.user_id", visitor, nobody_words)
    worked_out = {name: sql for name, sql in typed.items() if name not in ("occurred_at", "properties")} | {
        "malformed": "unlike AND (loose IS NULL OR loose._corrupt IS NOT NULL)",
        "user_id": user,
        "visitor_id": visitor,
        "event": _canonical("raw.event"),
        "occurred_at": f"coalesce({typed['occurred_at']}, {typed['client_time']})",
        "properties": _properties(),
        "bad_fields": f"CASE WHEN unlike THEN {_bad_fields(typed)} ELSE '' END",
    }
    taken = {name: f"raw.`{name}`" for name in _TYPES if name not in worked_out and name != "site"}
    final = taken | {"currency": _CURRENCY, "unread_fields": _UNREAD}
    landed = ("seq", "received_at", "source", "payload", "intact", "site")

    def transform(bronze: DataFrame) -> DataFrame:
        return (
            bronze.selectExpr("*", f"CASE WHEN intact THEN {_parsed(_PARSED)} END AS raw")
            .selectExpr("*", f"coalesce({_unlike_its_types()}, true) AS unlike")
            .selectExpr("*", f"CASE WHEN unlike AND intact THEN {_parsed(_LOOSE)} END AS loose")
            .withColumn("site", F.coalesce("raw.site", F.lit(site)))
            # What is only taken out of `raw` is laid out once, at the end: each step writes all columns of its rows anew.
            .selectExpr(*landed, "raw", *(f"{sql} AS `{name}`" for name, sql in worked_out.items()))
            .selectExpr(
                *landed,
                *(name for name in worked_out if name not in final),
                *(f"{sql} AS `{name}`" for name, sql in final.items()),
                f"{_payload_hash(taken)} AS payload_hash",
            )
        )

    return transform


_CURRENCY: Final = (
    "CASE WHEN trim(raw.currency) RLIKE '^[A-Za-z]{3}$' THEN upper(trim(raw.currency)) ELSE raw.currency END"
)
"""Not what is hashed: an event keeps the hash of an older version, which took the currency as it was written."""

_UNREAD: Final = (
    f"CASE WHEN event = 'item_update' AND {is_unread_sql('properties.available')} "
    "THEN array_union(coalesce(unread_fields, array()), array('available')) ELSE unread_fields END"
)


def _parsed(fields: Mapping[str, str]) -> str:
    """The payload as a struct of `fields` (name → type); `_corrupt` is set where it does not fit."""
    columns = ", ".join(f"`{name}` {kind}" for name, kind in fields.items())
    options = "'columnNameOfCorruptRecord', '_corrupt', 'allowNonNumericNumbers', 'true'"
    return f"from_json(payload, '{columns}, _corrupt string', map({options}))"


def _unlike_its_types() -> str:
    """A field, or the whole, would not take its type, or lies outside what it can hold; null where there is no JSON."""
    infinite = (f"coalesce(isnan(raw.`{name}`) OR abs(raw.`{name}`) = double('Infinity'), false)" for name in _DOUBLES)
    impossible = (f"coalesce(raw.`{name}` NOT BETWEEN {wire.MILLIS[0]} AND {wire.MILLIS[1]}, false)" for name in TIMES)
    money = (f"raw.`{name}` IS NOT NULL AND {_typed(name)} IS NULL" for name in _MONEY)
    return " OR ".join(("raw._corrupt IS NOT NULL", *infinite, *impossible, *money))


def _typed(name: str) -> str:
    """The field by its type, or null."""
    if name in TIMES:
        low, high = wire.MILLIS
        millis = f"CASE WHEN unlike THEN try_cast(loose.`{name}` AS bigint) ELSE raw.`{name}` END"
        return f"timestamp_millis(CASE WHEN ({millis}) BETWEEN {low} AND {high} THEN {millis} END)"
    kind = NUMBERS[name]
    if name in _MONEY:
        return f"try_cast(CASE WHEN raw.`{name}` RLIKE {_WRITTEN_OUT} THEN raw.`{name}` END AS {kind})"
    number = f"try_cast(loose.`{name}` AS {kind})"
    if kind == "double":  # NaN and infinity are words of JSON's relatives, not numbers
        number = f"CASE WHEN NOT isnan({number}) AND abs({number}) <> double('Infinity') THEN {number} END"
    return f"CASE WHEN unlike THEN {number} ELSE raw.`{name}` END"


def _nested(name: str) -> str:
    """A map, list or struct by its type, or null."""
    return f"CASE WHEN unlike THEN from_json(loose.`{name}`, '{NESTED[name]}') ELSE raw.`{name}` END"


def _canonical(kind: str) -> str:
    words = [(alias, word) for alias, word in wire.ALIASES.items() if word in wire.KINDS]
    cases = " ".join(f"WHEN '{alias}' THEN '{word}'" for alias, word in words)
    return f"CASE {kind} {cases} ELSE {kind} END"


def _bad_fields(typed: Mapping[str, str]) -> str:
    """Names of the fields that are there but did not take their type, with commas between."""
    marks = (f"if(loose.`{name}` IS NOT NULL AND ({sql}) IS NULL, '{name}', NULL)" for name, sql in typed.items())
    return f"concat_ws(', ', {', '.join(marks)})"


def _properties() -> str:
    """The properties, with fields that this version does not know added to them: drift loses nothing."""
    properties = _nested("properties")
    known = ", ".join(f"'{name}'" for name in FIELDS)
    present = " + ".join(f"int(raw.`{name}` IS NOT NULL)" for name in FIELDS)
    unknown = (
        f"map_filter(from_json(payload, 'map<string,string>'), (key, value) -> NOT array_contains(array({known}), key))"
    )
    own = f"map_filter(coalesce({properties}, cast(map() AS map<string,string>)), (key, value) -> NOT map_contains_key({unknown}, key))"
    # Counting keys is cheap and says for almost every row that there is none unknown.
    drifted = f"size(json_object_keys(payload)) > {present} AND size({unknown}) > 0"
    return f"CASE WHEN {drifted} THEN map_concat({own}, {unknown}) ELSE {properties} END"


def _payload_hash(taken: Mapping[str, str]) -> str:
    """xxhash64 of every field but the times and the network, which differ when an event is sent again; `taken` says where one lies.

    Null and empty count as equal, the order of properties does not count. Where there is no visitor, the user's id stands for it.
    """
    sent = {**taken, "visitor_id": "coalesce(visitor_id, user_id)"}
    other = (*TIMES, "ip", "properties", "unread_fields", *_LATER)
    plain = (f"coalesce(cast({sent.get(name, f'`{name}`')} AS string), '')" for name in FIELDS if name not in other)
    later = (f"cast({sent.get(name, f'`{name}`')} AS string)" for name in _LATER)
    return f"xxhash64({', '.join(plain)}, sort_array(map_entries(properties)), {', '.join(later)})"
