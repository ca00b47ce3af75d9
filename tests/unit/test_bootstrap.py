"""`make setup` and `make extras`: done is done, half-done is built anew, another lock is caught up with, extras stay."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from nextclick.errors import SetupError
from nextclick.settings import CHECKOUT

LOCK = "uvicorn==1 \\\n    --hash=sha256:aa\nuv==2 \\\n    --hash=sha256:bb \\\n    --hash=sha256:cc\n    # via nextclick\nuvloop==3 \\\n"


@pytest.fixture
def bootstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """bootstrap.py for a checkout in a temporary folder, its steps written down instead of run."""
    spec = importlib.util.spec_from_file_location("bootstrap", CHECKOUT / "bootstrap.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    venv = tmp_path / ".venv"
    places = {"ROOT": tmp_path, "VENV": venv, "PYTHON": venv / "bin" / "python", "STAMP": venv / "nextclick-setup"}
    for name, value in {**places, "LOCK": tmp_path / "requirements.lock"}.items():
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(module, "EXTRAS", tmp_path / "requirements-extras.lock")
    module.LOCK.write_text(LOCK)
    module.EXTRAS.write_text("confluent-kafka==1\n")
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'nextclick'\n")
    monkeypatch.setattr(module, "require_java", lambda: "17.0.1")
    monkeypatch.setattr(module.class_archive, "wanting", lambda java: False)
    monkeypatch.setattr(module, "_index", list)
    monkeypatch.setattr(module.jars, "wanting", lambda folder: [])
    return module


@pytest.fixture
def steps(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    done: list[str] = []

    def step(name: str, command: list[object], advice: str) -> None:
        done.append(f"{name}, extras" if bootstrap.EXTRAS in command else name)
        if name == "environment":
            bootstrap.PYTHON.parent.mkdir(parents=True, exist_ok=True)
            bootstrap.PYTHON.touch()

    monkeypatch.setattr(bootstrap, "_step", step)
    return done


FROM_NOTHING = ["environment", "installer", "packages (2 GB)", "this project"]
WITH_EXTRAS = ["environment", "installer", "packages (2 GB), extras", "this project"]


def test_from_nothing_everything_is_done_and_a_second_time_nothing(bootstrap: ModuleType, steps: list[str]) -> None:
    bootstrap.set_up()
    assert steps == FROM_NOTHING
    bootstrap.set_up()
    assert steps == FROM_NOTHING


def test_extras_come_on_top_and_a_second_time_nothing(bootstrap: ModuleType, steps: list[str]) -> None:
    bootstrap.set_up()
    steps.clear()
    bootstrap.set_up(extras=True)
    assert steps == ["packages (2 GB), extras", "this project"]
    steps.clear()
    bootstrap.set_up(extras=True)
    assert not steps


def test_a_set_up_from_nothing_with_extras_needs_one_round(bootstrap: ModuleType, steps: list[str]) -> None:
    bootstrap.set_up(extras=True)
    assert steps == WITH_EXTRAS


def test_a_later_set_up_keeps_the_extras(bootstrap: ModuleType, steps: list[str]) -> None:
    bootstrap.set_up(extras=True)
    steps.clear()
    bootstrap.set_up()
    assert not steps
    bootstrap.LOCK.write_text(LOCK.replace("uvicorn==1", "uvicorn==2"))
    bootstrap.set_up()
    assert steps == ["packages (2 GB), extras", "this project"]


def test_another_lock_of_the_extras_is_caught_up_with_only_where_they_are(
    bootstrap: ModuleType, steps: list[str]
) -> None:
    bootstrap.set_up()
    bootstrap.EXTRAS.write_text("confluent-kafka==2\n")
    steps.clear()
    bootstrap.set_up()
    assert not steps
    bootstrap.set_up(extras=True)
    bootstrap.EXTRAS.write_text("confluent-kafka==3\n")
    steps.clear()
    bootstrap.set_up()
    assert steps == ["packages (2 GB), extras", "this project"]


def test_an_environment_of_another_place_is_built_anew_with_its_extras(bootstrap: ModuleType, steps: list[str]) -> None:
    bootstrap.set_up(extras=True)
    steps.clear()
    _, *made_from = bootstrap.STAMP.read_text().split("\n")
    bootstrap.STAMP.write_text("\n".join(["/elsewhere 3.11", *made_from]))
    bootstrap.set_up()
    assert steps == WITH_EXTRAS


def test_the_archive_of_classes_is_waited_for_but_by_the_demo(
    bootstrap: ModuleType, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    monkeypatch.setattr(bootstrap.class_archive, "wanting", lambda java: True)
    monkeypatch.setattr(bootstrap, "_begin", lambda command: begun.append(command[2]))
    bootstrap.set_up(archive_later=True)
    assert (steps, begun) == (FROM_NOTHING, ["spark_jobs.class_archive"])
    bootstrap.set_up()
    assert (steps, begun) == ([*FROM_NOTHING, "class archive"], ["spark_jobs.class_archive"])


def test_what_goes_on_beside_keeps_the_next_set_up_waiting(bootstrap: ModuleType, tmp_path: Path) -> None:
    with bootstrap._alone():
        bootstrap._begin([sys.executable, "-c", "import pathlib, time; time.sleep(1); pathlib.Path('done').touch()"])
    with bootstrap._alone():
        assert (tmp_path / "done").exists()


@pytest.mark.parametrize(
    ("arguments", "extras", "later"), [([], False, False), (["extras"], True, False), (["demo"], False, True)]
)
def test_make_says_what_it_asks_for(
    arguments: list[str], extras: bool, later: bool, bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[bool, bool]] = []
    monkeypatch.setattr(bootstrap, "set_up", lambda extras, archive_later: calls.append((extras, archive_later)))
    monkeypatch.setattr(sys, "argv", ["bootstrap.py", *arguments])
    bootstrap.main()
    assert calls == [(extras, later)]


def no_library(name: str) -> None:
    raise OSError(f"{name}: cannot open shared object file: No such file or directory")


def test_a_linux_without_libgomp_is_told_so_before_anything_is_fetched(
    bootstrap: ModuleType, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap.ctypes, "CDLL", no_library)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(SetupError, match=r"libgomp\.so\.1: cannot open.*`apt-get install libgomp1`"):
        bootstrap.set_up()
    assert not steps


def test_a_mac_needs_no_libgomp(bootstrap: ModuleType, steps: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap.ctypes, "CDLL", no_library)
    monkeypatch.setattr(sys, "platform", "darwin")
    bootstrap.set_up()
    assert steps == FROM_NOTHING


def test_another_lock_brings_the_environment_up_to_date(bootstrap: ModuleType, steps: list[str]) -> None:
    bootstrap.set_up()
    steps.clear()
    bootstrap.LOCK.write_text(LOCK.replace("uvicorn==1", "uvicorn==2"))
    bootstrap.set_up()
    assert steps == ["packages (2 GB)", "this project"]


@pytest.mark.parametrize("extras", [False, True])
def test_a_set_up_that_broke_off_is_built_anew(
    extras: bool, bootstrap: ModuleType, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(locks: list[Path]) -> None:
        raise SetupError("no network")

    with monkeypatch.context() as broken:
        broken.setattr(bootstrap, "_packages", fail)
        with pytest.raises(SetupError):
            bootstrap.set_up(extras)
    steps.clear()
    bootstrap.set_up()
    assert steps == (WITH_EXTRAS if extras else FROM_NOTHING)


def test_missing_jars_alone_are_fetched_alone(
    bootstrap: ModuleType, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrap.set_up()
    steps.clear()
    monkeypatch.setattr(bootstrap.jars, "wanting", lambda folder: ["delta.jar"])
    bootstrap.set_up()
    assert steps == ["Delta jars"]


def test_classes_are_archived_for_the_java_that_is_there(
    bootstrap: ModuleType, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrap.set_up()
    steps.clear()
    monkeypatch.setattr(bootstrap.class_archive, "wanting", lambda java: java == "17.0.1")
    bootstrap.set_up()
    assert steps == ["class archive"]


def test_uv_is_installed_as_the_lock_pins_it(bootstrap: ModuleType) -> None:
    assert bootstrap.uv_requirement(LOCK).splitlines()[:3] == [
        "uv==2 \\",
        "    --hash=sha256:bb \\",
        "    --hash=sha256:cc",
    ]


def test_a_failed_step_shows_what_it_printed_and_what_to_do(bootstrap: ModuleType) -> None:
    command = [sys.executable, "-c", "print('disk full'); raise SystemExit(3)"]
    with pytest.raises(SetupError, match="packages failed:\ndisk full\nMake room"):
        bootstrap._step("packages", command, "Make room.")
