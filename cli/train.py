"""`nextclick train`: the nightly model, and the lists that are made of it."""

from functools import partial

import click

from cli.parts.progress import progress_bars, show_reports
from nextclick.command import common_options, json_option
from nextclick.contracts import silver, silver_served
from nextclick.lake import delta
from nextclick.settings import Settings


@click.command("train")
@common_options
@click.option("--force", is_flag=True, help="Train and export even if nothing has changed.")
@json_option
def train(settings: Settings, force: bool, as_json: bool) -> None:
    """Fit the nightly model on gold.interactions, evaluate it, and serve the lists of the champion.

    \b
    nextclick train                     learn from gold.interactions, serve the lists
    nextclick train --force --json      again on the same data; figures as JSON

    A model that fails the gate leaves the champion as it is; the reason is shown, and
    the champion's lists take in what has changed. Where answers were served and clicked, the
    click model and a ranker are learned as well (docs/loop.md). Who comes back and who buys is foreseen anew (docs/predictions.md).
    """
    from ml.jobs import publish_lists as lists
    from ml.jobs import train as training
    from ml.jobs import update as updating
    from serving.export import export as serving

    with progress_bars() as progress:
        reports = [training.run(settings, progress, force)]
        if delta.open_table(settings.lake, silver_served.SERVED_ITEMS.name):  # something was served
            from ml.jobs import train_ctr, train_ranker

            reports += [job.run(settings, progress, force) for job in (train_ctr, train_ranker)]
        if delta.open_table(settings.lake, silver.EVENTS.name):
            from ml.jobs import predict

            reports.append(predict.run(settings, progress, force))
        reports.append(lists.run(settings, progress, force))
        if reports[-1].details.get("lists_id"):
            reports += [updating.run(settings, progress), serving.run(settings, partial(progress, "serve"))]
    show_reports(reports, as_json)
