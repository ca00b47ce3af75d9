"""deploy/kubernetes as kustomize renders it, by the schemas of Kubernetes; what depends on our code agrees with it."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml

from cli.main import VERBS, verb
from nextclick.settings import CHECKOUT, Settings, load

FOLDER = CHECKOUT / "deploy" / "kubernetes"
_PLACES = os.pathsep.join((str(CHECKOUT / ".jars" / "bin"), os.environ.get("PATH", "")))
KUSTOMIZE = shutil.which("kustomize", path=_PLACES)
Resource = Mapping[str, Any]

pytestmark = pytest.mark.skipif(
    not KUSTOMIZE, reason="kustomize is not here: `make validators`, which needs Go 1.24, builds it"
)


@cache
def rendered(name: str) -> tuple[Resource, ...]:
    """Of `example` with the component of triggers, which is the whole of it; else as the folder is."""
    with TemporaryDirectory() as overlay:
        resources, component = (os.path.relpath(FOLDER / each, Path(overlay).resolve()) for each in (name, "triggers"))
        components = [component] if name == "example" else []
        (Path(overlay) / "kustomization.yaml").write_text(
            yaml.safe_dump({"resources": [resources], "components": components})
        )
        done = subprocess.run([str(KUSTOMIZE), "build", overlay], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def one(kind: str, name: str) -> Resource:
    (resource,) = [
        each
        for each in rendered("example")
        if (each["kind"], each["metadata"]["name"].startswith(name)) == (kind, True)
    ]
    return resource


def pod(resource: Resource) -> Any:
    spec = resource["spec"]
    return (spec["jobTemplate"]["spec"] if resource["kind"] == "CronJob" else spec)["template"]["spec"]


PODS = {
    "collector": "Deployment",
    "api": "Deployment",
    "stream": "Deployment",
    "run": "CronJob",
    "triggers": "StatefulSet",
}
pods = pytest.mark.parametrize(("kind", "name"), [(kind, name) for name, kind in PODS.items()])


@pytest.mark.parametrize("name", ["base", "example"])
def test_what_is_rendered_is_what_kubernetes_takes(name: str) -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed: `make extras`")
    resources = rendered(name)
    assert len(resources) == 12 + (name == "example")
    for resource in (*resources, yaml.safe_load((FOLDER / "executor-pod.yaml").read_text())):
        for version in ("1.30", "1.37"):
            validate.validate(resource, version, strict=True)
    with pytest.raises(validate.ValidationError):
        validate.validate({**resources[0], "kindd": "a slip"}, "1.37", strict=True)


@pods
def test_pods_call_verbs_and_options_that_there_are(kind: str, name: str) -> None:
    (container,) = pod(one(kind, f"nextclick-{name}"))["containers"]
    called, *options = container["args"]
    assert called in VERBS
    assert {*options} <= {word for option in verb(called).params for word in option.opts}


@pods
def test_no_pod_is_root_or_may_become_more_than_it_is(kind: str, name: str) -> None:
    spec = pod(one(kind, f"nextclick-{name}"))
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert spec.get("serviceAccountName") == ("nextclick-driver" if name == "run" else None)
    assert spec.get("automountServiceAccountToken", True) is (name == "run")


def settings(kind: str, name: str) -> Settings:
    """As the pod's program reads them: of the ConfigMap and of its own variables, those of other fields filled in."""
    (config,) = [each["data"] for each in rendered("example") if each["kind"] == "ConfigMap"]
    (container,) = pod(one(kind, f"nextclick-{name}"))["containers"]
    own = {each["name"]: each.get("value", "10.0.0.9") for each in container.get("env", [])}
    for known, value in own.items():
        own = {key: text.replace(f"$({known})", value) for key, text in own.items()}
    both = {**config, **own}
    mounts = [each["mountPath"] for each in container["volumeMounts"]]
    keys = {name for name in both if name.endswith("_KEYS_FILE")}
    assert all(str(Path(both[name]).parent) in mounts for name in keys), (
        "every verb reads the files of keys that are named"
    )
    return load(environ={name: value for name, value in both.items() if name not in keys})


@pods
def test_the_settings_are_settings_and_kubernetes_adds_none(kind: str, name: str) -> None:
    """Of a Service nextclick-api it would make a variable NEXTCLICK_API_PORT, which is refused."""
    assert pod(one(kind, f"nextclick-{name}"))["enableServiceLinks"] is False
    read = settings(kind, name)
    assert (read.collector.sink, read.streaming.source, read.kv.backend) == ("kafka", "kafka", "redis")
    assert read.lake.address


@pytest.mark.parametrize("name", ["collector", "api"])
def test_a_server_is_asked_where_it_listens_and_has_time_to_drain(name: str) -> None:
    read, deployment = settings("Deployment", name), one("Deployment", f"nextclick-{name}")
    door = read.collector if name == "collector" else read.serving
    (container,) = pod(deployment)["containers"]
    assert {each["name"]: each["containerPort"] for each in container["ports"]} == {
        "http": door.port,
        "metrics": door.metrics_port,
    }
    wait = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod(deployment)["terminationGracePeriodSeconds"] > wait + door.drain_seconds
    assert deployment["spec"]["replicas"] >= 2
    selected = one("Service", f"nextclick-{name}")["spec"]["selector"]
    assert selected.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


def test_one_stream_at_a_time_and_one_run() -> None:
    stream = one("Deployment", "nextclick-stream")["spec"]
    assert (stream["replicas"], stream["strategy"]) == (1, {"type": "Recreate"})
    assert one("CronJob", "nextclick-run")["spec"]["concurrencyPolicy"] == "Forbid"


def test_executors_are_pods_of_the_runs_own_image_and_find_its_driver() -> None:
    (container,) = pod(one("CronJob", "nextclick-run"))["containers"]
    spark = settings("CronJob", "run").spark
    assert spark.master == "k8s://https://kubernetes.default.svc"
    assert (
        spark.properties["spark.kubernetes.container.image"]
        == container["image"]
        == "registry.example/shop/nextclick:1"
    )
    assert spark.properties["spark.driver.host"] == "10.0.0.9"
    template = Path(spark.properties["spark.kubernetes.executor.podTemplateFile"])
    assert (CHECKOUT / template.relative_to("/opt/nextclick")).exists()
    executor = yaml.safe_load((CHECKOUT / template.relative_to("/opt/nextclick")).read_text())["spec"]
    assert executor["containers"][0]["name"] == spark.properties["spark.kubernetes.executor.podTemplateContainerName"]


def test_an_executor_is_started_as_spark_says(tmp_path: Path) -> None:
    """By a `java` that prints what it is called with."""
    java = tmp_path / "java"
    java.write_text('#!/bin/sh\nfor word; do echo "$word"; done\n')
    java.chmod(0o755)
    python = Path(CHECKOUT / ".venv" / "bin")
    names = ("DRIVER_URL", "EXECUTOR_ID", "EXECUTOR_CORES", "EXECUTOR_MEMORY", "APPLICATION_ID", "EXECUTOR_POD_IP")
    variables = {f"SPARK_{name}": name.lower() for name in (*names, "RESOURCE_PROFILE_ID", "EXECUTOR_POD_NAME")}
    options = {"SPARK_JAVA_OPT_0": "-Dspark.driver.port=7078", "SPARK_JAVA_OPT_1": "-Dpath=a b"}
    done = subprocess.run(
        [CHECKOUT / "deploy" / "entrypoint.sh", "executor"],
        env={"PATH": f"{tmp_path}:{python}:/usr/bin:/bin", **variables, **options},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    words = done.stdout.splitlines()
    assert words[:4] == ["-Dspark.driver.port=7078", "-Dpath=a b", "-Xmsexecutor_memory", "-Xmxexecutor_memory"]
    jars = Path(words[words.index("-cp") + 1].removesuffix("/*"))
    assert list(jars.glob("spark-kubernetes_*.jar"))
    at = words.index("org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend")
    assert dict(zip(words[at + 1 :: 2], words[at + 2 :: 2], strict=True)) == {
        "--driver-url": "driver_url",
        "--executor-id": "executor_id",
        "--cores": "executor_cores",
        "--app-id": "application_id",
        "--hostname": "executor_pod_ip",
        "--resourceProfileId": "resource_profile_id",
        "--podName": "executor_pod_name",
    }


def test_secrets_are_named_and_none_is_written_down() -> None:
    text = json.dumps([*rendered("base"), *rendered("example")])
    assert not [each for each in rendered("base") if each["kind"] == "Secret"]
    assert not {word for word in ("PASSWORD", "SECRET_KEY", "ACCESS_KEY") if word in text}
