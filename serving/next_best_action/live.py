"""The next best action as the API asks for it: with what was learned last."""

import logging
from collections.abc import Container, Mapping
from typing import Literal, NamedTuple, Self

from nextclick.errors import LakeError
from nextclick.settings import Settings
from serving.next_best_action import state
from serving.next_best_action.actions import NONE, Kind, SiteAction, SiteActions
from serving.next_best_action.decisions import Decision, drawn, is_user, period
from serving.next_best_action.judge import Verdict
from serving.next_best_action.policy import ActionWorth, MoneyRange, Policy, mixed

_log = logging.getLogger(__name__)
_ONLY_NONE = {NONE: 1.0}
_CHANGED = Verdict(
    serves=False, reason="conf/actions.toml is another one than what was learned about: `nextclick run` learns anew"
)


class Offer(NamedTuple):
    """One action as a visitor might have it."""

    action: SiteAction | None
    """None: nothing is done."""
    worth: ActionWorth
    share: float
    reason: str

    @property
    def id(self) -> str:
        return self.action.id if self.action else NONE

    @property
    def kind(self) -> Kind | Literal["none"]:
        return self.action.kind if self.action else "none"


class NextBest(NamedTuple):
    """What is done for a visitor until a time (ms), and what else might be, the highest expected value first."""

    decision: Decision
    chosen: Offer
    offers: list[Offer]
    """Those that are allowed, `none` among them."""
    refused: dict[str, str]
    """Why the others are not."""
    reason: str
    until: int


class LearnedPolicy(NamedTuple):
    """The policy that one state makes, and whether it is served."""

    verdict: Verdict
    policy: Policy

    @classmethod
    def of(cls, settings: Settings, site: SiteActions, latest: state.LearnedActions | None) -> Self:
        """Of what was learned last; a verdict that was about other actions is set aside."""
        learned = latest or state.LearnedActions()
        verdict = learned.verdict if not latest or latest.digest == site.digest else _CHANGED
        return cls(verdict, Policy(site, learned.cells, settings))


class NextBestActions:
    """Decides for visitors. Keep one a process; `refresh` takes up what was learned since."""

    def __init__(self, settings: Settings, site: SiteActions) -> None:
        self.site, self._settings, self._stamp = site, settings, 0
        self._learned = LearnedPolicy.of(settings, site, None)
        self.refresh()

    def refresh(self) -> None:
        """Take up a newer state; quick if there is none. One that cannot be read is logged, and the old one stays.

        May be called by another thread than the one that decides.
        """
        if not self.site.actions:
            return
        try:
            stamp = state.stamp(self._settings.lake)
            if stamp == self._stamp:
                return
            self._stamp = stamp
            latest = state.read(self._settings.lake)
        except LakeError as error:
            _log.warning("%s What was known before is used on.", error)
            return
        self._learned = LearnedPolicy.of(self._settings, self.site, latest)

    def decide(
        self,
        site: str,
        person: str | None,
        surface: str,
        foreseen: Mapping[str, float],
        now: int,
        audiences: Container[str] = (),
    ) -> NextBest:
        """What to do for a person (`decisions.unit`) of whom this is foreseen and who belongs to these audiences, at `now` (ms); nobody
        gets none."""
        learned = self._learned  # one state from here on, whatever another thread takes up
        rules = self.site
        where = rules.place(surface)
        segment = rules.segment(where, foreseen)
        user = is_user(person)
        refused = {each.id: why for each in rules.actions if (why := each.refusal(surface, foreseen, audiences, user))}
        allowed = [NONE, *(each.id for each in rules.actions if each.id not in refused)]
        time = period(now, self._settings.actions.period_hours)
        if person is None:
            shares, action = dict.fromkeys(allowed, 0.0) | _ONLY_NONE, NONE
        else:
            shares = self._shares(learned, segment, allowed)
            action = drawn(shares, site, person, where, time.start)
        by_id = rules.by_id()
        offers = [
            Offer(by_id.get(each), learned.policy.worth(segment, each), shares[each], _reason(learned, segment, each))
            for each in allowed
        ]
        offers.sort(key=lambda offer: -offer.worth.expected.value)
        chosen = next(offer for offer in offers if offer.id == action)
        decision = Decision(action=action, shares=shares, place=where, segment=segment)
        return NextBest(decision, chosen, offers, refused, learned.verdict.reason, time.end)

    def _shares(self, learned: LearnedPolicy, segment: str, allowed: list[str]) -> dict[str, float]:
        nothing = dict.fromkeys(allowed, 0.0) | _ONLY_NONE
        best = learned.policy.best(segment, allowed) if learned.verdict.serves else nothing
        return mixed(best, self._settings.actions.holdout, self._settings.actions.explore)


def _reason(learned: LearnedPolicy, segment: str, action: str) -> str:
    if action == NONE:
        return "what is done without an action"
    worth = learned.policy.worth(segment, action)
    uplift = f"uplift {_said(worth.uplift)} from {worth.trials:,} trials"
    held_back = learned.policy.held_back(segment, action) if learned.verdict.serves else learned.verdict.reason
    return f"tried only: {held_back}; {uplift}" if held_back else uplift


def _said(amount: MoneyRange) -> str:
    return f"{amount.value:+.4g} ({amount.low:+.4g} to {amount.high:+.4g})"
