"""Who of a news portal's readers comes back within three days: the churn model that is served, against the base rate and recency.

    nextclick bench churn ../shared/data/globo-clicks [--json]

Every eighth reader. Learned from moments on days 4 to 7, judged on day 10 (days from 2017-10-01T03:00:00Z; labels of day 7 end where
day 10 begins). Return is what is counted, as in docs/predictions.md: 1 − churn.
"""

from pathlib import Path
from typing import Any, Final

import duckdb

from benchmarks.measure import ratio
from ml.predictions import judge, learn, people
from ml.predictions.frames import Window, frame
from ml.predictions.history import DAY
from ml.predictions.learn import Rows, Task
from nextclick.errors import UsageError
from nextclick.profile.predictions import Predictor

START: Final = 1_506_826_800_000_000
"""2017-10-01T03:00:00Z in microseconds."""
LEARNED, JUDGED = (4, 5, 6, 7), 10
_MINUTES: Final = 60_000_000
_CLICKS: Final = """
CREATE TEMP TABLE clicks AS
SELECT user_id::VARCHAR AS visitor_id, click_article_id::VARCHAR AS item_id, click_timestamp * 1000 AS happened,
       click_referrer_type::VARCHAR AS channel, click_deviceGroup::VARCHAR AS device
FROM read_csv($files, header = true) WHERE user_id % $share = 0
"""
_HISTORY: Final = """
CREATE TEMP TABLE history AS
SELECT visitor_id, NULL::VARCHAR AS user_id, item_id AS event_id, 'page_view' AS event, make_timestamp(happened) AS occurred_at,
       happened, happened AS known_from, item_id, channel, device
FROM clicks
"""
_LINKED: Final = """
CREATE TEMP TABLE linked AS
SELECT '' AS site, visitor_id, user_id, event_id, event, '' AS source, occurred_at, happened, known_from, NULL::VARCHAR AS previous_id
FROM history WHERE false
"""


def run(folder: Path, share: int = 8, penalty: float = 1.0) -> dict[str, Any]:
    """Figures of the model and of what it has to beat; `share`: every so manieth reader."""
    files = sorted(map(str, folder.glob("clicks_hour_*.csv*")))
    if not files:
        raise UsageError(f"{folder} holds no clicks_hour_*.csv.gz. Name the folder of the Globo clicks.")
    with duckdb.connect(config={"threads": 1}) as database:
        database.execute("SET enable_progress_bar = false")
        database.execute(_CLICKS, {"files": files, "share": share})
        database.execute(_HISTORY)
        database.execute(_LINKED)
        return judged(database, penalty)


def judged(database: duckdb.DuckDBPyConnection, penalty: float) -> dict[str, Any]:
    window = Window(gap=30 * _MINUTES, lookback=30 * DAY, active=5 * DAY, horizons={"churn": 3 * DAY})
    newest = database.execute("SELECT max(happened) FROM history").fetchall()[0][0]
    frames = [frame(database, "", START + day * DAY, window, newest) for day in (*LEARNED, JUDGED)]
    words = people.vocabulary(frames[:-1])
    *parts, last = (people.rows(each, "churn", words) for each in frames)
    task, learned = Task("churn", 3 * 86_400, people.ALONE["churn"]), learn.together(parts)
    model, kind = learn.learned(task, learned, penalty)
    alone = learn.counted(task, learned)
    floors = {"the rate of all": learn.flat(alone, learned), "the rates by recency alone": alone}
    spans = [(each.as_of, each.label_until["churn"]) for each in frames]
    reasons = judge.apart(spans[:-1], spans[-1], newest) + judge.refusals(model, floors, last, 0.03)
    contenders = {"base_rate": floors["the rate of all"], "recency": alone, "served": model}
    models = {name: returning(one, last) for name, one in contenders.items()}
    return {
        "dataset": "globo",
        "served": models["served"] | {"calibration": kind},
        "models": models,
        "reasons": reasons,
    }


def returning(model: Predictor, rows: Rows) -> dict[str, float]:
    """The figures of who comes back."""
    return judge.figures(1 - model.probability(model.odds(rows.terms)), 1 - rows.label)


def goals(results: dict[str, Any]) -> list[str]:
    """Against the goals of docs/predictions.md."""
    served, models = results["served"], results["models"]
    return [
        ratio("AUC", served["auc"], "the goal", 0.745, 1.0, at_least=True),
        ratio("ECE", served["ece"], "the goal", 0.03, 1.0, at_least=False),
        *(
            ratio("log loss", served["log_loss"], name, models[name]["log_loss"], 1.0, at_least=False)
            for name in ("base_rate", "recency")
        ),
    ]


def table(results: dict[str, Any]) -> str:
    """The same for people."""
    names = ("auc", "pr_auc", "log_loss", "brier", "ece", "lift@10")
    rows = [
        f"{name:<10} " + "   ".join(f"{metric} {one[metric]:.4f}" for metric in names)
        for name, one in results["models"].items()
    ]
    verdict = "; ".join(results["reasons"]) or "every condition of the gate holds"
    served, cost = results["served"], f"{results['seconds']:.0f} s, {results['peak_mb']:.0f} MB"
    people = f"{served['people']:,.0f} readers, {served['base_rate']:.3f} of them come back; {verdict}"
    return "\n".join([*rows, *goals(results), people, cost])
