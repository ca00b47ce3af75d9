"""nextclick actions."""

from collections.abc import Iterator

import click
import msgspec

from cli.parts.console_table import show
from nextclick.command import common_options, json_option, print_json
from nextclick.errors import UsageError
from nextclick.settings import Settings
from serving.next_best_action import judge
from serving.next_best_action.actions import SiteActions
from serving.next_best_action.judge import PolicyWorth, Verdict
from serving.next_best_action.policy import Policy
from serving.off_policy.estimators import Estimate


@click.command("actions")
@json_option
@common_options
def actions(settings: Settings, as_json: bool) -> None:
    """What next best actions are worth: each by segment, and their policy against none and a discount for all.

    \b
    nextclick --lake shop actions
    nextclick --lake shop actions --json | jq .verdict.serves

    It reads silver anew; answers are by what the last `nextclick run` or `update` learned. Money is that of conf/actions.toml, a trial
    is a person in a place and period. docs/next-best-action.md explains the figures.
    """
    from serving.next_best_action import actions as site_actions
    from serving.next_best_action import cells, outcomes

    site = site_actions.load(settings.conf_dir)
    if not site.actions:
        raise UsageError(
            f"{settings.conf_dir / 'actions.toml'} has no actions: there is nothing to judge. docs/next-best-action.md shows the form."
        )
    trials = outcomes.read(settings, site.outcome).rows
    known, verdict = cells.fold(trials), judge.verdict(trials, site, settings)
    policy = Policy(site, known, settings)
    worth = {segment: {action: policy.worth(segment, action) for action in sorted(of)} for segment, of in known.items()}
    if as_json:
        segments = {
            segment: {
                action: {**one._asdict(), "expected": one.expected._asdict(), "uplift": one.uplift._asdict()}
                for action, one in of.items()
            }
            for segment, of in worth.items()
        }
        print_json({"segments": segments, "verdict": msgspec.to_builtins(verdict)})
        return
    level = f"{settings.actions.confidence:.0%}"
    show(
        (
            "segment",
            "action",
            "trials",
            "worth a trial",
            level,
            "uplift over none",
            f"{level}, all discounts",
            "standing",
        ),
        [
            [
                segment,
                action,
                f"{one.trials:,}",
                f"{one.expected.value:.4f}",
                f"{one.expected.low:.4f} to {one.expected.high:.4f}",
                f"{one.uplift.value:+.4f}",
                f"{one.uplift.low:+.4f} to {one.uplift.high:+.4f}",
                _standing(site, policy, segment, action),
            ]
            for segment, of in worth.items()
            for action, one in of.items()
        ],
    )
    _show(verdict)


def _standing(site: SiteActions, policy: Policy, segment: str, action: str) -> str:
    if action not in {"none", *site.by_id()}:
        return "not in conf/ any more"
    held_back = policy.held_back(segment, action)
    return f"tried only: {held_back}" if held_back else "may win"


def _show(verdict: Verdict) -> None:
    if verdict.worth:
        level = f"{verdict.worth.confidence:.0%} interval"
        show(("policy", "worth a trial", level, "the learned one earns more", level), _policies(verdict.worth))
        click.echo(f"{verdict.worth.trials:,} trials of {verdict.worth.people:,} people")
    click.echo(("Served: " if verdict.serves else "None is served: ") + verdict.reason)


def _policies(worth: PolicyWorth) -> Iterator[list[str]]:
    yield ["learned", *_amount(worth.policy), "", ""]
    for name, one in {"none": worth.none, **{f"{each} for all": one for each, one in worth.discounts.items()}}.items():
        yield [name, *_amount(one.value), *_amount(one.gain, "+")]


def _amount(one: Estimate, sign: str = "") -> list[str]:
    return [f"{one.value:{sign}.4f}", f"{one.low:{sign}.4f} to {one.high:{sign}.4f}"]
