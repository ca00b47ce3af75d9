"""A lake works in a folder as people name them, and in another one that it was moved to: files, Spark, model, answers."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pyspark.sql import SparkSession

from cli.main import cli
from nextclick.reconciliation import reconcile
from nextclick.settings import load
from tests.api_process import answering
from tests.conftest import LAKE
from tests.old_lakes import old_lake

# The suite's other tests live in the folder LAKE, and those of test_run.py in a copy of it: this one is for names one by one.
pytestmark = [pytest.mark.spark, pytest.mark.stress]

ONE_BY_ONE = (
    *("with space", "läke", "100%", "#1", "what?", "it's", "a+b & c", "{x}", "*", "😀", "ключ"),
    *('a "b"', "(1)", "a;b:c=d", "@v1", "$HOME `x`"),
)


def nextclick(lake: Path, *words: str) -> Any:
    """What `nextclick WORDS… --json` prints."""
    done = CliRunner().invoke(cli, ["--lake", str(lake), "--profile", "test", *words, "--json"], catch_exceptions=False)
    return json.loads(done.stdout)


@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize("name", [LAKE, *ONE_BY_ONE])
def test_a_lake_works_in_its_folder_and_in_the_next(spark: SparkSession, tmp_path: Path, name: str) -> None:
    first, second, history = tmp_path / name / "lake", tmp_path / "moved" / name, tmp_path / "history.ndjson"
    *earlier, last = old_lake.clicks()
    for events, folder in ((earlier, first), ([last | {"event_id": "last"}], second)):
        if folder is second:
            second.parent.mkdir()
            first.rename(second)
        history.write_text("\n".join(json.dumps(event) for event in events))
        nextclick(folder, "import", str(history), "--mapping", "plain")
        steps = {step["job"]: step["written"] for step in nextclick(folder, "run")["steps"]}
        assert steps["ingest_events"] == len(events)
        account = reconcile(load(folder, environ={}))
        assert (account.duplicates, account.residual, account.waiting) == (0, 0, 0)
    assert nextclick(second, "recommend", "v3")["items"]
    assert nextclick(second, "status")["export"]["people"] == 12
    with answering(second) as api:
        assert api.ask("/v1/recommendations?visitor_id=v3").status == 200
