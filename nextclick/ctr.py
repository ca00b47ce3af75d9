"""The click model as answers use it: a few coefficients by feature name. `ml` learns it, an export carries it, the API scores with it.

What is learned from is what was logged: each `served` record has the features of its items, as they were
when they were scored (property `features`: a JSON object, an array with a value for each place by feature).

A new term of the ranking is a name in Term and what it is in `terms`, `weight_NAME` in `settings.RankingSettings` and conf/default.toml,
and its row and place in the formula in docs/api.md. A new feature is a name in FEATURES, its measure in serving/ranking/score.py and
its row in docs/api.md. tests/unit/serving/test_ranking_terms.py says which of these is forgotten.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from nextclick.errors import ModelError
from nextclick.lake import files
from nextclick.lake.paths import Lake
from nextclick.settings import RankingSettings

FEATURES: Final = ("popularity", "recency", "category_match", "personal", "similar", "affinity")
"""What an item is scored by, each in [0, 1]; docs/api.md defines them.

With a new one the click model begins anew: it learns from rows that have all of them, and none was logged with it before.
"""

FORESEEN: Final = "ctr"
"""Beside the features of an answer's record, where it was ranked by a click model: the probability of a click that this one foresaw."""

Term = Literal["ctr", "recency", "category_match", "user_interest"]
TERMS: Final[tuple[Term, ...]] = get_args(Term)
"""What the score is the weighted sum of, each in [0, 1]; docs/api.md has the formula."""

_SETTINGS: Final[Mapping[Term, str]] = {term: f"weight_{term}" for term in TERMS}

Floats = NDArray[np.float64]


class CtrModel(msgspec.Struct, frozen=True, kw_only=True):
    """p(click) = 1 / (1 + exp(−z)), z = intercept + Σ coefficient · feature: a logistic regression, calibrated.

    Where there are `knots`, p is instead what lies between their `rates` at z (isotonic calibration).
    """

    version: str
    """Its registered version."""
    intercept: float
    """Holds the position that answers are to be scored for (neutral: the mean), and the calibration."""
    coefficients: dict[str, float]
    """By feature; features that are not there count for nothing."""
    knots: tuple[float, ...] = ()
    """Rising values of z."""
    rates: tuple[float, ...] = ()
    """p at each knot."""
    weights: dict[Term, Annotated[float, msgspec.Meta(ge=0)]] = {}
    """Learned weights by term, instead of those of [ranking]."""

    def predict(self, features: Mapping[str, Floats]) -> Floats:
        """The probability of a click for each item; not a number where a feature is none."""
        total: Floats = sum(
            (self.coefficients.get(name, 0.0) * features[name] for name in FEATURES),
            start=np.full(len(features[FEATURES[0]]), self.intercept),
        )
        if self.knots:
            return np.asarray(np.interp(total, self.knots, self.rates))
        return 1.0 / (1.0 + np.exp(-np.clip(total, -700, 700)))


def weights(ranking: RankingSettings) -> dict[Term, float]:
    """The weight of each term as conf/ has it."""
    return {term: getattr(ranking, name) for term, name in _SETTINGS.items()}


def terms(features: Mapping[str, Floats], probability: Floats) -> dict[str, Floats]:
    """TERMS of each item, from its FEATURES and its probability of a click; popularity stands in where that is no number."""
    popularity = features["popularity"]
    return {
        "ctr": popularity if probability is popularity else np.where(np.isfinite(probability), probability, popularity),
        "recency": features["recency"],
        "category_match": features["category_match"],
        "user_interest": 1.0
        - (1.0 - features["personal"]) * (1.0 - features["similar"]) * (1.0 - features["affinity"]),
    }


def address(lake: Lake) -> str:
    """Where the model that passed its gate lies, for the next export to take along."""
    return f"{lake.shared}/ctr/champion.json"


def decode(stored: bytes) -> CtrModel:
    """A stored model; ModelError if it is none, names a feature that there is not, or holds what is not a finite number."""
    try:
        model = msgspec.json.decode(stored, type=CtrModel)
    except msgspec.MsgspecError as error:
        raise ModelError(f"The click model cannot be read: {error}. Train it anew.") from error
    unknown = model.coefficients.keys() - set(FEATURES)
    if unknown:
        raise ModelError(f"The click model names features that there are not: {', '.join(sorted(unknown))}.")
    if len(model.knots) != len(model.rates) or np.any(np.diff(model.knots) < 0):
        raise ModelError(
            f"Version {model.version} of the click model has knots that do not rise, or rates without one."
        )
    numbers = [model.intercept, *model.coefficients.values(), *model.weights.values(), *model.knots, *model.rates]
    if not np.isfinite(numbers).all():
        raise ModelError(f"Version {model.version} of the click model holds a coefficient that is not finite.")
    return model


def read(lake: Lake) -> CtrModel | None:
    """The model for the next export; None before there is one."""
    stored = files.read(address(lake))
    return decode(stored) if stored is not None else None


def encode(model: CtrModel) -> bytes:
    """The model as JSON."""
    return msgspec.json.encode(model)
