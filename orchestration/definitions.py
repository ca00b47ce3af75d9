"""When each step runs, in Dagster: assets, checks, jobs, schedule and sensor. `defs` loads without a JVM.

    dagster dev -m orchestration.definitions      (`nextclick up` does it, with the lake's own folder)

The lake and the settings come from NEXTCLICK_LAKE, NEXTCLICK_CONF_DIR and NEXTCLICK_PROFILE.
"""

import time
from collections.abc import Sequence
from datetime import timedelta

import msgspec
from dagster import (
    AssetsDefinition,
    AssetSelection,
    AssetSpec,
    Backoff,
    DagsterInstance,
    DagsterRunStatus,
    Definitions,
    ExecuteInProcessResult,
    FreshnessPolicy,
    ResourceDefinition,
    RetryPolicy,
    RunRecord,
    RunRequest,
    RunsFilter,
    ScheduleDefinition,
    SensorDefinition,
    SensorEvaluationContext,
    SkipReason,
    define_asset_job,
    load_assets_from_modules,
)
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.events import RunFailureReason
from dagster._core.execution.execute_in_process import core_execute_in_process
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from expectations import stops
from expectations.suites.suite import CHECKED
from nextclick.contracts import catalog, gold, silver
from nextclick.errors import NextclickError
from nextclick.lake import locks
from nextclick.lake.table_state import table_state
from nextclick.landing.reader import segments
from nextclick.settings import Settings, load
from orchestration import dagster_home, silence
from orchestration.assets import asset_specs
from orchestration.assets import audiences as audience_assets
from orchestration.assets import bronze as bronze_assets
from orchestration.assets import gold as gold_assets
from orchestration.assets import model as model_assets
from orchestration.assets import silver as silver_assets
from orchestration.checks import asset_checks
from orchestration.executor import side_by_side
from orchestration.new_data import topic_ends
from orchestration.pipeline import IMPORTED
from orchestration.step_runner import Watch, step_runner

NIGHTLY, INCREMENTAL = "nightly", "incremental"
NEWS_TAG = "nextclick/news"
"""Of an incremental run: what it was started for."""
_LONGEST_WAIT = 86_400.0
"""Seconds after which a run that keeps failing is asked for again, at the latest."""
_MODULES = (bronze_assets, silver_assets, gold_assets, model_assets, audience_assets)


def definitions(settings: Settings, watch: Watch | None = None) -> Definitions:
    """All of it for one lake. Nothing of the lake is touched before a run starts."""
    chosen = settings.orchestration
    everything = (
        AssetSelection.all() | AssetSelection.all_asset_checks()
    )  # those of imported tables, too, which no job makes
    again = RetryPolicy(max_retries=chosen.retries, delay=chosen.retry_seconds, backoff=Backoff.EXPONENTIAL)
    nightly = define_asset_job(
        NIGHTLY, everything, description="Everything once, in order, with a new model.", op_retry_policy=again
    )
    incremental = define_asset_job(
        INCREMENTAL,
        everything
        - AssetSelection.assets(
            model_assets.recommender,
            model_assets.click_model,
            model_assets.learned_ranker,
            model_assets.gold_predictions,
            audience_assets.gold_audience_members,
        ),
        description="What is new, up to the lists of those whom it touches; the model stays.",
        op_retry_policy=again,
    )
    assets = _assets(settings)
    return Definitions(
        assets=[*assets, *map(asset_specs.spec, (*map(catalog.table, IMPORTED), gold.DATA_QUALITY))],
        asset_checks=asset_checks(settings, assets),
        jobs=[nightly, incremental, silence.job(again)],
        schedules=[
            ScheduleDefinition(job=nightly, cron_schedule=chosen.nightly_cron, execution_timezone=chosen.timezone)
        ],
        sensors=[_news(settings), silence.sensor(settings)],
        resources={"steps": ResourceDefinition(lambda _: step_runner(settings, watch))},
        executor=side_by_side,
    )


def _assets(settings: Settings) -> list[AssetsDefinition]:
    """The assets of all modules, each to be as fresh as the settings ask of the data."""
    policy = FreshnessPolicy.time_window(timedelta(hours=settings.quality.freshness_hours))

    def fresh(spec: AssetSpec) -> AssetSpec:
        return spec.replace_attributes(freshness_policy=policy)

    assets = load_assets_from_modules(_MODULES)
    return [asset.map_asset_specs(fresh) for asset in assets if isinstance(asset, AssetsDefinition)]


def _newest(settings: Settings) -> str | None:
    """What names the newest arrival: the newest segment, or how many records the topic of events had."""
    if settings.streaming.source == "kafka":
        ends = topic_ends(settings, settings.kafka.events_topic)
        return f"kafka/{sum(ends.values())}" if ends and any(ends.values()) else None
    return next((segment.name for segment in segments(settings.lake.log("landing"))[-1:]), None)


def _news(settings: Settings) -> SensorDefinition:
    """Starts `incremental` where events came that no run of it has brought to its end; what failed is asked for again.

    Dagster never uses a run key twice, whatever became of its run; so a further try has a key of its own.
    """

    def look(context: SensorEvaluationContext) -> RunRequest | SkipReason:
        newest = _newest(settings)
        if newest is None:
            return SkipReason("Nothing has come, or Kafka does not answer.")
        runs = context.instance.get_runs(RunsFilter(job_name=INCREMENTAL, statuses=NOT_FINISHED_STATUSES), limit=1)
        if runs:  # which holds silver.events as a stream does
            return SkipReason(f"Run {runs[0].run_id} is under way.")
        streamed = locks.holder(settings.lake.locks, silver.EVENTS.name) is not None
        seen = table_state(settings.lake, silver.EVENTS.name).version if streamed else None  # gold follows the stream
        news = newest + (f"/{seen}" if streamed else "")
        tries = context.instance.get_run_records(RunsFilter(job_name=INCREMENTAL, tags={NEWS_TAG: news}))
        if tries and (reason := _not_again(tries, settings.orchestration.incremental_minutes * 60)):
            return SkipReason(reason)
        return RunRequest(run_key=f"{news} {len(tries)}", tags={NEWS_TAG: news})

    return SensorDefinition(
        name="news",
        job_name=INCREMENTAL,
        evaluation_fn=look,
        minimum_interval_seconds=round(settings.orchestration.incremental_minutes * 60),
        description="New segments in the landing log, or new silver events, until a run has brought them to its end.",
    )


def _not_again(tries: Sequence[RunRecord], seconds: float) -> str | None:
    """Why the runs of the same news, newest first, want no further one now: the first is at once, later ones are rarer."""
    newest = tries[0]
    if newest.dagster_run.status is DagsterRunStatus.SUCCESS:
        return "Nothing new."
    wait = min(seconds * (2 ** (len(tries) - 1) - 1), _LONGEST_WAIT)
    left = (newest.end_time or 0.0) + wait - time.time()
    return f"{len(tries)} runs failed; the next try is in {left:.0f} s." if left > 0 else None


def run_nightly(settings: Settings, watch: Watch | None = None) -> str:
    """Run the nightly job in this process, recorded in the lake's Dagster folder; returns the run's id.

    Raises CheckStopped if a stop stands after it, NextclickError if a step failed otherwise.
    """
    with DagsterInstance.from_config(str(dagster_home.prepare(settings.lake))) as instance:
        job = definitions(_at_once(settings), watch).resolve_job_def(NIGHTLY)
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        # as JobDefinition.execute_in_process, which would put an executor of its own in the place of ours
        result = core_execute_in_process(
            quiet, InMemoryJob(job), instance, output_capturing_enabled=False, raise_on_error=False
        )
    if not result.success:
        stops.refuse(settings, *CHECKED)
        raise NextclickError(f"The nightly job failed: {_reason(result)}")
    return result.run_id


def _at_once(settings: Settings) -> Settings:
    """Without retries: somebody waits for the run, and may call again."""
    return msgspec.structs.replace(settings, orchestration=msgspec.structs.replace(settings.orchestration, retries=0))


def _reason(result: ExecuteInProcessResult) -> str:
    """What the first step that failed said. KeyboardInterrupt where none did, since somebody ended the run."""
    for event in result.all_events:
        error = event.step_failure_data.error if event.is_step_failure else None
        if error:
            return f"{event.step_key}: {(error.cause or error).message.strip()}"
        if event.is_run_failure and event.job_failure_data.failure_reason is RunFailureReason.UNEXPECTED_TERMINATION:
            raise KeyboardInterrupt
    return f"see run {result.run_id} with `nextclick up`"


defs = definitions(load())
