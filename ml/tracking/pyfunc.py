"""The model as MLflow runs it: a file of code beside npz and JSON, no pickled object.

MLflow copies this one file with the model, so it uses nothing of the project:
`mlflow.pyfunc.load_model("models:/recommender@champion").predict(pandas.DataFrame({"person_id": ["42"]}))`.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext  # type: ignore[attr-defined]


class Recommend(PythonModel):
    """person_id → the n best items that the person has not seen; popular ones for whom it does not know."""

    def load_context(self, context: PythonModelContext) -> None:
        folder = Path(context.artifacts["model"])
        card = json.loads((folder / "card.json").read_text())
        for name, expected in card["sha256"].items():
            if hashlib.sha256((folder / name).read_bytes()).hexdigest() != expected:
                raise ValueError(f"{folder / name} is not the file that was registered.")
        with np.load(folder / "model.npz", allow_pickle=False) as stored:
            self.arrays = dict(stored)
        if card["recipe"].get("trending"):
            self.arrays["item_factors"] *= self.arrays["item_trend"][:, None]
        self.row_of = {person: row for row, person in enumerate(json.loads((folder / "people.json").read_text()))}
        self.items = np.array(json.loads((folder / "items.json").read_text()), dtype=np.str_)

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        n = int((params or {}).get("n", 10))
        return pd.DataFrame([self._list(person, n) for person in model_input["person_id"]])

    def _list(self, person: str, n: int) -> dict[str, Any]:
        row = self.row_of.get(person, -1)
        known = row >= 0 and "person_factors" in self.arrays and bool(self.arrays["person_factors"][row].any())
        scores = (
            self.arrays["item_factors"] @ self.arrays["person_factors"][row]
            if known
            else self.arrays["popularity"].copy()
        )
        candidates = self.arrays["item_factors"].any(axis=1) if known else scores > 0
        if row >= 0:
            start, end = self.arrays["seen_indptr"][row : row + 2]
            candidates[self.arrays["seen_indices"][start:end]] = False
        best = np.argsort(np.where(candidates, -scores, np.inf), kind="stable")[: min(n, int(candidates.sum()))]
        return {
            "person_id": person,
            "items": self.items[best].tolist(),
            "scores": scores[best].astype(float).tolist(),
            "source": "model" if known else "popular",
        }


set_model(Recommend())
