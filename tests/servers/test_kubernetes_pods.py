"""What the pods of collector and API run, with the variables that are rendered for them: real processes, a real store and Redis."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from nextclick import ports
from nextclick.settings import CHECKOUT
from tests import object_store
from tests.integration.conftest import redis_process
from tests.unit.deploy import test_kubernetes as kubernetes
from tests.wait import wait_until

pytestmark = [
    pytest.mark.servers,
    pytest.mark.slow,
    kubernetes.pytestmark,
    pytest.mark.skipif(bool(object_store.missing()), reason=object_store.missing()),
]


@pytest.fixture(scope="module")
def store() -> Iterator[object_store.Store]:
    with object_store.running() as store:
        yield store


def status(port: int, path: str) -> int | None:
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as reply:
            return int(reply.status)
    except HTTPError as error:
        return error.code
    except OSError:
        return None


@pytest.mark.parametrize(
    ("name", "section", "not_ready"),
    [("api", "SERVING", "before the first export"), ("collector", "COLLECTOR", "without a broker")],
)
def test_a_pod_lives_is_not_ready_and_drains(
    store: object_store.Store, tmp_path: Path, name: str, section: str, not_ready: str
) -> None:
    resource: Any = kubernetes.one("Deployment", f"nextclick-{name}")
    (container,) = kubernetes.pod(resource)["containers"]
    for file in ("write_keys.toml", "read_keys.toml"):
        (tmp_path / file).write_text('a_key = { site = "default" }\n')
        (tmp_path / file).chmod(0o600)
    (config,) = [each["data"] for each in kubernetes.rendered("example") if each["kind"] == "ConfigMap"]
    own = {each["name"]: each["value"].replace("/etc/nextclick", str(tmp_path)) for each in container["env"]}
    port, metrics = ports.free("127.0.0.1", 0), ports.free("127.0.0.1", 0)
    with redis_process(tmp_path) as (_, redis):
        here = {
            **store.environment(tmp_path / "beside"),
            "NEXTCLICK_LAKE": store.lake(name),
            "NEXTCLICK_KV__REDIS_URL": f"redis://127.0.0.1:{redis}/0",
            "NEXTCLICK_KAFKA__SERVERS": "127.0.0.1:9",
            f"NEXTCLICK_{section}__PORT": str(port),
            f"NEXTCLICK_{section}__METRICS_PORT": str(metrics),
            f"NEXTCLICK_{section}__SECRET_KEY": "a secret key of tests",
            "PYTHONPATH": str(CHECKOUT),
        }
        program = [sys.executable, "-c", "from cli.main import main; main()", *container["args"]]
        with subprocess.Popen(program, cwd=tmp_path, env={**os.environ, **config, **own, **here}) as process:
            try:
                alive, ready = (container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("liveness", "readiness"))
                wait_until(lambda: process.poll() is not None or status(port, alive) == 200, 120, 0.2)
                assert wait_until(lambda: status(port, ready), 60) == 503, not_ready
                assert wait_until(lambda: status(metrics, "/metrics"), 60) == 200
                assert status(port, "/metrics") != 200
            finally:
                process.terminate()
                process.wait(kubernetes.pod(resource)["terminationGracePeriodSeconds"])
        assert process.returncode == 0
