"""Models that are a few coefficients by name (the click model, predictions about people) in MLflow, with reliability curves."""

from typing import Any, NamedTuple

from ml.registry import single_file
from ml.registry.single_file import SingleFile
from ml.registry.tracking import Run
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

    def log_curve(client: Any, run_id: str) -> None:
        rows = [dict(zip(("expected", "seen", "rows"), one, strict=True)) for one in curve]
        client.log_dict(run_id, rows, "reliability.json")
        client.log_figure(run_id, _drawn(curve), "reliability.png")

    file = SingleFile(*model[:2], "linear_pyfunc.py", model.columns, "probability", ("numpy", "pandas"))
    return single_file.register(lake, run, file, champion, log_curve)


def _drawn(curve: Reliability) -> Any:
    """Share to whom it happened over expected probability; on the diagonal it is calibrated."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="expected", ylabel="seen", title="Reliability")
    most = max(max(expected, seen) for expected, seen, _ in curve)
    axes.plot([0, most], [0, most], color="gray", linewidth=1)
    axes.plot(*zip(*((expected, seen) for expected, seen, _ in curve), strict=True), marker="o")
    return figure
