"""The jobs' Java classes, parsed and verified once: `python -m spark_jobs.class_archive` writes the archive.

A JVM that maps it loads some 20,000 classes in a fraction of the time (JEP 350, application class-data
sharing). It belongs to one Java and one set of jars: beside others the JVM leaves it out without a
word, and everything works as before, each start some seconds later.
Only the writing itself (spark_jobs/class_archive_job.py, a process of its own) needs packages: bootstrap.py asks `wanting` before.
"""

import hashlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from nextclick.errors import NextclickError, SetupError
from spark_jobs.jars import CHECKOUT, FOLDER, SUMS
from spark_jobs.java import require_java

ARCHIVE: Final = FOLDER / "classes.jsa"
_MADE_FOR: Final = FOLDER / "classes.txt"
"""Of which Java and packages the archive was made; it stays where Java can make none, so that nobody tries again."""
_QUIET: Final = ("-Xlog:cds=off", "-Xlog:cds+dynamic=off", "-Xlog:class+path=off")
BESIDE: Final = "beside"
"""The argument that says that nobody waits for the archive."""
_LIMIT_SECONDS: Final = 180
_LIMIT_SECONDS_BESIDE: Final = 3600


def java_options() -> tuple[str, ...]:
    """What tells a JVM to map the archive; nothing where there is none."""
    return (f"-XX:SharedArchiveFile={ARCHIVE}", *_QUIET) if ARCHIVE.exists() else ()


def wanting(java: str) -> bool:
    """Whether no archive was made yet for this release of Java and these packages."""
    return not _MADE_FOR.exists() or _MADE_FOR.read_text(encoding="utf-8") != _key(java)


def make(java: str, limit_seconds: int = _LIMIT_SECONDS) -> bool:
    """Run a job in a JVM that writes the archive at its end; False where this Java writes none, or not soon enough.

    Raises SetupError if the job itself fails, as every other would.
    """
    with tempfile.TemporaryDirectory(dir=FOLDER, prefix=".archiving-") as folder:
        target = Path(folder) / ARCHIVE.name
        ARCHIVE.unlink(missing_ok=True)  # an archive is not made from within another
        command = (sys.executable, "-m", "spark_jobs.class_archive_job", str(target))
        try:
            # The pipes end when the last process that has them does: the JVM, which writes after Python is gone.
            done = subprocess.run(command, capture_output=True, text=True, cwd=CHECKOUT, timeout=limit_seconds)
        except subprocess.TimeoutExpired:
            target.unlink(missing_ok=True)
        else:
            if done.returncode:
                raise SetupError(f"Spark does not run here:\n{done.stderr.strip()[-2000:]}")
        written = target.exists()
        if written:
            target.replace(ARCHIVE)
    _MADE_FOR.write_text(_key(java), encoding="utf-8")
    return written


def _key(java: str) -> str:
    made_from = (CHECKOUT / "requirements.lock").read_bytes() + SUMS.read_bytes() + str(CHECKOUT).encode()
    return f"{java} {hashlib.sha256(made_from).hexdigest()}\n"


def main() -> None:
    """Make the archive."""
    start, limit = time.monotonic(), _LIMIT_SECONDS_BESIDE if sys.argv[1:] == [BESIDE] else _LIMIT_SECONDS
    try:
        written = make(require_java(), limit)
    except NextclickError as error:
        sys.exit(f"nextclick: {error}")
    print(f"class archive: {'made' if written else 'this Java makes none'}, {time.monotonic() - start:.1f} s")


if __name__ == "__main__":
    main()
