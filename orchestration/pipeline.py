"""The stations in order: what each one reads and writes, and so what runs after what."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from nextclick.catalog import TABLES, written_by
from nextclick.contract import Layer
from nextclick.tables import bronze, gold, silver


class Kind(Enum):
    """How a station is run."""

    JOB = "job"
    """A Spark job, spark_jobs/jobs/NAME.py."""
    CHECK = "check"
    """The expectations of the tables that it reads."""
    WORK = "work"
    """A function without Spark."""


@dataclass(frozen=True)
class Station:
    """One step of the way; `target` is "module:function" of a WORK."""

    name: str
    does: str
    kind: Kind
    reads: tuple[str, ...]
    writes: tuple[str, ...] = ()
    target: str = ""
    waits_for: tuple[str, str] | None = None
    """Table and column: a job whose tables are not there yet has nothing to do before there is a value in it."""


def _job(name: str, does: str, waits_for: tuple[str, str] | None = None) -> Station:
    """A Spark job; the catalog knows its tables."""
    tables = written_by(name)
    reads = tuple(dict.fromkeys(source for table in tables for source in table.reads))
    return Station(name, does, Kind.JOB, reads, tuple(table.name for table in tables), waits_for=waits_for)


def _check(name: str, does: str, tables: tuple[str, ...]) -> Station:
    return Station(name, does, Kind.CHECK, tables, (gold.DATA_QUALITY.name,))


SILVER = tuple(table.name for table in TABLES if table.layer is Layer.SILVER)
PERFORMANCE = gold.RECOMMENDATION_PERFORMANCE.name
GOLD = (gold.INTERACTIONS.name, gold.TRAFFIC_DAILY.name, gold.ITEM_DAILY.name, PERFORMANCE)
LISTS = tuple(table.name for table in written_by("export"))

LEARNED_FROM = (gold.INTERACTIONS.name, silver.EVENTS.name, silver.ITEMS.name)
"""By whom items are used, in which sessions, and how they are described."""

STATIONS: tuple[Station, ...] = (
    _job("ingest_events", "landing log → bronze"),
    Station("ingest_rejects", "quarantine log → silver", Kind.JOB, (), (silver.QUARANTINE.name,)),
    _job("build_events", "typed, checked, deduplicated"),
    _job("build_identities", "which visitor is which user"),
    _job("build_items", "what is known of each item"),
    _job("build_user_agents", "browsers, devices, bots"),
    _job("build_sessions", "visits, exact"),
    _job("build_impressions", "what was served, shown, clicked", (silver.EVENTS.name, "request_id")),
    _check("check_silver", "what silver must hold", (bronze.EVENTS.name, *SILVER)),
    _job("build_interactions", "who used what, how strongly"),
    _job("build_traffic_daily", "traffic by day"),
    _job("build_item_daily", "items by day"),
    _job("build_recommendation_performance", "answers by day", (silver.IMPRESSIONS.name, "request_id")),
    _check("check_gold", "what gold must hold", GOLD),
    Station(
        "learn_bandits", "which arms are clicked", Kind.WORK, (silver.EVENTS.name,), (), "serving.bandits.learn:run"
    ),
    Station("train", "fit, judge, promote", Kind.WORK, LEARNED_FROM, (), "ml.train:run"),
    Station("train_ctr", "what is clicked", Kind.WORK, (silver.IMPRESSIONS.name,), (), "ml.ctr:run"),
    Station("lists", "what to show everyone", Kind.WORK, LEARNED_FROM, LISTS, "orchestration.lists:run"),
    _check("check_lists", "what lists must hold", LISTS),
    Station("export", "lists → key-value table", Kind.WORK, LISTS, (), "serving.export:run"),
)

NAMES = tuple(station.name for station in STATIONS)


def station(name: str) -> Station:
    return STATIONS[NAMES.index(name)]


def steps(places: Iterable[Station]) -> list[tuple[Station, ...]]:
    """The stations in order, those together that follow each other as jobs and need nothing of each other."""
    found: list[tuple[Station, ...]] = []
    for place in places:
        if found and all(_apart(place, other) for other in found[-1]):
            found[-1] += (place,)
        else:
            found.append((place,))
    return found


def _apart(later: Station, earlier: Station) -> bool:
    """Whether two jobs may run side by side: neither reads nor writes what the other writes."""
    ours, theirs = {*later.reads, *later.writes}, {*earlier.reads, *earlier.writes}
    jobs = later.kind is Kind.JOB is earlier.kind
    return jobs and ours.isdisjoint(earlier.writes) and theirs.isdisjoint(later.writes)
