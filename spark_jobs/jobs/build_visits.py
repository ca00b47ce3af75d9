"""silver.sessions, events and user_agents → gold.visits, visitor_days, page_daily, event_daily and conversions.

Whole days are recomputed when a visit that has part in them changed, an event outside visits came, or an agent became known;
then all conversions of the visitors whose visits changed, since each names the visits that led to it.
"""

from collections.abc import Collection
from datetime import date
from functools import partial
from typing import NamedTuple

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from nextclick.contracts import gold_analytics as gold
from nextclick.contracts import silver
from nextclick.contracts.events import OUTSIDE_SESSIONS
from nextclick.contracts.table import Table
from nextclick.report import JobReport
from nextclick.settings import AnalyticsSettings, Settings
from spark_jobs import tables
from spark_jobs.launch import launch
from spark_jobs.plans.prepared import Prepared, once
from spark_jobs.streaming import MicroBatch, Trigger, run_query
from spark_jobs.transforms import Transformer
from spark_jobs.transforms.gold.bots import of_agents
from spark_jobs.transforms.gold.conversions import (
    changed_dates,
    conversions,
    kinds,
    who_converts,
    with_paths,
)
from spark_jobs.transforms.gold.event_daily import event_daily
from spark_jobs.transforms.gold.page_daily import page_daily
from spark_jobs.transforms.gold.visit_events import OWNER, only_days, visit_events
from spark_jobs.transforms.gold.visitor_days import visitor_days
from spark_jobs.transforms.gold.visits import visits
from spark_jobs.transforms.local_days import hours_of, local_date
from spark_jobs.transforms.time_ranges import among, time_ranges

_TARGETS = (gold.VISITS, gold.VISITOR_DAYS, gold.PAGE_DAILY, gold.EVENT_DAILY, gold.CONVERSIONS)
_OUTSIDE = tuple(kind for kind in OUTSIDE_SESSIONS if kind != "item_update")
_SPAN = ("started_at", "ended_at")
_HOUR = "div(unix_seconds({}), 3600)"
_FEW, _FEW_VISITORS = 50_000, 1_000
"""Events of visits, and visitors who convert, that one task counts: moving rows between tasks costs more."""


@once
def day_steps(analytics: AnalyticsSettings, pages_max: int | None) -> tuple[tuple[Table, Prepared], ...]:
    """The tables of whole days, and what makes the rows of each of events with their visits."""
    transforms = (
        (gold.VISITS, visits(analytics)),
        (gold.VISITOR_DAYS, visitor_days(analytics)),
        (gold.PAGE_DAILY, page_daily(pages_max)),
        (gold.EVENT_DAILY, event_daily),
    )
    return tuple((table, Prepared(partial(_rows_of, table, transform))) for table, transform in transforms)


def _rows_of(table: Table, transform: Transformer, events: DataFrame) -> DataFrame:
    return events.transform(transform).select(*table.column_names)


def run(spark: SparkSession, settings: Settings, trigger: Trigger = Trigger.AVAILABLE_NOW) -> JobReport:
    """Recompute the days that changed, then the conversions of the visitors whose visits changed."""
    lake = settings.lake

    def source(spark: SparkSession) -> DataFrame:
        """Spans of time in which something changed: visits, and events outside them; and new agents."""
        spans = tables.stream_changes(spark, lake, silver.SESSIONS).select(*OWNER, *_SPAN)
        others = tables.stream(spark, lake, silver.EVENTS).where(F.col("event").isin(*_OUTSIDE))
        agents = tables.stream(spark, lake, silver.USER_AGENTS).select("user_agent")
        for more in (_moments(others), agents):
            spans = spans.unionByName(more, allowMissingColumns=True)
        return spans

    def process(changed: DataFrame, batch: MicroBatch) -> None:
        changed = batch.held_if_few(changed)
        read = partial(tables.read_counted, changed.sparkSession, settings)
        agents = tables.read(changed.sparkSession, lake, silver.USER_AGENTS)
        work = _Work(settings, batch, read(silver.EVENTS), read(silver.SESSIONS), agents)
        seen, known, days = changed.agg(F.count("site"), F.count("user_agent"), work.days()).collect()[0]
        batch.counts.read += seen
        if batch.replaces or tables.is_empty(lake, gold.VISITS):  # everything is new: no need to say what it touches
            work._replace(few=tables.have_few(lake, silver.EVENTS, silver.SESSIONS)).write_all()
            return
        spans = changed.where("site IS NOT NULL").select(*OWNER, *_SPAN)
        if known:
            theirs = work.of_agents(changed)
            days += theirs.agg(work.days()).collect()[0][0]
            spans = spans.unionByName(theirs)
        if days:
            work.write(spans, {day for span in days for day in span}, seen)

    return run_query(spark, settings, trigger, "build_visits", _TARGETS, source, process)


def _moments(events: DataFrame) -> DataFrame:
    """Events as spans without a length, of no visit."""
    nobody = F.lit(None).cast("string").alias("visitor_id")
    return events.select("site", nobody, *(F.col("occurred_at").alias(name) for name in _SPAN))


class _Work(NamedTuple):
    """What a batch does, and the tables that it reads."""

    settings: Settings
    batch: MicroBatch
    events: DataFrame
    sessions: DataFrame
    agents: DataFrame
    few: bool = False
    """So few rows that one task counts them sooner than several."""

    def days(self) -> Column:
        """Each list of days on which something of a span lies."""
        return F.collect_set(F.sequence(*(local_date(self.settings.analytics, name) for name in _SPAN)))

    def of_agents(self, agents: DataFrame) -> DataFrame:
        """The spans of the visits and events of these agents."""
        visits, events = (rows.transform(of_agents(agents)) for rows in (self.sessions, self.events))
        return visits.select(*OWNER, *_SPAN).unionByName(_moments(events))

    def write_all(self) -> None:
        rows = self.batch.hold(self._with_visits(), self.few)
        self._write_days(rows, self.settings.analytics.pages_max, few=self.few)
        self._write(gold.CONVERSIONS, self._conversions(rows, self._read(gold.VISITS)))

    def write(self, spans: DataFrame, days: set[date], seen: int) -> None:
        near, events = self._near(days)
        most = self.settings.analytics.pages_max
        few = events <= _FEW
        rows = self.batch.hold(near._replace(few=few)._with_visits().transform(only_days(days)), few)
        self._write_days(rows, most if events > most else None, days, events + seen, few)
        self._write_conversions(rows, spans, few)

    def _write_days(
        self,
        rows: DataFrame,
        pages_max: int | None,
        days: set[date] | None = None,
        more: int = 0,
        few: bool = False,
    ) -> None:
        for table, step in day_steps(self.settings.analytics, pages_max):
            self._write(table, step(rows, few=few), days, more)

    def _write_conversions(self, rows: DataFrame, spans: DataFrame, few: bool) -> None:
        """Recompute all conversions of the visitors who have one and of whom a span is; replace the days on which rows differ."""
        present, owner = self._read(gold.CONVERSIONS), list(OWNER)
        who = self.batch.hold(present.transform(who_converts(rows, spans)), few)
        since, visitors, parts = who.agg(F.min("since"), F.count("*"), F.sum("parts")).collect()[0]
        if visitors:
            recent = f"ended_at >= timestamp_micros({since}) - INTERVAL {self.settings.analytics.lookback_days} DAYS"
            recent_visits = self._read(gold.VISITS).where(recent).join(who, owner, "left_semi")
            few = visitors <= _FEW_VISITORS
            theirs = self._of(who, since)._replace(few=few)._with_visits()
            fresh = self.batch.hold(self._conversions(theirs, recent_visits), few)
            former = present.join(who, owner, "left_semi")
            dates = former.transform(changed_dates(fresh)).agg(F.collect_set("date")).collect()[0][0]
            if dates:
                kept = present.join(who, owner, "left_anti").unionByName(fresh)
                self._write(gold.CONVERSIONS, kept.where(among(dates, "date")), dates, parts)

    def _conversions(self, rows: DataFrame, visits: DataFrame) -> DataFrame:
        analytics = self.settings.analytics
        paths = with_paths(visits, analytics.lookback_days)
        return rows.transform(conversions(analytics)).transform(paths).select(*gold.CONVERSIONS.column_names)

    def _with_visits(self) -> DataFrame:
        return self.events.transform(visit_events(self.sessions, self.agents, self.settings.analytics, self.few))

    def _near(self, days: set[date]) -> tuple["_Work", int]:
        """The events of `days` and those of later days whose visits began on them, with the visits; and how many events of visits."""
        hours, day = hours_of(self.settings.analytics, days), partial(local_date, self.settings.analytics)
        sessions = self.sessions.where(time_ranges(hours, *_SPAN))
        goes_on = day("started_at").isin(days) & ~day("ended_at").isin(days)
        span = F.expr(f"sequence({_HOUR.format('started_at')}, {_HOUR.format('ended_at')})")
        events, spans = sessions.agg(F.sum("events"), F.collect_set(F.when(goes_on, span))).collect()[0]
        times = time_ranges(hours | {hour for span in spans for hour in span}, "occurred_at")
        return self._replace(events=self.events.where(times), sessions=sessions), events or 0

    def _of(self, who: DataFrame, since: int) -> "_Work":
        """What these visitors did since that microsecond that may be part of a conversion, and their visits."""
        events = self.events.where(F.col("event").isin(kinds(self.settings.analytics)))
        return self._replace(
            events=events.where(f"occurred_at >= timestamp_micros({since})").join(who, list(OWNER), "left_semi"),
            sessions=self.sessions.where(f"ended_at >= timestamp_micros({since})").join(who, list(OWNER), "left_semi"),
        )

    def _read(self, table: Table) -> DataFrame:
        return tables.read(self.events.sparkSession, self.settings.lake, table)

    def _write(self, table: Table, rows: DataFrame, days: Collection[date] | None = None, more: int = 0) -> None:
        """The rows of `days`, or of all: at most `more` than those that are there."""
        lake, commit = self.settings.lake, self.batch.commit(table.name)
        if days is None:
            tables.replace(rows, lake, table, commit, few=self.few)
        else:
            tables.replace_days(rows, lake, table, commit, days, tables.rows_on(lake, table, days) + more)


if __name__ == "__main__":
    launch(run)
