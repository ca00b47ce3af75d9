"""What a session is started with: of a lake in an object store, and on a cluster."""

from pathlib import Path

import pytest

from nextclick.errors import SettingsError, SetupError
from nextclick.settings import Settings, load
from spark_jobs import jars as jar_sets
from spark_jobs import session
from spark_jobs.object_store import compiled

JARS = Path("/jars")


@pytest.fixture(autouse=True)
def jars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "all_jars", lambda: [JARS / "s3.jar"])
    monkeypatch.setattr(session, "delta_jars", lambda _: [JARS / "delta.jar"])


def settings(lake: str | Path, **environ: str) -> Settings:
    return load(lake, environ={f"NEXTCLICK_{key}": value for key, value in environ.items()})


@pytest.mark.parametrize("master", ["spark://master:7077", "k8s://https://api:6443", "yarn"])
def test_a_lake_on_a_disk_is_refused_where_workers_have_disks_of_their_own(tmp_path: Path, master: str) -> None:
    with pytest.raises(SettingsError, match=f"spark.master is {master}.*s3://BUCKET/KEY.*spark.shared_disk = true"):
        session.options(settings(tmp_path, SPARK__MASTER=master))
    assert session.options(settings(tmp_path, SPARK__MASTER=master, SPARK__SHARED_DISK="true"))
    assert session.options(settings("s3://bucket/shop", SPARK__MASTER=master))


@pytest.mark.parametrize("master", ["local", "local[*]", "local-cluster[2,1,512]"])
def test_masters_of_this_machine_take_a_lake_on_its_disk(tmp_path: Path, master: str) -> None:
    assert session.options(settings(tmp_path, SPARK__MASTER=master))["spark.jars"] == "/jars/delta.jar"


def test_properties_of_the_settings_win(tmp_path: Path) -> None:
    chosen = '{"spark.executor.memory": "4g", "spark.sql.shuffle.partitions": "64"}'
    options = session.options(settings(tmp_path, SPARK__PROPERTIES=chosen))
    assert (options["spark.executor.memory"], options["spark.sql.shuffle.partitions"]) == ("4g", "64")


def test_a_lake_in_a_store_is_written_by_its_own_address_and_on_condition() -> None:
    environ = {"STORAGE__ENDPOINT": "http://127.0.0.1:9000/", "STORAGE__REGION": "eu-central-1"}
    options = session.options(settings("s3a://bucket/shop", **environ))
    assert options["spark.jars"] == "/jars/delta.jar,/jars/s3.jar"
    assert options["spark.delta.logStore.s3.impl"] == "nextclick.storage.ConditionalLogStore"
    hadoop = {key.removeprefix("spark.hadoop.fs."): value for key, value in options.items() if ".hadoop." in key}
    assert hadoop == {
        "s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "AbstractFileSystem.s3.impl": "org.apache.hadoop.fs.s3a.S3A",
        "s3a.endpoint": "http://127.0.0.1:9000/",
        "s3a.endpoint.region": "eu-central-1",
        "s3a.path.style.access": "true",
        "s3a.connection.ssl.enabled": "false",
    }


def test_no_credential_is_among_a_sessions_options(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "wJalrXUtnFEMI"
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    assert secret not in " ".join(session.options(settings("s3://bucket/shop")).values())


def test_what_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(jar_sets, "S3", jar_sets.JarSet("S3 connector", tmp_path, tmp_path, ()))
    with pytest.raises(SetupError, match="make s3"):
        session.options(settings("s3://bucket/shop"))
