"""Whether a Spark job has anything new to read: asked of its checkpoint and its sources, without a JVM.

A job takes exactly what lies between its last committed batch and its sources' ends, so
where these meet, starting Spark would change nothing. Wherever the checkpoint does not
say so in plain words, the answer is that there is news, and Spark finds out itself.
"""

from pathlib import Path
from typing import Any

from nextclick.contracts import bronze
from nextclick.extras import importing_kafka
from nextclick.lake import checkpoints
from nextclick.lake.delta import open_table
from nextclick.lake.duck import connect, show
from nextclick.lake.paths import Lake
from nextclick.landing.reader import segments
from nextclick.settings import Settings
from orchestration.pipeline import Step


def has_new_data(lake: Lake, job: Step, with_topics: Settings | None = None) -> bool:
    """False if the job's last batch is committed and its sources hold nothing beyond it.

    `with_topics`: the settings, where bronze reads Kafka's topics as well.
    """
    if job.waits_for and open_table(lake, job.writes[0]) is None:
        return _has_value(lake, *job.waits_for)
    offsets = _committed(lake.checkpoint(job.name))
    if offsets is None or any(open_table(lake, table) is None for table in job.writes):
        return True
    if job.reads:
        return _tables_moved(lake, job.reads, offsets)
    takes_events = bronze.EVENTS.name in job.writes
    if with_topics:
        kafka = with_topics.kafka
        if _records_came(with_topics, kafka.events_topic if takes_events else kafka.rejects_topic, offsets):
            return True
    return _segments_came(lake.log("landing" if takes_events else "quarantine"), lake.checkpoint(job.name), offsets)


def topic_ends(settings: Settings, topic: str) -> dict[int, int] | None:
    """Of each partition of a topic the offset that its next record gets; None where the brokers do not say."""
    with importing_kafka("streaming.source is kafka"):
        from nextclick.landing import kafka_topics
    return kafka_topics.ends_of(settings, topic)


def _records_came(settings: Settings, topic: str, offsets: list[dict[str, Any]]) -> bool:
    """Whether a topic goes further than the committed batches, or may."""
    ends = topic_ends(settings, topic)
    taken: dict[str, int] = next((offset[topic] for offset in offsets if topic in offset), {})
    return ends is None or any(end > taken.get(str(number), 0) for number, end in ends.items())


def _has_value(lake: Lake, table: str, column: str) -> bool:
    """Whether a row of `table` has a value in `column`."""
    source = open_table(lake, table)
    if source is None:
        return False
    with connect(lake) as duck:
        show(duck, "rows", lake, table, source)
        return duck.execute(f"SELECT 1 FROM rows WHERE {column} IS NOT NULL LIMIT 1").fetchone() is not None


def _committed(checkpoint: str) -> list[dict[str, Any]] | None:
    """Where each source stood after the newest batch; nothing before the first; None if that batch is not done."""
    batch = checkpoints.newest(checkpoint, "offsets")
    if batch != checkpoints.newest(checkpoint, "commits"):
        return None
    return [] if batch is None else checkpoints.offsets(checkpoint, batch)


def _tables_moved(lake: Lake, sources: tuple[str, ...], offsets: list[dict[str, Any]]) -> bool:
    """Whether a Delta source has a version that its offset does not cover, or is another table than it was."""
    covered = checkpoints.covered(offsets)
    tables = [open_table(lake, name) for name in sources]
    return len(covered) != len(tables) or any(
        table is None or covered.get(str(table.metadata().id), -1) < table.version() for table in tables
    )


def _segments_came(log: str, checkpoint: str, offsets: list[dict[str, Any]]) -> bool:
    """Whether the log lists a segment that no committed batch has read."""
    end = int(offsets[0].get("logOffset", -1)) if offsets else -1
    taken = {Path(entry["path"]).name for entry in checkpoints.listed(checkpoint) if entry["batchId"] <= end}
    return any(segment.name not in taken for segment in segments(log))
