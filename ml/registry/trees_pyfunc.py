"""Trees as MLflow runs them: LightGBM's own text, no pickled object, nothing of the project.

`ml.registry.tracking.load(settings.lake, "ranker").predict(pandas.DataFrame({"popularity": [0.5], …}))`.
"""

from typing import Any

import lightgbm
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext  # type: ignore[attr-defined]


class Trees(PythonModel):
    """A row of features → what it is ranked by."""

    def load_context(self, context: PythonModelContext) -> None:
        self.booster = lightgbm.Booster(model_file=context.artifacts["model"])

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        columns = model_input[self.booster.feature_name()]
        return pd.DataFrame({"score": self.booster.predict(columns.to_numpy())})


set_model(Trees())
