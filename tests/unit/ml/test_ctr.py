"""The click model on made-up answers whose truth is known."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.data.clicks import Clicks, Floats
from ml.jobs import train_ctr
from ml.models.ctr import logistic
from nextclick.ctr import FEATURES, TERMS, decode, encode, weights
from nextclick.settings import load

PERSONAL, RECENCY = FEATURES.index("personal"), FEATURES.index("recency")
CONF = weights(load(environ={}).ranking)


def shown(odds: Callable[[Floats, Floats], Floats], answers: int = 3_000, seed: int = 1) -> Clicks:
    """Answers of five items each, clicked with log-odds `odds(features, log2 of the position)`."""
    draw = np.random.default_rng(seed)
    rows = answers * 5
    features = draw.random((rows, len(FEATURES)))
    position = np.tile(np.arange(1.0, 6.0), answers)
    clicked = draw.random(rows) < 1 / (1 + np.exp(-odds(features, np.log2(position))))
    liked = clicked.astype(np.float64)
    return Clicks(np.repeat(np.arange(answers), 5), position, features, liked, liked, np.ones(rows))


def liking(features: Floats, place: Floats) -> Floats:
    return -2.0 + 2.0 * features[:, PERSONAL] - 1.0 * place


def test_what_people_like_is_told_from_where_it_stood() -> None:
    rows = shown(liking)
    rows.features[:, 0] = 1 / rows.position  # a feature that says no more than the place
    model = logistic.fit(rows, penalty=1.0)
    assert model.coefficients[PERSONAL] == pytest.approx(2.0, abs=0.25)
    assert model.place < -0.5
    assert abs(model.coefficients[1]) < 0.25
    assert np.ptp(model.neutral(rows)[rows.features[:, PERSONAL].argsort()[:2]]) < 1  # a number a row
    moved = replace(rows, position=rows.position[::-1].copy())
    assert np.array_equal(model.neutral(moved), model.neutral(rows))


@pytest.mark.parametrize("kind", logistic.CALIBRATIONS)
def test_the_api_computes_what_was_judged(kind: logistic.Calibration) -> None:
    rows = shown(liking)
    plain = logistic.fit(rows, 1.0)
    model = replace(plain, curve=logistic.curve(kind, plain.odds(rows), rows.clicked))
    exported = decode(encode(model.exported({"recency": 1.0})))
    assert (exported.weights, bool(exported.knots)) == ({"recency": 1.0}, kind == "isotonic")
    columns = dict(zip(FEATURES, rows.features.T, strict=True))
    assert exported.predict(columns) == pytest.approx(model.neutral(rows), abs=1e-12)


def test_a_model_that_knows_something_passes_and_is_calibrated() -> None:
    judged = train_ctr.judge(shown(liking, answers=6_000), 1.0, CONF)
    assert judged.reasons == []
    assert judged.metrics["log_loss"] < judged.metrics["log_loss.base_rate"]
    assert judged.metrics["ece"] < 0.02
    assert sum(rows for *_, rows in judged.curve) == 6_000


def test_a_model_that_knows_nothing_but_places_is_refused() -> None:
    judged = train_ctr.judge(shown(lambda _, place: -1.0 - place), 1.0, CONF)
    assert len(judged.reasons) == 1
    assert "not surely better" in judged.reasons[0]


def test_steps_are_chosen_where_the_odds_bend() -> None:
    """Clicks come above a threshold only, which no straight line in log-odds says."""
    bent = shown(lambda features, _: np.where(features[:, PERSONAL] > 0.8, 0.0, -4.0), 6_000)
    straight = shown(liking, 6_000)
    assert [train_ctr.judge(rows, 1.0, CONF).calibration for rows in (bent, straight)] == ["isotonic", "platt"]


def test_weights_are_learned_where_those_of_conf_are_surely_worse() -> None:
    """People click what is new and shun what is of their category: the weight of the one is large, that of the other 0."""
    rows = shown(lambda features, _: -2.0 + 3.0 * features[:, RECENCY] - 3.0 * features[:, RECENCY + 1])
    judged = train_ctr.judge(rows, 1.0, {**CONF, "category_match": 5.0})
    assert judged.weighs
    assert judged.metrics["score.log_loss"] < judged.metrics["score.log_loss.conf"]
    learned = train_ctr.final(rows, 1.0, judged.calibration, weighs=True).weights
    assert tuple(learned) == TERMS
    assert sum(learned.values()) == pytest.approx(1.0)
    assert learned["category_match"] == 0.0
    as_learned = train_ctr.judge(rows, 1.0, learned)
    assert not as_learned.weighs
    assert train_ctr.final(rows, 1.0, judged.calibration).weights == {}


def test_reliability_by_hand() -> None:
    curve = logistic.reliability(np.array([0.9, 0.1, 0.3, 0.7]), np.array([1.0, 0.0, 1.0, 1.0]), bins=2)
    assert [round(part, 9) for group in curve for part in group] == [0.2, 0.5, 2, 0.8, 1.0, 2]
    assert logistic.calibration_error(curve) == pytest.approx(0.25)
    assert logistic.log_losses(np.array([0.5, 1.0]), np.array([0.0, 1.0])) == pytest.approx([np.log(2), 0.0])


@given(st.lists(st.integers(1, 4), min_size=1, max_size=30), st.floats(0.01, 0.99))
def test_no_answer_is_cut_in_two_and_no_row_is_lost(sizes: list[int], share: float) -> None:
    answer = np.repeat(np.arange(7, 7 + len(sizes)), sizes)
    rows = Clicks(answer, np.ones(len(answer)), np.zeros((len(answer), 1)), *np.zeros((3, len(answer))))
    before, after = rows.cut(share)
    assert [*before.answer, *after.answer] == list(answer)
    assert not {*before.answer} & {*after.answer}
