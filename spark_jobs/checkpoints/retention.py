"""What a rebuild of bronze would lose: records that bronze has and that Kafka has dropped since."""

from nextclick.errors import LakeError
from nextclick.extras import importing_kafka
from nextclick.lake.delta import open_table
from nextclick.lake.duck import connect, show
from nextclick.settings import Settings

_FIRST_OFFSETS = """
SELECT regexp_extract(seq.segment, '^(.*)-([0-9]+)$', 1), regexp_extract(seq.segment, '^(.*)-([0-9]+)$', 2)::INT,
       min(seq.position)
FROM arrived
WHERE regexp_matches(seq.segment, '-[0-9]+$')  -- topic-partition; segments end in .log
GROUP BY ALL
"""


def refuse_loss(settings: Settings) -> None:
    """LakeError if a topic no longer reaches back to the first record that bronze, or the door's quarantine, has of it."""
    firsts = [
        *_first_offsets(settings, "bronze.events"),
        # A row of origin silver has the place of its event, which bronze has, too.
        *_first_offsets(settings, "silver.quarantine", "origin = 'door'"),
    ]
    if not firsts:
        return
    with importing_kafka("Bronze has records of Kafka, which must still be there for a rebuild"):
        from confluent_kafka import Consumer, KafkaException, TopicPartition

    options = {"bootstrap.servers": settings.kafka.servers, "group.id": "nextclick.rebuild", "log_level": 2}
    consumer = Consumer(options | settings.kafka.client)
    try:
        for topic, partition, first in firsts:
            kept, _ = consumer.get_watermark_offsets(
                TopicPartition(topic, partition), timeout=settings.kafka.delivery_seconds
            )
            if kept > first:
                raise LakeError(
                    f"{topic}-{partition} begins at offset {kept:,}, and what the lake has of it at {first:,}: a rebuild "
                    "would drop what is between. Keep bronze, and rebuild silver; see docs/kafka.md."
                )
    except KafkaException as error:
        raise LakeError(f"Kafka at {settings.kafka.servers} cannot be asked: {error.args[0].str()}.") from error
    finally:
        consumer.close()


def _first_offsets(settings: Settings, name: str, where: str = "true") -> list[tuple[str, int, int]]:
    """Of each partition of Kafka in a table: topic, number, its smallest offset."""
    table = open_table(settings.lake, name)
    if table is None:
        return []
    with connect(settings.lake) as duck:
        show(duck, "everything", settings.lake, name, table)
        duck.execute(f"CREATE TEMP VIEW arrived AS FROM everything WHERE {where}")
        return duck.execute(_FIRST_OFFSETS).fetchall()
