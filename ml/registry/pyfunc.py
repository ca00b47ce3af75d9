"""The model as MLflow runs it: a file of code beside npz and JSON, no pickled object.

MLflow copies this one file with the model, so it uses nothing of the project. MLflow's own `load_model` runs whatever lies there
instead; `ml.registry.tracking.load` first checks that it is what was registered.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext  # type: ignore[attr-defined]
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Scores = Callable[[int, NDArray[np.bool_], int], NDArray[Any]]
"""(person's row, what the person has used, length of the list) → the score of each item, −∞ for those out of the question."""

_LATEST = 50
"""Items of a sequence that count."""
_FLOOR = 1e-4
"""By which each share of a sequence's parts is raised."""


def _member(recipe: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Scores:
    """The model of a recipe, or of a part of a blend."""
    return _MODELS[recipe["model"]](recipe, arrays)


def _als(recipe: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Scores:
    items = arrays["item_factors"] * (arrays["item_trend"][:, None] if recipe["trending"] else 1)

    def scores(row: int, used: NDArray[np.bool_], n: int) -> NDArray[Any]:
        person = arrays["person_factors"][row]
        return np.where(used | ~items.any(axis=1) | ~person.any(), -np.inf, items @ person)

    return scores


def _popular(recipe: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Scores:
    return lambda row, used, n: _unused(arrays["item_scores"], used)


def _gf_cf(recipe: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Scores:
    histories, links = (_sparse(name, arrays, len(arrays["basis"])) for name in ("histories", "links"))
    root = np.sqrt(np.asarray(histories.sum(axis=0)).ravel())
    inward = arrays["basis"] * recipe["smooth"] * np.divide(1, root, out=np.zeros_like(root), where=root > 0)[:, None]
    outward = arrays["basis"] * root[:, None]

    def scores(row: int, used: NDArray[np.bool_], n: int) -> NDArray[Any]:
        own = histories[row]
        return _unused((own @ links).toarray()[0] + outward @ (own @ inward)[0], used)

    return scores


def _ease(recipe: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Scores:
    items = len(arrays["links.indptr"]) - 1
    histories, links = (_sparse(name, arrays, items) for name in ("histories", "links"))
    return lambda row, used, n: _unused((histories[row] @ links).toarray()[0], used)


def _user_knn(recipe: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Scores:
    sums = arrays["item_sums"].astype(np.float64)
    histories = _sparse("histories", arrays, len(sums))
    busy = np.asarray(histories.sum(axis=1)).ravel()
    less, listed, length = _power(sums, -recipe["shared"]), _power(sums, -recipe["popular"]), _power(busy, -0.5)

    def scores(row: int, used: NDArray[np.bool_], n: int) -> NDArray[Any]:
        alike = (histories @ (histories[row].toarray()[0] * less) * length) ** recipe["sharpness"]
        alike[row] = 0
        return _unused(histories.T @ alike * listed, used)

    return scores


def _sequence(recipe: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Scores:
    weights = {"follows": 1.0, "beside": recipe["beside"], "walk": recipe["walk"]}
    parts = [(weight, _square(f"next.{name}.links", arrays)) for name, weight in weights.items() if weight]
    places = _sparse("places", arrays, parts[0][1].shape[1])

    def scores(row: int, used: NDArray[np.bool_], n: int) -> NDArray[Any]:
        own, total = places[row], np.zeros(len(used))
        latest = own.indices[np.argsort(-own.data, kind="stable")][:_LATEST]
        fading = np.exp2(-np.arange(len(latest)) / recipe["half_life_places"])
        for weight, links in parts:
            values = links[latest].T @ fading
            total += weight * np.log1p(values / max(values.sum() * _FLOOR, 1e-30))
        return _unused(total, used)

    return scores


def _blend(recipe: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Scores:
    """The members' best, as shares of their first one, by weight."""
    members = [
        _member(
            member, {name.removeprefix(f"{at}."): array for name, array in arrays.items() if name.startswith(f"{at}.")}
        )
        for at, member in enumerate(recipe["members"])
    ]

    def scores(row: int, used: NDArray[np.bool_], n: int) -> NDArray[Any]:
        total = np.zeros(len(used))
        for weight, member in zip(recipe["weights"], members, strict=True):
            values = member(row, used, n)
            best = np.argsort(-values, kind="stable")[: max(n, recipe["depth"])]
            best = best[values[best] > 0]
            total[best] += weight * values[best] / values[best[:1]]
        return _unused(total, used)

    return scores


def _sparse(name: str, arrays: dict[str, NDArray[Any]], columns: int) -> csr_matrix:
    parts = tuple(arrays[f"{name}.{part}"] for part in ("data", "indices", "indptr"))
    return csr_matrix(parts, (len(parts[2]) - 1, columns))


def _square(name: str, arrays: dict[str, NDArray[Any]]) -> csr_matrix:
    return _sparse(name, arrays, len(arrays[f"{name}.indptr"]) - 1)


def _power(sums: NDArray[Any], exponent: float) -> NDArray[Any]:
    """sums^exponent; what is 0 stays 0."""
    return np.asarray(np.power(sums, exponent, out=np.zeros_like(sums), where=sums > 0))


def _unused(scores: NDArray[Any], used: NDArray[np.bool_]) -> NDArray[Any]:
    return np.where(used | ~(scores > 0), -np.inf, scores)


_MODELS = {
    "als": _als,
    "gf_cf": _gf_cf,
    "ease": _ease,
    "user_knn": _user_knn,
    "sequence": _sequence,
    "popular": _popular,
    "blend": _blend,
}
"""By the recipe's `model`: all of ml/models/registry.py, and blends of them."""


class RecommendModel(PythonModel):
    """person_id → the n best items that the person has not seen; popular ones for whom it does not know."""

    def load_context(self, context: PythonModelContext) -> None:
        folder = Path(context.artifacts["model"])
        card = json.loads((folder / "card.json").read_text())
        for name, expected in card["sha256"].items():
            if hashlib.sha256((folder / name).read_bytes()).hexdigest() != expected:
                raise ValueError(f"{folder / name} is not the file that was registered.")
        with np.load(folder / "model.npz", allow_pickle=False) as stored:
            self.arrays = dict(stored)
        self.model = _member(card["recipe"], self.arrays)
        self.row_of = {person: row for row, person in enumerate(json.loads((folder / "people.json").read_text()))}
        self.items = np.array(json.loads((folder / "items.json").read_text()), dtype=np.str_)

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        n = int((params or {}).get("n", 10))
        return pd.DataFrame([self._list(person, n) for person in model_input["person_id"]])

    def _list(self, person: str, n: int) -> dict[str, Any]:
        row = self.row_of.get(person, -1)
        used = np.zeros(len(self.items), np.bool_)
        if row >= 0:
            start, end = self.arrays["seen_indptr"][row : row + 2]
            used[self.arrays["seen_indices"][start:end]] = True
        scores, own = self.model(row, used, n), row >= 0
        if not own or not (scores > -np.inf).any():
            scores, own = _unused(self.arrays["popularity"], used), False
        best = np.argsort(-scores, kind="stable")[: min(n, int((scores > -np.inf).sum()))]
        return {
            "person_id": person,
            "items": self.items[best].tolist(),
            "scores": scores[best].astype(float).tolist(),
            "source": "model" if own else "popular",
        }


set_model(RecommendModel())
