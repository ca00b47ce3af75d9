"""A real standalone cluster of Spark: a master and workers out of PySpark's own jars, each worker without sight of some folders."""

import json
import os
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pyspark

from tests.wait import wait_until

_HOME = Path(pyspark.__file__).parent
BRIEF = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""For JVMs that live for a minute: they would spend most of it on compiling well."""
_MEMORY = {"SPARK_DAEMON_MEMORY": "256m", "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_DAEMON_JAVA_OPTS": BRIEF}


def missing() -> str:
    """Why no worker can be given a disk of its own here; empty if one can."""
    if os.geteuid() != 0:
        return "only root gives a worker a mount namespace of its own"
    if not shutil.which("unshare"):
        return "unshare is not here"
    tried = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else "this machine gives out no mount namespaces"


@contextmanager
def running(folder: Path, hidden: Sequence[Path], environment: Mapping[str, str], workers: int = 2) -> Iterator[str]:
    """The address of a cluster; over the `hidden` folders each worker has an empty disk of its own."""
    port, page = _free_port(), _free_port()
    address, known = f"spark://127.0.0.1:{port}", {**os.environ, **_MEMORY, "SPARK_HOME": str(_HOME), **environment}
    with ExitStack() as stack:

        def start(name: str, *words: str, hides: bool = False) -> None:
            place = folder / name
            place.mkdir()
            log = stack.enter_context((place / "log").open("w"))
            command = [str(_HOME / "bin" / "spark-class"), f"org.apache.spark.deploy.{words[0]}", *words[1:]]
            if hides:
                mounts = " && ".join(f"mount -t tmpfs none '{path}'" for path in hidden)
                command = ["unshare", "-m", "sh", "-c", f'{mounts} && exec "$0" "$@"', *command]
            own = known | {"SPARK_LOCAL_DIRS": str(place / "local"), "SPARK_LOG_DIR": str(place)}
            process = subprocess.Popen(command, env=own, stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.terminate)

        start("master", "master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", str(page))
        for number in range(workers):
            words = ("--host", "127.0.0.1", "--cores", "1", "--memory", "1g", "--webui-port", "0")
            work = str(folder / f"work{number}")
            start(f"worker{number}", "worker.Worker", *words, "--work-dir", work, address, hides=True)
        wait_until(lambda: _alive(page) == workers, seconds=120, every=0.2)
        yield address


def _alive(page: int) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{page}/json/", timeout=5) as reply:
            return int(json.load(reply)["aliveworkers"])
    except OSError:
        return 0


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
