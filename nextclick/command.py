"""What every verb shares: where the lake is, `--json`, and how an error ends the process.

It lies below the stations, so that a program of theirs can be called as a verb is; the verbs themselves
are in cli/, on the top floor.
"""

import json
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import click
import msgspec

from nextclick.errors import NextclickError, UsageError
from nextclick.settings import Settings, load
from nextclick.visible import visible, visible_json


class CommandContext(msgspec.Struct):
    """What the options before the verb said; settings are read once, on first use."""

    lake: str | None = None
    conf_dir: str | None = None
    profile: str | None = None

    def settings(self) -> Settings:
        return load(self.lake, self.conf_dir, self.profile)


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--lake, --conf-dir and --profile: where the lake and its settings are."""
    for option in (
        click.option("--profile", metavar="NAME", help="Merge conf/NAME.toml over the defaults."),
        click.option("--conf-dir", metavar="DIR", help="Folder with default.toml (default: the checkout's conf/)."),
        click.option("--lake", metavar="DIR", help="The lake: a folder, or s3://BUCKET/KEY (default: ./lake)."),
    ):
        command = option(command)
    return command


def common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--lake, --conf-dir and --profile on a verb: the same as before the verb, and the later wins.

    The decorated function receives `settings` as its first argument.
    """

    @place_options
    @click.pass_obj
    def wrapper(
        context: CommandContext,
        /,
        *args: Any,
        lake: str | None,
        conf_dir: str | None,
        profile: str | None,
        **kwargs: Any,
    ) -> Any:
        merged = CommandContext(lake or context.lake, conf_dir or context.conf_dir, profile or context.profile)
        return command(merged.settings(), *args, **kwargs)

    wrapper.__name__ = command.__name__
    wrapper.__doc__ = command.__doc__
    wrapper.__click_params__ = [*getattr(command, "__click_params__", []), *wrapper.__click_params__]  # type: ignore[attr-defined]
    return wrapper


def _one_form(context: click.Context, option: click.Parameter, chosen: bool) -> bool:
    """UsageError where JSON and CSV are both wanted."""
    if chosen and {"as_json", "as_csv"} & {name for name, value in context.params.items() if value}:
        raise UsageError("--json and --csv are two ways to print one answer: choose one.")
    return chosen


json_option = click.option("--json", "as_json", is_flag=True, callback=_one_form, help="Print JSON alone on stdout.")
csv_option = click.option("--csv", "as_csv", is_flag=True, callback=_one_form, help="Print CSV alone on stdout.")


def print_json(value: Any) -> None:
    """The only thing that a `--json` call writes to stdout."""
    click.echo(visible_json(json.dumps(value, ensure_ascii=False, default=str)))


def run_command(command: click.Command) -> None:
    """Run a command; errors of ours are one line on stderr and the exit code of their kind."""
    try:
        command(standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except NextclickError as error:
        click.echo("nextclick: " + visible(error, keep="\n"), err=True)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("nextclick: interrupted; call again to go on where it stopped.", err=True)
        if (
            threading.active_count() > 1
        ):  # they would work on until their step is done, or end in the midst of the interpreter
            os._exit(130)
        sys.exit(130)
    except BrokenPipeError:  # the reader of our stdout, such as `head`, has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
