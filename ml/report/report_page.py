"""A training's report as one HTML file that needs nothing else: figures in it are SVG."""

import html
import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from ml.report.figures import TENTHS, TrainingFacts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse } td, th { padding: .2em .8em; text-align: right; border-bottom: 1px solid #ddd }
td:first-child, th:first-child { text-align: left } figure { margin: 2em 0 } svg { max-width: 100%; height: auto }
.no { color: #a00 } tr.own { font-weight: bold }
"""
_INK, _PALE = "#1f6f8b", "#c5ced6"


def page(facts: TrainingFacts) -> str:
    """The whole page."""
    verdict = "; ".join(facts.verdict)
    parts = [
        f"<h1>{html.escape(facts.title)}</h1>",
        f"<p>Chosen on the validation part: <b>{html.escape(facts.chosen)}</b>. "
        + (f'<span class="no">The gate refuses it: {html.escape(verdict)}</span>' if verdict else "The gate passes it.")
        + f" Judged on {facts.people:,} people whose later interactions were held back; lists of {facts.k}.</p>",
        _table(facts),
        *(f"<figure>{_svg(draw, facts)}<figcaption>{words}</figcaption></figure>" for draw, words in _figures(facts)),
    ]
    return (
        f"<!doctype html><meta charset=utf-8><title>{html.escape(facts.title)}</title><style>{_STYLE}</style>"
        + "\n".join(parts)
    )


def _table(facts: TrainingFacts) -> str:
    """Every figure of the test part, and the recall by which was chosen."""
    columns = list(dict.fromkeys(name for figures in facts.metrics.values() for name in figures))
    head = "".join(f"<th>{html.escape(name)}</th>" for name in ("recipe", f"validation recall@{facts.k}", *columns))
    names = sorted(
        {**facts.metrics, **facts.validation}, key=lambda name: (name != facts.chosen, name not in facts.metrics)
    )
    rows = [
        f'<tr class="{"own" if name == facts.chosen else ""}"><td>{html.escape(name)}</td>'
        + "".join(
            f"<td>{'' if value is None else format(value, '.4f')}</td>"
            for value in (facts.validation.get(name), *(facts.metrics.get(name, {}).get(column) for column in columns))
        )
        + "</tr>"
        for name in names
    ]
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def _figures(facts: TrainingFacts) -> list[tuple[Callable[["Axes", TrainingFacts], None], str]]:
    """What there is to draw, and what it shows."""
    if not facts.metrics:
        return []
    drawn: list[tuple[Callable[[Axes, TrainingFacts], None], str]] = [
        (_accuracy, "Accuracy against popularity and the champion’s recipe, all fitted on the same part."),
        (_coverage, f"Share of the catalogue that any list of {facts.k} reaches."),
        (
            _bias,
            "Popularity bias: the places of all lists by tenths of the catalogue, the most used tenth first, beside what people did use.",
        ),
        (_groups, "Recall by how many items a person had used before."),
    ]
    return drawn + (
        [(_curve, "Learning curve: recall by the share of the pairs that were learned from.")] if facts.curve else []
    )


def _svg(draw: Callable[["Axes", TrainingFacts], None], facts: TrainingFacts) -> str:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.hashsalt": "nextclick", "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(8, 3.4), layout="constrained")
        draw(figure.subplots(), facts)
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    return drawn.getvalue()[drawn.getvalue().index("<svg") :]


def _accuracy(axes: "Axes", facts: TrainingFacts) -> None:
    shown = [f"{name}@{facts.k}" for name in ("recall", "ndcg", "map")]
    width = 0.8 / len(facts.metrics)
    for place, (name, figures) in enumerate(facts.metrics.items()):
        at = [column + place * width for column in range(len(shown))]
        axes.bar(at, [figures[one] for one in shown], width, label=name, color=_INK if name == facts.chosen else None)
    axes.set_xticks([column + 0.4 - width / 2 for column in range(len(shown))], shown)
    axes.legend(frameon=False)


def _coverage(axes: "Axes", facts: TrainingFacts) -> None:
    values = {name: figures[f"coverage@{facts.k}"] for name, figures in facts.metrics.items()}
    axes.barh(list(values), list(values.values()), color=[_INK if name == facts.chosen else _PALE for name in values])
    axes.set_xlim(0, 1)
    axes.invert_yaxis()


def _bias(axes: "Axes", facts: TrainingFacts) -> None:
    tenths = range(1, TENTHS + 1)
    axes.bar(tenths, facts.bias["used"], color=_PALE, label="used later")
    for name in [facts.chosen, *(name for name in facts.bias if name not in (facts.chosen, "used"))][:3]:
        axes.plot(tenths, facts.bias[name], marker="o", label=name)
    axes.set_xlabel("tenth of the catalogue")
    axes.legend(frameon=False)


def _groups(axes: "Axes", facts: TrainingFacts) -> None:
    names = [f"{group.least}+\n{group.people:,} people" for group in facts.groups]
    axes.bar(names, [group.recall for group in facts.groups], color=_INK)
    axes.set_xlabel("items used before")


def _curve(axes: "Axes", facts: TrainingFacts) -> None:
    axes.plot(list(facts.curve), list(facts.curve.values()), marker="o", color=_INK)
    axes.set_xlim(0, 1.05)
    axes.set_ylim(bottom=0)
