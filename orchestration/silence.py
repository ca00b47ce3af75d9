"""The sensor `silence`: a site that sends nothing brings no news, so traffic is looked at without any."""

import time
from typing import Final

from dagster import (
    AssetSelection,
    RetryPolicy,
    RunRequest,
    SensorDefinition,
    SensorEvaluationContext,
    SkipReason,
    define_asset_job,
)
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from nextclick.contracts.gold_anomalies import ANOMALIES
from nextclick.contracts.silver import EVENTS
from nextclick.lake import delta
from nextclick.settings import Settings
from orchestration.assets import gold as gold_assets

LOOK: Final = ANOMALIES.job


def job(again: RetryPolicy) -> UnresolvedAssetJobDefinition:
    """`anomalies` alone, without the checks of its tables, which want Spark: the next run of everything brings them."""
    return define_asset_job(
        LOOK,
        AssetSelection.assets(gold_assets.gold_anomalies).without_checks(),
        description="What is out of the ordinary, such as a site that fell silent.",
        op_retry_policy=again,
    )


def sensor(settings: Settings) -> SensorDefinition:
    """Starts `anomalies` where no run of any job, each of which looks as well, ended within orchestration.incremental_minutes."""
    seconds = settings.orchestration.incremental_minutes * 60

    def look(context: SensorEvaluationContext) -> RunRequest | SkipReason:
        if not delta.exists(settings.lake, EVENTS.name):
            return SkipReason("Nobody was there yet.")
        for newest in context.instance.get_run_records(limit=1):
            if not newest.dagster_run.is_finished:
                return SkipReason(f"Run {newest.dagster_run.run_id} is under way.")
            left = (newest.end_time or 0.0) + seconds - time.time()
            if left > 0:
                return SkipReason(f"The newest run looked; the next look is in {left:.0f} s.")
        return RunRequest()

    return SensorDefinition(
        name="silence",
        job_name=LOOK,
        evaluation_fn=look,
        minimum_interval_seconds=round(seconds),
        description="Looks at traffic where nothing came that would start a run.",
    )
