"""A model of `ml.registry.linear` as MLflow runs it: a file of code beside JSON, no pickled object, nothing of the project.

`ml.registry.tracking.load(settings.lake, "ctr").predict(pandas.DataFrame({"popularity": [0.5], …}))`.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext  # type: ignore[attr-defined]


class Linear(PythonModel):
    """A row of terms → the probability."""

    def load_context(self, context: PythonModelContext) -> None:
        self.model = json.loads(Path(context.artifacts["model"]).read_text())

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        model = self.model
        odds = model["intercept"] + sum(value * model_input[name] for name, value in model["coefficients"].items())
        if model["knots"]:
            return pd.DataFrame({"probability": np.interp(odds, model["knots"], model["rates"])})
        return pd.DataFrame({"probability": 1 / (1 + np.exp(-odds))})


set_model(Linear())
