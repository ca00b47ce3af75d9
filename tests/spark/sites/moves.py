"""Events that a person takes out of silver: gone from every table, kept out, and let in again by a replay."""

import pytest

from collector.replay.replay import Wanted, records, replay
from nextclick.errors import UsageError
from nextclick.reconciliation import Reconciliation, reconcile
from nextclick.settings import Settings
from spark_jobs.moves import move
from tests.spark.conftest import new_events
from tests.spark.path import rows

SITE = "moves"
THEIRS = "visitor_id = 'test'"
_event = new_events(site=SITE)
TEST = [
    _event(2, event="view_item", visitor_id="test", user_id="tester", item_id="lamp", name="It's a lamp"),
    _event(3, event="purchase", visitor_id="test", item_id="lamp", price="9", currency="EUR"),
]
FIRST = [*TEST, _event(1, event="view_item", visitor_id="ann", item_id="lamp")]
SENT_AGAIN = [*TEST, _event(4, visitor_id="ann")]
WITHOUT = (["e2"], ["ann"], ["visitor:ann"])


def found(settings: Settings) -> tuple[list[str], list[str], list[str]]:
    """Events, visitors of sessions, and persons of interactions."""
    return (
        sorted(row.event_id for row in rows(settings, "silver.events", SITE)),
        sorted(row.visitor_id for row in rows(settings, "silver.sessions", SITE)),
        sorted(row.person_id for row in rows(settings, "gold.interactions", SITE)),
    )


def take_out(settings: Settings) -> None:
    before = found(settings)
    assert before == (["e0", "e1", "e2"], ["ann", "test"], ["tester", "visitor:ann"])
    with pytest.raises(UsageError, match=r"--where is no condition on silver.events.*visitor"):
        move(settings, (), "visitr_id = 'test'", "Ada", "typing")
    assert move(settings, (), THEIRS, "Ada", "why", dry_run=True).events == 2
    assert found(settings) == before
    report = move(settings, (), THEIRS, "Ada", "the till's test")
    assert (report.events, report.visitors) == (2, 1)
    assert {"silver.sessions", "gold.interactions", "gold.item_daily"} <= set(report.made_anew)
    assert move(settings, ("e1",), None, "Ada", "again").events == 0


def assert_gone(settings: Settings, before: Reconciliation) -> None:
    assert found(settings) == WITHOUT
    assert rows(settings, "silver.identities", SITE) == []
    [first, _] = records(settings, Wanted(reason="moved"))
    assert (first.message, first.replayable) == ("Moved out of silver.events by Ada: the till's test", True)
    _assert_grew(settings, before, silver=-2, quarantined=2)


def assert_kept_out(settings: Settings, before: Reconciliation) -> None:
    """Of a rebuild, and of what was sent again."""
    assert found(settings) == (["e2", "e3"], *WITHOUT[1:])
    _assert_grew(settings, before, silver=-1, quarantined=2, duplicates=2)


def let_in(settings: Settings) -> None:
    assert replay(settings, Wanted(reason="moved")).replayed == 2
    assert replay(settings, Wanted(reason="restored")).replayed == 0


def assert_back(settings: Settings) -> None:
    assert found(settings)[:2] == (["e0", "e1", "e2", "e3"], ["ann", "test"])
    assert reconcile(settings).residual == 0


def assert_back_for_good(settings: Settings, before: Reconciliation) -> None:
    _assert_grew(settings, before, silver=1)


def _assert_grew(
    settings: Settings, before: Reconciliation, silver: int = 0, quarantined: int = 0, duplicates: int | None = None
) -> None:
    now = reconcile(settings)
    assert (now.silver, now.quarantined) == (before.silver + silver, before.quarantined + quarantined)
    assert duplicates is None or now.duplicates == before.duplicates + duplicates
    assert (now.residual, now.double_counted) == (0, 0)
