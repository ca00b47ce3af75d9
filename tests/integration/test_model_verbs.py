"""Train, update, roll back by the command line: what is asked for afterwards is what was served."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli.recommend import recommend
from cli.rollback import rollback
from cli.status import status
from cli.train import train
from cli.update import update
from nextclick.command import CommandContext
from nextclick.errors import ModelError

WriteInteractions = Callable[..., int]


def ask(lake: Path, verb: Any, *words: str) -> Any:
    done = CliRunner().invoke(verb, [*words, "--json"], obj=CommandContext(lake=str(lake), profile="test"))
    assert done.exit_code == 0, (done.output, done.exception)
    return json.loads(done.stdout)


@pytest.mark.slow
def test_train_update_and_rollback_are_what_recommend_answers(
    trained: Path, write_interactions: WriteInteractions
) -> None:
    assert ask(trained, train)["train"]["details"]["champion"] == "1"
    assert ask(trained, recommend, "stranger")["source"] == "popular"
    write_interactions(trained, [("stranger", "i01", 1.0, 21.0, 21.0), ("stranger", "i02", 1.0, 21.0, 21.0)])
    ask(trained, update)
    answer = ask(trained, recommend, "stranger", "-n", "3")
    assert (answer["source"], len(answer["items"])) == ("model", 3)
    assert ask(trained, update)["export"]["written"] == 0  # twice changes nothing

    ask(trained, train, "--force")
    assert ask(trained, status)["champion"]["version"] == "2"
    ask(trained, rollback)
    assert ask(trained, status)["champion"]["version"] == "1"
    assert ask(trained, recommend, "stranger")["model_version"] == "1"


@pytest.mark.slow
def test_people_are_served_the_version_before_even_where_gold_cannot_follow(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(trained, train)
    ask(trained, train, "--force")
    assert ask(trained, recommend, "p1")["model_version"] == "2"

    def gone(*_: Any) -> None:
        raise ModelError("gold.recommendations cannot go back")

    monkeypatch.setattr("ml.jobs.rollback.run", gone)
    done = CliRunner().invoke(rollback, ["--json"], obj=CommandContext(lake=str(trained), profile="test"))
    assert isinstance(done.exception, ModelError)
    assert ask(trained, recommend, "p1")["model_version"] == "1"


@pytest.mark.slow
def test_an_explanation_names_what_the_person_has_used_of_the_same_taste(trained: Path) -> None:
    ask(trained, train)
    answer = ask(trained, recommend, "p5", "-n", "1", "--explain")
    (item,) = answer["items"]
    assert item["item_id"] == "i15"  # the one of their taste that they lack
    assert len(item["because"]) == 3
    assert all(reason["item_id"].startswith("i1") for reason in item["because"])
    assert 0 < sum(reason["share"] for reason in item["because"]) <= 1
    assert ask(trained, recommend, "p5", "-n", "1") == {**answer, "items": [_without_reasons(item)]}
    unknown = ask(trained, recommend, "stranger", "-n", "1", "--explain")
    assert (unknown["source"], unknown["items"][0]["because"]) == ("popular", [])


def _without_reasons(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name != "because"}
