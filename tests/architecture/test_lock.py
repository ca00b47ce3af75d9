"""The locks pin what pyproject.toml asks for, by hash, and say nothing about where it came from."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement

from nextclick.settings import CHECKOUT

PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
LOCK, ON_TOP = (CHECKOUT / f"requirements{name}.lock" for name in ("", "-extras"))
both = pytest.mark.parametrize("lock", [LOCK.name, ON_TOP.name])


def blocks(name: str) -> dict[str, str]:
    text = (CHECKOUT / name).read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w.-]+)==(.+\n(?:[ \t]+.+\n)*)", text, re.MULTILINE))


@both
def test_every_package_is_pinned_by_hash(lock: str) -> None:
    pinned = blocks(lock)
    assert pinned
    assert not [name for name, block in pinned.items() if "--hash=sha256:" not in block]


@both
def test_no_download_address_is_recorded(lock: str) -> None:
    text = (CHECKOUT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    assert "--find-links" not in text


def test_the_lock_satisfies_the_project_and_both_locks_its_extras() -> None:
    pinned = blocks(LOCK.name)
    unmet = unsatisfied(pinned, [*PROJECT["dependencies"], *EXTRAS["dev"]])
    unmet += unsatisfied(pinned | blocks(ON_TOP.name), [want for extra in EXTRAS.values() for want in extra])
    assert not unmet, f"run `make lock`: {unmet}"


def unsatisfied(pinned: dict[str, str], wanted: list[str]) -> list[str]:
    requirements = map(Requirement, wanted)
    return [
        str(want) for want in requirements if not want.specifier.contains(re.split(r"[ \\;]", pinned[want.name])[0])
    ]


def test_what_only_an_extra_needs_is_in_the_second_lock_alone() -> None:
    assert not blocks(LOCK.name).keys() & blocks(ON_TOP.name).keys()
    assert "confluent-kafka" in blocks(ON_TOP.name)
