"""The Delta jars and the Java: what is there is left alone, what is wrong is fetched anew or refused by name."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from nextclick.errors import SetupError
from spark_jobs import jars, java

JARS = {"delta-a.jar": b"first", "delta-b.jar": b"second"}


@pytest.fixture
def sums(tmp_path: Path) -> Path:
    path = tmp_path / "jars.sha256"
    path.write_text("".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in JARS.items()))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / ".jars"
    path.mkdir()
    return path


def lay(folder: Path, files: dict[str, bytes] = JARS) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return sorted(folder.iterdir())


@pytest.fixture
def delta(folder: Path, sums: Path) -> jars.JarSet:
    return replace(jars.DELTA, folder=folder, sums=sums)


@pytest.fixture
def central(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """What Spark's resolver would bring; a test may change it."""
    files = dict(JARS)
    monkeypatch.setattr(jars, "require_java", lambda: None)
    monkeypatch.setattr(jars, "_resolve", lambda ivy, *_: lay(ivy, files))
    return files


def forbid_fetching(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(ivy: Path, *_: object) -> None:
        raise AssertionError(f"nothing was to be fetched into {ivy}")

    monkeypatch.setattr(jars, "_resolve", resolve)


def test_whole_jars_are_not_fetched_again(folder: Path, delta: jars.JarSet, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(folder)
    forbid_fetching(monkeypatch)
    assert jars.ensure(delta) is False


@pytest.mark.usefixtures("central")
def test_an_empty_folder_is_filled(folder: Path, delta: jars.JarSet) -> None:
    assert jars.ensure(delta) is True
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == JARS


@pytest.mark.usefixtures("central")
def test_a_damaged_jar_and_a_killed_fetch_are_mended(folder: Path, delta: jars.JarSet) -> None:
    lay(folder, {"delta-a.jar": b"fir"})
    lay(folder / ".fetching" / "jars", {"delta-b.jar": b"sec"})
    assert jars.ensure(delta) is True
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == JARS


@pytest.mark.usefixtures("central")
def test_jars_of_an_earlier_version_are_removed(folder: Path, delta: jars.JarSet) -> None:
    lay(folder, {"delta-a-old.jar": b"old"})
    jars.ensure(delta)
    assert {path.name for path in folder.iterdir()} == set(JARS)


def test_a_jar_that_is_not_the_committed_one_is_refused(
    folder: Path, delta: jars.JarSet, central: dict[str, bytes]
) -> None:
    central["delta-b.jar"] = b"tampered"
    with pytest.raises(SetupError, match=r"delta-b\.jar.*Nothing was installed"):
        jars.ensure(delta)
    assert list(folder.iterdir()) == []


def test_the_committed_sums_name_the_two_delta_jars() -> None:
    assert sorted(jars.expected()) == [
        "io.delta_delta-spark_4.2_2.13-4.4.0.jar",
        "io.delta_delta-storage-4.4.0.jar",
    ]


def test_kafka_takes_the_token_provider_in_a_call_of_its_own() -> None:
    calls = dict(jars.KAFKA.calls)
    assert "org.apache.spark:spark-token-provider-kafka-0-10_2.13" in calls.pop(
        "org.apache.spark:spark-sql-kafka-0-10_2.13:4.2.0"
    )
    assert list(calls) == ["org.apache.spark:spark-token-provider-kafka-0-10_2.13:4.0.0"]
    assert len(jars.expected(jars.KAFKA.sums)) == 4


def fake_java(home: Path, script: str) -> str:
    path = home / "bin" / "java"
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(home)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo java.base@21.0.2; echo jdk.incubator.vector@21.0.2", "Java 17 is needed"),
        ("echo Unrecognized option >&2; exit 1", "Java 17 is needed, but `java` here says: Unrecognized option"),
        ("echo java.base@17.0.15", "cut-down one, without the module jdk.incubator.vector"),
    ],
)
def test_a_java_that_spark_cannot_use_is_refused_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    monkeypatch.setenv("JAVA_HOME", fake_java(tmp_path / "jvm", script))
    with pytest.raises(SetupError, match=f"{message}.*Install a full Java 17"):
        java.require_java()


def test_a_java_home_without_java_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(SetupError, match="not found"):
        java.require_java()


def test_a_whole_java_17_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "echo java.base@17.0.15; echo jdk.incubator.vector@17.0.15"
    monkeypatch.setenv("JAVA_HOME", fake_java(tmp_path / "jvm", script))
    java.require_java()
