"""What each person reads in the next 24 hours on a news portal: popularity of several windows against tuned ALS.

    .venv/bin/python -m benchmarks.models.next_day --clicks ../shared/data/globo-clicks [--json]

One list a person, made at 2017-10-13T03:00:00Z from what was clicked before, against all
that this person read for the first time in the 24 hours from then, articles that did not
exist yet among it; people who were there before. What is best on the day before is served.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.measure import measured, ratio
from benchmarks.models import globo, incremental
from benchmarks.models.day_of_updates import Stream
from ml.data.split import Split
from ml.evaluation import evaluate
from ml.models.user_item.als import Als
from ml.models.user_item.popular import Popular
from ml.registry.artifact import AnyRecipe

POPULAR: dict[str, AnyRecipe] = {f"popular_{hours}h": Popular(window_hours=hours) for hours in (0.5, 1, 2, 4, 12, 24)}
ALS: dict[str, AnyRecipe] = {
    f"als_alpha{alpha}_half{days}d{'_trending' if trending else ''}": Als(
        factors=32,
        iterations=8,
        regularization=0.1,
        alpha=alpha,
        seed=1,
        half_life_days=days,
        recent_hours=1.0,
        trending=trending,
    )
    for alpha in (1.0, 10.0)
    for days in (1.0, 14.0)
    for trending in (False, True)
}
DAY = 24 * globo.HOUR


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clicks", required=True, type=Path, help="folder of the Globo clicks")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with measured() as figure:
        clicks = globo.load(options.clicks)
        results = next_day(Stream(clicks.sessions, clicks.people, incremental.HALF_LIFE))
    results |= {"seconds": figure.seconds, "peak_mb": figure.peak_mb}
    print(json.dumps(results) if options.json else table(results))


def next_day(stream: Stream) -> dict[str, Any]:
    """The best popularity, the best ALS and what is served, each chosen on the day before: what --json prints."""
    validation = judged({**POPULAR, **ALS}, parts(stream, globo.CUT - DAY))
    names = {
        kind: max(among, key=lambda name: validation[name]["recall@20"])
        for kind, among in (("popular", POPULAR), ("als", ALS), ("served", POPULAR | ALS))
    }
    models = judged({name: (POPULAR | ALS)[name] for name in set(names.values())}, parts(stream, globo.CUT))
    served = {"model": names["served"]} | models[names["served"]]
    return {"dataset": "globo", "served": served, "chosen": names, "models": models, "validation": validation}


def parts(stream: Stream, cut: int) -> Split:
    """What was used before the cut, and what each person used for the first time in the day after it."""
    everything = stream.pairs(cut + DAY)
    train = stream.pairs(cut).over(everything.people, everything.items)
    return Split(train, everything.where(everything.first_at >= cut), train.seen, cut)


def judged(recipes: dict[str, AnyRecipe], split: Split) -> dict[str, dict[str, Any]]:
    """Metrics, recipe and seconds of each."""
    people, figures = split.people(len(split.train.people), seed=1), {}
    for name, recipe in recipes.items():
        started = time.perf_counter()
        model = recipe.fit(split.train)
        fitted = time.perf_counter()
        figures[name] = evaluate.judge(evaluate.listed(model, split, people, 20), split, people) | {
            "people": len(people),
            "fit_seconds": fitted - started,
            "export_seconds": time.perf_counter() - fitted,
            "recipe": msgspec.to_builtins(recipe),
        }
        print(f"{name}: {figures[name]['recall@20']:.4f}", file=sys.stderr)
    return figures


def table(results: dict[str, Any]) -> str:
    """The same for people."""
    models = results["models"]
    rows = [
        f"{name:<30} recall@20 {one['recall@20']:.4f}   NDCG@20 {one['ndcg@20']:.4f}" for name, one in models.items()
    ]
    return "\n".join([*rows, goal(results), f"{results['seconds']:.0f} s, {results['peak_mb']:.0f} MB"])


def goal(results: dict[str, Any]) -> str:
    """What is served against the better of recent popularity and ALS, each the best on validation."""
    better = max(results["models"][results["chosen"][kind]]["recall@20"] for kind in ("popular", "als"))
    served = results["served"]["recall@20"]
    return ratio(
        "recall@20 of the next day", served, "the better of recent popularity and ALS", better, 1.1, at_least=True
    )


if __name__ == "__main__":
    main()
