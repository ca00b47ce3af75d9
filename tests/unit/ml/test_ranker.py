"""The learned ranker on made-up answers whose truth is known; what is read of it is what was registered, or is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

from ml.data.clicks import Clicks, Floats
from ml.jobs import train_ranker
from ml.models.ctr import lambdamart
from nextclick.ctr import FEATURES
from nextclick.errors import ModelError
from nextclick.kv.lists import packing
from nextclick.next_item import ranker
from nextclick.next_item.ranker import LearnedRanker, RankerCard
from nextclick.settings import load
from serving.index.index import ServingIndex
from serving.index.lambdamart import Ranker
from serving.ranking.candidates import gather
from serving.ranking.rank import Order, rank
from serving.ranking.rules import AnswerRules, rules
from serving.ranking.score import LAMBDAMART
from serving.schema.requests import RecommendRequest
from tests.serving_index import NOW, shop
from tests.unit.serving.test_ranking import RANKING, ids, known, ranked

PERSONAL, RECENCY = FEATURES.index("personal"), FEATURES.index("recency")


def shown(odds: Callable[[Floats], Floats], answers: int = 2_000, seed: int = 1, places: float = 0.0) -> Clicks:
    """Answers of ten items each, clicked with log-odds `odds(features)` less `places` for each doubling of the place."""
    draw = np.random.default_rng(seed)
    rows = answers * 10
    features, position = draw.random((rows, len(FEATURES))), np.tile(np.arange(1.0, 11.0), answers)
    clicked = (draw.random(rows) < 1 / (1 + np.exp(places * np.log2(position) - odds(features)))).astype(np.float64)
    return Clicks(np.repeat(np.arange(answers), 10), position, features, clicked, clicked, np.ones(rows))


def both(features: Floats) -> Floats:
    """What is new is liked where it is personal, and only there: no weighted sum says that."""
    return np.where((features[:, PERSONAL] > 0.5) == (features[:, RECENCY] > 0.5), 0.0, -4.0)


def summed(rows: Clicks) -> Floats:
    return np.asarray(rows.features[:, [PERSONAL, RECENCY]].sum(axis=1))


def test_where_terms_work_together_it_is_surely_better_than_the_score() -> None:
    rows = shown(both)
    judged = train_ranker.judge(rows, summed(rows))
    assert judged.reasons == []
    assert judged.metrics["ndcg@10"] > 1.05 * judged.metrics["ndcg@10.score"]
    assert judged.metrics["ndcg@10.gain.low"] > 0


def test_where_the_score_says_all_it_is_not_served() -> None:
    rows = shown(lambda features: 6.0 * features[:, PERSONAL] - 6.0)
    judged = train_ranker.judge(rows, rows.features[:, PERSONAL])
    assert len(judged.reasons) == 1
    assert "not surely better than that of the score" in judged.reasons[0]


def test_few_answers_prove_nothing() -> None:
    rows = shown(both, answers=100)
    assert "200 are needed" in train_ranker.judge(rows, summed(rows)).reasons[0]


def test_what_stood_high_is_not_taken_for_good() -> None:
    """Popularity says no more than the place: what it seems to be worth shrinks where places are known."""
    rows = shown(both, places=1.5)
    rows.features[:, 0] = 1 / rows.position
    high, low = rows.features[:1_000].copy(), rows.features[:1_000].copy()
    high[:, 0], low[:, 0] = 1.0, 0.1

    def gain(learned: Clicks) -> float:
        booster = lambdamart.fit(learned)
        return float(np.mean(np.asarray(booster.predict(high)) - np.asarray(booster.predict(low))))

    assert gain(rows) < 0.6 * gain(replace(rows, position=np.ones(len(rows))))


def test_ndcg_by_hand() -> None:
    answer, grade = np.array([0, 0, 0, 1, 1, 2]), np.array([0.0, 3.0, 1.0, 0.0, 0.0, 1.0])
    rows = Clicks(answer, np.ones(6), np.zeros((6, len(FEATURES))), grade > 0, grade, np.ones(6))  # type: ignore[arg-type]
    score = np.array([3.0, 2.0, 1.0, 1.0, 0.0, 0.0])
    reached = 7 / np.log2(3) + 1 / np.log2(4)
    best = 7 / np.log2(2) + 1 / np.log2(3)
    assert lambdamart.ndcg(score, rows, 10) == pytest.approx([reached / best, 1.0])  # nobody did anything in answer 1
    assert lambdamart.ndcg(score, rows, 1) == pytest.approx([0.0, 1.0])
    rare = replace(rows, weight=np.array([1.0, 1.0, 10.0, 1.0, 1.0, 1.0]))
    reached, best = 7 / np.log2(3) + 10 / np.log2(4), 10 / np.log2(2) + 7 / np.log2(3)
    assert lambdamart.ndcg(score, rare, 10)[0] == pytest.approx(reached / best)


def test_threads_and_a_second_fit_change_no_bit() -> None:
    rows = shown(both, answers=300)
    one, two, again = (lambdamart.fit(rows, 20, threads).model_to_string() for threads in (1, 2, 1))
    assert one.partition("parameters:")[0] == two.partition("parameters:")[0]
    assert one == again


def test_where_nothing_tells_items_apart_one_tree_says_so_and_is_sound() -> None:
    rows = shown(both, answers=100)
    rows.features[:] = 0.5
    booster = lambdamart.fit(rows, 40)
    text = booster.model_to_string()
    assert booster.num_trees() == 1
    assert lambdamart.best_size(booster, rows) == 1
    ranker.require_sound(text, 1)
    assert len(set(Ranker(learned(text, trees=1)).scores(dict(zip(FEATURES, rows.features.T, strict=True))))) == 1


def learned(text: str = "", **changed: Any) -> LearnedRanker:
    text = text or TREES
    fields: dict[str, Any] = {"version": "3", "trees": 20, "sha256": ranker.sha256(text)}
    return LearnedRanker(RankerCard(**(fields | changed)), text)


ROWS = shown(both, answers=300)
BOOSTER = lambdamart.fit(ROWS, 20)
TREES = BOOSTER.model_to_string()


def test_the_api_ranks_as_what_was_judged(tmp_path: Path) -> None:
    lake = load(tmp_path / "lake", environ={}).lake
    assert ranker.read(lake) is None
    ranker.write(lake, learned())
    stored = ranker.read(lake)
    assert stored is not None
    served = Ranker(ranker.decode(ranker.encode(stored)))
    scores = served.scores(dict(zip(FEATURES, ROWS.features.T, strict=True)))
    assert scores == pytest.approx(1 / (1 + np.exp(-np.asarray(BOOSTER.predict(ROWS.features)))))
    assert 0 < scores.min() <= scores.max() < 1


def test_answers_are_ranked_by_it_but_for_an_experiment_that_sets_weights_and_a_damaged_one() -> None:
    old = shown(lambda features: 4.0 - 8.0 * features[:, RECENCY], answers=300)  # people like what is old
    entry = {packing.RANKER: ranker.encode(learned(lambdamart.fit(old, 20).model_to_string()))}
    index, plain, damaged = shop(more=entry), shop(), shop(more={packing.RANKER: entry[packing.RANKER][:-50]})
    by_trees, by_sum, by_damaged = (ranked(one, known(one)) for one in (index, plain, damaged))
    assert ids(plain, by_sum)[0] == "bulb"  # it came today
    assert ids(index, by_trees)[0] != "bulb"
    assert ids(damaged, by_damaged) == ids(plain, by_sum)
    assert by_trees.scored.weights == {LAMBDAMART: 1.0}
    order = Order(RANKING, NOW, {"recency": 1.0})
    experiment = rank(index, gather(index, known(index), 200, 0), known(index), limits(index), 5, order)
    assert experiment.scored.weights["recency"] > 0


def test_a_feature_that_is_no_number_costs_no_answer() -> None:
    features = dict.fromkeys(FEATURES, np.array([np.nan, 0.5]))
    assert np.isfinite(Ranker(learned()).scores(features)).all()


def limits(index: ServingIndex) -> AnswerRules:
    return rules(index.catalogue, RANKING.rules, RecommendRequest(), known(index))


BAD: dict[str, LearnedRanker] = {
    "truncated": LearnedRanker(learned().card, TREES[:-200]),
    "truncated, and pinned so": learned(TREES[: len(TREES) // 2]),
    "exchanged": LearnedRanker(learned().card, lambdamart.fit(ROWS, 5).model_to_string()),
    "NaN": learned(TREES.replace("leaf_value=", "leaf_value=nan ", 1)),
    "a newer format": learned(format=99),
    "too large": learned(TREES + " " * ranker.MOST_BYTES),
    "no trees": learned("tree"),
    "one tree less": learned(trees=19),
    "a circle": learned(TREES.replace("left_child=2 ", "left_child=0 ", 1)),
    "a feature that is not": learned(TREES.replace("split_feature=4 ", "split_feature=44 ", 1)),
    "a link to nowhere": learned(TREES.replace("right_child=1 ", "right_child=99 ", 1)),
    "other columns": learned(TREES.replace("popularity", "loveliness")),
}


@pytest.mark.parametrize("how", BAD)
def test_a_bad_ranker_is_refused_and_the_score_ranks(how: str) -> None:
    with pytest.raises(ModelError):
        Ranker(ranker.decode(ranker.encode(BAD[how])))


def test_a_ranker_of_other_features_waits_for_the_next_training(tmp_path: Path) -> None:
    lake = load(tmp_path / "lake", environ={}).lake
    ranker.write(lake, learned(features=("popularity", "luck")))
    assert ranker.read(lake) is None


def test_a_damaged_file_is_refused_by_the_export(tmp_path: Path) -> None:
    lake = load(tmp_path / "lake", environ={}).lake
    ranker.write(lake, learned())
    Path(f"{ranker.folder(lake)}/trees.txt").write_text(TREES[:-10])
    with pytest.raises(ModelError, match="not those that were registered"):
        ranker.read(lake)
    Path(f"{ranker.folder(lake)}/card.json").write_bytes(msgspec.json.encode(SimpleNamespace(version=1).__dict__))
    with pytest.raises(ModelError, match="cannot be read"):
        ranker.read(lake)
