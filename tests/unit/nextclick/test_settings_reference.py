"""The page of settings says of each key what it means and what a change of it wants."""

from nextclick.settings import DEFAULT_CONF
from nextclick.settings.reference import EFFECTS, effects, keys, meanings


def test_every_key_has_an_effect_and_a_meaning() -> None:
    comments = meanings((DEFAULT_CONF / "default.toml").read_text(encoding="utf-8"))
    without = [key for key in keys() if not any(key == each or key.startswith(f"{each}.") for each in EFFECTS)]
    assert not without, "name them, or their section, in EFFECTS of nextclick/settings/reference.py"
    assert not [key for key in keys() if not comments.get(key)], "write a comment behind them in conf/default.toml"


def test_every_effect_is_that_of_a_key() -> None:
    used = {each for key in keys() for each in EFFECTS if key == each or key.startswith(f"{each}.")}
    assert used == set(EFFECTS)


def test_own_effect_wins_over_the_sections() -> None:
    assert effects("als.threads") == EFFECTS["als.threads"] != effects("als.factors") == EFFECTS["als"]


def test_comment_is_what_stands_behind_the_value() -> None:
    text = '[a]\nb = "#1"  # the first\nc = 2\n[a.d]  # names = numbers\n'
    assert meanings(text) == {"a": "", "a.b": "the first", "a.d": "names = numbers"}
