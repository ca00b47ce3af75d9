"""silver.audience_changes, brought up to silver.events from cursor to cursor: at each moment what a plain recomputation gives."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.audiences import changes
from nextclick.contracts.events import SERVER
from nextclick.contracts.silver_served import AUDIENCE_CHANGES
from nextclick.lake import commits, delta, duck
from nextclick.lake.day_changes import changed_files, cursor_at
from nextclick.settings import Settings
from tests.audience_files import BUYERS, Row, at, event_row, settings_with
from tests.hypothesis_settings import generated
from tests.table_rows import arrow, write

TABLE, EVENTS, START = "silver.audience_changes", "silver.events", 1_750_000_000_000


class Said(NamedTuple):
    """An event of entering, or of leaving."""

    visitor: str
    minute: int
    entered: bool

    def row(self, number: int) -> Row:
        when = at(START + 60_000 * self.minute)
        kind = f"audience_{'entered' if self.entered else 'left'}"
        more: dict[str, Any] = {"source": SERVER, "properties": [("audience", "buyers")], "occurred_at": when}
        return event_row(number, kind, visitor=self.visitor, **more)


def expected(said: Iterable[Row]) -> list[tuple[str, int, bool]]:
    """Each visitor's events in the order of time, those that say what the one before said left out; of one moment the first id counts."""
    kept, belongs = dict[tuple[str, Any], Row](), dict[str, bool]()
    for row in sorted(said, key=lambda row: str(row["event_id"])):
        kept.setdefault((row["visitor_id"], row["occurred_at"]), row)
    changed = []
    for row in sorted(kept.values(), key=lambda row: row["occurred_at"]):
        entered = row["event"] == "audience_entered"
        if entered != belongs.get(row["visitor_id"], False):
            changed.append((row["visitor_id"], _minute(row["occurred_at"]), entered))
        belongs[row["visitor_id"]] = entered
    return sorted(changed)


def _minute(when: datetime) -> int:
    return round((when.timestamp() * 1000 - START) / 60_000)


def stands(settings: Settings) -> list[tuple[str, int, bool]]:
    rows: list[Mapping[str, Any]] = delta.require(settings.lake, TABLE).to_pyarrow_table().to_pylist()
    return sorted((row["subject_id"], _minute(row["changed_at"]), row["entered"]) for row in rows)


SAID = st.builds(Said, st.sampled_from("ab"), st.integers(0, 12), st.booleans())
STEPS = st.lists(
    st.one_of(st.lists(SAID, max_size=4), st.sampled_from(["anew", "one is taken out", "killed"])),
    min_size=3,
    max_size=5,
)


@generated(6)
@given(steps=STEPS)
def test_whatever_came_in_which_order_and_whatever_went_the_table_is_what_all_events_say(
    tmp_path_factory: pytest.TempPathFactory, steps: Sequence[Sequence[Said] | str]
) -> None:
    settings, rows = settings_with(tmp_path_factory.mktemp("lake"), {"buyers": BUYERS}), [event_row(0)]
    write(settings.lake, EVENTS, rows)
    for step in steps:
        match step:
            case "anew" | "one is taken out":  # its files are joined into one, or a person moves an event
                del rows[1 : 2 if step == "one is taken out" else 1]
                write(settings.lake, EVENTS, rows, mode="overwrite")
            case "killed":
                rows.append(Said("a", 5, len(rows) % 2 == 0).row(len(rows) + 100))
                write(settings.lake, EVENTS, rows[-1:])
                _killed_before_its_commit(settings)
            case _:
                assert not isinstance(step, str)
                came = [one.row(len(rows) + place) for place, one in enumerate(step)]
                rows += came
                write(settings.lake, EVENTS, came)
        changes.run(settings)
        assert stands(settings) == expected(rows[1:])
    changes.run(settings)
    assert changes.run(settings).details["reason"] == "Nothing new."


def _killed_before_its_commit(settings: Settings) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commits, "write", _die)
        with pytest.raises(KeyboardInterrupt):
            changes.run(settings)


def _die(*_: Any) -> None:
    raise KeyboardInterrupt


def test_files_that_were_read_are_not_opened_again(tmp_path: Path) -> None:
    """They are gone from the disk: whoever opened one would fail."""
    settings = settings_with(tmp_path, {"buyers": BUYERS})
    write(settings.lake, EVENTS, [Said("a", 1, True).row(1), Said("b", 2, True).row(2)])
    changes.run(settings)
    first = delta.require(settings.lake, EVENTS)
    for path in duck.files(first):
        (Path(settings.lake.table(EVENTS)) / path).unlink()
    write(settings.lake, EVENTS, [Said("a", 60, False).row(3)])
    assert changes.run(settings).written == 3
    assert stands(settings) == [("a", 1, True), ("a", 60, False), ("b", 2, True)]
    write(settings.lake, EVENTS, [event_row(4)])
    assert changes.run(settings).written == 0, "nobody entered or left"


def test_a_lake_of_before_this_cursor_is_read_whole_once(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, {"buyers": BUYERS})
    write(settings.lake, EVENTS, [Said("a", 1, True).row(1)])
    old = {"nextclick.silver.events": f"{delta.require(settings.lake, EVENTS).metadata().id} 0"}
    commits.create(settings.lake, AUDIENCE_CHANGES)
    commits.write(settings.lake, AUDIENCE_CHANGES, arrow(TABLE, []), "append", old)
    assert changes.run(settings).written == 1


def test_what_changed_is_what_came_and_what_went(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, {})
    write(settings.lake, EVENTS, [Said("a", 5, True).row(1)])
    first = delta.require(settings.lake, EVENTS)
    cursor = cursor_at(first)
    write(settings.lake, EVENTS, [Said("a", 9, False).row(2)])
    came = changed_files(settings.lake, EVENTS, delta.require(settings.lake, EVENTS), cursor)
    assert came is not None
    assert (len(came.came), came.went, came.oldest_gone("occurred_at")) == (1, frozenset(), None)
    write(settings.lake, EVENTS, [event_row(3)], mode="overwrite")
    both = changed_files(settings.lake, EVENTS, delta.require(settings.lake, EVENTS), cursor)
    assert both is not None
    assert (len(both.came), both.went, both.oldest_gone("occurred_at")) == (1, duck.files(first), at(START + 300_000))
    assert changed_files(settings.lake, EVENTS, delta.require(settings.lake, EVENTS), None) is None
