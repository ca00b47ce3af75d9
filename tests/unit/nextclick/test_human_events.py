"""What is learned from leaves out bots, and what visitors did without consent."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nextclick.contracts.events import Consent, may_personalize, may_personalize_sql
from nextclick.lake import delta, duck
from nextclick.lake.paths import Lake, lake_at
from nextclick.lake.people import human_events
from nextclick.settings import Settings, load
from tests.table_rows import NOON, write

SAID = {None: None, True: {"personalization": True}, False: {"personalization": False, "analytics": True}}


@pytest.mark.parametrize("unless_said", [True, False])
def test_the_sql_of_consent_is_its_function(unless_said: bool) -> None:
    import duckdb

    for consent in (None, Consent(), Consent(personalization=True), Consent(personalization=False, analytics=True)):
        said = "NULL" if consent is None or consent.personalization is None else str(consent.personalization)
        row = "NULL" if consent is None else f"{{'personalization': {said}::boolean}}"
        [[answer]] = (
            duckdb.connect()
            .execute(
                f"SELECT {may_personalize_sql(unless_said)} FROM (SELECT {row}::struct(personalization boolean) AS consent)"
            )
            .fetchall()
        )
        assert answer == may_personalize(consent, unless_said)


def _settings(lake: Lake, **sections: dict[str, bool]) -> Settings:
    """Of this lake, but for what is said of a section."""
    settings = load(lake.root, environ={})
    chosen = {name: msgspec.structs.replace(getattr(settings, name), **keys) for name, keys in sections.items()}
    return msgspec.structs.replace(settings, **chosen)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Visitors y, n and q who said yes, no and nothing, each with a session and an item that was served and seen; and a bot."""
    lake = lake_at(tmp_path)
    events: list[dict[str, Any]] = []
    for visitor, said in (("y", True), ("n", False), ("q", None), ("bot", True)):
        shared = {"site": "s", "visitor_id": visitor, "occurred_at": NOON, "user_agent": visitor, "request_id": visitor}
        events.append(shared | {"event_id": f"served {visitor}", "event": "served"})
        events.append(shared | {"event_id": visitor, "event": "impression", "consent": SAID[said]})
    write(lake, "silver.events", events)
    write(lake, "silver.user_agents", [{"user_agent": "bot", "is_bot": True}])
    visits = [{"site": "s", "visitor_id": visitor, "user_agent": visitor} for visitor in ("y", "n", "q", "bot")]
    span = {"started_at": NOON - timedelta(minutes=5), "ended_at": NOON}
    later = {"started_at": NOON + timedelta(hours=1), "ended_at": NOON + timedelta(hours=2)}
    write(lake, "silver.sessions", [visit | times for visit in visits for times in (span, later)])
    write(lake, "silver.served_items", [visit | {"request_id": visit["visitor_id"]} for visit in visits])
    return lake


@pytest.mark.parametrize(
    ("unless_said", "learned"), [(None, ["n", "q", "y"]), (True, ["q", "y"]), (False, ["y"])], ids=["all", "yes", "no"]
)
@pytest.mark.parametrize("name", ["silver.events", "silver.sessions", "silver.served_items"])
def test_what_may_not_be_learned_from_is_left_out(
    lake: Lake, name: str, unless_said: bool | None, learned: list[str]
) -> None:
    chosen = _settings(lake, consent={"personalization": bool(unless_said)})
    with duck.connect(lake) as database:
        human_events.show(database, "rows", chosen, name, delta.require(lake, name), learned=unless_said is not None)
        which = {"silver.events": "event <> 'served'", "silver.sessions": f"started_at < '{NOON}'"}.get(name, "true")
        assert [
            visitor for [visitor] in database.sql(f"SELECT visitor_id FROM rows WHERE {which} ORDER BY 1").fetchall()
        ] == learned
        assert database.sql("SELECT count(*) FROM every_rows").fetchall()[0][0] >= 4


@pytest.mark.parametrize("name", ["silver.events", "silver.sessions", "silver.served_items"])
def test_what_suspects_did_on_their_day_is_left_out_where_that_is_wanted(lake: Lake, name: str) -> None:
    def kept(without: bool) -> list[str]:
        with duck.connect(lake) as database:
            chosen = _settings(lake, anomalies={"leave_out_suspects": without})
            human_events.show(database, "rows", chosen, name, delta.require(lake, name))
            rows = database.sql("SELECT DISTINCT visitor_id FROM rows ORDER BY 1").fetchall()
            return [visitor for [visitor] in rows]

    assert kept(without=True) == ["n", "q", "y"], "nobody looked yet"
    day, other = NOON.date(), NOON.date() + timedelta(days=1)
    suspects = [("s", "y", day, True), ("s", "n", day, False), ("s", "q", other, True), ("another", "q", day, True)]
    names = ("site", "visitor_id", "date", "is_suspect")
    write(lake, "gold.suspects", [dict(zip(names, row, strict=True)) for row in suspects])
    assert kept(without=True) == ["n", "q"]
    assert kept(without=False) == ["n", "q", "y"]


def test_a_session_in_which_nothing_was_refused_is_kept(lake: Lake) -> None:
    with duck.connect(lake) as database:
        chosen = _settings(lake, consent={"personalization": True})
        human_events.show(
            database, "rows", chosen, "silver.sessions", delta.require(lake, "silver.sessions"), learned=True
        )
        later = database.sql(f"SELECT visitor_id FROM rows WHERE started_at > '{NOON}' ORDER BY 1").fetchall()
        assert later == [("n",), ("q",), ("y",)]


def test_a_table_of_before_consent_says_nothing(lake: Lake) -> None:
    table = delta.require(lake, "silver.events").to_pyarrow_table().drop_columns(["consent"])
    old = lake_at(Path(lake.root) / "old")
    from deltalake import write_deltalake

    write_deltalake(old.table("silver.events"), table)
    for unless_said, count in ((True, 8), (False, 4)):
        with duck.connect(old) as database:
            chosen = _settings(old, consent={"personalization": unless_said})
            human_events.show(
                database, "rows", chosen, "silver.events", delta.require(old, "silver.events"), learned=True
            )
            assert database.sql("SELECT count(*) FROM rows").fetchall() == [(count,)]
