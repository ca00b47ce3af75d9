"""Recommendation quality beside the best published figures, on splits that others made.

    nextclick bench quality gowalla [--data ../shared/data/gowalla] [--json]
    nextclick bench quality FOLDER                 any train.txt and test.txt in Gowalla's form
    nextclick bench quality FOLDER --split random  a validation part that is cut so, not as it seems from train
    nextclick bench quality globo                  a news portal: the next click, and each person's next day

What is served is chosen as `nextclick train` chooses it (ml/selection/select.py), on train alone: its candidates, their
parameters within --seconds, the weights of the blend. Files without times are cut as `cuts` says. Every model is then
fitted on train and lists 100 of all items for each person, train items left out; the first 20 are judged.
docs/quality.md has the results.
"""

import dataclasses
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
from msgspec.structs import replace

from benchmarks.models import stretches
from benchmarks.models.quality_recipes import BASELINES, PUBLISHED, SEED
from benchmarks.models.splits import pairs_files
from ml.data import split
from ml.data.interactions import Interactions
from ml.data.split import Split
from ml.evaluation import evaluate
from ml.models.protocol import Recommender
from ml.models.user_item.blend import Blend, BlendModel
from ml.registry.artifact import AnyRecipe
from ml.selection import select
from ml.selection.select import CutsChoice
from nextclick.settings import load

K, LONGEST = 20, 100
VALIDATION_SHARE, STRETCH_SHARE, VALIDATION_PEOPLE = 0.1, 0.2, 6000

Cut = Literal["random", "stretch"]
Say = Callable[[str], None]


class Fitted(NamedTuple):
    model: Recommender
    seconds: float
    """Of its fit; of a blend: of its members' fits."""


def run(dataset: str, folder: Path, splits: Sequence[Cut], seconds: float, say: Say) -> dict[str, Any]:
    """Judge the baselines and what a training chooses on a folder's split: what --json prints."""
    parts = pairs_files.read_split(folder)
    people, items = len(parts.train.people), len(parts.train.items)
    say(f"{len(parts.train):,} + {len(parts.test):,} pairs of {people:,} people and {items:,} items")
    choice = chosen(parts.train, splits or likely(parts.train), seconds, say)
    models = judged({**BASELINES, **choice.recipes}, parts, say)
    papers = PUBLISHED.get(dataset, {})
    return {
        "dataset": dataset,
        "served": {"model": choice.name} | models[choice.name],
        "models": models,
        "published": {name: {f"recall@{K}": one, f"ndcg@{K}": other} for name, (one, other) in papers.items()},
    }


def judged(recipes: Mapping[str, AnyRecipe], parts: Split, say: Say) -> dict[str, dict[str, Any]]:
    """Metrics, recipe and seconds of each, one after the other in this run."""
    people, known, models = parts.people(len(parts.train.people), SEED), list[Fitted](), {}
    for name, recipe in recipes.items():
        known.append(fit(recipe, parts, known))
        started = time.perf_counter()
        lists = evaluate.listed(known[-1].model, parts, people, LONGEST)
        listing = time.perf_counter() - started
        figures = evaluate.judge(lists[:, :K], parts, people)
        models[name] = figures | {
            "people": len(people),
            "fit_seconds": known[-1].seconds,
            "export_seconds": listing,
            "recipe": msgspec.to_builtins(recipe),
        }
        say(f"{name}: recall@{K} {figures[f'recall@{K}']:.4f}, NDCG@{K} {figures[f'ndcg@{K}']:.4f}")
    return models


def fit(recipe: AnyRecipe, parts: Split, known: Iterable[Fitted]) -> Fitted:
    """The model, from what is fitted already where that serves it."""
    if isinstance(recipe, Blend):
        members = [fit(member, parts, known) for member in recipe.members]
        model = BlendModel(recipe, tuple(one.model for one in members))
        return Fitted(model, sum(one.seconds for one in members))
    for one in known:
        if one.model.recipe == recipe:
            return one
    started = time.perf_counter()
    return Fitted(recipe.fit(parts.train), time.perf_counter() - started)


def chosen(train: Interactions, splits: Sequence[Cut], seconds: float, say: Say) -> CutsChoice:
    """What a training would serve, chosen by these cuts of train."""
    say(f"the validation part is cut by: {', '.join(splits)}")
    with TemporaryDirectory() as empty:
        settings = load(empty, environ={})
    tried = replace(settings.evaluation, k=K, max_people=VALIDATION_PEOPLE, candidates=(), search_seconds=seconds)
    settings = replace(settings, evaluation=tried)
    choice = select.by_cuts(settings, [cut(train, by, SEED + at) for at, by in enumerate(splits)])
    for name, recalls in choice.recalls.items():
        recipe = msgspec.json.encode(choice.recipes[name]).decode()
        say(f"validation: recall@{K} {', '.join(f'{one:.4f}' for one in recalls)} of {name}, {recipe}")
    return choice


def likely(train: Interactions) -> Sequence[Cut]:
    """How a test of these pairs was cut, as far as train tells.

    Where ids are numbered in the order in which the file first names an item, an order of time is kept, and the tests of
    such files are later stretches of it. Where no order is kept a test is taken for a random one, by two cuts.
    """
    return ("stretch",) if stretches.is_ordered(train) else ("random", "random")


def cut(train: Interactions, by: Cut, seed: int) -> Split:
    """A validation part; of stretches, as many people with a known order are asked as without one."""
    if by == "random":
        return split.held_out(train, VALIDATION_SHARE, seed)
    part, ordered = stretches.held_out_stretches(train, STRETCH_SHARE, seed)
    others = np.setdiff1d(part.people(len(train.people), seed), ordered)
    drawn = np.random.default_rng(seed).permutation(others)[: len(ordered) or VALIDATION_PEOPLE]
    those = np.isin(part.test.person, np.concatenate([ordered, drawn]))
    return dataclasses.replace(part, test=part.test.where(those))


def news(folder: Path) -> dict[str, Any]:
    """The next click and the next day on a news portal: benchmarks/models/globo.py and benchmarks/models/next_day.py in one answer.

    Sessions are judged by HR and MRR, lists by recall and NDCG: `served` has the metrics of both, and names both models.
    """
    from datetime import timedelta

    from benchmarks.models import globo, incremental, next_day
    from benchmarks.models.day_of_updates import Stream

    clicks = globo.load(folder)
    click = globo.next_click(clicks.sessions, timedelta(hours=1))
    day = next_day.next_day(Stream(clicks.sessions, clicks.people, incremental.HALF_LIFE))
    lists = {f"next_day.{name}": figures for name, figures in day["models"].items()}
    served = {metric: day["served"][metric] for metric in (f"recall@{K}", f"ndcg@{K}")}
    return click | {
        "served": click["served"] | {"next_day": f"next_day.{day['served']['model']}"} | served,
        "models": click["models"] | lists,
        "published": {},
        "goals": [*globo.goals(click["models"]), next_day.goal(day)],
    }


if __name__ == "__main__":
    # The verb `nextclick bench quality` has the options; it imports this module.
    sys.exit(subprocess.call([Path(sys.executable).parent / "nextclick", "bench", "quality", *sys.argv[1:]]))
