"""The next best action of people whose responses the generator knows: what the policy is said to be worth, beside what it is worth.

The days are played here, from what gold.predictions foresees of each person; nobody was offered anything in the lake.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from demo.outcome.facts import ActionsFact, Believed
from demo.traffic.tastes import Tastes
from nextclick.lake.sql import ask
from nextclick.settings import Settings
from serving.next_best_action.actions import NONE, SiteAction, SiteActions
from serving.next_best_action.cells import fold
from serving.next_best_action.decisions import Decision, drawn
from serving.next_best_action.judge import Verdict, verdict
from serving.next_best_action.outcomes import DecisionTrial
from serving.next_best_action.policy import Policy, mixed
from serving.off_policy.estimators import Estimate

VOUCHER: Final = "voucher"
SITE: Final = SiteActions(
    margin=20.0,
    segments={"churn": (0.25, 0.4, 0.55)},
    actions=(SiteAction(id=VOUCHER, kind="discount", margin=12.0),),
)
HOLDOUT: Final = 0.2
EXPLORE: Final = 0.4
"""More than later on: a shop that knows nothing yet."""
_DAYS: Final = 24
_LEARNED_EVERY: Final = 8
_FORESEEN: Final = "SELECT subject_id, calibrated FROM gold.predictions WHERE model = 'churn' ORDER BY subject_id"


class _Person(NamedTuple):
    id: str
    segment: str
    buys: dict[str, float]
    """By action the true probability of a purchase."""


def next_best(settings: Settings, tastes: Tastes) -> ActionsFact | None:
    """Two shops: in one a voucher moves who would stay away, in the other nobody; None where nobody was foreseen."""
    rows = ask(settings.lake, _FORESEEN)[1]
    people = list(_people(rows, tastes)) if rows else []
    if len(people) < settings.actions.min_people:
        return None
    moved, trials = _played(settings, people)
    unmoved, _ = _played(settings, [each._replace(buys=dict.fromkeys(each.buys, each.buys[NONE])) for each in people])
    if not (moved.worth and unmoved.worth):
        return None
    policy = _policy(settings, trials)
    shares = {segment: policy.best(segment, [NONE, VOUCHER]) for segment in {each.segment for each in people}}
    always = {action: {segment: {action: 1.0} for segment in shares} for action in (NONE, VOUCHER)}
    worth = moved.worth
    return ActionsFact(
        trials=worth.trials,
        people=worth.people,
        serves=moved.serves,
        offered=round(worth.acts, 6),
        policy=_believed(worth.policy, _true(people, shares)),
        none=_believed(worth.none.value, _true(people, always[NONE])),
        discount=_believed(worth.discounts[VOUCHER].value, _true(people, always[VOUCHER])),
        over_none=round(worth.none.gain.low, 4),
        over_discount=round(worth.discounts[VOUCHER].gain.low, 4),
        unmoved_serves=unmoved.serves,
        unmoved_reason=unmoved.reason,
    )


def _people(rows: list[tuple[str, float]], tastes: Tastes) -> Iterator[_Person]:
    """Who comes often buys anyway; who stays away buys little, and more with a voucher."""
    place = tastes.rows_of(np.array([row[0] for row in rows], dtype=str))
    away = tastes.stays_away(place, 3.0)
    for (person, churn), at, rare in zip(rows, place.tolist(), away.tolist(), strict=True):
        if at >= 0:  # the others are the app's and of mails
            buys = 0.3 * (1 - rare)
            yield _Person(person, SITE.segment("*", {"churn": churn}), {NONE: buys, VOUCHER: buys + rare**2})


def _played(settings: Settings, people: list[_Person]) -> tuple[Verdict, list[DecisionTrial]]:
    """Each day everybody is decided about, and buys or not."""
    rng, trials = np.random.default_rng(7), list[DecisionTrial]()
    segments = sorted({each.segment for each in people})
    for first in range(0, _DAYS, _LEARNED_EVERY):
        shares = _shares(settings, trials, segments)
        for day in range(first, first + _LEARNED_EVERY):
            for each, chance in zip(people, rng.random(len(people)).tolist(), strict=True):
                action = drawn(shares[each.segment], settings.site, each.id, "*", day)
                decision = Decision(action=action, shares=shares[each.segment], place="*", segment=each.segment)
                trials.append(DecisionTrial(each.id, decision, chance < each.buys[action]))
    return verdict(trials, SITE, settings), trials


def _shares(settings: Settings, trials: list[DecisionTrial], segments: list[str]) -> dict[str, dict[str, float]]:
    """By segment, as the API would draw by what is known so far."""
    serves, policy = verdict(trials, SITE, settings).serves, _policy(settings, trials)
    nothing = {NONE: 1.0, VOUCHER: 0.0}
    best = {segment: policy.best(segment, [NONE, VOUCHER]) if serves else nothing for segment in segments}
    return {segment: mixed(each, HOLDOUT, EXPLORE) for segment, each in best.items()}


def _policy(settings: Settings, trials: list[DecisionTrial]) -> Policy:
    return Policy(SITE, fold(trials), settings)


def _true(people: list[_Person], shares: dict[str, dict[str, float]]) -> float:
    """What a trial is truly worth on average under shares by segment."""
    margins = {NONE: SITE.margin, **{action.id: SITE.margin_of(action) for action in SITE.actions}}
    each = (
        share * person.buys[action] * margins[action]
        for person in people
        for action, share in shares[person.segment].items()
    )
    return sum(each) / len(people)


def _believed(estimate: Estimate, true: float) -> Believed:
    return Believed(*(round(value, 4) for value in (estimate.value, estimate.low, estimate.high, true)))
