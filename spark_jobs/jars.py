"""The two Delta jars: `python -m spark_jobs.jars` fetches them once, by Spark's own resolver, and checks them.

Sessions take the files by `spark.jars`, so that no Spark start touches the network: the
resolver would cost 10 s each time. conf/jars.sha256 says what the files must be.
`python -m spark_jobs.jars kafka` fetches what those need who use Kafka: Spark's source, and a broker for the tests.
spark_jobs/object_store/compiled.py brings what a lake in an object store needs.
Only the fetching itself needs a package (pyspark): bootstrap.py asks `wanting` before.
"""

import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from nextclick.errors import NextclickError, SetupError
from spark_jobs.java import require_java

CHECKOUT = Path(__file__).resolve().parent.parent
FOLDER = CHECKOUT / ".jars"
SUMS = CHECKOUT / "conf" / "jars.sha256"
PACKAGE = "io.delta:delta-spark_4.2_2.13:4.4.0"
IN_SPARK_ALREADY = (
    "org.apache.hadoop:*", "org.apache.logging.log4j:*", "org.apache.parquet:*", "com.fasterxml.jackson.core:*",
    "com.fasterxml.jackson.datatype:*", "io.unitycatalog:*", "org.slf4j:*", "org.roaringbitmap:*", "com.github.luben:*",
    "commons-logging:*", "commons-pool:*", "io.airlift:*", "javax.annotation:*", "org.locationtech.jts:*",
    "org.xerial.snappy:*", "com.google.code.findbugs:*", "io.delta:delta-kernel*",
)  # fmt: skip
"""What Delta names as dependencies but Spark ships, or what nothing here calls (delta-io/delta#7415)."""
_LIMIT_SECONDS = 120


@dataclass(frozen=True)
class JarSet:
    """Jars that belong together: their folder, what they must be, and the resolver's calls that bring them."""

    name: str
    folder: Path
    sums: Path
    calls: tuple[tuple[str, tuple[str, ...]], ...]
    """Of each call the packages, with commas between, and which packages that it names are left out."""


DELTA = JarSet("Delta jars", FOLDER, SUMS, ((PACKAGE, IN_SPARK_ALREADY),))
_TOKENS = "org.apache.spark:spark-token-provider-kafka-0-10_2.13"
_IN_SPARK_OR_NEVER_CALLED = (
    "org.apache.hadoop:*", "org.slf4j:*", "org.lz4:*", "at.yawk.lz4:*", "org.xerial.snappy:*", "com.github.luben:*",
    "org.scala-lang:*", "org.scala-lang.modules:*", "com.google.code.findbugs:*", "commons-logging:*", "org.apache.logging.log4j:*",
)  # fmt: skip
KAFKA = JarSet(
    "Kafka source",
    FOLDER / "kafka",
    CHECKOUT / "conf" / "jars-kafka.sha256",
    (
        ("org.apache.spark:spark-sql-kafka-0-10_2.13:4.2.0", (_TOKENS, *_IN_SPARK_OR_NEVER_CALLED)),
        # Its 4.2.0 is not to be had everywhere; 4.0.0 offers what the source calls.
        (f"{_TOKENS}:4.0.0", ("org.apache.kafka:*", *_IN_SPARK_OR_NEVER_CALLED)),
    ),
)
BROKER = JarSet(
    "Kafka broker",
    FOLDER / "kafka-broker",
    CHECKOUT / "conf" / "jars-kafka-broker.sha256",
    (("org.apache.kafka:kafka_2.13:4.3.1", ()),),
)
_SDK = [f"software.amazon.awssdk:{module}:2.35.4" for module in ("s3", "s3-transfer-manager", "sts")]
"""What S3A calls. The bundle that hadoop-aws names has every service of Amazon's, in 686 MB."""
_NOT_FOR_S3 = (
    "software.amazon.awssdk:bundle", "org.apache.hadoop:hadoop-client-api", "org.apache.hadoop:hadoop-client-runtime", "io.netty:*",
    "org.slf4j:*", "commons-codec:*", "commons-logging:*", "org.apache.httpcomponents:*", "com.google.code.findbugs:*",
)  # fmt: skip
S3 = JarSet(
    "S3 connector",
    FOLDER / "s3",
    CHECKOUT / "conf" / "jars-s3.sha256",
    ((",".join(("org.apache.hadoop:hadoop-aws:3.5.0", *_SDK)), _NOT_FOR_S3),),
)
SETS = {"delta": (DELTA,), "kafka": (KAFKA, BROKER)}


def expected(sums: Path = SUMS) -> dict[str, str]:
    """File name → sha256, as `sha256sum` writes them."""
    pairs = (line.split() for line in sums.read_text(encoding="ascii").splitlines())
    return {name: digest for digest, name in pairs}


def wanting(folder: Path, sums: Path = SUMS) -> list[str]:
    """Names of the jars that are absent from `folder` or differ from their sum."""
    return [name for name, digest in expected(sums).items() if _sha256(folder / name) != digest]


def ensure(jars: JarSet = DELTA) -> bool:
    """Fetch what is wanting; True if something was. Every jar appears whole or not at all.

    Raises SetupError if Java or the network is missing, or if what came is not what was committed.
    """
    folder = jars.folder
    if not wanting(folder, jars.sums):
        return False
    require_java()
    fetching = folder / ".fetching"
    shutil.rmtree(fetching, ignore_errors=True)  # what a killed set-up left
    fetched = fetching / "jars"
    fetched.mkdir(parents=True)
    try:
        for number, (package, left_out) in enumerate(jars.calls):
            for jar in _resolve(fetching / str(number), package, left_out):
                jar.replace(fetched / jar.name)
        _check(fetched, jars.sums)
        for name in expected(jars.sums):
            (fetched / name).replace(folder / name)
        for other in set(folder.glob("*.jar")) - {folder / name for name in expected(jars.sums)}:
            other.unlink()  # of an earlier version: sessions take every jar that lies here
    finally:
        shutil.rmtree(fetching, ignore_errors=True)
    return True


def _resolve(ivy: Path, package: str, left_out: tuple[str, ...]) -> list[Path]:
    """Let Spark's resolver put the jars into `ivy`/jars: it does so for every application, here an empty one."""
    import pyspark

    ivy.mkdir()
    nothing = ivy / "nothing.py"
    nothing.touch()
    options = ("spark.ui.enabled=false", f"spark.jars.ivy={ivy}", f"spark.pyspark.python={sys.executable}")
    command = [
        *(str(Path(pyspark.__file__).parent / "bin" / "spark-submit"), "--master", "local[1]"),
        *(word for option in options for word in ("--conf", option)),
        *("--packages", package, *(("--exclude-packages", ",".join(left_out)) if left_out else ()), str(nothing)),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise SetupError(f"Spark's resolver had no answer for {_LIMIT_SECONDS} s. {_ADVICE}") from error
    if done.returncode:
        raise SetupError(f"{package} could not be fetched ({_reason(done.stdout + done.stderr)}). {_ADVICE}")
    return list((ivy / "jars").glob("*.jar"))


_ADVICE = (
    "Maven Central must be reachable for this one step (a proxy goes into JAVA_TOOL_OPTIONS): "
    "mend the network, then call again."
)


def _reason(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if "Exception" in line or "not found" in line]
    return lines[-1][:200] if lines else "no reason given"


def _check(folder: Path, sums: Path) -> None:
    wrong = wanting(folder, sums)
    if wrong:
        raise SetupError(
            f"What was fetched is not what {sums} says: {', '.join(wrong)}. Nothing was installed. "
            "Empty the local Maven and Ivy caches (~/.m2, ~/.ivy2), then call again."
        )


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def main() -> None:
    """Fetch the jars that are wanting of a set (`delta` unless named); a line for each, or one message and exit code 1."""
    bring({jars.name: partial(ensure, jars) for jars in SETS[sys.argv[1] if len(sys.argv) > 1 else "delta"]})


def bring(steps: Mapping[str, Callable[[], bool]]) -> None:
    """Run the steps, each of which says whether something was wanting, with a line for each; exit where one fails."""
    try:
        for name, step in steps.items():
            start = time.monotonic()
            brought = step()
            print(f"{name}: {'brought' if brought else 'there'}, {time.monotonic() - start:.1f} s")
    except NextclickError as error:
        sys.exit(f"nextclick: {error}")


if __name__ == "__main__":
    main()
