"""What a stopped query says to the person who has to mend it."""

import pytest
from pyspark.errors import StreamingQueryException

from spark_jobs.streaming import _explain

MORE_SOURCES = "There are [1] sources in the checkpoint offsets and now there are [2] sources requested by the query."


def test_a_changed_source_is_told_from_a_damaged_checkpoint() -> None:
    said = str(_explain("ingest_events", "checkpoint", StreamingQueryException(MORE_SOURCES)))
    assert "streaming.source is another" in said
    assert "nextclick rebuild bronze" in said


@pytest.mark.parametrize(("job", "spark"), [("ingest_events", "The disk is full."), ("build_sessions", MORE_SOURCES)])
def test_any_other_stop_says_that_a_second_call_goes_on(job: str, spark: str) -> None:
    said = str(_explain(job, "checkpoint", StreamingQueryException(spark)))
    assert said.startswith(f"{job} stopped: {spark} Nothing is lost: call again to go on.")
    assert "damaged" not in said  # no cause that nobody looked for
