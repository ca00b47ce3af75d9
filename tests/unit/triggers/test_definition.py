"""Files of conf/triggers/: what they may say, and how a mistake is named."""

from pathlib import Path

import pytest

from nextclick.errors import TriggerError
from nextclick.settings import DEFAULT_CONF
from triggers.definition import WORDS, CartLeft, load


def test_the_example_is_off_and_shows_the_defaults_of_a_cart() -> None:
    [example] = [trigger for trigger in load(DEFAULT_CONF / "triggers") if trigger.name == "cart_left"]
    assert not example.enabled
    assert isinstance(example.when, CartLeft)
    assert example.quiet == ("21:00", "08:00")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[when]\nkind = "cart_lost"', "cart_lost"),
        ('[when]\nkind = "cart_left"\nafter_minutes = 0', r"\$\.when\.after_minutes"),
        ('[when]\nkind = "silence"', "after_days"),
        ('holdout = 1.0\n[when]\nkind = "cart_left"', r"\$\.holdout"),
        ('consent = "cookies"\n[when]\nkind = "cart_left"', r"\$\.consent"),
        ('quiet = ["9pm", "08:00"]\n[when]\nkind = "cart_left"', r"\$\.quiet"),
        ('quiet = ["08:00", "08:00"]\n[when]\nkind = "cart_left"', "same time"),
        ('holdouts = 0.1\n[when]\nkind = "cart_left"', "holdouts"),
        ('[when]\nkind = "cart_left"\n[message]\na = "$first_nam"', r"\$first_nam; there are \$trigger"),
        ('[when]\nkind = "cart_left"\n[message]\na = "only $5"', r"\$\$"),
        ('name = "other"\n[when]\nkind = "cart_left"', "same"),
        ('[when]\nkind = "enters_audience"\naudience = "nobody"', "there are: none"),
        ('[when]\nkind = "enters_audience"\naudience = "../triggers/t"', r"\$\.when\.audience"),
        ("when", "t.toml"),
    ],
)
def test_a_mistake_names_the_file_and_the_key(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "t.toml").write_text(text, encoding="utf-8")
    with pytest.raises(TriggerError, match=says) as refused:
        load(tmp_path)
    assert "t.toml" in str(refused.value)
    assert "docs/triggers.md" in str(refused.value)


def test_every_word_of_the_page_is_one_and_each_is_on_it(tmp_path: Path) -> None:
    page = (DEFAULT_CONF.parent / "docs" / "triggers.md").read_text(encoding="utf-8")
    assert [word for word in WORDS if f"`${word}`" not in page] == []
