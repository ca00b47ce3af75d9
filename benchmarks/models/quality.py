"""Recommendation quality beside the best published figures, on splits that others made.

    nextclick bench quality gowalla [--data ../shared/data/gowalla] [--json]
    nextclick bench quality gowalla --tune stretch choose the parameters anew, then judge
    nextclick bench quality FOLDER                 any train.txt and test.txt in Gowalla's form
    nextclick bench quality globo                  a news portal: the next click, and each person's next day

Every model is fitted on train and lists 100 of all items for each person, train items left
out; the first 20 are judged. The parameters, the weights of the blend and what is served
were chosen on a fifth of each person's train items (benchmarks/models/stretches.py), never on test:
benchmarks/models/quality_recipes.py has them, `--tune stretch` repeats the choice. docs/quality.md
has the results.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from benchmarks.models import pairs_files
from benchmarks.models.quality_recipes import BASELINES, CHOSEN, GRIDS, PUBLISHED, SEED, SERVED
from benchmarks.models.stretches import held_out_stretches
from ml.data import split
from ml.data.interactions import Interactions, Rows
from ml.data.split import Split
from ml.evaluation import evaluate
from ml.models.protocol import Recommender
from ml.models.user_item.blend import Blend, BlendModel
from ml.registry.artifact import AnyRecipe
from ml.selection import blend_weights

K, LONGEST = 20, 100
VALIDATION_SHARE, VALIDATION_PEOPLE = 0.2, 6000

Say = Callable[[str], None]


class ServedChoice(NamedTuple):
    """What is fitted, and which of it is served."""

    recipes: Mapping[str, AnyRecipe]
    served: str


class Fitted(NamedTuple):
    model: Recommender
    seconds: float
    """Of its fit; of a blend: of its members' fits."""


def run(dataset: str, folder: Path, tune: str | None, say: Say) -> dict[str, Any]:
    """Judge the baselines and the chosen models on a folder's split: what --json prints."""
    parts = pairs_files.read_split(folder)
    people, items = len(parts.train.people), len(parts.train.items)
    say(f"{len(parts.train):,} + {len(parts.test):,} pairs of {people:,} people and {items:,} items")
    choice = chosen(parts, tune, say) if tune else ServedChoice(CHOSEN, SERVED)
    models = judged({**BASELINES, **choice.recipes}, parts, say)
    papers = PUBLISHED.get(dataset, {})
    return {
        "dataset": dataset,
        "served": {"model": choice.served} | models[choice.served],
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


def chosen(parts: Split, by: str, say: Say) -> ServedChoice:
    """The best of each grid on a part of train, a blend of them with learned weights, and the best of all."""
    validation, people = held_out(parts.train, by)
    best = {name: _best(grid, validation, people, say) for name, grid in GRIDS.items()}
    members = {name: model for name, (model, _) in best.items()}
    recipes: dict[str, AnyRecipe] = {name: model.recipe for name, model in members.items()}  # type: ignore[misc]
    equal = Blend(members=tuple(recipes.values()), weights=(1.0,) * len(recipes))  # type: ignore[arg-type]
    blend = blend_weights.weigh(equal, list(members.values()), validation, people, K)
    worths = {name: worth for name, (_, worth) in best.items()}
    worths["blend"] = _worth(BlendModel(blend, tuple(members.values())), validation, people, say)
    return ServedChoice(recipes | {"blend": blend}, max(worths, key=lambda name: worths[name]))


def held_out(train: Interactions, by: str) -> tuple[Split, Rows]:
    """The validation part, and who is asked: of stretches, as many with a known order as without one."""
    if by == "random":
        validation = split.held_out(train, VALIDATION_SHARE, SEED)
        return validation, validation.people(VALIDATION_PEOPLE, SEED)
    validation, ordered = held_out_stretches(train, VALIDATION_SHARE, SEED)
    others = np.setdiff1d(validation.people(len(train.people), SEED), ordered)
    drawn = np.random.default_rng(SEED).permutation(others)[: len(ordered) or VALIDATION_PEOPLE]
    return validation, np.concatenate([ordered, drawn]).astype(np.int32)


def _best(grid: Iterable[AnyRecipe], validation: Split, people: Rows, say: Say) -> tuple[Recommender, float]:
    """The model of a grid that does best, and how well; what adopts the one before it is not fitted."""
    tried: list[tuple[Recommender, float]] = []
    model: Recommender | None = None
    for recipe in grid:
        model = (model and recipe.adopt(model)) or recipe.fit(validation.train)
        tried.append((model, _worth(model, validation, people, say)))
        tried = [max(tried, key=lambda one: one[1])]
    return tried[0]


def _worth(model: Recommender, validation: Split, people: Rows, say: Say) -> float:
    """recall@k + NDCG@k on the validation part."""
    figures = evaluate.judge(evaluate.listed(model, validation, people, K), validation, people)
    recall, ndcg = figures[f"recall@{K}"], figures[f"ndcg@{K}"]
    say(f"validation: recall@{K} {recall:.4f}, NDCG@{K} {ndcg:.4f} of {msgspec.json.encode(model.recipe).decode()}")
    return recall + ndcg


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
