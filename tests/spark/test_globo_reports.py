"""Clicks of a news portal, imported and built: every report answers, and says what plain counting of the files says."""

import csv
import gzip
import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pyspark.sql import SparkSession

from analytics.answers import Reports
from analytics.attribution import step
from analytics.catalog import REPORTS, report
from cli.main import cli
from nextclick.lake.memory import TableMemory
from nextclick.settings import CHECKOUT, Settings
from tests.spark import path

pytestmark = [pytest.mark.spark, pytest.mark.stress]

GLOBO = CHECKOUT.parent / "shared" / "data" / "globo-clicks"
HEADER = (
    "user_id,session_id,session_start,session_size,click_article_id,click_timestamp,click_environment,"
    "click_deviceGroup,click_os,click_country,click_region,click_referrer_type\n"
)
GAP_MS = 30 * 60_000
JOBS = (
    "ingest_events", "build_events", "build_identities", "build_user_agents", "build_items", "build_sessions", "build_traffic_daily",
    "build_item_daily", "build_visits", "build_campaign_daily",
)  # fmt: skip
Clicks = list[tuple[str, str, int]]


def small(folder: Path) -> Path:
    """Four visits of three readers on two days; a click that two files have; a gap of exactly 30 minutes, which parts nothing."""
    start, minute = 1_506_816_000_000, 60_000  # 2017-10-01T00:00Z
    clicks = [("0", 0), ("0", 30), ("1", 5), ("1", 36), ("2", 1440), ("2", 1441)]
    for number, some in enumerate((clicks[:4], clicks[3:])):
        rows = (f"{user},1,1,1,{at},{start + at * minute},4,3,20,1,20,2\n" for user, at in some)
        (folder / f"clicks_hour_{number:03}.csv").write_text(HEADER + "".join(rows))
    return folder


def clicks_of(folder: Path) -> Clicks:
    """Each once: reader, article, milliseconds."""

    def rows() -> Iterator[dict[str, str]]:
        for file in sorted(folder.glob("clicks_hour_*")):
            with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as lines:
                yield from csv.DictReader(lines)

    return list({(row["user_id"], row["click_article_id"], int(row["click_timestamp"])) for row in rows()})


def plain(clicks: Clicks) -> dict[str, int]:
    """Figures of the whole, by a loop over each reader's times."""
    times = defaultdict[str, list[int]](list)
    for reader, _, at in clicks:
        times[reader].append(at)
    visits = bounces = 0
    for each in times.values():
        sizes = [0]
        for before, at in zip([min(each), *sorted(each)], sorted(each), strict=False):
            sizes += [0] * (at - before > GAP_MS)
            sizes[-1] += 1
        visits += len(sizes)
        bounces += sizes.count(1)
    return {"visits": visits, "visitors": len(times), "bounces": bounces, "views": len(clicks)}


@pytest.fixture
def answered(spark: SparkSession, settings: Settings, tmp_path: Path) -> Any:
    def of(folder: Path) -> tuple[Reports, dict[str, Any]]:
        """The reports of a lake of these files, and the days that they are asked of."""
        words = ["--lake", str(settings.lake.root), "--profile", "test", "import", str(folder), "--mapping", "globo"]
        assert CliRunner().invoke(cli, words, catch_exceptions=False).exit_code == 0
        path.run_jobs(spark, settings, JOBS)
        step.run(settings)
        shutil.rmtree(settings.lake.landing)  # no report reads it
        days = sorted(datetime.fromtimestamp(at / 1000, UTC).date() for _, _, at in clicks_of(folder))
        return Reports(TableMemory(settings.lake), settings.analytics), {"first": str(days[0]), "last": str(days[-1])}

    return of


def compare(reports: Reports, days: dict[str, Any], expected: dict[str, int], has_rows: Sequence[str]) -> None:
    for each in REPORTS:
        there = reports.answer(reports.question(each, **days if each.is_of_days else {}))
        assert there.rows or each.name not in has_rows, each.name
    whole = reports.answer(reports.question(report("traffic"), **days, figures=(*expected,)))
    assert dict(zip((metric.name for metric in whole.question.metrics), whole.whole, strict=True)) == expected


HAVE_ROWS = (
    "traffic",
    "newcomers",
    "events",
    "active",
    "frequency",
    "retention_day",
    "retention_week",
    "lifecycle",
    "items",
    "campaigns",
)


def test_a_few_clicks_are_counted_as_a_reader_counts_them(answered: Any, tmp_path: Path) -> None:
    folder = tmp_path / "clicks"
    folder.mkdir()
    expected = {"visits": 4, "visitors": 3, "bounces": 2, "views": 6}
    assert plain(clicks_of(small(folder))) == expected
    reports, days = answered(folder)
    compare(reports, days, expected, HAVE_ROWS)
    new = reports.answer(reports.question(report("newcomers"), **days, figures=("visits",)))
    assert dict(new.rows) == {"new": 3, "returning": 1}
    assert days == {"first": str(date(2017, 10, 1)), "last": str(date(2017, 10, 2))}


@pytest.mark.skipif(not GLOBO.exists(), reason=f"{GLOBO} is not there")
def test_of_all_clicks_of_the_portal_every_report_answers(answered: Any) -> None:
    reports, days = answered(GLOBO)
    compare(reports, days, plain(clicks_of(GLOBO)), HAVE_ROWS)
