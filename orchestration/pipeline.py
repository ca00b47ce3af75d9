"""The steps in order: what each one reads and writes, and so what runs after what."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from nextclick.contracts import bronze, gold, silver, silver_served
from nextclick.contracts.catalog import JOBS, TABLES, written_by
from nextclick.contracts.gold_analytics import ATTRIBUTION_DAILY, MODEL_DAILY
from nextclick.contracts.gold_anomalies import ANOMALIES
from nextclick.contracts.table import Layer


class StepKind(Enum):
    """How a step is run."""

    JOB = "job"
    """A Spark job, spark_jobs/jobs/NAME.py."""
    CHECK = "check"
    """The expectations of the tables that it reads."""
    WORK = "work"
    """A function without Spark."""


@dataclass(frozen=True)
class Step:
    """One step of the way; `target` is "module:function" of a WORK."""

    name: str
    does: str
    kind: StepKind
    reads: tuple[str, ...]
    writes: tuple[str, ...] = ()
    target: str = ""
    waits_for: tuple[str, str] | None = None
    """Table and column: a job whose tables are not there yet has nothing to do before there is a value in it."""


def _jobs(*layers: Layer) -> tuple[Step, ...]:
    """The Spark jobs of the layers, as the catalog knows them."""
    return tuple(
        Step(job.name, job.does, StepKind.JOB, job.reads, job.writes, waits_for=job.waits_for)
        for job in JOBS
        if job.layer in layers
    )


def _check(name: str, does: str, tables: tuple[str, ...]) -> Step:
    return Step(name, does, StepKind.CHECK, tables, (gold.DATA_QUALITY.name,))


SILVER = tuple(table.name for table in TABLES if table.layer is Layer.SILVER)
GOLD = tuple(table.name for table in TABLES if table.layer is Layer.GOLD and table.spark)
ATTRIBUTION = tuple(table.name for table in written_by(ATTRIBUTION_DAILY.job))
LISTS = tuple(table.name for table in written_by("lists"))
SUSPICIONS = tuple(table.name for table in written_by(ANOMALIES.job))
IMPORTED = tuple(table.name for table in written_by("import"))
"""What no step writes: `nextclick import` brings it."""

LEARNED_FROM = tuple(dict.fromkeys(name for table in written_by("lists") for name in table.reads))
"""By whom items are used, in which sessions, and how they are described: what lists are made of."""

STEPS: tuple[Step, ...] = (
    *_jobs(Layer.BRONZE, Layer.SILVER),
    Step(
        silver_served.SENDS.job,
        silver_served.SENDS.does,
        StepKind.WORK,
        silver_served.SENDS.reads,
        (silver_served.SENDS.name,),
        "triggers.sends:run",
    ),
    Step(
        silver_served.AUDIENCE_CHANGES.job,
        silver_served.AUDIENCE_CHANGES.does,
        StepKind.WORK,
        silver_served.AUDIENCE_CHANGES.reads,
        (silver_served.AUDIENCE_CHANGES.name,),
        "analytics.audiences.changes:run",
    ),
    _check("check_silver", "what silver must hold", (bronze.EVENTS.name, *SILVER)),
    Step(
        ANOMALIES.job, ANOMALIES.does, StepKind.WORK, ANOMALIES.reads, SUSPICIONS, "ml.jobs.anomalies:run"
    ),  # before gold, which may leave suspects out
    *_jobs(Layer.GOLD),
    Step(
        ATTRIBUTION_DAILY.job,
        ATTRIBUTION_DAILY.does,
        StepKind.WORK,
        ATTRIBUTION_DAILY.reads,
        ATTRIBUTION,
        "analytics.attribution.step:run",
    ),
    Step(
        MODEL_DAILY.job,
        "how good answers were by day",
        StepKind.WORK,
        MODEL_DAILY.reads,
        (MODEL_DAILY.name,),
        "ml.jobs.model_daily:run",
    ),
    Step(
        gold.PREDICTIONS.job,
        gold.PREDICTIONS.does,
        StepKind.WORK,
        gold.PREDICTIONS.reads,
        (gold.PREDICTIONS.name,),
        "ml.jobs.predict:run",
    ),
    Step(
        gold.AUDIENCE_MEMBERS.job,
        gold.AUDIENCE_MEMBERS.does,
        StepKind.WORK,
        gold.AUDIENCE_MEMBERS.reads,
        (gold.AUDIENCE_MEMBERS.name,),
        "analytics.audiences.nightly:run",
    ),
    _check(
        "check_gold",
        "what gold must hold",
        (*SUSPICIONS, *GOLD, *ATTRIBUTION, gold.PREDICTIONS.name, gold.AUDIENCE_MEMBERS.name),
    ),
    Step(
        "learn_bandits", "which arms are clicked", StepKind.WORK, (silver.EVENTS.name,), (), "serving.bandits.learn:run"
    ),
    Step(
        "learn_actions",
        "what actions are worth",
        StepKind.WORK,
        (silver.EVENTS.name,),
        (),
        "serving.next_best_action.learn:run",
    ),
    Step("train", "fit, judge, promote", StepKind.WORK, LEARNED_FROM, (), "ml.jobs.train:run"),
    Step(
        "train_ctr", "what is clicked", StepKind.WORK, (silver_served.SERVED_ITEMS.name,), (), "ml.jobs.train_ctr:run"
    ),
    Step(
        "train_ranker",
        "what is ranked first",
        StepKind.WORK,
        (silver_served.SERVED_ITEMS.name,),
        (),
        "ml.jobs.train_ranker:run",
    ),
    Step("lists", "what to show everyone", StepKind.WORK, LEARNED_FROM, LISTS, "ml.jobs.lists:run"),
    _check("check_lists", "what lists must hold", LISTS),
    Step("export", "lists → key-value table", StepKind.WORK, LISTS, (), "serving.export.export:run"),
    _check(
        "check_model_daily", "what figures of models must hold", (MODEL_DAILY.name,)
    ),  # trainings and lists add theirs
)

NAMES = tuple(step.name for step in STEPS)


def step(name: str) -> Step:
    return STEPS[NAMES.index(name)]


def writers(tables: Iterable[str]) -> list[Step]:
    """The steps whose work is one of these tables, in order; a check is a step of its own."""
    wanted = {*tables}
    return [step for step in STEPS if step.kind is not StepKind.CHECK and not wanted.isdisjoint(step.writes)]


def side_by_side(steps: Iterable[Step]) -> list[tuple[Step, ...]]:
    """The steps in order, those together that follow each other as jobs and need nothing of each other."""
    groups: list[tuple[Step, ...]] = []
    for step in steps:
        if groups and all(_apart(step, other) for other in groups[-1]):
            groups[-1] += (step,)
        else:
            groups.append((step,))
    return groups


def _apart(later: Step, earlier: Step) -> bool:
    """Whether two jobs may run side by side: neither reads nor writes what the other writes."""
    ours, theirs = {*later.reads, *later.writes}, {*earlier.reads, *earlier.writes}
    jobs = later.kind is StepKind.JOB is earlier.kind
    return jobs and ours.isdisjoint(earlier.writes) and theirs.isdisjoint(later.writes)
