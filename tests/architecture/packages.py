"""The packages of the project, as pyproject.toml has them."""

import tomllib
from typing import Final

from nextclick.settings import CHECKOUT

PACKAGES: Final[list[str]] = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
    "setuptools"
]["packages"]
