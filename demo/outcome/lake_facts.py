"""Read the demo's facts from the lake that it made: the tables as they are published, no JVM."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from analytics import funnel
from analytics.answers import Reports
from analytics.audiences.question import size_at
from analytics.catalog import report
from demo.outcome.abuse_seen import abuse_seen
from demo.outcome.evaluation import judge
from demo.outcome.facts import AgainstPopular, Business, Checks, DemoFacts, Flow, ListedItemFact, Portrait
from demo.outcome.ground_truth import load_truth
from demo.outcome.known_figures import DAYS_LATER, DemoFigures
from demo.outcome.leaver import leaver
from demo.outcome.next_best import next_best
from demo.outcome.sent import sent
from demo.traffic.generate import DAYS
from demo.traffic.tastes import Tastes, load_tastes
from demo.traffic.visits import DAY_MS, START_MS
from ml.registry import champion
from nextclick.lake.delta import require
from nextclick.lake.memory import TableMemory
from nextclick.lake.sql import ask
from nextclick.reconciliation import reconcile
from nextclick.settings import Settings
from serving.recommend import lookup

LIST_LENGTH = 10
"""Items of a list that are judged and shown."""
END: Final = datetime.fromtimestamp((START_MS + DAYS * DAY_MS) / 1000, UTC)
"""Of the last day."""
_SHOWN = 5
_OWN = "model"
"""The contender whose metrics carry no prefix."""


def gather(settings: Settings, traffic: Path, shown_as: str) -> DemoFacts:
    """All facts of the lake, against the truth in the folder `traffic`; `shown_as` is the lake's name for people."""
    tastes = load_tastes(traffic / "tastes.npz")
    return DemoFacts(
        lake=shown_as,
        truth=load_truth(traffic / "truth.json"),
        flow=_flow(settings),
        business=_business(settings),
        figures=_figures(settings),
        checks=_checks(settings),
        contest=_contest(settings),
        tastes=judge(
            tastes,
            _columns(settings, "gold.recommendations", "person_id", "rank", "item_id"),
            _columns(settings, "gold.interactions", "person_id", "item_id"),
            _columns(settings, "gold.popular_items", "rank", "item_id"),
            LIST_LENGTH,
        ),
        portrait=_portrait(settings, tastes),
        leaver=leaver(settings.lake, tastes),
        actions=next_best(settings, tastes),
        sent=sent(settings),
        abuse=abuse_seen(settings.lake, traffic),
    )


def _rows(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    return ask(settings.lake, query)[1]


def _columns(settings: Settings, table: str, *columns: str) -> pa.Table:
    return require(settings.lake, table).to_pyarrow_table(columns=list(columns))


def _flow(settings: Settings) -> Flow:
    visits = "silver.events where event <> 'item_update'"
    return Flow(
        counts=reconcile(settings),
        reasons=_counts(settings, "reason", "silver.quarantine"),
        sources=_counts(settings, "source", visits),
        kinds=_counts(settings, "event", visits),
    )


def _counts(settings: Settings, column: str, rows: str) -> dict[str, int]:
    return dict(_rows(settings, f"select {column}, count(*) from {rows} group by 1 order by 1"))


def _business(settings: Settings) -> Business:
    sessions = _rows(settings, "select count(*), count_if(is_bounce), count_if(purchases > 0) from silver.sessions")[0]
    counted = (
        "count(distinct person_id) from gold.interactions",
        "count(*) from silver.items",
        "count(*) from silver.identities",
    )
    people, items, links = (_rows(settings, f"select {what}")[0][0] for what in counted)
    revenue = _rows(
        settings,
        "select money.key, sum(money.value) from (select unnest(map_entries(revenue)) as money from silver.sessions) "
        "group by 1 order by 1",
    )
    costs = _rows(settings, "select currency, sum(cost) from silver.costs group by 1 order by 1")
    return Business(
        sessions=sessions[0],
        bounces=sessions[1],
        conversions=sessions[2],
        people=people,
        items=items,
        links=links,
        revenue={currency: f"{total:.2f}" for currency, total in revenue},
        costs={currency: f"{total:.2f}" for currency, total in costs},
    )


def _figures(settings: Settings) -> DemoFigures:
    """What `nextclick report attribution`, `report retention_day`, `funnel order` and `audience example --size --at` say."""
    reports = Reports(TableMemory(settings.lake), settings.analytics)
    credited = _report(reports, "attribution", "channel", "conversions", "goal=purchase", "rule=last_non_direct")
    [(_, first_seen, seen_again)] = _report(reports, "retention_day", "n", "cohort_size,retained", f"n={DAYS_LATER}")
    steps = funnel.answer(settings, funnel.question(settings, ["order"])).steps
    return DemoFigures(
        credited={channel: int(orders) for channel, orders in sorted(credited)},
        first_seen=first_seen,
        seen_again=seen_again,
        funnel=tuple(step.units for step in steps),
        lookers=size_at(settings, "example", END).visitors,
    )


def _report(reports: Reports, name: str, by: str, figures: str, *where: str) -> Sequence[Any]:
    """Rows of a report over all that there is."""
    question = reports.question(report(name), by=(by,), where=where, figures=figures.split(","))
    return reports.answer(question).rows


def _checks(settings: Settings) -> Checks:
    """Of each expectation the newest verdict."""
    verdicts = _rows(
        settings,
        "select table_name || ': ' || expectation, severity, arg_max(success, checked_at) from gold.data_quality "
        "where kind = 'check' group by table_name, expectation, severity order by 1",
    )
    failed = {
        level: tuple(name for name, severity, ok in verdicts if severity == level and not ok)
        for level in ("warn", "stop")
    }
    return Checks(passed=sum(ok for _, _, ok in verdicts), warned=failed["warn"], stopped=failed["stop"])


def _contest(settings: Settings) -> AgainstPopular:
    """The champion's metrics, or those of the attempt that failed."""
    standing = champion.model_status(settings.lake)
    served, attempt = standing.champion, standing.attempt
    metrics = served.metrics if served else attempt.metrics if attempt else {}
    scores: dict[str, dict[str, float]] = {}
    for name, value in metrics.items():
        contender, _, metric = name.rpartition(".")
        scores.setdefault(contender or _OWN, {})[metric] = value
    reasons = attempt.reasons if attempt else []
    return AgainstPopular(champion=served.version if served else None, reasons=tuple(reasons), scores=scores)


def _portrait(settings: Settings, tastes: Tastes) -> Portrait:
    person = _somebody(settings, tastes)
    row = tastes.rows_of(np.array([person]))
    like = dict(zip(tastes.item_ids.tolist(), tastes.likes(row)[0].tolist(), strict=True))
    items = {
        item: (name, category)
        for item, name, category in _rows(settings, "select item_id, name, category from silver.items")
    }

    def suggestion(item: str) -> ListedItemFact:
        name, category = items[item]
        return ListedItemFact(item_id=item, name=name, category=category, like=round(like[item], 6))

    history = _rows(
        settings,
        f"select item_id from gold.interactions where person_id = '{person}' order by strength desc, item_id limit {_SHOWN}",
    )
    answer = lookup(settings, person, LIST_LENGTH)
    return Portrait(
        person_id=person,
        loves=_loves({item: category for item, (_, category) in items.items()}, like),
        history=tuple(suggestion(item) for (item,) in history),
        source=answer.source,
        recommended=tuple(suggestion(item.item_id) for item in answer.items[:_SHOWN]),
    )


def _somebody(settings: Settings, tastes: Tastes) -> str:
    """Of the known users with enough to show (else of all people) the one whose taste is clearest, the first of equals."""
    people = _rows(
        settings,
        f"select person_id, person_id like 'u%' and count(*) >= {2 * _SHOWN} from gold.interactions group by 1 order by 1",
    )
    ids = np.array([person for person, known in people if known] or [person for person, _ in people])
    return str(ids[tastes.mixture[tastes.rows_of(ids)].max(axis=1).argmax()])


def _loves(category_of: dict[str, str], like: dict[str, float]) -> tuple[str, ...]:
    """The two categories whose items the person likes best on average."""
    likes: dict[str, list[float]] = {}
    for item, category in category_of.items():
        likes.setdefault(category, []).append(like[item])
    return tuple(sorted(likes, key=lambda category: (-float(np.mean(likes[category])), category))[:2])
