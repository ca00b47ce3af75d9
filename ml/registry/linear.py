"""Models that are a few coefficients by name (the click model, predictions about people) in MLflow: their runs with reliability curves,
and a registered model each."""

import tempfile
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any, NamedTuple

from ml.registry import pinned
from ml.registry.store import connected
from ml.registry.tracking import CHALLENGER, CHAMPION, Run, record, without_advice
from nextclick.lake.paths import Lake

Reliability = list[tuple[float, float, int]]


class LinearModel(NamedTuple):
    """What is registered."""

    name: str
    stored: bytes
    """Its JSON: `intercept`, `coefficients` by column, and `knots` with their `rates`, or none."""
    columns: tuple[str, ...]


def register(lake: Lake, run: Run, model: LinearModel, curve: Reliability, champion: bool) -> str:
    """Log a run with its model and reliability curve, and register it, as `champion` if it passed; returns its version."""
    import mlflow.pyfunc

    with connected(lake) as client, tempfile.TemporaryDirectory() as folder:
        run_id = record(client, lake, run)
        client.log_dict(
            run_id, [dict(zip(("expected", "seen", "rows"), one, strict=True)) for one in curve], "reliability.json"
        )
        client.log_figure(run_id, _drawn(curve), "reliability.png")
        if not client.search_registered_models(f"name = '{model.name}'"):
            client.create_registered_model(model.name)
        stored = Path(folder) / "model.json"
        stored.write_bytes(model.stored)
        with mlflow.start_run(run_id), without_advice():
            info = mlflow.pyfunc.log_model(
                name=model.name,
                python_model=str(Path(__file__).with_name("linear_pyfunc.py")),
                artifacts={"model": str(stored)},
                signature=_signature(model.columns),
                pip_requirements=[f"{name}=={installed(name)}" for name in ("numpy", "pandas")],
            )
        version = str(client.create_model_version(model.name, info.model_uri, run_id, model_id=info.model_id).version)
        with pinned.folder(client, info.model_id) as kept:
            pinned.pin(client, model.name, version, kept)
        for alias in (CHALLENGER, *((CHAMPION,) if champion else ())):
            client.set_registered_model_alias(model.name, alias, version)
        return version


def _drawn(curve: Reliability) -> Any:
    """Share to whom it happened over expected probability; on the diagonal it is calibrated."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="expected", ylabel="seen", title="Reliability")
    most = max(max(expected, seen) for expected, seen, _ in curve)
    axes.plot([0, most], [0, most], color="gray", linewidth=1)
    axes.plot(*zip(*((expected, seen) for expected, seen, _ in curve), strict=True), marker="o")
    return figure


def _signature(names: tuple[str, ...]) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    columns = Schema([ColSpec(DataType.double, name) for name in names])
    return ModelSignature(columns, Schema([ColSpec(DataType.double, "probability")]))
