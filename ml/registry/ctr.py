"""The click model in MLflow: its runs with their reliability curves, and the registered model `ctr`."""

import tempfile
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any, Final

import msgspec

from ml.registry import pinned
from ml.registry.tracking import CHALLENGER, CHAMPION, Run, connected, record, without_advice
from nextclick import ctr
from nextclick.ctr import FEATURES, CtrModel
from nextclick.lake.paths import Lake

NAME: Final = "ctr"
Reliability = list[tuple[float, float, int]]


def register(lake: Lake, run: Run, model: CtrModel, curve: Reliability, champion: bool) -> CtrModel:
    """Log a run with its model and reliability curve, and register it, as `champion` if it passed; returns it with its version."""
    import mlflow.pyfunc

    with connected(lake) as client, tempfile.TemporaryDirectory() as folder:
        run_id = record(client, lake, run)
        client.log_dict(
            run_id, [dict(zip(("expected", "clicked", "rows"), one, strict=True)) for one in curve], "reliability.json"
        )
        client.log_figure(run_id, _drawn(curve), "reliability.png")
        if not client.search_registered_models(f"name = '{NAME}'"):
            client.create_registered_model(NAME)
        stored = Path(folder) / "model.json"
        stored.write_bytes(ctr.encode(model))
        with mlflow.start_run(run_id), without_advice():
            info = mlflow.pyfunc.log_model(
                name=NAME,
                python_model=str(Path(__file__).with_name("ctr_pyfunc.py")),
                artifacts={"model": str(stored)},
                signature=_signature(),
                pip_requirements=[f"{name}=={installed(name)}" for name in ("numpy", "pandas")],
            )
        version = str(client.create_model_version(NAME, info.model_uri, run_id, model_id=info.model_id).version)
        pinned.pin(client, NAME, version, info.model_id)
        for alias in (CHALLENGER, *((CHAMPION,) if champion else ())):
            client.set_registered_model_alias(NAME, alias, version)
        return msgspec.structs.replace(model, version=version)


def _drawn(curve: Reliability) -> Any:
    """Share clicked over expected probability; on the diagonal it is calibrated."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="expected", ylabel="clicked", title="Reliability")
    most = max(max(expected, clicked) for expected, clicked, _ in curve)
    axes.plot([0, most], [0, most], color="gray", linewidth=1)
    axes.plot(*zip(*((expected, clicked) for expected, clicked, _ in curve), strict=True), marker="o")
    return figure


def _signature() -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    columns = Schema([ColSpec(DataType.double, name) for name in FEATURES])
    return ModelSignature(columns, Schema([ColSpec(DataType.double, "probability")]))
