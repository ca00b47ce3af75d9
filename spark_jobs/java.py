"""The Java that Spark needs. Needs Python's own library alone: the set-up asks before any package is there."""

import re
import subprocess

from nextclick.errors import SetupError

VERSION = "17"
_LAUNCHER = '"${JAVA_HOME:+$JAVA_HOME/bin/}java" "$@"'
"""The choice that Spark's own launcher makes: JAVA_HOME if it is set, else the first `java` of PATH."""
_ADVICE = (
    f"Install a full Java {VERSION} (Debian, Ubuntu: `apt-get install openjdk-{VERSION}-jre-headless`; "
    f"macOS: `brew install openjdk@{VERSION}`), point JAVA_HOME to it if there are several, then call again."
)


def require_java() -> str:
    """The release of the Java that Spark would start; SetupError unless it is the right one, and whole."""
    modules = java("--list-modules")
    release = re.search(r"^java\.base@((\d+)\S*)", modules.stdout, re.MULTILINE)
    if not release or release[2] != VERSION:  # Java 8 knows no modules
        reply = java("-version")
        said = (reply.stdout + reply.stderr).strip() or "nothing"
        raise SetupError(f"Java {VERSION} is needed, but `java` here says: {said.splitlines()[0]}. {_ADVICE}")
    if "jdk.incubator.vector@" not in modules.stdout:
        raise SetupError(
            f"The Java {VERSION} here is a cut-down one, without the module jdk.incubator.vector. {_ADVICE}"
        )
    return release[1]


def java(*words: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """Call the Java that Spark would start; SetupError where it is not there, or has not ended after so long."""
    command = ["sh", "-c", _LAUNCHER, "sh", *words]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(f"Java does not answer: {error}. {_ADVICE}") from error
