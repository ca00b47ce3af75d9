"""`nextclick anomalies`: what is out of the ordinary."""

import click
import msgspec

from cli.parts.console_table import show
from ml.anomalies.table import Anomaly, read
from nextclick.command import common_options, json_option, print_json
from nextclick.settings import Settings

_COLUMNS = ("site", "kind", "subject", "from (UTC)", "to", "observed", "expected", "", "severity", "state")


@click.command("anomalies")
@common_options
@click.option("--detect", is_flag=True, help="Look at the last days anew before, as a step of `nextclick run` does.")
@click.option("--all", "every", is_flag=True, help="Also what is over, or was withdrawn.")
@json_option
def anomalies(settings: Settings, detect: bool, every: bool, as_json: bool) -> None:
    """What is out of the ordinary now: traffic away from what was expected, fraud and abuse.

    \b
    nextclick anomalies                 what lasts
    nextclick anomalies --detect        look anew, then say it
    nextclick anomalies --all --json | jq '.[] | select(.severity == "alarm")'

    Whom to suspect is in gold.suspects; nothing is left out for it, unless anomalies.leave_out_suspects is set.
    docs/anomalies.md says what each kind means.
    """
    if detect:
        from cli.parts.progress import progress_bars
        from ml.jobs.anomalies import run

        with progress_bars() as progress:
            report = run(settings, progress)
        click.echo(report.line(), err=True)
    rows = read(settings.lake, every)
    if as_json:
        print_json(msgspec.to_builtins(rows or []))
    elif rows is None:
        click.echo("Nobody has looked yet: call `nextclick run`, or `nextclick anomalies --detect`.")
    elif not rows:
        click.echo("Nothing is out of the ordinary.")
    else:
        show(_COLUMNS, map(_cells, rows))


def _cells(one: Anomaly) -> list[str]:
    times = [f"{at:%Y-%m-%d %H:%M}" for at in (one.step_start, one.step_end)]
    surprise = f"z {one.z:+.1f}" if one.z is not None else f"p {one.p_value:.0e}"
    figures = [f"{number:,.4g}" for number in (one.observed, one.expected)]
    return [one.site, one.kind, one.subject, *times, *figures, surprise, one.severity, one.state]
