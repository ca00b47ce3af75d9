"""The suite of each table: what its contract says, and what is written by hand in rules.py and list_rules.py."""

from typing import Final

from expectations.suites import list_rules, rules
from expectations.suites.expectation import Expectation
from expectations.suites.from_contract import from_contract
from expectations.suites.rulebook import Rulebook
from nextclick.contracts import catalog, gold
from nextclick.settings import Settings

WRITTEN: Final[Rulebook] = rules.WRITTEN | list_rules.WRITTEN
CHECKED: Final = tuple(table.name for table in catalog.TABLES if table is not gold.DATA_QUALITY)
"""Tables with a suite, in flow order: all but the one that holds the results."""


def suite(table: str, settings: Settings) -> tuple[Expectation, ...]:
    """What `table` must hold; UsageError if there is no such table."""
    written = WRITTEN[table](settings) if table in WRITTEN else ()
    return (*from_contract(catalog.table(table)), *written)
