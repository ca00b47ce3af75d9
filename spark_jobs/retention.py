"""What a rebuild of bronze would lose: records that bronze has and that Kafka has dropped since."""

from nextclick.duck import connect, open_table, show
from nextclick.errors import LakeError
from nextclick.settings import Settings

_FIRST_OFFSETS = """
SELECT regexp_extract(seq.segment, '^(.*)-([0-9]+)$', 1), regexp_extract(seq.segment, '^(.*)-([0-9]+)$', 2)::INT,
       min(seq.position)
FROM bronze_events
WHERE regexp_matches(seq.segment, '-[0-9]+$')  -- topic-partition; segments end in .log
GROUP BY ALL
"""


def refuse_loss(settings: Settings) -> None:
    """LakeError if a topic no longer reaches back to the first offset that bronze.events has of it."""
    bronze = open_table(settings.lake, "bronze.events")
    if bronze is None:
        return
    with connect(settings.lake) as duck:
        show(duck, "bronze_events", settings.lake, "bronze.events", bronze)
        firsts = duck.execute(_FIRST_OFFSETS).fetchall()
    if not firsts:
        return
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
                    f"{topic}-{partition} begins at offset {kept:,}, and bronze.events at {first:,}: a rebuild would drop "
                    "what is between. Keep bronze, and rebuild silver; see docs/kafka.md."
                )
    except KafkaException as error:
        raise LakeError(f"Kafka at {settings.kafka.servers} cannot be asked: {error.args[0].str()}.") from error
    finally:
        consumer.close()
