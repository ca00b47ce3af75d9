"""nextclick evaluate-policy."""

from pathlib import Path

import click
import msgspec

from cli.parts.console_table import show
from nextclick.command import common_options, json_option, print_json
from nextclick.errors import UsageError
from nextclick.settings import Settings
from serving.off_policy.estimators import Estimate, Judgement, Log, Target
from serving.off_policy.policy_log import Columns

_ESTIMATES = ("logged", "ips", "snips", "dr")


@click.command("evaluate-policy")
@click.argument("log", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@click.option("--bandit", metavar="NAME", help="Judge by this bandit's own log in the lake, such as banner:home.")
@click.option("--served", is_flag=True, help="Judge by the lake's silver.served_items.")
@click.option("--action", metavar="COLUMN", default="action", show_default=True, help="What was shown.")
@click.option("--reward", metavar="COLUMN", default="reward", show_default=True, help="What it earned: a number.")
@click.option("--propensity", metavar="COLUMN", default="propensity", show_default=True, help="With which probability.")
@click.option(
    "--stratum", metavar="COLUMN", multiple=True, help="Where or to whom, such as a position; may be repeated."
)
@click.option("--group", metavar="COLUMN", help="Rows that depend on each other, such as those of one visitor.")
@click.option("--target", metavar="ACTION", help="The policy in question: `uniform`, or one action always.")
@click.option(
    "--target-log", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="… acts as this log did."
)
@click.option("--target-column", metavar="COLUMN", help="… shows the row's action with this column's probability.")
@click.option("--confidence", type=click.FloatRange(0.5, 1, True, True), default=0.95, show_default=True)
@click.option(
    "--resamples", type=click.IntRange(0, 100_000), default=1000, show_default=True, help="0: normal intervals."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the resamples.")
@json_option
@common_options
def evaluate_policy(
    settings: Settings,
    log: Path | None,
    bandit: str | None,
    served: bool,
    action: str,
    reward: str,
    propensity: str,
    stratum: tuple[str, ...],
    group: str | None,
    target: str | None,
    target_log: Path | None,
    target_column: str | None,
    confidence: float,
    resamples: int,
    seed: int,
    as_json: bool,
) -> None:
    """What another policy would have earned, from a LOG whose actions were drawn with known probabilities.

    \b
    nextclick --lake shop evaluate-policy --bandit banner:home --target uniform
    nextclick --lake shop evaluate-policy --served --stratum position --target sku-7
    nextclick evaluate-policy log.parquet --stratum position --target sku-7
    nextclick evaluate-policy random.csv.gz --target-log thompson.csv.gz --stratum position --json

    LOG is CSV or Parquet, a row for each action that was shown. docs/bandits.md explains the figures.
    """
    from serving.off_policy import estimators

    columns = Columns(action, reward, propensity, stratum, group, target_column)
    wanted = [target, target_log, target_column]
    if [log is None, bandit is None, not served].count(False) != 1 or len(wanted) - wanted.count(None) != 1:
        raise UsageError(
            "Name a LOG, a --bandit or --served, and one of --target, --target-log and --target-column. "
            "`nextclick evaluate-policy --help` has examples."
        )
    if (log is None and target_column is not None) or (bandit is not None and target is None):
        raise UsageError("A --bandit takes --target uniform or --target ARM; --served those, or --target-log.")
    if bandit is not None:
        rows, judged = _of_bandit(settings, bandit, str(target))
    else:
        rows, judged = _of_rows(settings, log, columns, target, target_log)
    judgement = estimators.evaluate(rows, judged, confidence, resamples, seed)
    if as_json:
        print_json(msgspec.to_builtins(judgement))
    else:
        _show(judgement)


def _of_rows(
    settings: Settings, path: Path | None, columns: Columns, action: str | None, other: Path | None
) -> tuple[Log, Target]:
    """The log of a file, or without one of silver.served_items, and the target."""
    from serving.off_policy import estimators, policy_log

    if path is None:
        log, probabilities = policy_log.of_served_items(settings, columns.strata), None
    else:
        log, probabilities = policy_log.read(path, columns)
    if probabilities is not None:
        return log, Target(probabilities, None)
    if other is None:
        return log, estimators.by_distribution(log, estimators.named(log, str(action)))
    read, _ = policy_log.read(other, columns)
    return log, estimators.by_distribution(log, policy_log.distribution_of(read, log))


def _of_bandit(settings: Settings, bandit: str, action: str) -> tuple[Log, Target]:
    from serving.bandits import trials
    from serving.off_policy import estimators, policy_log

    log, even = policy_log.of_trials(trials.read(settings).rows, bandit)
    if action == "uniform" and (even != 1 / len(log.actions)).any():  # not all rows had all arms to choose from
        return log, Target(even, None)
    return log, estimators.by_distribution(log, estimators.named(log, action))


def _show(judgement: Judgement) -> None:
    estimates: list[tuple[str, Estimate | None]] = [(name, getattr(judgement, name)) for name in _ESTIMATES]
    show(
        ("estimate", "reward a row", f"{judgement.confidence:.0%} interval", "standard error"),
        [
            [name, f"{one.value:.6f}", f"{one.low:.6f} to {one.high:.6f}", f"{one.standard_error:.6f}"]
            for name, one in estimates
            if one is not None
        ],
    )
    click.echo(
        f"{judgement.rows:,} rows weigh as {judgement.effective_rows:,.0f} of the target's own; "
        f"weights: mean {judgement.mean_weight:.3f} (1 is expected), largest {judgement.largest_weight:.1f}"
    )
    if judgement.dr is None:
        click.echo("No doubly robust estimate: what the target does with the other actions of a row is not known.")
    if judgement.unsupported:
        click.echo(f"{judgement.unsupported:.1%} of what the target shows is not in the log: no estimate knows of it.")
