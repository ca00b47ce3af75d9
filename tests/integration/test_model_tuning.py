"""Tuning: what it finds is used, goes on where it stopped, and can be forgotten."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli.tune import tune as tune_verb
from ml.jobs import train, tune
from ml.models.user_item.als import Als
from ml.models.user_item.blend import Member
from ml.selection import model_candidates
from nextclick.command import CommandContext
from nextclick.errors import ModelError
from nextclick.settings import Settings, load

WriteInteractions = Callable[..., int]


def settings_of(lake: Path) -> Settings:
    return load(lake, profile="test", environ={})


def test_what_is_found_is_at_least_as_good_and_is_used_until_it_is_forgotten(trained: Path) -> None:
    settings = settings_of(trained)
    details = tune.run(settings, minutes=1, trials=2).details
    tuned = model_candidates.tuned(settings.lake)
    assert tuned.keys() == {"popular_fading", "popular_recent", "als"}
    for name, one in tuned.items():
        assert one.before is not None
        assert one.value >= one.before
        assert (details[f"{name}.recall@20"], details[f"{name}.trials"]) == (one.value, 2)
    assert tuned["popular_recent"].recipe in model_candidates.popular_recipes(settings).values()
    assert model_candidates.forget(settings.lake)
    assert model_candidates.tuned(settings.lake) == {}


def test_a_second_call_goes_on_and_the_next_training_uses_what_was_found(trained: Path) -> None:
    settings = settings_of(trained)
    tune.run(settings, minutes=1, trials=1)
    first = {name: one.trials for name, one in model_candidates.tuned(settings.lake).items()}
    tune.run(settings, minutes=1, trials=2)
    assert {name: one.trials for name, one in model_candidates.tuned(settings.lake).items()} == {
        name: trials + 2 for name, trials in first.items()
    }
    als = model_candidates.tuned(settings.lake)["als"].recipe
    assert isinstance(als, Als)
    other = model_candidates.TunedRecipe(
        recipe=Als(**{**_parameters(als), "factors": 8}), value=1.0, before=None, trials=1, interactions_version=0
    )
    model_candidates.keep(settings.lake, {"als": other})
    report = train.run(settings)  # other parameters are news
    assert report.read > 0
    recipes = model_candidates.personal_recipes(settings)
    assert [_parameters(recipes[name])["factors"] for name in ("als", "als_trending")] == [8, 8]


def _parameters(recipe: Member) -> dict[str, Any]:
    return {name: getattr(recipe, name) for name in recipe.__struct_fields__}


def test_the_verb_prints_json_alone_and_forgets(trained: Path) -> None:
    def ask(*words: str) -> Any:
        done = CliRunner().invoke(tune_verb, [*words, "--json"], obj=CommandContext(lake=str(trained), profile="test"))
        assert done.exit_code == 0, (done.output, done.exception)
        return json.loads(done.stdout)["tune"]

    assert ask("--trials", "1", "--minutes", "1")["details"]["als.trials"] == 1
    assert [ask("--forget")["details"]["forgotten"] for _ in range(2)] == [1, 0]


def test_too_little_to_judge_by_is_said(tmp_path: Path, write_interactions: WriteInteractions) -> None:
    write_interactions(tmp_path, [("anna", "tea", 1.0, 0, 0), ("ben", "tea", 1.0, 0, 1)])
    with pytest.raises(ModelError, match="too little to tune by"):
        tune.run(settings_of(tmp_path), minutes=1)


def test_a_damaged_file_of_what_was_found_says_how_to_go_on(trained: Path) -> None:
    path = settings_of(trained).lake.state / "model" / "tuned.json"
    path.write_text("{")
    with pytest.raises(ModelError, match="nextclick tune --forget"):
        train.run(settings_of(trained))
