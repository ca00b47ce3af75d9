"""The entry point of the image starts an executor as Spark's pods do; a real driver gives it work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nextclick.settings import CHECKOUT
from tests.servers import spark_cluster

pytestmark = [pytest.mark.servers, pytest.mark.spark, pytest.mark.slow]

_DRIVER = """
import sys
from pyspark.sql import SparkSession
options = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.ui.enabled": "false",
           "spark.executor.memory": "512m", "spark.sql.shuffle.partitions": "2"}
builder = SparkSession.builder.master(sys.argv[1])
for key, value in options.items():
    builder = builder.config(key, value)
spark = builder.getOrCreate()
context = spark.sparkContext
print(context.applicationId, context.getConf().get("spark.driver.port"), flush=True)
print(context._jvm.org.apache.spark.launcher.JavaModuleOptions.defaultModuleOptions(), flush=True)
(total,) = spark.range(1000).groupBy("id").count().selectExpr("sum(id * count)").first()
print(total, len(context._jsc.sc().statusTracker().getExecutorInfos()) - 1, flush=True)
spark.stop()
"""
"""Of the executors that it counts one is the driver."""


def test_a_driver_without_workers_does_its_work_on_an_executor_of_the_image(tmp_path: Path) -> None:
    python = Path(sys.executable).parent
    with spark_cluster.running(tmp_path, [], {}, workers=0) as master:
        driver = subprocess.Popen(
            [sys.executable, "-c", _DRIVER, master], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        executor: subprocess.Popen[bytes] | None = None
        try:
            assert driver.stdout
            application, port = driver.stdout.readline().split()
            options = [*driver.stdout.readline().split(), *spark_cluster.BRIEF.split()]
            variables = {
                "PATH": f"{python}{os.pathsep}{os.environ['PATH']}",
                "SPARK_DRIVER_URL": f"spark://CoarseGrainedScheduler@127.0.0.1:{port}",
                "SPARK_EXECUTOR_ID": "1",
                "SPARK_EXECUTOR_CORES": "1",
                "SPARK_EXECUTOR_MEMORY": "512m",
                "SPARK_APPLICATION_ID": application,
                "SPARK_EXECUTOR_POD_IP": "127.0.0.1",
                "SPARK_RESOURCE_PROFILE_ID": "0",
                "SPARK_EXECUTOR_POD_NAME": "executor-1",
                "SPARK_LOCAL_DIRS": str(tmp_path),
            } | {f"SPARK_JAVA_OPT_{number}": option for number, option in enumerate(options)}
            with (tmp_path / "executor.log").open("wb") as log:
                executor = subprocess.Popen(
                    [CHECKOUT / "deploy" / "entrypoint.sh", "executor"], env=variables, stdout=log, stderr=log
                )
            answer, _ = driver.communicate(timeout=400)
        finally:
            for process in (driver, executor):
                if process:
                    process.kill()
                    process.wait()
    assert answer.split() == ["499500", "1"], (tmp_path / "executor.log").read_text()[-3000:]
