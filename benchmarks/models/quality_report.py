"""What `nextclick bench quality` and `nextclick bench sequence` show to people."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

METRICS = ("recall@20", "ndcg@20", "map@20", "hr@20", "mrr@20", "coverage@20", "gini@20", "novelty@20")
SECONDS = {"fit_seconds": "fit s", "export_seconds": "lists s"}
NEXT_METRICS = ("hr@20", "mrr@20", "recall@10", "ndcg@10")
NEXT_SECONDS = {"fit_seconds": "fit s", "answer_seconds": "answers s"}


def show(results: dict[str, Any]) -> None:
    """The models and the published figures in one table, the best recall first, and what the run cost."""
    rows = results["models"] | {f"{name} (published)": figures for name, figures in results["published"].items()}
    metrics = [name for name in METRICS if any(name in row for row in rows.values())]
    _show(results, rows, metrics, SECONDS)


def show_next(results: dict[str, Any]) -> None:
    """The same of the next item, by the metric that the published figures have."""
    rows = {one["model"]: one for one in results["models"]}
    rows |= {f"{one['model']} (published)": one for one in results["published"]}
    known = next(iter(results["published"]), results["served"])
    _show(results, rows, sorted(NEXT_METRICS, key=lambda metric: metric not in known), NEXT_SECONDS)


def _show(
    results: dict[str, Any],
    rows: Mapping[str, Mapping[str, Any]],
    metrics: Sequence[str],
    seconds: Mapping[str, str],
) -> None:
    grid = Table("model", *metrics, *seconds.values(), title=results["dataset"], box=None)
    for column in grid.columns[1:]:
        column.justify = "right"
    for name, row in sorted(rows.items(), key=lambda item: -item[1].get(metrics[0], 0.0)):
        cells = [f"{row[metric]:.4f}" if metric in row else "" for metric in metrics]
        cells += [f"{row[name]:.1f}" if name in row else "" for name in seconds]
        grid.add_row(name, *cells, style="bold" if name == results["served"]["model"] else None)
    console = Console(highlight=False, width=None if Console().is_terminal else 160)
    console.print(grid)
    for goal in results.get("goals", ()):
        console.print(goal)
    console.print(
        f"served: {results['served']['model']}; {results['seconds']:.0f} s in all, {results['peak_mb']:,.0f} MB at most"
    )
