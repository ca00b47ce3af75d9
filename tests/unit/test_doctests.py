"""Every example in a docstring is true."""

import doctest
import importlib
from pathlib import Path
from typing import Final

import pytest

from tests.architecture.packages import PACKAGES

ROOT: Final = Path(__file__).resolve().parents[2]
MODULES: Final = sorted(
    ".".join(file.relative_to(ROOT).with_suffix("").parts)
    for package in PACKAGES
    for file in (ROOT / package).rglob("*.py")
    if ">>> " in file.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_hold(name: str) -> None:
    module = importlib.import_module(name.removesuffix(".__init__"))
    done = doctest.testmod(module, optionflags=doctest.FAIL_FAST)
    assert done.attempted
    assert not done.failed
