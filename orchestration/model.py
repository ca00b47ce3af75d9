"""The verbs of the model, and of what is served of it: train, tune, update, rollback."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import click
import msgspec

from nextclick.cli import common_options, json_option, print_json
from nextclick.contracts import silver
from nextclick.errors import ModelError
from nextclick.lake import duck
from nextclick.report import JobReport
from nextclick.settings import Settings


@click.command(
    short_help="Fit, judge, register and, through the gate, promote the model; serve its lists.",
    epilog="""\b
Examples:
  nextclick train                     learn from gold.interactions, serve the lists
  nextclick train --force --json      again on the same data; figures as JSON""",
)
@common_options
@click.option("--force", is_flag=True, help="Train and export even if nothing has changed.")
@json_option
def train(settings: Settings, force: bool, as_json: bool) -> None:
    """Fit the nightly model on gold.interactions, judge it, and serve the lists of the champion.

    A model that fails the gate leaves the champion as it is; the reason is shown, and
    the champion's lists take in what has changed. Where answers were served and clicked, the
    click model is learned as well (docs/loop.md).
    """
    from ml.jobs import publish_lists as lists
    from ml.jobs import train as training
    from ml.jobs import update as updating
    from serving.export import export as serving

    with _progress() as progress:
        reports = [training.run(settings, progress, force)]
        if duck.open_table(settings.lake, silver.IMPRESSIONS.name):  # something was served
            from ml.jobs import train_ctr

            reports.append(train_ctr.run(settings, progress, force))
        reports.append(lists.run(settings, progress, force))
        if reports[-1].details.get("export"):
            reports += [updating.run(settings, progress), serving.run(settings, partial(progress, "serve"))]
    _show(reports, as_json)


@click.command(
    short_help="Look for better parameters; the next training uses them.",
    epilog="""\b
Examples:
  nextclick tune --minutes 30         try parameters for half an hour; again: go on from there
  nextclick tune --trials 5 --json    five trials of each recipe
  nextclick tune --forget             back to the parameters of conf/""",
)
@common_options
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="Begin no trial after this time.",
)
@click.option("--trials", type=click.IntRange(min=1), metavar="N", help="At most so many trials of each recipe.")
@click.option("--forget", is_flag=True, help="Drop what was found: the settings' parameters are used again.")
@json_option
def tune(settings: Settings, minutes: float, trials: int | None, forget: bool, as_json: bool) -> None:
    """Try parameters on a part of the past that no figure is taken from, and keep the best for the next `train`.

    Called again it goes on where it stopped. What is used lies in _state/model/tuned.json,
    the studies in _state/tuning.db (Optuna), the best parameters in MLflow.
    """
    from ml.jobs import tune as tuning
    from ml.selection import model_candidates

    if forget:
        report = JobReport(job="tune", details={"forgotten": int(model_candidates.forget(settings.lake))})
    else:
        with _progress() as progress:
            report = tuning.run(settings, minutes, trials, progress)
    _show([report], as_json)


@click.command(
    short_help="Fold new interactions into the published lists.",
    epilog="""\b
Examples:
  nextclick update                    people and items since the last train or update
  nextclick --lake shop update --json""",
)
@common_options
@json_option
def update(settings: Settings, as_json: bool) -> None:
    """Fold changed and new people and items into the lists, and serve them; called twice, it changes nothing.

    The bandits learn from what was shown and clicked since.
    """
    from ml.jobs import update as updating
    from serving.bandits import learn
    from serving.export import export as serving

    with _progress() as progress:
        reports = [updating.run(settings, progress), serving.run(settings, partial(progress, "serve"))]
    reports.append(learn.run(settings))
    _show(reports, as_json)


@click.command(epilog="Examples: nextclick rollback · nextclick rollback --to 12 · nextclick rollback --list")
@common_options
@click.option("--to", type=click.IntRange(min=1), metavar="VERSION", help="Serve this one (default: the one before).")
@click.option("--list", "only_list", is_flag=True, help="Show the versions, change nothing.")
@json_option
def rollback(settings: Settings, to: int | None, only_list: bool, as_json: bool) -> None:
    """Return to the export before the current one: its lists, its model as champion, its cursor for updates."""
    from serving import cli as tables
    from serving.export import export as serving

    if not only_list:
        from ml.jobs import rollback as going_back

        wanted = serving.rollback_target(settings, to)
        try:
            going_back.run(settings, wanted.lists)
        except ModelError:  # people are served what was asked for, even where gold cannot follow
            serving.rollback(settings, wanted.version)
            raise
        serving.rollback(settings, wanted.version)  # last, so that an interrupted call can be repeated
    found = serving.versions(settings)
    if as_json:
        current = next((entry["version"] for entry in found if entry["current"]), None)
        print_json({"version": current, "versions": found})
        return
    if not only_list:
        click.echo(f"Version {wanted.version} is served now (model {wanted.lists.model_version}).")
    tables.show_versions(found)


def _show(reports: list[JobReport], as_json: bool) -> None:
    if as_json:
        print_json({report.job: msgspec.to_builtins(report) for report in reports})
        return
    for report in reports:
        click.echo(report.line())
        for name, value in report.details.items():
            if value is not None:
                click.echo(f"  {name:<28} {f'{value:.4f}' if isinstance(value, float) else value}")


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar per stage on stderr; called as progress(stage, done, total)."""
    from rich.console import Console
    from rich.progress import Progress, TaskID

    tasks: dict[str, TaskID] = {}
    with Progress(console=Console(stderr=True), transient=True) as bars:

        def advance(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield advance
