"""A prediction about a person as JSON: a few coefficients by name. `ml` learns it, an export carries it, the API scores with it.

docs/predictions.md says what is foreseen, of which features, and when a model is served.
"""

import hashlib
import math
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from msgspec import Meta

from nextclick import formats
from nextclick.errors import ModelError
from nextclick.lake import files
from nextclick.lake.paths import Lake

if TYPE_CHECKING:  # who follows audiences, as the collector does, needs no numpy before a model is there
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Name = Literal["churn", "conversion_7d", "conversion_session"]
NIGHTLY: Final[tuple[Name, ...]] = ("churn", "conversion_7d")
"""What every active person is scored for, once a training: rows of gold.predictions."""
SESSION: Final[Name] = "conversion_session"
"""What the open session is scored for, in each answer."""
COUNTED: Final = "counted"
"""The version of rates that were counted, where no model is surely better."""
MOST_TERMS: Final = 1_000


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A prediction that is served."""

    version: str
    digest: str
    """sha256 of the model's JSON."""
    reasons: list[str]
    """Why counted rates are served; none: the model passed."""
    metrics: dict[str, float]
    """Of what was learned, on people and moments that it had not seen."""


class Predictions(msgspec.Struct, frozen=True, kw_only=True):
    """What the last training left."""

    key: str
    """Digest of data and settings: the same key, the same outcome."""
    as_of: int
    """Microseconds since 1970-01-01 UTC."""
    table_version: int
    """Delta version of gold.predictions."""
    served: dict[Name, Standing]
    absent: dict[Name, str]
    """What is not foreseen, and why."""


class Foreseeing(msgspec.Struct, frozen=True, kw_only=True):
    """What an export says of its predictions, beside those of single people."""

    as_of: int
    """Microseconds; people whose entry is of another moment are not foreseen any more."""
    versions: dict[str, str]
    """By prediction."""
    session: "Predictor | None" = None


class Predictor(msgspec.Struct, frozen=True, kw_only=True):
    """p = 1 / (1 + exp(−z)), z = intercept + Σ coefficient · term: a logistic regression, calibrated.

    Where there are `knots`, p is instead what lies between their `rates` at z (isotonic calibration, or rates that were counted).
    """

    format: int = formats.PREDICTOR
    name: Name
    version: str
    """Its registered version, or `counted`."""
    horizon_s: Annotated[int, Meta(ge=0)]
    """How far it looks ahead; 0: to the end of the session."""
    intercept: float
    coefficients: dict[str, float]
    """By term."""
    means: dict[str, float] = {}
    """Of each term over those whom it was learned from: what a contribution is measured from."""
    knots: tuple[float, ...] = ()
    """Rising values of z."""
    rates: tuple[Annotated[float, Meta(ge=0, le=1)], ...] = ()
    """p at each knot."""

    def odds(self, terms: Mapping[str, "Floats"]) -> "Floats":
        """z of each row; ModelError for a term that nobody gives."""
        import numpy as np

        if unknown := self.coefficients.keys() - terms.keys():
            raise ModelError(
                f"{self.name} {self.version} names terms that there are not: {', '.join(sorted(unknown))}."
            )
        rows = len(next(iter(terms.values())))
        named = (coefficient * terms[name] for name, coefficient in self.coefficients.items())
        return np.asarray(sum(named, start=np.full(rows, self.intercept)))

    def of(self, terms: Mapping[str, float]) -> float:
        """p of one row, of plain numbers."""
        import numpy as np

        odds = sum((value * terms[name] for name, value in self.coefficients.items()), self.intercept)
        return float(self.probability(np.array([odds]))[0])

    def probability(self, odds: "Floats") -> "Floats":
        """p at each z."""
        import numpy as np

        if self.knots:
            return np.asarray(np.interp(odds, self.knots, self.rates))
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(odds, -700, 700))))


def address(lake: Lake, name: str) -> str:
    """Where a model lies, or `status`."""
    return f"{lake.shared}/predictions/{name}.json"


def read(lake: Lake) -> Predictions | None:
    """What the last training left; None before the first. ModelError where it cannot be read."""
    stored = files.read(address(lake, "status"))
    try:
        return msgspec.json.decode(stored, type=Predictions) if stored is not None else None
    except msgspec.MsgspecError as error:
        raise ModelError(
            f"{address(lake, 'status')} cannot be read: {error}. Remove it and call `nextclick train`."
        ) from error


def model(lake: Lake, name: Name, standing: Standing) -> Predictor:
    """The model as it was served, checked against its digest."""
    return decode(files.read(address(lake, name)) or b"", standing.digest)


def encode(model: Predictor) -> bytes:
    """The model as JSON."""
    return msgspec.json.format(msgspec.json.encode(model))


def digest(stored: bytes) -> str:
    """sha256 of a stored model."""
    return hashlib.sha256(stored).hexdigest()


def foreseeing(stored: bytes) -> Foreseeing:
    """What an export says; ModelError as for `decode`."""
    try:
        said = msgspec.msgpack.decode(stored, type=Foreseeing)
    except msgspec.MsgspecError as error:
        raise ModelError(
            f"Predictions of the key-value table are damaged: {error}. Run `nextclick export --full`."
        ) from error
    if said.session:
        _check(said.session)
    return said


def decode(stored: bytes, sha256: str | None = None) -> Predictor:
    """A stored model; ModelError if it is none, not the one with this digest, or holds what is not a finite number."""
    if sha256 is not None and digest(stored) != sha256:
        raise ModelError(
            "A model of predictions is not the file that was registered. Call `nextclick train` for a new one."
        )
    formats.refuse_newer_json("A model of predictions", stored, formats.PREDICTOR)
    try:
        model = msgspec.json.decode(stored, type=Predictor)
    except msgspec.MsgspecError as error:
        raise ModelError(f"A model of predictions cannot be read: {error}. Train it anew.") from error
    _check(model)
    return model


def _check(model: Predictor) -> None:
    named = f"Version {model.version} of {model.name}"
    if len(model.coefficients) > MOST_TERMS:
        raise ModelError(f"{named} has {len(model.coefficients):,} terms, more than {MOST_TERMS:,}.")
    if len(model.knots) != len(model.rates) or any(later < before for before, later in pairwise(model.knots)):
        raise ModelError(f"{named} has knots that do not rise, or rates without one.")
    numbers = [model.intercept, *model.coefficients.values(), *model.means.values(), *model.knots]
    if not all(map(math.isfinite, numbers)):
        raise ModelError(f"{named} holds a number that is not finite.")
