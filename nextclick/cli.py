"""The command line: a table of verbs, each resolved only when it is called.

`nextclick --help` must answer at once, so nothing heavy is imported here: the table
maps a verb to "module:command", where the command is a `click.Command` next to the
code that it calls.
"""

import importlib
import json
import os
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import click
import msgspec

from nextclick import __version__
from nextclick.errors import NextclickError
from nextclick.settings import Settings, load


class Verb(NamedTuple):
    """Where a verb lives, and the line that `nextclick --help` shows for it."""

    target: str
    help: str


VERBS: dict[str, Verb] = {
    "import": Verb("collector.import_cli:import_", "Bring in history: CSV, JSON, Parquet by a mapping; access logs."),
    "collect": Verb("collector.collect_cli:collect", "Take what trackers send into the lake, until stopped."),
    "quarantine": Verb("collector.quarantine_cli:quarantine", "List, inspect and replay rejected records."),
    "run": Verb("orchestration.cli:run", "Everything once, in order: stream, gold, checks, train, export."),
    "stream": Verb("spark_jobs.cli:stream", "Bronze and silver, always on, until stopped."),
    "rebuild": Verb("spark_jobs.cli:rebuild", "Recompute silver or gold from the layer below."),
    "check": Verb("orchestration.check:check", "Check the tables; see or override what a stop refused."),
    "train": Verb("orchestration.model:train", "Fit, judge, register and, through the gate, promote the model."),
    "tune": Verb("orchestration.model:tune", "Look for better parameters; the next training uses them."),
    "update": Verb("orchestration.model:update", "Fold new interactions into the published lists."),
    "rollback": Verb("orchestration.model:rollback", "Return to the export before the current one."),
    "export": Verb("serving.cli:export", "Bring gold.recommendations into the key-value table."),
    "recommend": Verb("orchestration.recommend:recommend", "What to show a person next."),
    "serve": Verb("serving.serve_cli:serve", "The API: what to show next, over HTTP, until stopped."),
    "experiment": Verb("serving.experiment_cli:experiment", "A/B tests: what is set up, who is in, what came out."),
    "evaluate-policy": Verb(
        "serving.evaluate_policy_cli:evaluate_policy", "What another policy would have earned, from a log."
    ),
    "status": Verb("orchestration.status:status", "What is in the lake, and whether every event is accounted for."),
    "sql": Verb("orchestration.sql:sql", "Ask the tables with DuckDB SQL, by their catalog names."),
    "bench": Verb("benchmarks.cli:bench", "Measure against baselines, such as recommendation quality."),
    "shop": Verb("demo.shop.cli:shop", "A small shop to click in, with everything behind it on loopback."),
    "up": Verb("orchestration.up:up", "Start the Dagster and MLflow pages on loopback."),
}


class Context(msgspec.Struct):
    """What the options before the verb said; settings are read once, on first use."""

    lake: str | None = None
    conf_dir: str | None = None
    profile: str | None = None

    def settings(self) -> Settings:
        return load(self.lake, self.conf_dir, self.profile)


class _Stub(click.Command):
    """Stands for a verb in `--help`, so that the listing imports nothing."""


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        if ctx.resilient_parsing or _only_listing():
            return _Stub(name, short_help=VERBS[name].help)
        module, _, attribute = VERBS[name].target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        global _listing
        _listing = False
        return super().resolve_command(ctx, args)


_listing = True


def _only_listing() -> bool:
    return _listing


def common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--lake, --conf-dir and --profile on a verb: the same as before the verb, and the later wins.

    The decorated function receives `settings` as its first argument.
    """

    @click.option("--lake", metavar="DIR", help="The lake's folder (default: ./lake).")
    @click.option("--conf-dir", metavar="DIR", help="Folder with default.toml (default: the checkout's conf/).")
    @click.option("--profile", metavar="NAME", help="Merge conf/NAME.toml over the defaults.")
    @click.pass_obj
    def wrapper(
        context: Context, /, *args: Any, lake: str | None, conf_dir: str | None, profile: str | None, **kwargs: Any
    ) -> Any:
        merged = Context(lake or context.lake, conf_dir or context.conf_dir, profile or context.profile)
        return command(merged.settings(), *args, **kwargs)

    wrapper.__name__ = command.__name__
    wrapper.__doc__ = command.__doc__
    wrapper.__click_params__ = [*getattr(command, "__click_params__", []), *wrapper.__click_params__]  # type: ignore[attr-defined]
    return wrapper


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON alone on stdout.")


def print_json(value: Any) -> None:
    """The only thing that a `--json` call writes to stdout."""
    click.echo(json.dumps(value, ensure_ascii=False, default=str))


@click.group(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a check stopped it.",
)
@click.version_option(__version__, prog_name="nextclick")
@click.option("--lake", metavar="DIR", help="The lake's folder (default: ./lake).")
@click.option("--conf-dir", metavar="DIR", help="Folder with default.toml (default: the checkout's conf/).")
@click.option("--profile", metavar="NAME", help="Merge conf/NAME.toml over the defaults.")
@click.pass_context
def cli(ctx: click.Context, lake: str | None, conf_dir: str | None, profile: str | None) -> None:
    """nextclick turns a clickstream into the next click.

    \b
    nextclick import clicks.csv.gz --mapping globo     bring history in
    nextclick run                                      build, check, train, export
    nextclick recommend 42 -n 10                       ask
    """
    ctx.obj = Context(lake, conf_dir, profile)


def main(command: click.Command = cli) -> None:
    """Run a command; errors of ours are one line on stderr and the exit code of their kind."""
    try:
        command(standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except NextclickError as error:
        click.echo(f"nextclick: {error}", err=True)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("nextclick: interrupted; call again to go on where it stopped.", err=True)
        sys.exit(130)
    except BrokenPipeError:  # the reader of our stdout, such as `head`, has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
