"""The Java that Spark needs. Needs Python's own library alone: the set-up asks before any package is there."""

import re
import subprocess

from nextclick.errors import SetupError

VERSION = 17
_LAUNCHER = '"${JAVA_HOME:+$JAVA_HOME/bin/}java" "$@"'
"""The choice that Spark's own launcher makes: JAVA_HOME if it is set, else the first `java` of PATH."""
_ADVICE = (
    f"Install a full Java {VERSION} (Debian, Ubuntu: `apt-get install openjdk-{VERSION}-jre-headless`; "
    f"macOS: `brew install openjdk@{VERSION}`), point JAVA_HOME to it if there are several, then call again."
)


def require_java() -> None:
    """Raise SetupError unless the Java that Spark would start is the right one, and whole."""
    version = _java("-XshowSettings:properties", "-version")
    found = re.search(r"^\s*java\.specification\.version = (\S+)$", version, re.MULTILINE)
    home = re.search(r"^\s*java\.home = (.+)$", version, re.MULTILINE)
    if not found or not home:
        raise SetupError(f"The `java` here does not tell its version. {_ADVICE}")
    if found[1] != str(VERSION):
        raise SetupError(f"Java {VERSION} is needed, but {home[1]} is Java {found[1]}. {_ADVICE}")
    if "jdk.incubator.vector@" not in _java("--list-modules"):
        raise SetupError(f"The Java in {home[1]} is a cut-down one: its module jdk.incubator.vector is missing. {_ADVICE}")


def _java(*arguments: str) -> str:
    try:
        done = subprocess.run(["sh", "-c", _LAUNCHER, "java", *arguments], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(f"Java does not answer: {error}. {_ADVICE}") from error
    if done.returncode:
        raise SetupError(f"Java cannot be started: {(done.stderr.strip() or 'no message').splitlines()[-1]}. {_ADVICE}")
    return done.stdout + done.stderr
