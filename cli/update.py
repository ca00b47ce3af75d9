"""`nextclick update`: what changed since, folded into the lists."""

from functools import partial

import click

from cli.parts.progress import progress_bars, show_reports
from nextclick.command import common_options, json_option
from nextclick.settings import Settings


@click.command("update")
@common_options
@json_option
def update(settings: Settings, as_json: bool) -> None:
    """Fold changed and new people and items into the lists, and serve them; called twice, it changes nothing.

    \b
    nextclick update                    people and items since the last train or update
    nextclick --lake shop update --json

    The bandits learn from what was shown and clicked since, the policy of next best actions from what came of them.
    """
    from ml.jobs import update as updating
    from serving.bandits import learn
    from serving.export import export as serving
    from serving.next_best_action import learn as learn_actions

    with progress_bars() as progress:
        reports = [updating.run(settings, progress), serving.run(settings, partial(progress, "serve"))]
    reports += [learn.run(settings), learn_actions.run(settings)]
    show_reports(reports, as_json)
