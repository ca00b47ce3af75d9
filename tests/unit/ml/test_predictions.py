"""What is learned, what it must show, and which models are refused."""

from typing import Any

import msgspec
import numpy as np
import pytest

from ml.predictions import judge, learn
from ml.predictions.foreseen import foreseen, lacking
from ml.predictions.learn import Rows, Task
from nextclick.errors import ModelError
from nextclick.profile import predictions
from nextclick.profile.predictions import COUNTED, Predictor
from nextclick.settings import load

TASK = Task("churn", 7 * 86_400, "alone")
SETTINGS = load("lake", environ={})


def world(people: int, weight: float, seed: int, **more: Any) -> Rows:
    """Log-odds = weight · one + 0 · two; `alone` knows a little of it."""
    rng = np.random.default_rng(seed)
    one, two = rng.normal(size=(2, people))
    label = (rng.random(people) < 1 / (1 + np.exp(-weight * one))).astype(float)
    alone = np.round(one + 2 * rng.normal(size=people))
    return Rows(
        {"one": one, "two": two, "alone": alone} | {name: make(label) for name, make in more.items()},
        label,
        rng.random(people),
    )


def test_coefficients_are_those_of_the_world_and_the_rates_are_calibrated() -> None:
    model, _ = learn.learned(TASK, world(20_000, 2.0, 1), 1.0)
    assert set(model.coefficients) == {"one", "two"}
    judged = world(5_000, 2.0, 2)
    seen = judge.figures(model.probability(model.odds(judged.terms)), judged.label)
    assert seen["ece"] < 0.03
    line = learn.fit(TASK, world(20_000, 2.0, 1), 1.0)
    assert line.coefficients["one"] == pytest.approx(2.0, abs=0.1)
    assert line.coefficients["two"] == pytest.approx(0.0, abs=0.1)


def test_the_curve_says_how_sure_the_model_may_be_of_people_that_it_did_not_learn_of() -> None:
    """Forty terms of noise and few people: what it says of its own people is too sure."""
    rows = world(
        400,
        0.0,
        3,
        **{f"noise{n}": lambda label, n=n: np.random.default_rng(n).normal(size=len(label)) for n in range(40)},
    )
    model, _ = learn.learned(TASK, rows, 1e-6)
    spread = model.probability(model.odds(rows.terms)).std()
    assert spread < learn.fit(TASK, rows, 1e-6).probability(learn.fit(TASK, rows, 1e-6).odds(rows.terms)).std() / 2


def test_a_side_with_one_kind_alone_gives_no_curve_and_no_error() -> None:
    rows = world(60, 2.0, 21)
    apart = Rows(rows.terms, rows.label, np.where(rows.label > 0, 0.1, 0.9))
    assert learn.learned(TASK, apart, 1.0)[0] == learn.fit(TASK, apart, 1.0)


def test_counted_rates_are_drawn_towards_the_rate_of_all() -> None:
    alone, label = np.array([0.0] * 6 + [1.0] * 2), np.array([0, 0, 0, 0, 1, 1, 1, 1.0])
    model = learn.counted(TASK, Rows({"alone": alone}, label, label))
    overall = 5 / 10
    assert model.version == COUNTED
    assert model.knots == (0.0, 1.0)
    assert model.rates == pytest.approx(((2 + 20 * overall) / 26, (2 + 20 * overall) / 22))


def test_what_knows_more_than_one_term_is_served() -> None:
    found = foreseen(SETTINGS, TASK, world(4_000, 2.0, 4), world(2_000, 2.0, 5))
    assert found.reasons == []
    assert found.model.version == ""
    assert found.metrics["log_loss"] < found.metrics["log_loss.alone"] < found.metrics["log_loss.base"]


def test_what_knows_nothing_is_not_and_counted_rates_say_so() -> None:
    found = foreseen(SETTINGS, TASK, world(4_000, 0.0, 6), world(2_000, 0.0, 7))
    assert any("not surely better than that of the rate of all" in reason for reason in found.reasons)
    assert found.model.version == COUNTED


def test_many_moments_of_few_people_prove_no_more_than_few_people() -> None:
    learned, few = world(4_000, 0.5, 17), world(30, 0.5, 20)
    terms = {name: np.tile(term, 50) for name, term in few.terms.items()}
    often = Rows(terms, np.tile(few.label, 50), np.tile(few.side, 50))
    apart = Rows(often.terms, often.label, np.random.default_rng(19).random(len(often)))
    assert any("not surely better" in reason for reason in foreseen(SETTINGS, TASK, learned, often).reasons)
    assert not any("not surely better" in reason for reason in foreseen(SETTINGS, TASK, learned, apart).reasons)


def test_another_world_than_the_one_that_was_learned_is_no_longer_calibrated() -> None:
    rows = world(3_000, 2.0, 8)
    rare = Rows(rows.terms, rows.label * (rows.side < 0.5), rows.side)
    found = foreseen(SETTINGS, TASK, world(4_000, 2.0, 9), rare)
    assert any("not calibrated" in reason for reason in found.reasons)


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_a_label_among_the_features_is_seen(noise: float) -> None:
    """As it would be with labels that are moved by a millisecond: the feature is the label, or nearly."""

    def leaking(label: Any) -> Any:
        return label + noise * np.random.default_rng(int(label.sum())).normal(size=len(label))

    found = foreseen(SETTINGS, TASK, world(3_000, 0.5, 10, leak=leaking), world(2_000, 0.5, 11, leak=leaking))
    assert any("the future leaked" in reason for reason in found.reasons)


def test_a_feature_that_gives_the_label_away_is_named() -> None:
    def leaking(label: Any) -> Any:
        return label + 0.5 * np.random.default_rng(int(label.sum())).normal(size=len(label))

    found = foreseen(SETTINGS, TASK, world(3_000, 0.1, 12, leak=leaking), world(2_000, 0.1, 13, leak=leaking))
    assert any("the future leaked: leak alone" in reason for reason in found.reasons)


def test_too_few_of_a_kind_are_no_world() -> None:
    few = world(60, 2.0, 14)
    said = lacking(SETTINGS, "people", world(4_000, 2.0, 15), few)
    assert said is not None
    assert said.startswith(f"It happened in {int(few.label.sum())} of 60 people")
    assert lacking(SETTINGS, "people", world(4_000, 2.0, 15)) is None


def test_a_population_that_stays_has_no_shift_and_one_that_moves_has() -> None:
    rng = np.random.default_rng(16)
    assert judge.psi(rng.normal(size=5_000), rng.normal(size=5_000)) < 0.02
    assert judge.psi(rng.normal(size=5_000), rng.normal(1.0, size=5_000)) > judge.MAX_PSI


MODEL = Predictor(
    name="churn",
    version="3",
    horizon_s=60,
    intercept=0.5,
    coefficients={"one": 2.0},
    means={"one": 0.0},
    knots=(-1.0, 1.0),
    rates=(0.2, 0.8),
)


def test_a_model_reads_back_as_it_was_and_answers_the_same() -> None:
    stored = predictions.encode(MODEL)
    assert predictions.decode(stored, predictions.digest(stored)) == MODEL
    odds = MODEL.odds({"one": np.array([-5.0, -0.25, 5.0]), "other": np.zeros(3)})
    assert MODEL.probability(odds).tolist() == [0.2, 0.5, 0.8]


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (b"", "cannot be read"),
        (predictions.encode(MODEL)[:40], "cannot be read"),
        (predictions.encode(MODEL).replace(b'"one": 2.0', b'"one": 1e999'), "cannot be read|not finite"),
        (msgspec.json.encode(msgspec.structs.replace(MODEL, format=99)), "newer version wrote it"),
        (predictions.encode(msgspec.structs.replace(MODEL, rates=(0.2, 1.5))), "cannot be read"),
        (predictions.encode(msgspec.structs.replace(MODEL, knots=(1.0, -1.0))), "knots that do not rise"),
        (predictions.encode(msgspec.structs.replace(MODEL, rates=(0.2,))), "rates without one"),
        (predictions.encode(msgspec.structs.replace(MODEL, coefficients={str(n): 1.0 for n in range(1_001)})), "1,001 terms"),
        (predictions.encode(MODEL).replace(b"churn", b"chorn"), "cannot be read"),
    ],
)  # fmt: skip
def test_a_bad_model_is_refused(stored: bytes, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        predictions.decode(stored)


def test_another_file_than_the_registered_one_is_refused_and_so_is_a_term_that_nobody_gives() -> None:
    with pytest.raises(ModelError, match="not the file that was registered"):
        predictions.decode(predictions.encode(MODEL), "0" * 64)
    with pytest.raises(ModelError, match="terms that there are not: one"):
        MODEL.odds({"two": np.zeros(1)})
