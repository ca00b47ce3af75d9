"""The two Delta jars: `python -m spark_jobs.jars` fetches them once, by Spark's own resolver, and checks them.

Sessions take the files by `spark.jars`, so that no Spark start touches the network: the
resolver would cost 10 s each time. conf/jars.sha256 says what the files must be.
Only the fetching itself needs a package (pyspark): bootstrap.py asks `wanting` before.
"""

import hashlib
import shutil
import subprocess
import sys
import time
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


def expected(sums: Path = SUMS) -> dict[str, str]:
    """File name → sha256, as `sha256sum` writes them."""
    pairs = (line.split() for line in sums.read_text(encoding="ascii").splitlines())
    return {name: digest for digest, name in pairs}


def wanting(folder: Path, sums: Path = SUMS) -> list[str]:
    """Names of the jars that are absent from `folder` or differ from their sum."""
    return [name for name, digest in expected(sums).items() if _sha256(folder / name) != digest]


def ensure(folder: Path = FOLDER, sums: Path = SUMS) -> bool:
    """Fetch what is wanting; True if something was. Every jar appears whole or not at all.

    Raises SetupError if Java or the network is missing, or if what came is not what was committed.
    """
    if not wanting(folder, sums):
        return False
    require_java()
    fetching = folder / ".fetching"
    shutil.rmtree(fetching, ignore_errors=True)  # what a killed set-up left
    fetching.mkdir(parents=True)
    try:
        _resolve(fetching)
        _check(fetching / "jars", sums)
        for name in expected(sums):
            (fetching / "jars" / name).replace(folder / name)
        for other in set(folder.glob("*.jar")) - {folder / name for name in expected(sums)}:
            other.unlink()  # of an earlier version: sessions take every jar that lies here
    finally:
        shutil.rmtree(fetching, ignore_errors=True)
    return True


def _resolve(ivy: Path) -> None:
    """Let Spark's resolver put the jars into `ivy`/jars: it does so for every application, here an empty one."""
    import pyspark

    nothing = ivy / "nothing.py"
    nothing.touch()
    options = ("spark.ui.enabled=false", f"spark.jars.ivy={ivy}", f"spark.pyspark.python={sys.executable}")
    command = [
        *(str(Path(pyspark.__file__).parent / "bin" / "spark-submit"), "--master", "local[1]"),
        *(word for option in options for word in ("--conf", option)),
        *("--packages", PACKAGE, "--exclude-packages", ",".join(IN_SPARK_ALREADY), str(nothing)),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise SetupError(f"Spark's resolver had no answer for {_LIMIT_SECONDS} s. {_ADVICE}") from error
    if done.returncode:
        raise SetupError(f"The Delta jars could not be fetched ({_reason(done.stdout + done.stderr)}). {_ADVICE}")


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
    """Fetch the jars if they are wanting; one line, or one message and exit code 1."""
    start = time.monotonic()
    try:
        fetched = ensure()
    except NextclickError as error:
        sys.exit(f"nextclick: {error}")
    print(f"Delta jars: {'fetched' if fetched else 'there'}, {time.monotonic() - start:.1f} s")


if __name__ == "__main__":
    main()
