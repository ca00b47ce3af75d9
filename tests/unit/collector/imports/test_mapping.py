"""A mapping file says what a history file's columns mean; what is wrong in it is said by name."""

from pathlib import Path

import pytest

from collector.imports.mapping import load
from nextclick.errors import MappingError
from nextclick.settings import DEFAULT_CONF

SHIPPED = DEFAULT_CONF / "mappings"
MINIMAL = """
[events]
event = { value = "view_item" }
time = { column = "at", unit = "s" }
fields = { visitor_id = "who", item_id = "what" }
"""


def written(folder: Path, text: str) -> str:
    path = folder / "shop.toml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", sorted(path.stem for path in SHIPPED.glob("*.toml")))
def test_shipped_mappings_load(name: str) -> None:
    assert load(name, SHIPPED).name == name


def test_a_minimal_mapping_of_a_stranger_loads(tmp_path: Path) -> None:
    records = load(written(tmp_path, MINIMAL), SHIPPED).records("events")
    assert records.wanted() == [["who"], ["what"], ["at"]]


def test_an_unknown_name_lists_the_mappings_there_are() -> None:
    with pytest.raises(
        MappingError,
        match=r"no mapping glob\..*costs, globo, google_ads, market, meta_ads, movielens, plain, retailrocket",
    ):
        load("glob", SHIPPED)


def test_a_missing_kind_says_so(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"shop has no \[items\]"):
        load(written(tmp_path, MINIMAL), SHIPPED).records("items")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("", r"none of \[events\], \[items\], \[costs\], \[market\]"),
        (MINIMAL.replace("visitor_id", "visitor"), r"\[events\] fields has 'visitor', which is no canonical field: event_id, site"),
        (MINIMAL.replace("visitor_id", "name"), r"\[events\] fields needs `visitor_id` or `user_id`"),
        (MINIMAL.replace('event = { value = "view_item" }', ""), r"\[events\] it needs `event`"),
        (MINIMAL.replace('time = { column = "at", unit = "s" }', ""), r"\[events\] it needs `time`"),
        (MINIMAL.replace('unit = "s"', 'unit = "seconds"'), r"time.unit is 'seconds': use one of s, ms"),
        (MINIMAL.replace('unit = "s"', 'zone = "Mars"'), r"time.zone is 'Mars'"),
        (MINIMAL.replace('"what"', "{ values = { a = 'b' } }"), r"the field item_id needs a column or a value"),
        (MINIMAL.replace("[events]", "[items]").replace("item_id", "name"), r"\[items\] fields needs `item_id`"),
        ("delimiter = '||'\n" + MINIMAL, r"delimiter is '\|\|' instead of one character"),
        ("delimiter = '\"'\n" + MINIMAL, r"delimiter is '\"' instead of one character that is no letter, digit, quote"),
        ("escape = '\\\\'\n" + MINIMAL, r"escape is .* instead of one character"),
        ("escape = '|'\ndelimiter = '|'\n" + MINIMAL, r"escape and delimiter are the same"),
        ("decimal = ';'\n" + MINIMAL, r"decimal is ';' instead of '\.' or ','"),
        ("decimal = ','\nthousands = ','\n" + MINIMAL, r"thousands is ',' instead of another of '\.', ','"),
        ("encoding = 'klingon'\n" + MINIMAL, r"encoding is 'klingon'"),
        ("colums = ['a']\n" + MINIMAL, r"unknown field `colums`"),
        (MINIMAL + "time = 5", r"shop\.toml is wrong: Cannot overwrite a value"),
    ],
)  # fmt: skip
def test_each_fault_is_named(tmp_path: Path, wrong: str, said: str) -> None:
    with pytest.raises(MappingError, match=said):
        load(written(tmp_path, wrong), SHIPPED)


def test_the_digest_follows_the_rules_and_not_the_comments(tmp_path: Path) -> None:
    digests = [
        load(written(tmp_path, text), SHIPPED).digest
        for text in (MINIMAL, f"# why\n{MINIMAL}", MINIMAL.replace("who", "client"))
    ]
    assert digests[0] == digests[1] != digests[2]
