"""A day of incremental updates, against a nightly model that grows stale and one fitted anew each hour.

    .venv/bin/python -m benchmarks.models.incremental --clicks ../shared/data/globo-clicks [--hours 24] [--model popular] [--json]

Prints recall@20 of each over the day, hour by hour: each person is recommended to, tested
on what this person newly reads in the hour, and then learned from (benchmarks/models/day_of_updates.py). Then
the time that learning took, how many of the new articles can be recommended after the
update, and how far updated vectors lie from those of a full fit.
"""

import argparse
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks.measure import measured, ratio
from benchmarks.models import day_of_updates, globo
from benchmarks.models.day_of_updates import Day, Stream
from ml.models.user_item.als import Als
from ml.models.user_item.popular import Popular
from ml.registry.artifact import AnyRecipe

HALF_LIFE = timedelta(days=14)
POPULAR = Popular(window_hours=1.0)
RECIPES: dict[str, AnyRecipe] = {
    "als_trending": Als(
        factors=32,
        iterations=8,
        regularization=0.1,
        alpha=10.0,
        seed=1,
        half_life_days=14.0,
        recent_hours=1.0,
        trending=True,
    ),
    "popular": POPULAR,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clicks", required=True, type=Path, help="folder of the Globo clicks")
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--model", choices=list(RECIPES), default="als_trending")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    recipe = RECIPES[options.model]
    with measured() as figure:
        clicks = globo.load(options.clicks)
        stream = Stream(clicks.sessions, clicks.people, HALF_LIFE)
        end = globo.CUT + options.hours * globo.HOUR
        day = day_of_updates.day(recipe, POPULAR, stream, globo.CUT, end, timedelta(hours=1), progress=_tell)
    results = facts(day, recipe) | {"seconds": figure.seconds, "peak_mb": figure.peak_mb}
    print(json.dumps(results) if options.json else table(results))


def facts(day: Day, recipe: AnyRecipe) -> dict[str, Any]:
    """What --json prints."""
    courses = {
        name: {
            "recall@20": day.recall(name),
            "learning_seconds": course.seconds,
            "new_items_with_vector": float(np.mean(course.new_items)),
        }
        for name, course in day.courses.items()
    }
    details = {
        "people_hours": sum(day.people),
        "recipe": msgspec.to_builtins(recipe),
        "popular": msgspec.to_builtins(POPULAR),
    }
    return {"dataset": "globo", "models": courses, "drift": day.drift} | details


def table(results: dict[str, Any]) -> str:
    """The same for people."""
    models, recall = results["models"], {name: one["recall@20"] for name, one in results["models"].items()}
    rows = [
        f"{name:<10} recall@20 {one['recall@20']:.4f}   learning {one['learning_seconds']:.0f} s   "
        f"new items with a vector {one['new_items_with_vector']:.1%}"
        for name, one in models.items()
    ]
    goals = [
        ratio("recall@20", recall["update"], "hourly retrain", recall["retrain"], 0.97, at_least=True),
        ratio("recall@20", recall["update"], "stale nightly", recall["stale"], 1.1, at_least=True),
    ]
    drift = [f"cosine to a full fit, {name}: {value:.3f}" for name, value in results["drift"].items()]
    return "\n".join([*rows, *goals, *drift, f"{results['seconds']:.0f} s, {results['peak_mb']:.0f} MB"])


def _tell(done: int, total: int) -> None:
    print(f"{done / total:.0%}", file=sys.stderr)


if __name__ == "__main__":
    main()
