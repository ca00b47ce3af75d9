"""What Spark needs of a lake in an object store: the S3A connector's jars, and our own classes, compiled here.

`make s3` brings both. Delta 4.4.0 has no log store for several writers of one bucket, so spark_jobs/scala/ has one (docs/adr/0017);
the compiler is the one inside of PySpark.
"""

import hashlib
import tempfile
from functools import partial
from pathlib import Path
from typing import Final

from nextclick.errors import SetupError
from spark_jobs import jars
from spark_jobs.java import VERSION, java

SOURCES: Final = jars.CHECKOUT / "spark_jobs" / "scala"
_LIMIT_SECONDS: Final = 180


def classes() -> Path:
    """Where the compiled classes are, or belong: another file for each text of the sources."""
    text = b"".join(source.read_bytes() for source in _sources())
    return jars.S3.folder / "classes" / f"nextclick-storage-{hashlib.sha256(text).hexdigest()[:16]}.jar"


def all_jars() -> list[Path]:
    """What a session on a lake in an object store is started with; SetupError unless `make s3` was called."""
    fetched = sorted(jars.S3.folder.glob("*.jar"))
    if not fetched or not classes().exists():
        raise SetupError(
            f"The lake lies in an object store, but {jars.S3.folder} has not what Spark needs for it. Run `make s3`."
        )
    return [*fetched, classes()]


def compile_classes() -> bool:
    """Compile what is wanting; True if something was. SetupError, with the compiler's words, where that fails."""
    import pyspark

    target = classes()
    if target.exists():
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    spark = Path(pyspark.__file__).parent / "jars"
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        draft = Path(folder) / target.name
        machine = ["-Xmx1g", "-Xss4m", "-cp", f"{spark}/*:{jars.FOLDER}/*", "scala.tools.nsc.Main"]
        words = [*machine, "-usejavacp", "-release", VERSION, "-d", str(draft), *map(str, _sources())]
        done = java(*words, seconds=_LIMIT_SECONDS)
        if done.returncode or not draft.exists():
            raise SetupError(f"{SOURCES} could not be compiled: {(done.stdout + done.stderr).strip()[-1000:]}")
        draft.replace(target)
    for other in set(target.parent.glob("*.jar")) - {target}:
        other.unlink()
    return True


def _sources() -> list[Path]:
    return sorted(SOURCES.glob("*.scala"))


def main() -> None:
    """Bring what is wanting; a line for each, or one message and exit code 1."""
    jars.bring({"S3 connector": partial(jars.ensure, jars.S3), "storage classes": compile_classes})


if __name__ == "__main__":
    main()
