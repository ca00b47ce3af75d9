"""gold.campaign_daily follows visits and costs by whole days: what came, what was corrected, and what went."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from pyspark.sql import SparkSession

from collector.imports.figures.importer import FigureImport
from collector.imports.mapping import load
from nextclick.contracts import catalog
from nextclick.lake import delta
from nextclick.settings import Settings
from spark_jobs import tables
from spark_jobs.jobs import build_campaign_daily
from spark_jobs.streaming import forget
from tests import oracle
from tests.spark import path
from tests.table_rows import write

pytestmark = pytest.mark.spark

FIRST_DAY, SECOND_DAY, THIRD_DAY = (date(2026, 6, day) for day in (1, 2, 3))
COSTS: Final = "date,network,account,source,medium,campaign,content,currency,cost,impressions,clicks\n"
FIRST: Final = """\
2026-06-01,google_ads,one,google,cpc,brand,,EUR,10.5,100,7
2026-06-01,google_ads,two,google,cpc,brand,,EUR,0.5,,2
2026-06-01,google_ads,one,google,cpc,brand,,USD,3,10,1
2026-06-01,mail,,news,email,june,top,EUR,4,,
2026-06-02,meta,,facebook,paid_social,lamps,blue,EUR,8,50,5
"""
CORRECTED: Final = "2026-06-01,google_ads,one,google,cpc,brand,,EUR,11.25,120,8\n"
"""Day and account as above: its dollars go; the other account's stay."""
CHANNELS: Final = {"google": "paid_search", "news": "email", "facebook": "paid_social", "(direct)": "direct"}


def visit(
    day: date, name: str, source: str = "(direct)", medium: str = "(none)", campaign: str = "(none)", **more: Any
) -> dict[str, Any]:
    row = {"date": day, "site": "default", "session_id": name, "channel": CHANNELS[source]}
    return row | {"source": source, "medium": medium, "campaign": campaign} | more


VISITS: Final = [
    visit(FIRST_DAY, "a", "google", "cpc", "brand"),
    visit(FIRST_DAY, "b", "google", "cpc", "brand"),
    visit(FIRST_DAY, "c", "news", "email", "june", content="top"),
    visit(FIRST_DAY, "d"),
    visit(SECOND_DAY, "e"),
    visit(THIRD_DAY, "f", "google", "cpc", "brand"),
]  # fmt: skip


def bring(settings: Settings, costs: str) -> None:
    file = Path(settings.lake.root.parent, "costs.csv")
    file.write_text(COSTS + costs)
    FigureImport(settings, load("costs", settings.conf_dir / "mappings"), "costs", "default").run(
        [file], False, lambda _: None
    )


def test_days_are_recomputed_when_visits_or_costs_of_theirs_came_changed_or_went(
    spark: SparkSession, settings: Settings
) -> None:
    for name in ("gold.visits", "silver.costs"):
        tables.ensure(spark, settings, catalog.table(name))  # so that costs come into a table that Spark made
    write(settings.lake, "gold.visits", VISITS)
    bring(settings, FIRST)
    build_campaign_daily.run(spark, settings)
    brand = ("google", "cpc", "brand", "(none)")
    assert path.campaigns(settings) == {
        (FIRST_DAY, "default", "paid_search", *brand, ""): (None, None, None, 2),
        (FIRST_DAY, "default", "paid_search", *brand, "EUR"): (100, 9, Decimal("11.0000"), 0),
        (FIRST_DAY, "default", "paid_search", *brand, "USD"): (10, 1, Decimal("3.0000"), 0),
        (FIRST_DAY, "default", "email", "news", "email", "june", "top", ""): (None, None, None, 1),
        (FIRST_DAY, "default", "email", "news", "email", "june", "top", "EUR"): (None, None, Decimal("4.0000"), 0),
        (FIRST_DAY, "default", "direct", "(direct)", "(none)", "(none)", "(none)", ""): (None, None, None, 1),
        (SECOND_DAY, "default", "direct", "(direct)", "(none)", "(none)", "(none)", ""): (None, None, None, 1),
        (SECOND_DAY, "default", "paid_social", "facebook", "paid_social", "lamps", "blue", "EUR"): (50, 5, Decimal("8.0000"), 0),
        (THIRD_DAY, "default", "paid_search", *brand, ""): (None, None, None, 1),
    }  # fmt: skip
    bring(settings, CORRECTED)
    left = [row for row in VISITS if row["session_id"] not in ("b", "e")]
    write(
        settings.lake,
        "gold.visits",
        [row for row in left if row["date"] == FIRST_DAY],
        mode="overwrite",
        predicate="date = '2026-06-01'",
    )
    delta.require(settings.lake, "gold.visits").delete("date = '2026-06-02'")
    build_campaign_daily.run(spark, settings)
    costs = delta.require(settings.lake, "silver.costs").to_pyarrow_table().to_pylist()
    step_by_step = path.campaigns(settings)
    assert step_by_step == oracle.campaigns(left, (row | {"channel": CHANNELS[row["source"]]} for row in costs))
    assert step_by_step[FIRST_DAY, "default", "paid_search", *brand, "EUR"] == (120, 10, Decimal("11.7500"), 0)
    assert (FIRST_DAY, "default", "paid_search", *brand, "USD") not in step_by_step
    forget(settings, "build_campaign_daily")
    build_campaign_daily.run(spark, settings)
    assert path.campaigns(settings) == step_by_step, "a rebuild gives the same rows"
