"""No event's numbers stop a job: each column at its limits goes through every table, and what lies beyond is set aside."""

import pytest
from pyspark.sql import SparkSession

from nextclick.contracts import silver
from nextclick.reconciliation import reconcile
from nextclick.settings import Settings
from spark_jobs.transforms.silver.validate_events import RANGES
from tests.spark.conftest import Land
from tests.spark.path import run_jobs
from tests.spark.sites.extremes import extremes

pytestmark = pytest.mark.spark


def test_every_number_has_both_limits_or_a_type_that_is_one() -> None:
    numbers = {column.name: column for column in silver.EVENTS.columns if column.type in ("int", "bigint", "double")}
    only_named = {"payload_hash", "position"}  # a hash and a place: grouped by, never added up
    assert {name for name in numbers if None in RANGES.get(name, (None, None))} == only_named


@pytest.mark.stress
def test_extremes_go_the_whole_path_twice(spark: SparkSession, settings: Settings, land: Land) -> None:
    for seed in (2, 3):
        land(list(extremes(seed)))
        run_jobs(spark, settings)
        account = reconcile(settings)
        assert (account.waiting, account.residual, account.double_counted) == (0, 0, 0)
