"""What a suspect did on its day counts nowhere, where the settings leave it out: for whoever asks silver what people did.

Each of them is asked of two lakes: one in which `bad` is a suspect, and one in which `bad` was never there.
"""

import ast
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import pyarrow as pa
import pytest

from analytics import funnel, paths
from ml.data import clicks
from ml.data.interactions import IdMap
from ml.jobs import model_daily
from ml.lists import next_items
from ml.predictions import history
from nextclick.ctr import FEATURES
from nextclick.lake import duck
from nextclick.profile import conversion
from nextclick.settings import CHECKOUT, Settings, load
from serving.bandits import trials
from serving.experiments import report as experiments
from serving.experiments.assignment import Experiment, Variant
from serving.export import behaviour_counts
from serving.next_best_action import decisions, outcomes
from serving.next_best_action.decisions import Decision
from serving.off_policy import policy_log
from spark_jobs.jobs import GOLD
from tests.architecture.packages import PACKAGES
from tests.served_events import BANNER
from tests.table_rows import NOON, write
from tests.trigger_lake import trigger
from triggers.occasions import occasions
from triggers.occasions.looking import Looking

DAY: Final = timedelta(days=1)
EVERYBODY_COUNTS: Final = {
    "analytics.audiences.changes": "what servers say of audiences, the live path's word for word",
    "analytics.audiences.everybody": "who belongs is the same live and at night, and live nobody is a suspect yet",
    "analytics.audiences.question": "as analytics.audiences.everybody, which it asks about one",
    "ml.anomalies.window": "it is what finds suspects",
    "triggers.freshness": "when the newest event arrived",
    "triggers.people": "how a person is reached, and what the person allowed",
    "triggers.sends": "what triggers say of themselves",
}
"""Modules that ask silver.events, silver.sessions or silver.served_items for rows of suspects, too, and why."""


def _rows(visitor: str, late: float = 0) -> Mapping[str, list[dict[str, Any]]]:
    """A visitor's quarter of an hour, of which everybody who counts counts something."""

    def event(kind: str, minute: float, request: str | None = None, **more: Any) -> dict[str, Any]:
        at = NOON + timedelta(minutes=minute + late)
        times = dict.fromkeys(("client_time", "occurred_at", "received_at"), at)
        who = {"site": "default", "visitor_id": visitor, "event_id": f"{visitor}{kind}{minute}", "request_id": request}
        return who | times | {"event": kind, "channel": "direct", "source": "plain"} | more

    decision = Decision(action="none", shares={"none": 1.0}, place="*", segment="*")
    said = {trials.DRAWS: trials.encode([BANNER]), decisions.DECISION: decisions.encode(decision)}
    properties = [(name, text.decode()) for name, text in said.items()]
    request, variant = f"r{visitor}", {"experiment": "colour", "variant": "red"}
    events = [
        event("view_item", 0, item_id="lamp", page_url="/lamp"),
        event("page_view", 1, page_url="/rug"),
        event("search", 2, query="light"),
        event("served", 3, request, source="server", properties=properties, **variant),
        event("impression", 4, request, properties=[("banner", BANNER.arm)]),
        event("add_to_cart", 5, item_id="rug"),
        event("audience_entered", 6, source="server", properties=[("audience", "lookers")]),
    ]
    visit = {
        "site": "default",
        "visitor_id": visitor,
        "session_id": f"s{visitor}",
        "item_views": 1,
        "purchases": 0,
        "events": 7,
    }
    span = {"started_at": events[0]["occurred_at"], "ended_at": events[-1]["occurred_at"]}
    shown_at = events[4]["occurred_at"]
    shown = {
        "site": "default",
        "visitor_id": visitor,
        "request_id": request,
        "item_id": "lamp",
        "position": 1,
        "propensity": 0.5,
    }
    shown |= {"served_at": shown_at, "shown_at": shown_at, "clicked_at": None, "degraded": False, "revenue": []}
    shown |= {"model_version": "7", "features": list(dict.fromkeys(FEATURES, 0.5).items())}
    return {"silver.events": events, "silver.sessions": [visit | span], "silver.served_items": [shown]}


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Settings]:
    """`suspected`: ann and bad, whose day it is; `without`: ann alone; `counted`: as suspected, with settings that leave nobody out.

    All have `late`, ten days behind, since windows end with the newest event.
    """
    there = {}
    for name, visitors in (("suspected", ("ann", "bad")), ("without", ("ann",))):
        settings = load(tmp_path_factory.mktemp(name) / "lake", environ={})
        settings.lake.prepare()
        for visitor, late in (*((visitor, 0.0) for visitor in visitors), ("late", 10 * 24 * 60.0)):
            for table, rows in _rows(visitor, late).items():
                write(settings.lake, table, rows)
        suspect = {"site": "default", "visitor_id": "bad", "is_suspect": True}
        write(settings.lake, "gold.suspects", [suspect | {"date": (NOON + days * DAY).date()} for days in (0, 3)])
        there[name] = _leaving_out(settings)
    return there | {"counted": msgspec.structs.replace(there["suspected"], anomalies=settings.anomalies)}


def _leaving_out(settings: Settings) -> Settings:
    return msgspec.structs.replace(
        settings, anomalies=msgspec.structs.replace(settings.anomalies, leave_out_suspects=True)
    )


def _due(settings: Settings, kind: str, **when: Any) -> list[str]:
    with duck.answering(settings.lake, "who is due") as database:
        looking = Looking(database, settings, NOON + timedelta(days=1, hours=1))
        return [one.person_id for one in occasions(looking, trigger(kind, keep_hours=48, when=when))]


def _history(settings: Settings) -> list[Any]:
    with duck.answering(settings.lake, "what happened") as database:
        history.open_history(database, settings)
        return database.execute("SELECT visitor_id, event FROM history ORDER BY ALL").fetchall()


def _model_daily(settings: Settings) -> list[Any]:
    with duck.answering(settings.lake, "answers") as database:
        return model_daily._answers(settings, database, {NOON.date()})


def _experiment(settings: Settings) -> list[int]:
    start, stop = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    one = Experiment(name="colour", start=start, stop=stop, variants=(Variant(name="grey"), Variant(name="red")))
    return [variant.exposed for variant in experiments.report(settings, one).variants]


def _journeys(settings: Settings) -> list[Any]:
    steps = funnel.answer(settings, funnel.question(settings, ("view_item", "add_to_cart"), "1d")).steps
    return [*steps, paths.answer(settings, paths.PathsQuestion())]


def _next_items(settings: Settings) -> int | None:
    there = next_items.read(settings, IdMap(pa.array(["lamp", "rug"])))
    return len(there[0].at) if there else None


ASKED: Final[Mapping[str, tuple[Callable[[Settings], Any], ...]]] = {
    "analytics.journeys.units": (_journeys,),
    "ml.data.clicks": (lambda settings: len(clicks.read(settings)[0]),),
    "ml.jobs.model_daily": (_model_daily,),
    "ml.lists.next_items": (_next_items,),
    "ml.predictions.history": (_history,),
    "nextclick.profile.conversion": (lambda settings: conversion.count(settings, "default"),),
    "serving.bandits.trials": (lambda settings: trials.read(settings).rows,),
    "serving.experiments.report": (_experiment,),
    "serving.export.behaviour_counts": (lambda settings: behaviour_counts.entries(settings, "default"),),
    "serving.next_best_action.outcomes": (lambda settings: outcomes.read(settings, "purchase").rows,),
    "serving.off_policy.policy_log": (lambda settings: len(policy_log.of_served_items(settings, ()).reward),),
    "triggers.occasions.entries": (lambda settings: _due(settings, "enters_audience", audience="lookers"),),
    "triggers.occasions.looking": (
        lambda settings: _due(settings, "cart_left"),
        lambda settings: _due(settings, "silence", after_days=0.5),
    ),
}
"""By module that asks silver what people did: questions that it answers."""


@pytest.mark.parametrize(
    ("module", "at"), [(module, at) for module, asked in ASKED.items() for at in range(len(asked))]
)
def test_what_a_suspect_did_counts_for_nobody(lakes: dict[str, Settings], module: str, at: int) -> None:
    ask = ASKED[module][at]
    assert ask(lakes["suspected"]) == ask(lakes["without"])
    assert ask(lakes["counted"]) != ask(lakes["without"]), "it is seen where nobody is left out"


def _modules() -> dict[str, ast.Module]:
    """What asks of a lake, by name; benchmarks and the demo's truth are nobody's figures."""
    paths = (path for package in {*PACKAGES} - {"benchmarks", "demo"} for path in (CHECKOUT / package).rglob("*.py"))
    asking = (path for path in paths if any(word in path.read_text() for word in ("human_events", *_ROWS)))
    return {".".join(path.relative_to(CHECKOUT).with_suffix("").parts): ast.parse(path.read_bytes()) for path in asking}


def _calls(tree: ast.Module) -> set[str]:
    """What is called, such as `human_events.show`."""
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def _names(tree: ast.Module) -> set[str]:
    """The tables of visitors' rows that a module names: by the contract's constant, or by a text."""
    constants = {f"{prefix}{name}" for prefix in ("", "silver.") for name in ("EVENTS", "SESSIONS", "SERVED_ITEMS")}
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "nextclick.contracts.silver"
        for alias in node.names
        if alias.name in constants
    }
    texts = {"silver.events", "silver.sessions", "silver.served_items"}
    said = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and node.value in texts}
    dotted = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return imported | said | (dotted & constants)


_ROWS: Final = {"duck.show", "duck.source"}
_LEAVES_OUT: Final = {"human_events.show", "human_events.events", "human_events.without_suspects", "events"}


def test_whoever_asks_what_people_did_stands_here() -> None:
    asks, counts = set[str](), set[str]()
    for name, tree in _modules().items():
        called = _calls(tree)
        uses = {call for call in called & _LEAVES_OUT if call != "events" or _from_serving(tree)}
        if uses and name != "serving.human_events":
            asks.add(name)
        elif called & _ROWS and _names(tree) and not name.startswith("nextclick.lake."):
            counts.add(name)
    assert asks == {*ASKED}
    assert counts == {*EVERYBODY_COUNTS}


def _from_serving(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.ImportFrom) and node.module == "serving.human_events" for node in ast.walk(tree))


def test_jobs_of_gold_read_silver_without_suspects() -> None:
    """Spark's jobs have one way, too: tables.read_counted. Others read what visitors did only to make silver of it."""
    for job in GOLD:
        path = CHECKOUT / "spark_jobs" / "jobs" / f"{job}.py"
        tree = ast.parse(path.read_bytes())
        read = {
            ast.unparse(node.args[-1])
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "tables.read"
        }
        assert not read & {"silver.EVENTS", "silver.SESSIONS", "silver.SERVED_ITEMS"}, path
