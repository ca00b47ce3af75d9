"""docs/settings.md from conf/default.toml and the types: `python -m nextclick.settings.reference` writes it, a test compares it.

What a key means is its comment in conf/default.toml; what a change of it wants is in EFFECTS, once.
"""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final, get_type_hints

import msgspec

from nextclick.settings.sections import CHECKOUT, DEFAULT_CONF, Settings

PAGE = CHECKOUT / "docs" / "settings.md"
_OF_THE_CALL: Final = ("lake", "conf_dir", "profile")
"""Fields of Settings that no file sets."""


class Effect(StrEnum):
    """What to do after a change, as the page says it."""

    COMMAND = "nothing: the next command reads it"
    RUN = "nothing: the next `nextclick run` acts on it"
    COLLECTOR = "restart `nextclick collect`"
    API = "restart `nextclick serve`"
    STREAM = "restart `nextclick stream`"
    PAGES = "restart `nextclick up`"
    SHARE = "restart `nextclick share serve`"
    BI = "restart `nextclick bi`"
    TRIGGERS = "restart `nextclick triggers`"
    SILVER = "`nextclick rebuild silver`"
    GOLD = "`nextclick rebuild gold`"
    TRAIN = "`nextclick train`"
    LISTS = "`nextclick train --force`"
    """A training that finds the same model keeps its lists, but for this."""
    EXPORT = "`nextclick export --full`"


EFFECTS: Final[Mapping[str, tuple[Effect, ...]]] = {
    "site": (Effect.SILVER, Effect.LISTS, Effect.EXPORT, Effect.COLLECTOR, Effect.API, Effect.STREAM),
    "landing": (Effect.COLLECTOR, Effect.API),
    "collector": (Effect.COLLECTOR,),
    "collector.sink": (Effect.COLLECTOR, Effect.API),
    "serving": (Effect.API,),
    "ranking": (Effect.API,),
    "ranking.habit_days": (Effect.EXPORT,),
    "ranking.suggest_queries": (Effect.EXPORT,),
    "ranking.suggest_min_visitors": (Effect.EXPORT,),
    "events": (Effect.SILVER, Effect.COLLECTOR, Effect.STREAM),
    "items": (Effect.SILVER, Effect.EXPORT, Effect.STREAM),
    "consent": (Effect.GOLD, Effect.TRAIN, Effect.EXPORT, Effect.COLLECTOR),
    "access_logs": (Effect.COMMAND,),
    "sessions.gap_minutes": (Effect.SILVER, Effect.TRAIN, Effect.EXPORT, Effect.API, Effect.STREAM),
    "sessions.gaps": (Effect.SILVER, Effect.TRAIN, Effect.EXPORT, Effect.API, Effect.STREAM),
    "sessions.overlong_hours": (Effect.SILVER, Effect.STREAM),
    "attribution": (Effect.SILVER, Effect.STREAM),
    "analytics": (Effect.GOLD, Effect.STREAM),
    "analytics.active_days": (Effect.COMMAND,),
    "analytics.decay_days": (Effect.RUN,),
    "analytics.funnels": (Effect.COMMAND,),
    "sharing": (Effect.SHARE,),
    "storage": (Effect.COLLECTOR, Effect.API, Effect.STREAM, Effect.PAGES),
    "mlflow": (Effect.LISTS, Effect.PAGES),
    "bi": (Effect.BI,),
    "streaming": (Effect.STREAM,),
    "streaming.source": (Effect.COLLECTOR, Effect.STREAM),
    "kafka": (Effect.COLLECTOR, Effect.API, Effect.STREAM),
    "kafka.client": (Effect.COLLECTOR, Effect.API),
    "kafka.spark": (Effect.STREAM,),
    "kafka.records_per_trigger": (Effect.STREAM,),
    "spark": (Effect.STREAM, Effect.PAGES, Effect.BI),
    "spark.lists_from": (Effect.LISTS,),
    "spark.fit_from": (Effect.TRAIN,),
    "interactions": (Effect.GOLD, Effect.TRAIN, Effect.EXPORT, Effect.API),
    "quality": (Effect.RUN,),
    "als": (Effect.TRAIN,),
    "als.threads": (Effect.COMMAND,),
    "evaluation": (Effect.TRAIN,),
    "ctr": (Effect.TRAIN,),
    "predictions": (Effect.TRAIN,),
    "anomalies": (Effect.RUN,),
    "anomalies.leave_out_suspects": (Effect.GOLD, Effect.TRAIN, Effect.EXPORT),
    "gate": (Effect.TRAIN,),
    "next_items": (Effect.LISTS,),
    "next_items.days": (Effect.TRAIN,),
    "next_items.n": (Effect.TRAIN,),
    "next_items.live_megabytes": (Effect.LISTS, Effect.API),
    "next_items.refresh_minutes": (Effect.COMMAND,),
    "report": (Effect.LISTS,),
    "lists": (Effect.TRAIN,),
    "export": (Effect.LISTS,),
    "export.keep_versions": (Effect.COMMAND,),
    "export.history_items": (Effect.EXPORT,),
    "kv": (Effect.EXPORT, Effect.COLLECTOR, Effect.API),
    "kv.redis_timeout_seconds": (Effect.COLLECTOR, Effect.API),
    "kv.map_gib": (Effect.COLLECTOR, Effect.API),
    "bandits": (Effect.API,),
    "bandits.window_days": (Effect.RUN,),
    "actions": (Effect.RUN, Effect.API),
    "actions.period_hours": (Effect.API,),
    "actions.window_days": (Effect.RUN,),
    "actions.min_people": (Effect.RUN,),
    "live": (Effect.COLLECTOR, Effect.API),
    "live.half_life_hours": (Effect.API,),
    "live.queue_events": (Effect.COLLECTOR,),
    "live.queue_bytes": (Effect.COLLECTOR,),
    "live.catch_up_seconds": (Effect.COLLECTOR,),
    "triggers": (Effect.TRIGGERS,),
    "orchestration": (Effect.PAGES,),
}
"""By key, else by section."""

_HEAD = """\
# Every setting, and what a change of it wants

Generated from `conf/default.toml` and `nextclick/settings/` by `make docs`; change it there.

A key is set in `conf/default.toml`, in a profile (`conf/NAME.toml`, `--profile NAME`) or in the environment
(`NEXTCLICK_SECTION__KEY`). A table whose keys you choose, such as `sessions.gaps`, is JSON in the environment.
What runs keeps the settings that it was started with.

Read "after a change" from left to right: a rebuild comes before a training, and a training before an export. What was
trained reaches answers with the next `nextclick export`. `nextclick run` trains and exports by itself, without `--force`
and `--full`. `nextclick up` runs steps with the settings that it was started with, so restart it after any change.
"""


def keys(section: type[msgspec.Struct] = Settings, within: str = "") -> Iterator[str]:
    """Every key as `section.key`; a table whose keys a user chooses, such as interactions.weights, is one key."""
    types = get_type_hints(section)
    for field in msgspec.structs.fields(section):
        name, kind = f"{within}{field.name}", types[field.name]
        if name in _OF_THE_CALL:
            continue
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            yield from keys(kind, f"{name}.")
        else:
            yield name


def effects(key: str) -> tuple[Effect, ...]:
    """What a change of the key wants: its own entry, else that of the section that it stands in. KeyError where there is none."""
    while key not in EFFECTS and "." in key:
        key = key.rpartition(".")[0]
    return EFFECTS[key]


def meanings(text: str) -> dict[str, str]:
    """The comment behind each key and each table of a TOML text."""
    comments, table = dict[str, str](), ""
    for line in text.splitlines():
        if header := re.match(r"\[([\w.]+)\]\s*(?:#\s*(.*))?$", line):
            table = header[1]
            comments[table] = header[2] or ""
        elif (key := re.match(r"(\w+)\s*=\s*(.*)$", line)) and (comment := _comment(key[2])):
            comments[f"{table}.{key[1]}" if table else key[1]] = comment
    return comments


def _comment(value: str) -> str:
    """What stands behind a value's #, where that is not inside of its quotes."""
    return re.sub(r'^(?:"[^"]*"|[^"#])*#?\s*', "", value, count=1).strip()


def render() -> str:
    """The page as Markdown, a table a section."""
    comments, lines, section = meanings((DEFAULT_CONF / "default.toml").read_text(encoding="utf-8")), [_HEAD], None
    for key in keys():
        if key.partition(".")[0] != section:
            section = key.partition(".")[0]
            lines += [f"\n## {section}\n", *_note(comments.get(section, ""), section == key), *_COLUMNS]
        lines.append(f"| `{key}` | {_cell(comments[key])} | {_cell(', '.join(effects(key)))} |")
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


_COLUMNS: Final = ("| key | meaning | after a change |", "| --- | --- | --- |")


def _note(text: str, is_key: bool) -> list[str]:
    return [f"{text if '/' in text.split()[0] else text[0].upper() + text[1:]}.\n"] if text and not is_key else []


def _cell(text: Any) -> str:
    return str(text).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
