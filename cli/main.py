"""The command line: a table of verbs, each imported only when it is called.

`nextclick --help` must answer at once, so nothing heavy is imported here.
"""

import importlib
import keyword
from typing import Final

import click

from nextclick import __version__
from nextclick.command import CommandContext, place_options, run_command

GROUPS: Final[dict[str, dict[str, str]]] = {
    "Take events in": {
        "import": "Bring in history and costs: CSV, JSON, Parquet by a mapping; access logs.",
        "collect": "Take what trackers send into the lake, until stopped.",
        "ship": "Bring what this machine published into the lake's bucket, or to Kafka.",
        "quarantine": "List, inspect and replay rejected records.",
    },
    "Make tables": {
        "run": "Everything once, in order: stream, gold, checks, train, export.",
        "stream": "Bronze and silver, always on, until stopped.",
        "rebuild": "Recompute silver or gold from the layer below.",
        "check": "Check the tables; see or override what a stop refused.",
    },
    "Learn": {
        "train": "Train the model, evaluate and register it; the gate decides whether its lists are served.",
        "tune": "Look for better parameters; the next training uses them.",
        "update": "Fold new interactions into the published lists.",
        "rollback": "Return to the export before the current one.",
        "model": "Registered models; one as a folder that other servers than ours run.",
        "export": "Bring gold.recommendations into the key-value table.",
    },
    "Answer and act": {
        "recommend": "What to show a person next.",
        "serve": "The API: what to show next, over HTTP, until stopped.",
        "triggers": "Send webhooks when a cart is left, a price drops, a person stays away, until stopped.",
        "audience": "Who belongs where: how many, who, and why.",
        "experiment": "A/B tests: what is set up, who is in, what came out.",
        "evaluate-policy": "What another policy would have earned, from a log.",
        "actions": "What next best actions are worth, against none and a discount for all.",
    },
    "Look": {
        "status": "What is in the lake, and whether every event is accounted for.",
        "anomalies": "What is out of the ordinary: traffic, fraud and abuse.",
        "funnel": "How many visitors, people or visits did one thing after the other.",
        "paths": "Where visits go to, or came from, step by step.",
        "report": "Figures of visits, people, shop and campaigns, by day or whatever.",
        "dashboard": "Figures and charts of all that, in a browser, on loopback.",
        "sql": "Ask the tables with DuckDB SQL, by their catalog names.",
    },
    "Let others look": {
        "share": "Copies for BI tools; chosen tables, reports or one page for partners, until a day.",
        "bi": "Spark's Thrift server over gold and the reports, for BI tools, on loopback.",
    },
    "Try it, watch it": {
        "bench": "Measure against baselines, such as recommendation quality.",
        "shop": "A small shop to click in, with everything behind it on loopback.",
        "up": "Start the Dagster and MLflow pages on loopback.",
    },
}
"""Verb → the line that `nextclick --help` shows for it, in the order of the way. The verb itself is in cli/VERB.py."""
VERBS: Final[dict[str, str]] = {name: line for verbs in GROUPS.values() for name, line in verbs.items()}


def verb(name: str) -> click.Command:
    """The verb as its module has it: `evaluate-policy` is `evaluate_policy` of cli/evaluate_policy.py; `import` bears a dash below."""
    stem = name.replace("-", "_")
    stem += "_" * keyword.iskeyword(stem)
    command: click.Command = getattr(importlib.import_module(f"cli.{stem}"), stem)
    return command


class _Stub(click.Command):
    """Stands for a verb where a shell completes its name, so that this imports nothing."""


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        return _Stub(name, short_help=VERBS[name]) if ctx.resilient_parsing else verb(name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, VERBS))
        for title, verbs in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), line) for name, line in verbs.items()])


@click.group(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a check stopped it.",
)
@click.version_option(__version__, prog_name="nextclick")
@place_options
@click.pass_context
def cli(ctx: click.Context, lake: str | None, conf_dir: str | None, profile: str | None) -> None:
    """nextclick turns a clickstream into the next click.

    \b
    nextclick import clicks.csv.gz --mapping globo     bring history in
    nextclick run                                      build, check, train, export
    nextclick recommend 42 -n 10                       ask
    """
    ctx.obj = CommandContext(lake, conf_dir, profile)


def main() -> None:
    """The program `nextclick`."""
    run_command(cli)
