"""Files that a site writes into conf/: each mistake names the file, the place in it, and the page that shows the form."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from analytics.sharing import shares
from collector.imports import mapping
from nextclick.audiences import definitions as audiences
from nextclick.conf_files import MOST_CHARS, MOST_FILES, Form, toml
from nextclick.errors import UsageError
from nextclick.settings import CHECKOUT, DEFAULT_CONF
from nextclick.settings import load as load_settings
from serving.bandits import live as bandits
from serving.experiments import assignment
from serving.next_best_action import actions
from triggers import definition as triggers


class Rule(msgspec.Struct, forbid_unknown_fields=True):
    name: str = ""
    limit: int = 3


FORM = Form("rule", "docs/rules.md", UsageError)


def faults(rule: Rule) -> Iterator[str]:
    if rule.limit > 9:
        yield f"limit is {rule.limit}: at most 9"


def test_a_folder_gives_a_value_a_file_named_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "b.toml").write_text("limit = 5")
    (tmp_path / "a.toml").write_text('name = "a"')
    (tmp_path / "notes.txt").write_text("no rule")
    assert FORM.folder(tmp_path, Rule, faults) == (Rule("a", 3), Rule("b", 5))
    assert FORM.folder(tmp_path / "absent", Rule, faults) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("limit = =", r"Invalid value \(at line 1, column 9\)"),
        ("limit = 'x'", r"Expected `int`, got `str` - at `\$\.limit`"),
        ("most = 1", "unknown field `most`"),
        ("name = 'other'", r"name is 'other' in a file called one\.toml: let them be the same"),
        ("limit = 10", "limit is 10: at most 9"),
        ("limit = " + "[" * 5000, "too deep"),
        ("#" * (MOST_CHARS + 1), f"more than {MOST_CHARS:,} characters"),
    ],
)
def test_a_mistake_names_the_file_and_the_place(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "one.toml").write_text(text)
    with pytest.raises(UsageError, match=said) as refused:
        FORM.folder(tmp_path, Rule, faults)
    assert str(refused.value).startswith(f"The rule {tmp_path / 'one.toml'} is wrong: ")
    assert str(refused.value).endswith(". docs/rules.md shows the form.")


def test_a_file_that_is_absent_says_what_an_empty_one_says(tmp_path: Path) -> None:
    assert Form("", "docs/rules.md", UsageError).file(tmp_path / "rules.toml", Rule, faults) == Rule()


def test_a_file_that_is_no_text_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"^/.*rules\.toml is wrong: 'utf-8' codec can't decode"):
        Form("", "docs/rules.md", UsageError).file(tmp_path / "rules.toml", Rule)


def test_what_one_reader_does_with_a_file_no_other_sees(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text("a.b = [1]")
    toml(tmp_path / "one.toml")["a"]["b"].append(2)
    assert toml(tmp_path / "one.toml") == {"a": {"b": [1]}}
    (tmp_path / "one.toml").write_text("a.b = [3]")
    assert toml(tmp_path / "one.toml") == {"a": {"b": [3]}}


def test_more_files_than_may_be_there_are_refused(tmp_path: Path) -> None:
    for number in range(MOST_FILES + 1):
        (tmp_path / f"r{number}.toml").touch()
    with pytest.raises(UsageError, match=f"has {MOST_FILES + 1} rules; {MOST_FILES} may be there"):
        FORM.paths(tmp_path)


def test_a_name_that_is_not_there_is_answered_with_those_that_are() -> None:
    assert FORM.pick([Rule("a"), Rule("b", 5)], "b").limit == 5
    with pytest.raises(UsageError, match=r"There is no rule 'c'\. There are: a, b \(conf/rules/NAME\.toml\)\."):
        FORM.pick([Rule("a"), Rule("b")], "c")


READERS: dict[str, Callable[[Path], object]] = {
    "actions.toml": actions.load,
    "banners.toml": lambda folder: bandits.banners(folder / "banners.toml"),
    "shares.toml": lambda folder: shares.load(folder / "shares.toml"),
    "experiments/one.toml": lambda folder: assignment.load(folder / "experiments"),
    "triggers/one.toml": lambda folder: triggers.load(folder / "triggers"),
    "audiences/one.toml": lambda folder: audiences.load(folder / "audiences"),
    "mappings/one.toml": lambda folder: mapping.load("one", folder / "mappings"),
    "default.toml": lambda folder: load_settings(conf_dir=folder, environ={}),
}
"""Whoever reads files of conf/, by a file of theirs."""


@pytest.mark.parametrize("name", READERS)
def test_every_reader_refuses_a_file_that_is_too_deep_or_too_large_in_words(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    for text in ("x = " + "[" * 5000, "#" * (MOST_CHARS + 1)):
        (tmp_path / name).write_text(text)
        with pytest.raises(UsageError, match=name):
            READERS[name](tmp_path)


def test_each_file_of_conf_is_one_that_a_reader_is_known_of() -> None:
    profiles = {"demo.toml", "production.toml", "test.toml"}
    kinds = {
        path.relative_to(DEFAULT_CONF).parts[0] if path.parent != DEFAULT_CONF else path.name
        for path in DEFAULT_CONF.rglob("*.toml")
    }
    assert kinds - profiles == {name.partition("/")[0] for name in READERS}


def _toml_of(page: str) -> str:
    """The first block of TOML that a page shows."""
    shown = re.search(
        r"^```toml\n(.*?)^```", (CHECKOUT / "docs" / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    assert shown
    return shown[1]


@pytest.mark.parametrize(
    ("page", "name"),
    [
        ("audiences.md", "audiences/one.toml"),
        ("bandits.md", "banners.toml"),
        ("experiments.md", "experiments/one.toml"),
        ("mappings.md", "mappings/one.toml"),
        ("next-best-action.md", "actions.toml"),
    ],
)
def test_what_a_page_shows_is_read(tmp_path: Path, page: str, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(_toml_of(page))
    READERS[name](tmp_path)


@pytest.mark.parametrize("page", ["funnels.md", "kafka.md", "scale.md", "trackers/README.md"])
def test_the_settings_that_a_page_shows_are_taken(tmp_path: Path, page: str) -> None:
    (tmp_path / "default.toml").write_bytes((DEFAULT_CONF / "default.toml").read_bytes())
    (tmp_path / "shown.toml").write_text(_toml_of(page))
    load_settings(conf_dir=tmp_path, profile="shown", environ={})


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "full.toml").write_text("limit = 1 #".ljust(MOST_CHARS, "#"))
    assert toml(tmp_path / "full.toml") == {"limit": 1}
