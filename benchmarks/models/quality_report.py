"""What `nextclick bench quality` shows to people."""

from typing import Any

from rich.console import Console
from rich.table import Table

METRICS = ("recall@20", "ndcg@20", "map@20", "hr@20", "mrr@20", "coverage@20", "gini@20", "novelty@20")
SECONDS = ("fit_seconds", "export_seconds")


def show(results: dict[str, Any]) -> None:
    """The models and the published figures in one table, the best recall first, and what the run cost."""
    rows = results["models"] | {f"{name} (published)": figures for name, figures in results["published"].items()}
    metrics = [name for name in METRICS if any(name in row for row in rows.values())]
    grid = Table("model", *metrics, "fit s", "lists s", title=results["dataset"], box=None)
    for column in grid.columns[1:]:
        column.justify = "right"
    for name, row in sorted(rows.items(), key=lambda item: -item[1].get(metrics[0], 0.0)):
        cells = [f"{row[metric]:.4f}" if metric in row else "" for metric in metrics]
        cells += [f"{row[name]:.1f}" if name in row else "" for name in SECONDS]
        grid.add_row(name, *cells, style="bold" if name == results["served"]["model"] else None)
    console = Console(highlight=False, width=None if Console().is_terminal else 160)
    console.print(grid)
    for goal in results.get("goals", ()):
        console.print(goal)
    console.print(
        f"served: {results['served']['model']}; {results['seconds']:.0f} s in all, {results['peak_mb']:,.0f} MB at most"
    )
