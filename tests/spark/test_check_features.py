"""Live profiles from the landing log and from the tables: the same, whatever was sent, and a difference is found."""

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from pyspark.sql import SparkSession

from cli.check import check
from expectations.measures import live_profiles
from nextclick.command import CommandContext
from nextclick.kv import open_profiles
from nextclick.landing.reader import read_segment, segments
from nextclick.profile import features_check, profile
from nextclick.profile.features_check import FeaturesCheck
from nextclick.profile.live_arrivals import Arrivals
from nextclick.profile.profile import Action
from nextclick.settings import Settings, load
from spark_jobs.jobs import build_events, ingest_events, ingest_rejects
from tests.spark.conftest import MINUTE, RECEIVED, new_events, publish
from tests.spark.test_build_events import POISON

pytestmark = pytest.mark.spark

HOUR = 60 * MINUTE
KEPT = {"NEXTCLICK_LIVE__KEEP_DAYS": "3650"}  # the events are of a fixed day


@pytest.fixture(scope="module")
def settings(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Twelve visitors and three people in the log, in the tables, and in the store as the collector merges them."""
    settings = load(tmp_path_factory.mktemp("features") / "lake", profile="test", environ=KEPT)
    settings.lake.prepare()
    event = new_events()
    views = [
        event(
            visitor_id=f"v{n % 10}",
            user_id=f"u{n % 3}" if n % 2 else None,
            item_id=f"i{n}",
            category="c",
            price="1.00005",
        )
        for n in range(30)
    ]
    resent = [
        view | {"occurred_at": view["client_time"] + n - 3, "sent_at": RECEIVED} for n, view in enumerate(views[:6])
    ]
    ahead = [event(visitor_id="ahead", client_time=RECEIVED + HOUR), event(visitor_id="ahead", client_time=RECEIVED)]
    many = [event(visitor_id="many", client_time=RECEIVED - n) for n in range(profile.K + 10)]
    others = [
        event(event=kind, visitor_id="v1", item_id="i") for kind in ("impression", "identify", "stared", "purchase")
    ]
    known = event(visitor_id=None, user_id="u1", quantity=3, price="7")
    publish(settings, [*views, *ahead, *many, *others, known, *(row for rows in POISON.values() for row in rows)])
    publish(settings, [*resent, views[7] | {"item_id": "another"}], received=RECEIVED + MINUTE)
    for job in (ingest_events, ingest_rejects, build_events):
        job.run(spark, settings)
    fill(settings)
    return settings


def fill(settings: Settings) -> None:
    arrivals, store = Arrivals(settings), open_profiles(settings)
    for segment in segments(settings.lake.landing):
        for line in read_segment(segment.path):
            if arrival := arrivals.read(line.payload, line.received_at or 0):
                store.merge({key: [arrival.action] for key in arrival.keys})


def test_nothing_differs_on_settled_data_though_copies_poison_and_fast_clocks_came(settings: Settings) -> None:
    found = live_profiles.run(settings)
    assert (found.profiles, found.differ, found.share, found.named) == (10 + 2 + 3, 0, 0.0, [])
    [resent] = open_profiles(settings).get_many([profile.visitor_key("default", "v5")])
    assert len(resent.actions) == 3


def test_what_silver_refuses_is_no_action(settings: Settings) -> None:
    arrivals = Arrivals(settings)
    rows = [row for rows in POISON.values() for row in rows]
    payloads = [row if isinstance(row, bytes) else msgspec.json.encode(row) for row in rows]
    assert [payload for payload in payloads if arrivals.read(payload, RECEIVED)] == []


def test_a_sample_is_a_part_of_all(settings: Settings) -> None:
    assert 0 < live_profiles.run(settings, 0.5).profiles < 16


def test_a_profile_that_lacks_or_has_too_much_is_found_and_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in KEPT.items():
        monkeypatch.setenv(name, value)
    store, key = open_profiles(settings), profile.visitor_key("default", "v1")
    store.merge({key: [Action(at=RECEIVED, id=7, code=2)]})
    lake = CommandContext(lake=str(settings.lake.root), profile="test")
    shown = CliRunner().invoke(check, ["features"], obj=lake, catch_exceptions=False)
    assert "15 live profiles compared, 1 differ (6.67%)." in shown.stdout
    assert "visitor default v1" in shown.stdout
    output = CliRunner().invoke(check, ["features", "--json"], obj=lake, catch_exceptions=False)
    found = msgspec.json.decode(output.stdout, type=FeaturesCheck)
    assert (found.profiles, found.differ, found.share, found.named) == (15, 1, 1 / 15, ["visitor default v1"])
    assert features_check.read(settings.lake) == found


def test_a_lake_without_tables_says_what_to_run(tmp_path: Path) -> None:
    answer = CliRunner().invoke(check, ["features"], obj=CommandContext(lake=str(tmp_path / "lake")))
    assert "nextclick run" in str(answer.exception)
