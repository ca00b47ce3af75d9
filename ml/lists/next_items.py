"""What people look at next after an item: sessions of silver.events, the best model of them, its lists in gold.next_items.

Chosen and judged as the personal model is (ml/selection/select.py), by the clicks themselves: the
candidates learn from all clicks but the last two tenths, and the best at predicting the
first of these is judged on the second. A list knows only the item at hand, so that is
all that a model is asked with. It is published where it beats what is popular now; else
there are no lists, and an item's similar ones stand in.
"""

import hashlib
import time
from collections.abc import Iterable, Mapping
from functools import partial
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from ml.data.interactions import IdMap, TableVersion
from ml.data.sessions import Questions, Sessions, from_clicks
from ml.evaluation import prequential
from ml.lists import live_session
from ml.lists.live_session import ClicksByTime, LiveChoice
from ml.lists.rows import ListStamp, next_rows
from ml.models.protocol import Progress, SessionRecipe, Stages, quiet
from ml.models.session.blend import SessionBlend
from ml.models.session.markov import MarkovTransitions
from ml.models.session.popular import SessionPopular
from ml.models.session.vmis_knn import VmisKnn
from ml.registry import tracking
from ml.selection import session_choice
from nextclick.contracts import gold_lists, silver
from nextclick.errors import ModelError
from nextclick.lake import delta, duck, table_files
from nextclick.lake.lists_manifest import ListsManifest, PinnedSessionModel
from nextclick.lake.people import human_events
from nextclick.settings import Settings

Facts = dict[str, str | int | float | None]

FLOOR, LEARNED = "popular", "learned"
_HALF_LIVES = ("hours", "days", "weeks")
FEWEST = 100
"""Fewer clicks to ask about prove nothing."""

_STEPS = """
WITH used AS (
    SELECT visitor_id, item_id, occurred_at, event_id
    FROM events
    WHERE site = $site AND item_id IS NOT NULL AND event IN (SELECT unnest($kinds))
        AND occurred_at > (SELECT max(occurred_at) FROM every_events) - to_days($days)
)
SELECT visitor_id, item_id, epoch_us(occurred_at) AS at FROM used
QUALIFY item_id IS DISTINCT FROM lag(item_id) OVER (PARTITION BY visitor_id ORDER BY occurred_at, event_id)
ORDER BY visitor_id, occurred_at, event_id
"""


class NextItemsChoice(NamedTuple):
    """What was chosen, and how well it predicts."""

    name: str
    recipe: SessionRecipe
    validation: dict[str, float]
    """HR@k of every candidate on the validation part."""
    hit_rate: float
    """HR@k of the chosen on the test part."""
    floor: float
    """The same of what is popular now."""


def recipes(settings: Settings) -> dict[str, SessionRecipe]:
    """The candidates by name."""
    candidates: dict[str, SessionRecipe] = {
        FLOOR: SessionPopular(half_life_hours=settings.evaluation.recent_hours),
        "knn": VmisKnn(),
    }
    for name, hours in _half_lives(settings).items():
        follows, now = MarkovTransitions(half_life_hours=hours), SessionPopular(half_life_hours=hours)
        candidates[f"transitions_{name}"] = follows
        candidates[f"blend_{name}"] = SessionBlend(
            parts={"knn": VmisKnn(half_life_hours=hours), "follows": follows, "now": now},
            weights={"knn": 1.0, "follows": 1.0, "now": 0.25},
        )
    return candidates


def read(settings: Settings, items: IdMap) -> tuple[Sessions, TableVersion] | None:
    """The sessions of the last next_items.days, each with the items that were used in turn; None without silver.events.

    Left out: bots, kinds of events that count for nothing, and items that `items` does not know.
    """
    lake, name = settings.lake, silver.EVENTS.name
    table = delta.open_table(lake, name)
    if table is None:
        return None
    with duck.connect(lake) as database:
        human_events.show(database, "events", settings, name, table, learned=True)
        kinds = [kind for kind, weight in settings.interactions.weights.items() if weight > 0]
        params = {"site": settings.site, "kinds": kinds, "days": settings.next_items.days}
        steps = database.sql(_STEPS, params=params).to_arrow_table()
    item = items.rows(steps["item_id"].combine_chunks())
    visitor = steps["visitor_id"].combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    known = item >= 0
    gap = settings.sessions.gap_for(settings.site)
    sessions = from_clicks(items, visitor[known].astype(np.int32), item[known], steps["at"].to_numpy()[known], gap)
    return sessions, TableVersion.of(lake, name, table)


def judge(settings: Settings, sessions: Sessions, progress: Progress = quiet) -> NextItemsChoice | None:
    """Choose on the last but one tenth of the clicks, judge on the last; None where there are too few."""
    if not len(sessions.at):
        return None
    validation, test = _cuts(sessions)
    seed, k = settings.als.seed, settings.evaluation.k
    candidates, hit_rates = recipes(settings), {}
    for done, (name, recipe) in enumerate(candidates.items()):
        hit_rates[name] = _hit_rate(recipe, sessions, validation, test, k, seed)
        progress(done + 1, len(candidates) + 1)
    if learned := _learned(settings, sessions, validation, test, hit_rates):
        candidates[LEARNED] = learned
        hit_rates[LEARNED] = _hit_rate(learned, sessions, validation, test, k, seed)
    rates = {name: rate for name, rate in hit_rates.items() if rate is not None}
    if not rates:
        return None
    best = max((name for name in rates if name != FLOOR), key=rates.__getitem__)
    after, floor = (_hit_rate(candidates[name], sessions, test, sessions.as_of + 1, k, seed) for name in (best, FLOOR))
    if after is None or floor is None:
        return None
    return NextItemsChoice(best, candidates[best], rates, after, floor)


def _learned(
    settings: Settings, sessions: Sessions, begin: int, end: int, hit_rates: Mapping[str, float | None]
) -> SessionRecipe | None:
    """What is chosen for these clicks within the time for it, with the half-life of the best transitions."""
    seconds, hours = settings.evaluation.search_seconds / 2, _best_half_life(settings, hit_rates)
    if not (hours and seconds):
        return None
    clicks = sessions.clicks_that_follow(begin, end, settings.als.seed)
    alone = Questions(sessions.before(clicks, 1), sessions.item[clicks])
    train, k, seed = sessions.between(0, begin), settings.evaluation.k, settings.als.seed
    choice = session_choice.choose(train, alone, k, "never", seconds, seed, hours)
    return choice.recipe if choice else None


def _cuts(sessions: Sessions) -> tuple[int, int]:
    """Where the validation part and the test part begin: the last tenths of the clicks."""
    validation, test = (int(np.quantile(sessions.at, share)) for share in (0.8, 0.9))
    return validation, test


def _best_half_life(settings: Settings, hit_rates: Mapping[str, float | None]) -> float | None:
    """Hours, of the transitions that predict best; None where nobody was judged."""
    rates = {name: rate for name in _HALF_LIVES if (rate := hit_rates.get(f"transitions_{name}")) is not None}
    return _half_lives(settings)[max(rates, key=rates.__getitem__)] if rates else None


def _half_lives(settings: Settings) -> dict[str, float]:
    """Hours, by what candidates are called."""
    return dict(zip(_HALF_LIVES, (8.0, 72.0, 24 * settings.interactions.half_life_days), strict=True))


def _hit_rate(recipe: SessionRecipe, sessions: Sessions, begin: int, end: int, k: int, seed: int) -> float | None:
    """HR@k on the clicks from `begin` until `end` that follow another item, given that item alone."""
    clicks = sessions.clicks_that_follow(begin, end, seed)
    if len(clicks) < FEWEST:
        return None
    model = recipe.fit(sessions.between(0, begin))
    ranks = prequential.rank(model.next_items(sessions.before(clicks, 1), k).items, sessions.item[clicks])
    return float((ranks > 0).mean())


class Published(NamedTuple):
    """gold.next_items as it was written."""

    version: int
    """Delta version."""
    model: str | None
    """The name of the model, LEARNED or one of `recipes`; None where popular items are as good: the table is empty."""
    recipe: str
    """As JSON, where it was learned."""
    session: PinnedSessionModel
    """What answers open sessions."""
    facts: Facts
    """What the report of the lists says of both."""


def publish(settings: Settings, items: IdMap, stamp: ListStamp, folder: str, progress: Stages = quiet) -> Published:
    """Choose, judge, and make gold.next_items anew, and in `folder`, below the lake's state folder, what answers open sessions."""
    started, data = time.time(), read(settings, items)
    judged = judge(settings, data[0], partial(progress, "next items")) if data else None
    lists: Iterable[pa.Table] = ()
    if data and judged and judged.hit_rate > judged.floor:
        lists = next_rows(judged.recipe.fit(data[0]), items, settings.next_items.n, stamp)
    version = table_files.replace(settings.lake, gold_lists.NEXT_ITEMS, lists)
    if not (data and judged):
        few = PinnedSessionModel(reason=f"There are fewer than {FEWEST} clicks to judge by.")
        return Published(version, None, "", few, {"session_model": few.reason})
    name = judged.name if lists else None
    live = _live(settings, data[0], judged)
    session = live_session.keep(settings.lake, _folder(folder, version), live, data[0])
    facts: Facts = {"next_items": name, "next_items.floor": judged.floor}
    facts |= {f"next_items.hr@{settings.evaluation.k}": judged.hit_rate}
    facts |= {"session_model": session.name or session.reason}
    facts |= {f"session_model.{figure}@{settings.evaluation.k}": value for figure, value in live.facts.items()}
    recipe = msgspec.json.encode(judged.recipe).decode() if name == LEARNED else ""
    facts["next_items.mlflow"] = _log(settings, judged, data, facts, started)
    return Published(version, name, recipe, session, facts)


def _live(settings: Settings, sessions: Sessions, judged: NextItemsChoice) -> LiveChoice:
    """What answers open sessions, by the same parts of the time."""
    validation, test = _cuts(sessions)
    ends, seed = ((validation, test), (test, sessions.as_of + 1)), settings.als.seed
    by, on = (sessions.clicks_that_follow(begin, end, seed) for begin, end in ends)
    hours = _best_half_life(settings, judged.validation)
    return live_session.choose(settings, sessions, ClicksByTime(validation, by, test, on), judged.recipe, hours)


def _folder(folder: str, version: int) -> str:
    return f"{folder}/session-{version}"


def refresh(
    settings: Settings, items: IdMap, stamp: ListStamp, current: ListsManifest, folder: str
) -> tuple[int, PinnedSessionModel] | None:
    """Make gold.next_items anew, and in `folder` what answers open sessions, by the models that `current` names.

    They are fitted on the clicks that there are now. None, and nothing is written, where silver.events is gone or no
    candidate has that name any more.
    """
    recipe: SessionRecipe | None = recipes(settings).get(current.next_model or "")
    if current.next_recipe:
        recipe = msgspec.json.decode(current.next_recipe, type=session_choice.AnyNext)
    data = read(settings, items)
    if recipe is None or data is None:
        return None
    lists = next_rows(recipe.fit(data[0]), items, settings.next_items.n, stamp)
    version = table_files.replace(settings.lake, gold_lists.NEXT_ITEMS, lists)
    return version, live_session.again(settings.lake, _folder(folder, version), current.session, data[0])


def _log(
    settings: Settings,
    judged: NextItemsChoice,
    data: tuple[Sessions, TableVersion],
    facts: Facts,
    started: float,
) -> str:
    """The choice in MLflow; the lists are out already, so it may be missing."""
    sessions, source = data
    figures = {name: value for name, value in facts.items() if isinstance(value, float)}
    rates = {f"validation.{name}.hr@{settings.evaluation.k}": rate for name, rate in judged.validation.items()}
    run = tracking.Run(
        name="next_items",
        source=source,
        digest=hashlib.sha256(msgspec.json.encode(sessions.items.ids.to_pylist())).hexdigest(),
        started=started,
        params={
            "chosen": judged.name,
            "sessions": len(sessions),
            "recipe": msgspec.json.encode(judged.recipe).decode(),
        },
        metrics=figures | rates | {"seconds": time.time() - started},
        tags={"published": str(facts["next_items"] is not None)},
    )
    try:
        return tracking.log(settings.lake, run)
    except ModelError as error:
        return f"not logged: {error}"
