"""Where streams begin: the segments of a landing log."""

from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nextclick.settings import Settings


def segments(spark: SparkSession, settings: Settings, folder: Path) -> DataFrame:
    """Lines of the published segments in `folder`: `value` and `segment` (the file's name).

    The file source never reads a file that is older than the newest by more than
    maxFileAge, and says nothing: so it lies above any outage.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = (
        spark.readStream.format("text")
        .option("lineSep", "\n")
        .option("pathGlobFilter", "*.log")
        .option("maxFileAge", "36500d")
        .option("maxFilesPerTrigger", settings.streaming.max_segments_per_trigger)
        .load(str(folder))
    )
    return lines.select("value", F.col("_metadata.file_name").alias("segment"))
