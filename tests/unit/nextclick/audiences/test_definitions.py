"""conf/audiences/NAME.toml: what may stand there, and what a mistake is answered with."""

from pathlib import Path

import pytest

from nextclick.audiences.conditions import Count, GoldNumber, leaves
from nextclick.audiences.definitions import FORM, load, read
from nextclick.errors import AudienceError
from nextclick.settings import DEFAULT_CONF

DAY_MS = 86_400_000


def audience_file(folder: Path, text: str, name: str = "lookers") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text if "meaning" in text else f'meaning = "People"\n{text}', encoding="utf-8")
    return path


def test_the_example_is_off_and_live() -> None:
    (example,) = load(DEFAULT_CONF / "audiences")
    assert (example.name, example.off, example.is_of("default")) == ("example", True, False)
    assert example.is_live(30 * DAY_MS)
    assert not example.asks_the_night


def test_a_folder_that_is_not_there_has_no_audience(tmp_path: Path) -> None:
    assert load(tmp_path / "audiences") == ()


def test_a_count_alone_is_at_least_one(tmp_path: Path) -> None:
    (leaf,) = leaves(read(audience_file(tmp_path, 'event = "view_item"\nwithin = "90m"')).condition)
    assert isinstance(leaf, Count)
    assert (leaf.least, leaf.most, leaf.tally.within_ms) == (1.0, None, 5_400_000)
    assert leaf.said == 'event = "view_item", within = "90m"'


@pytest.mark.parametrize(
    ("text", "is_live"),
    [
        ('event = "view_item"\nwithin = "30d"', True),
        ('event = "view_item"\nwithin = "31d"', False),
        ('event = "view_item"\nwithin = "1d"\nleast = 64', True),
        ('event = "view_item"\nwithin = "1d"\nleast = 65', False),
        ('event = "purchase"\nwithin = "1d"\nof = "value"\nleast = 100', True),
        ('not = { event = "view_item", within = "1d", least = 65 }', False),
        ('fact = "orders"\nleast = 2', True),
    ],
)
def test_what_a_live_profile_cannot_hold_is_for_the_night(tmp_path: Path, text: str, is_live: bool) -> None:
    assert read(audience_file(tmp_path, text)).is_live(30 * DAY_MS) is is_live


def test_revenue_has_its_currency_in_capitals(tmp_path: Path) -> None:
    (leaf,) = leaves(read(audience_file(tmp_path, 'fact = "revenue"\ncurrency = "eur"\nleast = 100')).condition)
    assert isinstance(leaf, GoldNumber)
    assert leaf.currency == "EUR"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('event = "view_itm"\nwithin = "1d"', ["event = 'view_itm' is not known", "view_item, search"]),
        (
            'all = [{ event = "view_item", within = "1d" }, { evnt = "search" }]',
            ["all[2] has none", "prediction, fact"],
        ),
        ('all = [{ event = "search", within = "soon" }]', ["all[1]", "'soon' is no time", "30m"]),
        ('event = "view_item"\nwithn = "1d"', ["withn", "keys of a condition with event: category, event"]),
        ('event = "view_item"', ["within"]),
        (
            'not = { any = [{ fact = "age", least = 3 }] }',
            ["not.any[1]", "fact = 'age' is not known", "days_since_order"],
        ),
        ('prediction = "chrn"\nleast = 0.5', ["'chrn' is not known", "churn, conversion_7d"]),
        ('prediction = "churn"', ["least, most, or both"]),
        ('prediction = "churn"\nof = "decile"\nleast = 11', ["a decile lies between 1 and 10"]),
        ('prediction = "churn"\nleast = 9', ["a probability lies between 0 and 1"]),
        ('event = "search"\nwithin = "1d"\nleast = 3\nmost = 2', ["least = 3 is above most = 2"]),
        ('event = "search"\nwithin = "1d"\nleast = -1', ["least"]),
        ('event = "search"\nwithin = "1d"\nleast = nan', ["least"]),
        ('event = "view_item"\nquery = "x"\nwithin = "1d"', ["query is of searches"]),
        ('fact = "orders"\none_of = "x"', ["orders is a number"]),
        ('fact = "first_channel"\nleast = 1', ["first_channel is a word"]),
        ('fact = "orders"\nleast = 1\ncurrency = "EUR"', ["currency is of revenue alone"]),
        ('event = "search"\nwithin = "1d"\nall = []', ["all and event"]),
        ("all = []", ["all of the file is a list"]),
        ('all = [{ event = "search", within = "1d" }]\nmoer = 1', ["moer beside all"]),
        ("meaning = 3", ["meaning"]),
        ("not = " + "{ not = " * 9 + '{ fact = "orders", least = 1 }' + " }" * 9, ["deeper than 8"]),
        ("all = [" + '{ fact = "orders", least = 1 },' * 65 + "]", ["65 conditions; 64"]),
        ("all = [", ["docs/audiences.md shows the form"]),
    ],
)
def test_a_mistake_names_the_file_the_place_and_what_is_allowed(tmp_path: Path, text: str, words: list[str]) -> None:
    path = audience_file(tmp_path, text)
    with pytest.raises(AudienceError) as raised:
        read(path)
    for word in [str(path), *words]:
        assert word in str(raised.value)


def test_a_name_that_no_address_could_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AudienceError, match="lower case letters"):
        read(audience_file(tmp_path, 'fact = "orders"\nleast = 1', "Big Spenders"))


def test_an_unknown_name_lists_those_that_there_are(tmp_path: Path) -> None:
    for name in ("buyers", "lookers"):
        audience_file(tmp_path, 'fact = "orders"\nleast = 1', name)
    with pytest.raises(AudienceError, match=r"no audience 'byers'\. There are: buyers, lookers"):
        FORM.pick(load(tmp_path), "byers")
