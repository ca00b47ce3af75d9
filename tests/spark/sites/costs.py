"""gold.campaign_daily follows visits and costs by whole days: what came, what was corrected, and what went."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final

from collector.imports.figures.importer import FigureImport
from collector.imports.mapping import load
from nextclick.lake import delta
from nextclick.settings import Settings
from tests import oracle
from tests.spark import path
from tests.spark.sites.visits import SITE

COSTS: Final = "date,network,account,source,medium,campaign,content,currency,cost,impressions,clicks\n"
FIRST: Final = """\
2026-01-01,google_ads,one,google,cpc,lamps,,EUR,10.5,100,7
2026-01-01,google_ads,two,google,cpc,lamps,,EUR,0.5,,2
2026-01-01,google_ads,one,google,cpc,lamps,,USD,3,10,1
2026-01-03,mail,,news,email,june,top,EUR,4,,
2026-01-06,meta,,facebook,paid_social,lamps,blue,EUR,8,50,5
"""
SECOND: Final = """\
2026-01-01,google_ads,one,google,cpc,lamps,,EUR,11.25,120,8
2026-01-03,mail,,news,email,june,top,EUR,5,,
"""
"""Days and accounts as above: the first one's dollars go, the other account's stay; on the second day nobody came."""
CHANNELS: Final = {"google": "paid_search", "news": "email", "facebook": "paid_social"}

DAY: Final = date(2026, 1, 1)
LAMPS: Final = (DAY, SITE, "paid_search", "google", "cpc", "lamps", "(none)")
MAIL: Final = (date(2026, 1, 3), SITE, "email", "news", "email", "june", "top")
DIRECT: Final = ("direct", "(direct)", *["(none)"] * 3)


def bring(settings: Settings, costs: str) -> None:
    file = Path(settings.lake.root.parent, "costs.csv")
    file.write_text(COSTS + costs)
    FigureImport(settings, load("costs", settings.conf_dir / "mappings"), "costs", SITE).run(
        [file], False, lambda _: None
    )


def assert_first(settings: Settings) -> None:
    """Beside the visits of tests/spark/sites/visits.py."""
    assert path.campaigns(settings, SITE) == {
        (*LAMPS, ""): (None, None, None, 1),
        (*LAMPS, "EUR"): (100, 9, Decimal("11.0000"), 0),
        (*LAMPS, "USD"): (10, 1, Decimal("3.0000"), 0),
        (date(2026, 1, 2), SITE, *DIRECT, ""): (None, None, None, 1),
        (*MAIL, "EUR"): (None, None, Decimal("4.0000"), 0),
        (date(2026, 1, 4), SITE, "internal", "shop.example", *["(none)"] * 3, ""): (None, None, None, 1),
        (date(2026, 1, 4), SITE, *DIRECT, ""): (None, None, None, 1),  # the crawler
        (date(2026, 1, 6), SITE, *DIRECT, ""): (None, None, None, 1),  # and alone
        (date(2026, 1, 6), SITE, "paid_social", "facebook", "paid_social", "lamps", "blue", "EUR"): (50, 5, Decimal("8.0000"), 0),
    }  # fmt: skip


def assert_second(settings: Settings) -> None:
    costs = delta.require(settings.lake, "silver.costs").to_pyarrow_table().to_pylist()
    came = [row.asDict() for row in path.rows(settings, "gold.visits", SITE)]
    days = path.campaigns(settings, SITE)
    assert days == oracle.campaigns(came, (row | {"channel": CHANNELS[row["source"]]} for row in costs))
    assert days[*LAMPS, "EUR"] == (120, 10, Decimal("11.7500"), 0)
    assert (*LAMPS, "USD") not in days
    assert days[*MAIL, "EUR"][2] == 5
    assert [row[2] for row in days if row[0] == date(2026, 1, 6)] == ["paid_social"], "the cost stays, the visit went"
