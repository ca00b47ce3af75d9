"""Where Spark starts: one session a process."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pyspark.sql import SparkSession

from nextclick.errors import LakeError, SettingsError, SetupError
from nextclick.settings import CHECKOUT, Settings
from spark_jobs import class_archive, java_names
from spark_jobs.object_store import compiled
from spark_jobs.object_store import properties as properties_of_store


def properties(settings: Settings) -> dict[str, str]:
    """The lines of conf/spark.conf, in Spark's own `key value` form."""
    path = settings.conf_dir / "spark.conf"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read: {error.strerror}. Name a folder that has it with --conf-dir."
        ) from error
    pairs = (line.split(None, 1) for line in lines if line.strip() and not line.startswith("#"))
    return {key: value.strip() for key, value in pairs}


def delta_jars(settings: Settings) -> list[Path]:
    """The Delta jars that the set-up put beside the checkout; Spark never asks the network for them."""
    folder = CHECKOUT / settings.spark.packages_dir
    jars = sorted(folder.glob("*.jar"))
    if not jars:
        raise LakeError(f"There are no Delta jars in {folder}. Run `make setup`, which puts them there.")
    return jars


def kafka_jars(settings: Settings) -> list[Path]:
    """The jars of Spark's Kafka source; none unless streaming.source is kafka."""
    if settings.streaming.source != "kafka":
        return []
    folder = CHECKOUT / settings.spark.packages_dir / "kafka"
    jars = sorted(folder.glob("*.jar"))
    if not jars:
        raise SetupError(f"streaming.source is kafka, but there are no jars in {folder}. Run `make kafka`.")
    return jars


def options(settings: Settings) -> dict[str, str]:
    """What a session needs beside conf/spark.conf: it follows from the settings and the checkout."""
    refuse_unshared_disk(settings, settings.spark.master)
    store_jars = compiled.all_jars() if settings.lake.address else ()
    return {
        "spark.driver.memory": settings.spark.driver_memory,
        "spark.jars": ",".join(map(str, (*delta_jars(settings), *kafka_jars(settings), *store_jars))),
        "spark.sql.shuffle.partitions": str(settings.streaming.shuffle_partitions),
        "spark.sql.warehouse.dir": str(settings.lake.state / "warehouse"),
        "spark.driver.extraJavaOptions": " ".join(
            (
                "-XX:+UseParallelGC",
                # Each batch compiles its own plans: in HotSpot's 240 MB a stream of many drops, and compiles again, what it still needs.
                "-XX:ReservedCodeCacheSize=512m",
                *class_archive.java_options(),
                f"-Dlog4j2.configurationFile={(settings.conf_dir / 'log4j2.properties').as_uri()}",
                settings.spark.java_options,
            )
        ).strip(),
        "spark.pyspark.python": sys.executable,  # or workers would be the first python3 of PATH
        **(properties_of_store.of(settings.storage) if settings.lake.address else {}),
        **settings.spark.properties,
    }


def refuse_unshared_disk(settings: Settings, master: str) -> None:
    """SettingsError where executors on other machines would write a lake of this machine's disk.

    Each would write below the same path of its own disk; the commit would name files that no reader finds, and nothing fails.
    """
    if settings.lake.address or settings.spark.shared_disk or master.startswith("local"):
        return
    raise SettingsError(
        f"spark.master is {master}, whose workers have other disks than this machine: what they wrote to {settings.lake.root} would be "
        "nowhere. Take a lake in an object store (--lake s3://BUCKET/KEY); or, where all machines mount this folder, "
        "set spark.shared_disk = true."
    )


def open_session(settings: Settings, name: str = "nextclick") -> SparkSession:
    """Start the embedded session, or return the one that this process has."""
    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    java_names.remember()
    # An embedded session asks this instead of spark.pyspark.python.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName(name).master(settings.spark.master)
    for key, value in (properties(settings) | options(settings)).items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


@contextmanager
def configured(spark: SparkSession, options: Mapping[str, str]) -> Iterator[None]:
    """Options for one statement, or one plan; a batch's session is a clone of its own."""
    before = {key: spark.conf.get(key, None) for key in options}
    for key, value in options.items():
        spark.conf.set(key, value)
    try:
        yield
    finally:
        for key, earlier in before.items():
            if earlier is None:
                spark.conf.unset(key)
            else:
                spark.conf.set(key, earlier)
