"""`nextclick tune`: better parameters for the next training."""

import click

from cli.parts.progress import progress_bars, show_reports
from nextclick.command import common_options, json_option
from nextclick.report import JobReport
from nextclick.settings import Settings


@click.command("tune")
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

    \b
    nextclick tune --minutes 30         try parameters for half an hour; again: go on from there
    nextclick tune --trials 5 --json    five trials of each recipe
    nextclick tune --forget             back to the parameters of conf/

    Called again it goes on where it stopped. What is used lies in _state/model/tuned.json,
    the studies in _state/tuning.db (Optuna), the best parameters in MLflow.
    """
    from ml.jobs import tune as tuning
    from ml.selection import model_candidates

    if forget:
        report = JobReport(job="tune", details={"forgotten": int(model_candidates.forget(settings.lake))})
    else:
        with progress_bars() as progress:
            report = tuning.run(settings, minutes, trials, progress)
    show_reports([report], as_json)
