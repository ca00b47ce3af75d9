"""A lake that an earlier version made holds what it held, and goes on with new events."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from ml.registry import artifact
from nextclick.errors import LakeError
from nextclick.lake import lists_manifest
from nextclick.profile import profile
from nextclick.reconciliation import reconcile
from nextclick.settings import load
from spark_jobs.streaming import forget
from tests.conftest import LAKE
from tests.old_lakes import old_lake
from tests.spark import path

pytestmark = pytest.mark.spark

JOBS = ("ingest_events", "build_events", "build_sessions", "build_traffic_daily")
"""One of each kind: a file source, an append, intervals that merge, days (of UTC, since before a zone could be set)."""
ANEW = ("build_identities", "build_interactions")
"""Whose tables have another format since: who is who."""


@pytest.mark.parametrize("version", old_lake.VERSIONS)
def test_a_lake_of_an_earlier_version_goes_on(spark: SparkSession, tmp_path: Path, version: str) -> None:
    folder, held = old_lake.unpack(version, tmp_path / LAKE)
    settings = load(folder, profile="test", environ={})
    settings.lake.prepare()

    now = old_lake.facts(settings)
    assert (now["rows"], now["people"]) == (held["rows"], held["people"])
    lists = lists_manifest.read(settings.lake)
    assert lists is not None
    model = artifact.load(f"{settings.lake.shared}/{lists.state}", lists.digest)
    assert len(model.people) == held["people"]
    assert profile.decode(bytes.fromhex(held["profile"])).actions[0].item == "item1"

    first = next(old_lake.clicks())
    old_lake.land(settings, [first, first | {"event_id": "new", "item_id": "a new item"}])
    path.run_jobs(spark, settings, JOBS)
    with pytest.raises(LakeError, match=r"gold.interactions is of an older form.*`nextclick rebuild gold`"):
        path.run_jobs(spark, settings, ["build_interactions"])
    for job in ANEW:
        forget(settings, job)
    path.run_jobs(spark, settings, ANEW)
    after = old_lake.facts(settings)["rows"]
    grown = {name: new for name, count in after.items() if (new := count - held["rows"].get(name, 0))}
    assert grown == {  # one of the two is a resend; the other is of the same session
        "bronze.events": 2,
        "silver.events": 1,
        "gold.interactions": 1,
    }
    account = reconcile(settings)
    assert (account.duplicates, account.residual, account.waiting) == (1, 0, 0)
