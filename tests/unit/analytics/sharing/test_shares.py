"""conf/shares.toml: what it may name, and in which words it is refused."""

from pathlib import Path

import pytest

from analytics.sharing import shares
from nextclick.contracts import catalog
from nextclick.contracts.table import Layer
from nextclick.errors import SettingsError
from nextclick.settings import DEFAULT_CONF

HEAD = '[shares.acme]\nrecipients = ["acme"]\n'


def load(folder: Path, text: str) -> shares.Shares:
    (folder / "shares.toml").write_text(text, encoding="utf-8")
    return shares.load(folder / "shares.toml")


def test_nothing_is_shared_until_somebody_says_so(tmp_path: Path) -> None:
    assert shares.load(DEFAULT_CONF / "shares.toml").recipients == frozenset()
    assert shares.load(tmp_path / "none.toml").of("acme") == {}


def test_the_shipped_example_is_right(tmp_path: Path) -> None:
    text = (DEFAULT_CONF / "shares.toml").read_text(encoding="utf-8")
    example = text.partition("# [shares.acme]")[2]
    there = load(tmp_path, "[shares.acme]" + example.replace("\n# ", "\n"))
    assert [table.table for table in there.of("acme")["acme"]] == ["gold.item_daily", "report.traffic"]
    assert there.of("other") == {}


def test_gold_and_reports_may_be_shared_and_nothing_below() -> None:
    there = shares.shareable()
    assert {name for name in there if name.startswith("gold.")} == {
        table.name for table in catalog.TABLES if table.layer is Layer.GOLD
    }
    assert "report.traffic" in there
    assert not [name for name in there if name.startswith(("silver.", "bronze."))]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[shares.acme]\nrecipients = []\ntables = {"gold.visits" = ["date"]}', "recipients"),
        (HEAD, "tables"),
        (HEAD + 'tables = {"gold.visits" = []}', "gold.visits|tables"),
        (HEAD + 'tables = {"silver.events" = ["event_id"]}', "no such table is shared"),
        (HEAD + 'tables = {"gold.visits" = ["adress"]}', "no column adress"),
        (HEAD + 'tables = {"gold.visits" = ["date", "date"]}', "twice"),
        (HEAD + 'sites = ["shop"]\ntables = {"gold.data_quality" = ["table_name"]}', "of no site"),
        (HEAD + 'site = "shop"\ntables = {"gold.visits" = ["date"]}', "site"),
        ('[shares."../x"]\nrecipients = ["acme"]\ntables = {"gold.visits" = ["date"]}', "wrong"),
        ("[shares", "wrong"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        load(tmp_path, text)
