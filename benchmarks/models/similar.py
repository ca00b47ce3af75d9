"""Similar items where they are used much, little and never: item2vec against the words of the catalogue.

    .venv/bin/python -m benchmarks.models.similar --lake demo-lake [--json]

On a lake that has silver.events and silver.items, such as the one that `make demo` leaves.
The test are the sessions that began in the last fifth of its time: of an item that was
looked at, is the next one among the 20 most similar (HR@20), by the number of training
sessions that hold that next one? A fifth of the items, drawn by a seed, is left out of the
training sessions: nobody has used them yet.
"""

import argparse
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ml.data.interactions import IdMap, Rows
from ml.data.sessions import Sessions, from_clicks
from ml.evaluation.prequential import rank
from ml.lists.similar_items import catalogue
from ml.models.item_item.item2vec import Item2Vec
from ml.models.item_item.tfidf import Tfidf
from ml.models.protocol import SimilarItems
from nextclick.contracts.silver import EVENTS
from nextclick.lake.delta import require
from nextclick.settings import Settings, load

if TYPE_CHECKING:
    from deltalake import DeltaTable

K = 20
SEED = 1
CLASSES = {"never": (0, 0), "in 1 to 20 sessions": (1, 20), "in more": (21, 1 << 62)}
"""How many training sessions hold the item that is looked for."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lake", required=True, help="a lake with silver.events and silver.items; only these are read")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = compare(load(lake=options.lake))
    print(json.dumps(results) if options.json else table(results))


def compare(settings: Settings) -> dict[str, Any]:
    """HR@20 of both by class; what --json prints."""
    items, described = catalogue(settings, IdMap(pa.array([], pa.string())))
    sessions = uses(_table(settings, EVENTS.name), items, settings.sessions.gap_for(settings.site))
    hidden = np.random.default_rng(SEED).random(len(items)) < 0.2
    cut = int(np.quantile(sessions.at, 0.8))
    late = sessions.at[sessions.start[:-1]] >= cut
    train = sessions.where(~late[sessions.number] & ~hidden[sessions.item])
    models: dict[str, SimilarItems] = {"item2vec": Item2Vec(seed=SEED).fit(train), "tfidf": Tfidf().fit(described)}
    clicks = np.flatnonzero(late[sessions.number] & ~sessions.opens)
    before, after = sessions.item[clicks - 1], sessions.item[clicks]
    asked_for = before != after
    held = np.bincount(train.used.indices, minlength=len(items))
    return {
        name: by_class(model.similar(before[asked_for], K).items, after[asked_for], held[after[asked_for]])
        for name, model in models.items()
    } | {"items": len(items), "train_sessions": len(train)}


def uses(events: "DeltaTable", items: IdMap, gap: timedelta) -> Sessions:
    """Views of items that the catalogue knows, in sessions of their visitors."""
    wanted = (pc.field("event") == "view_item") & pc.field("visitor_id").is_valid()
    rows = events.to_pyarrow_dataset().to_table(columns=["visitor_id", "item_id", "occurred_at"], filter=wanted)
    item = items.rows(rows["item_id"].combine_chunks().cast(pa.string()))
    visitor = rows["visitor_id"].combine_chunks().cast(pa.string()).dictionary_encode().indices.to_numpy()
    at = rows["occurred_at"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
    known = item >= 0
    return from_clicks(items, visitor[known], item[known], at[known], gap)


def by_class(listed: Rows, truth: Rows, held: NDArray[Any]) -> dict[str, dict[str, float]]:
    """HR@20 and how many were asked, by class."""
    hit, figures = rank(listed, truth) > 0, {}
    for name, (least, most) in CLASSES.items():
        inside = (held >= least) & (held <= most)
        figures[name] = {"hr@20": float(hit[inside].mean()) if inside.any() else 0.0, "asked": int(inside.sum())}
    return figures


def table(results: dict[str, Any]) -> str:
    """The same for people."""
    return "\n".join(
        f"{model:<10} next item {name:<20} HR@20 {one['hr@20']:.4f}   ({one['asked']:,} asked)"
        for model in ("item2vec", "tfidf")
        for name, one in results[model].items()
    )


def _table(settings: Settings, name: str) -> "DeltaTable":
    return require(settings.lake, name)


if __name__ == "__main__":
    main()
