"""The process whose JVM writes the archive of classes; spark_jobs/class_archive.py starts it with the name of the file."""

import sys
from pathlib import Path

from nextclick.landing.writer import SegmentWriter
from nextclick.settings import load
from spark_jobs.jobs import ingest_events
from spark_jobs.session import open_session


def exercise(archive: Path) -> None:
    """Stream an event into bronze: nearly all classes that any job needs, for a quarter of the time that all jobs take."""
    options = f"-XX:ArchiveClassesAtExit={archive} -XX:TieredStopAtLevel=1"
    settings = load(archive.parent / "lake", environ={"NEXTCLICK_SPARK__JAVA_OPTIONS": options})
    settings.lake.prepare()
    spark = open_session(settings, "class archive")
    with SegmentWriter(settings.lake.landing, settings.landing) as log:
        log.append(b'{"event": "page_view"}', "plain", 1767225600000)
    ingest_events.run(spark, settings)
    spark.stop()


if __name__ == "__main__":
    exercise(Path(sys.argv[1]))
