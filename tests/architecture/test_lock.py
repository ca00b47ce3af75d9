"""requirements.lock pins what pyproject.toml asks for, by hash, and says nothing about where it came from."""

import re
import tomllib

from packaging.requirements import Requirement

from nextclick.settings import CHECKOUT

LOCK = (CHECKOUT / "requirements.lock").read_text(encoding="utf-8")
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BLOCKS = dict(re.findall(r"^([\w.-]+)==(.+\n(?:[ \t]+.+\n)*)", LOCK, re.MULTILINE))


def test_every_package_is_pinned_by_hash() -> None:
    assert not [name for name, block in BLOCKS.items() if "--hash=sha256:" not in block]


def test_no_download_address_is_recorded() -> None:
    assert "://" not in LOCK
    assert "--find-links" not in LOCK


def test_the_lock_satisfies_the_project() -> None:
    asked = map(Requirement, [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]])
    wrong = [str(want) for want in asked if not want.specifier.contains(re.split(r"[ \\;]", BLOCKS[want.name])[0])]
    assert not wrong, f"run `make lock`: {wrong}"
