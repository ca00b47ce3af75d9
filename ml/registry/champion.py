"""Who is champion, without asking MLflow.

The alias in MLflow's registry is the truth; `tracking` writes what follows from it
into one small file of the lake, so that `nextclick status`, lists and updates need
neither MLflow's seconds of import nor its store. Each training reconciles the two.
"""

from typing import Any

import msgspec

from ml.registry.artifact import AnyRecipe, Artifact, load
from nextclick.errors import ModelError
from nextclick.lake import files
from nextclick.lake.paths import Lake

NAME = "recommender"
"""The registered model."""


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A model that may be served."""

    version: str
    """Registered version, or `popular`."""
    run_id: str | None
    recipe: AnyRecipe
    metrics: dict[str, float]
    interactions_version: int
    interactions_id: str
    as_of: int
    """Newest event that it has learned from, in microseconds."""
    artifact: str
    """Its folder, below the lake's state folder."""
    digest: str


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """The last training and its verdict."""

    key: str
    """Digest of all that decides the outcome: data, recipe, evaluation, gate. The same key, the same verdict."""
    passed: bool
    reasons: list[str]
    chosen: str = ""
    """The recipe that was best on the validation part."""
    validation: dict[str, float] = {}
    """recall@k of every candidate there."""
    skipped: dict[str, str] = {}
    """Why which candidate was not asked."""
    doubt: str = ""
    """Why the safest candidate was chosen, where validation parts disagreed."""
    metrics: dict[str, float]
    """On the test part."""
    seconds: dict[str, float]
    """What each stage took."""
    run_id: str | None


class ModelStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Champion, the champion before it, the popular lists that stand in for one, and the last attempt."""

    champion: Model | None = None
    previous: Model | None = None
    fallback: Model | None = None
    """Popular lists of a lake whose models have all failed; None once there is a champion."""
    attempt: Attempt | None = None
    owed: bool = False
    """MLflow could not be told of this champion; the next training tells it."""

    @property
    def served(self) -> Model | None:
        """What lists are made of."""
        return self.champion or self.fallback


def model_status(lake: Lake) -> ModelStatus:
    """The facts as last written; empty before the first training."""
    try:
        content = files.read(_address(lake))
        return msgspec.json.decode(content, type=ModelStatus) if content is not None else ModelStatus()
    except (OSError, msgspec.MsgspecError) as error:
        raise ModelError(f"{_address(lake)} cannot be read: {error}. Remove it and call `nextclick train`.") from error


def facts(lake: Lake) -> dict[str, Any] | None:
    """{"name", "version", "metrics"} of the champion, as `nextclick status --json` prints it; None without one."""
    champion = model_status(lake).champion
    return {"name": NAME, "version": champion.version, "metrics": champion.metrics} if champion else None


def write(lake: Lake, facts: ModelStatus) -> None:
    """Replace the facts in one step."""
    files.write(_address(lake), msgspec.json.format(msgspec.json.encode(facts)))


def artifact(lake: Lake, model: Model) -> Artifact:
    """The model as it was registered, checked against its digest."""
    return load(f"{lake.shared}/{model.artifact}", model.digest)


def _address(lake: Lake) -> str:
    return f"{lake.shared}/model/status.json"
