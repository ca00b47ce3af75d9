"""Next click on a news portal: the blend that is served, against last-hour popularity and VMIS-kNN as published.

    .venv/bin/python -m benchmarks.models.globo --clicks ../shared/data/globo-clicks [--refresh MINUTES] [--json]

The test is the 24 hours from 2017-10-13T03:00:00Z, by the time of each click and never by
file. All contenders know the session so far and, every `--refresh` minutes (60), all clicks
of everybody before that; `static` are the same models as they were at the start of the test.
Parameters are chosen on a tenth of the clicks of the last day before it: of VMIS-kNN by HR@20,
of the blend by HR@20 × MRR@20. docs/next-item.md has the results.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.dataset as ds

from benchmarks.measure import measured, ratio
from ml.data.interactions import IdMap
from ml.data.sessions import Sessions, from_clicks
from ml.evaluation.prequential import NextJudged, next_clicks
from ml.models.protocol import SessionRecipe
from ml.models.session.blend import SessionBlend
from ml.models.session.markov import MarkovTransitions
from ml.models.session.popular import SessionPopular
from ml.models.session.vmis_knn import VmisKnn

Recipe = TypeVar("Recipe", bound=SessionRecipe)

CUT = int(datetime(2017, 10, 13, 3, tzinfo=UTC).timestamp()) * 1_000_000
HOUR = 3_600_000_000
GAP = timedelta(minutes=30)
COLUMNS = {"user_id": pa.string(), "click_article_id": pa.string(), "click_timestamp": pa.int64()}


class GloboClicks(NamedTuple):
    """All clicks in sessions of a 30-minute gap, and whose they are."""

    sessions: Sessions
    people: IdMap


def load(folder: Path) -> GloboClicks:
    """Read the hourly files, in about 4 s."""
    types = csv.ConvertOptions(column_types=COLUMNS)
    table = ds.dataset(folder, format=ds.CsvFileFormat(convert_options=types)).to_table(columns=list(COLUMNS))
    (person, people), (item, items) = (_encoded(table[name]) for name in ("user_id", "click_article_id"))
    return GloboClicks(from_clicks(items, person, item, table["click_timestamp"].to_numpy() * 1000, GAP), people)


def _encoded(values: pa.ChunkedArray) -> tuple[Any, IdMap]:
    encoded = values.combine_chunks().dictionary_encode()
    return encoded.indices.to_numpy(), IdMap(encoded.dictionary)


def blend(follows: float, sample: int, window_hours: float, popular: float = 0.5) -> SessionBlend:
    """Neighbours with weight 1, what is popular within minutes, and what follows within the hour."""
    return SessionBlend(
        parts={
            "knn": VmisKnn(neighbours=sample // 3, sample=sample, last_items=3, window_hours=window_hours),
            "popular": SessionPopular(half_life_hours=0.1),
            "follows": MarkovTransitions(half_life_hours=1.0),
        },
        weights={"knn": 1.0, "popular": popular, "follows": follows},
        floor=1e-3,
    )


LAST_HOUR = SessionPopular(window_hours=1.0)
PUBLISHED = [
    VmisKnn(neighbours=neighbours, sample=sample, last_items=last_items)
    for neighbours, sample, last_items in ((100, 500, 9), (500, 500, 9), (500, 1500, 3), (500, 2500, 3))
]
BLENDS = [
    blend(follows, sample, window_hours)
    for follows, sample, window_hours in (
        (0.5, 1500, 12),
        (0.7, 1500, 12),
        (0.7, 1500, 24),
        (1.0, 900, 6),
        (0.5, 900, 6),
    )
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clicks", required=True, type=Path, help="folder of the Globo clicks")
    parser.add_argument("--refresh", type=int, default=60, metavar="MINUTES")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with measured() as figure:
        results = next_click(load(options.clicks).sessions, timedelta(minutes=options.refresh))
    results |= {"seconds": figure.seconds, "peak_mb": figure.peak_mb}
    print(json.dumps(results) if options.json else table(results))


def next_click(sessions: Sessions, refresh: timedelta) -> dict[str, Any]:
    """The contenders chosen on validation, judged on the test day: what --json prints."""
    published = chosen(PUBLISHED, sessions, lambda judged: judged.hit_rate)
    served = chosen(BLENDS, sessions, lambda judged: judged.hit_rate * judged.mrr)
    contenders: dict[str, SessionRecipe] = {
        "last_hour_popular": LAST_HOUR,
        "vmis_knn": published,
        "session_blend": served,
    }
    runs: dict[str, tuple[SessionRecipe, timedelta | None]] = {
        name: (recipe, refresh) for name, recipe in contenders.items()
    }
    runs |= {f"static.{name}": (recipe, None) for name, recipe in contenders.items()}
    models: dict[str, dict[str, Any]] = {}
    for name, (recipe, every) in runs.items():
        judged = next_clicks(recipe, sessions, CUT, CUT + 24 * HOUR, every)
        models[name] = figures(judged) | {"recipe": msgspec.to_builtins(recipe)}
        print(f"{name}: {judged}", file=sys.stderr)
    served_as = {"model": "session_blend"} | models["session_blend"]
    return {
        "dataset": "globo",
        "refresh_minutes": refresh / timedelta(minutes=1),
        "served": served_as,
        "models": models,
    }


def chosen(recipes: Sequence[Recipe], sessions: Sessions, worth: Callable[[NextJudged], float]) -> Recipe:
    """The best of these on a tenth of the clicks of the day before the test."""
    worths = []
    for recipe in recipes:
        judged = next_clicks(recipe, sessions, CUT - 24 * HOUR, CUT, timedelta(hours=1), share=0.1)
        worths.append(worth(judged))
        print(f"validation: HR {judged.hit_rate:.4f} MRR {judged.mrr:.4f} {recipe}", file=sys.stderr)
    return recipes[worths.index(max(worths))]


def figures(judged: NextJudged) -> dict[str, float]:
    return {
        f"hr@{judged.k}": judged.hit_rate,
        f"mrr@{judged.k}": judged.mrr,
        "clicks": judged.clicks,
        "fit_seconds": judged.fit_seconds,
        "answer_seconds": judged.answer_seconds,
    }


def table(results: dict[str, Any]) -> str:
    """The same for people."""
    models = results["models"]
    rows = [
        f"{name:<26} HR@20 {one['hr@20']:.4f}   MRR@20 {one['mrr@20']:.4f}   fits {one['fit_seconds']:.0f} s   "
        f"{one['clicks'] / one['answer_seconds']:,.0f} answers/s"
        for name, one in models.items()
    ]
    return "\n".join([*rows, *goals(models), f"{results['seconds']:.0f} s, {results['peak_mb']:.0f} MB"])


def goals(models: dict[str, dict[str, Any]]) -> list[str]:
    """The blend against the better of last-hour popularity and VMIS-kNN: as published, its index made nightly, and made anew hourly."""
    baselines = {"nightly": "static.vmis_knn", "refreshed": "vmis_knn"}
    return [
        ratio(
            f"{metric} of the next click",
            models["session_blend"][metric],
            f"the better of last-hour popularity and {kind} VMIS-kNN",
            max(models["last_hour_popular"][metric], models[neighbours][metric]),
            1.1,
            at_least=True,
        )
        for kind, neighbours in baselines.items()
        for metric in ("hr@20", "mrr@20")
    ]


if __name__ == "__main__":
    main()
