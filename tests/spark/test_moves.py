"""Events that a person takes out of silver: gone from every table, kept out, and let in again by a replay."""

import pytest
from pyspark.sql import SparkSession

from collector.replay.replay import Wanted, records, replay
from nextclick.errors import UsageError
from nextclick.reconciliation import reconcile
from nextclick.settings import Settings
from spark_jobs.moves import DERIVED, move
from spark_jobs.streaming import forget
from tests.spark.conftest import Land, new_events
from tests.spark.path import rows, run_jobs

pytestmark = pytest.mark.spark
TAKEN = ("ingest_events", "build_events")
MADE = ("build_identities", "build_sessions", "build_interactions")


def test_what_is_moved_is_gone_everywhere_stays_out_and_comes_back_by_replay(
    spark: SparkSession, settings: Settings, land: Land
) -> None:
    event = new_events()
    good = event(1, event="view_item", visitor_id="ann", item_id="lamp")
    test = [
        event(2, event="view_item", visitor_id="test", user_id="tester", item_id="lamp", name="It's a lamp"),
        event(3, event="purchase", visitor_id="test", item_id="lamp", price="9", currency="EUR"),
    ]
    land([good, *test])
    run_jobs(spark, settings, (*TAKEN, *MADE))

    def visitors() -> tuple[list[str], list[str], list[str]]:
        return (
            sorted(row.event_id for row in rows(settings, "silver.events")),
            sorted(row.visitor_id for row in rows(settings, "silver.sessions")),
            sorted(row.person_id for row in rows(settings, "gold.interactions")),
        )

    before = visitors()
    assert before == (["e0", "e1", "e2"], ["ann", "test"], ["tester", "visitor:ann"])
    with pytest.raises(UsageError, match=r"--where is no condition on silver.events.*visitor"):
        move(settings, (), "visitr_id = 'test'", "Ada", "typing")
    assert move(settings, (), "visitor_id = 'test'", "Ada", "why", dry_run=True).events == 2
    assert visitors() == before

    report = move(settings, (), "visitor_id = 'test'", "Ada", "the till's test")
    assert (report.events, report.visitors) == (2, 1)
    assert {"silver.sessions", "gold.interactions", "gold.item_daily"} <= set(report.made_anew)
    assert move(settings, ("e1",), None, "Ada", "again").events == 0
    assert set(MADE) < set(DERIVED)
    run_jobs(spark, settings, MADE)
    without = (["e0"], ["ann"], ["visitor:ann"])
    assert visitors() == without
    assert rows(settings, "silver.identities") == []
    [first, _] = records(settings, Wanted(reason="moved"))
    assert (first.message, first.replayable) == ("Moved out of silver.events by Ada: the till's test", True)
    account = reconcile(settings)
    assert (account.silver, account.quarantined, account.residual, account.double_counted) == (1, 2, 0, 0)

    land([*test, event(4, visitor_id="ann")])  # sent again, and a rebuild
    forget(settings, "build_events")
    run_jobs(spark, settings, TAKEN)
    assert visitors() == (["e0", "e3"], *without[1:])
    account = reconcile(settings)
    assert (account.silver, account.quarantined, account.duplicates, account.residual) == (2, 2, 2, 0)

    assert replay(settings, Wanted(reason="moved")).replayed == 2
    assert replay(settings, Wanted(reason="restored")).replayed == 0
    run_jobs(spark, settings, (*TAKEN, "build_sessions"))
    assert visitors()[:2] == (["e0", "e1", "e2", "e3"], ["ann", "test"])
    assert reconcile(settings).residual == 0
    forget(settings, "build_events")
    run_jobs(spark, settings, ["build_events"])
    account = reconcile(settings)
    assert (account.silver, account.quarantined, account.residual, account.double_counted) == (4, 0, 0, 0)
