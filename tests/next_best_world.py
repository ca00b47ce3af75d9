"""A shop whose visitors' responses to each action are known: what the next best action is judged by."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

from nextclick.settings import Settings
from serving.next_best_action.actions import NONE, SiteAction, SiteActions
from serving.next_best_action.cells import fold
from serving.next_best_action.decisions import unit
from serving.next_best_action.judge import verdict
from serving.next_best_action.live import NextBestActions
from serving.next_best_action.outcomes import DecisionTrial
from serving.next_best_action.policy import Policy
from serving.next_best_action.state import LearnedActions, write

VOUCHER: Final = "voucher"
SITE: Final = SiteActions(
    margin=20.0,
    segments={"conversion_7d": (0.05, 0.2)},
    actions=(
        SiteAction(id=VOUCHER, kind="discount", margin=15.0),
        SiteAction(id="returns", kind="banner", text="Returns are free", link="/returns"),
    ),
)
LOST, SWAYED, SURE = 0.01, 0.1, 0.5
"""What is foreseen of three kinds of people, a third each."""
SEGMENTS: Final = {LOST: "* conversion_7d=0..0.05", SWAYED: "* conversion_7d=0.05..0.2", SURE: "* conversion_7d=0.2..1"}
Responses = Mapping[float, Mapping[str, float]]
"""By kind of people and action the true probability of a purchase."""
SWAYABLE: Final[Responses] = {
    LOST: {NONE: 0.01, VOUCHER: 0.012, "returns": 0.01},
    SWAYED: {NONE: 0.05, VOUCHER: 0.30, "returns": 0.06},
    SURE: {NONE: 0.40, VOUCHER: 0.42, "returns": 0.40},
}
"""A voucher wins the second kind: .30 · 15 = 4.5 against .05 · 20 = 1. It gives away margin to the third: .42 · 15 = 6.3 against 8."""
UNMOVED: Final[Responses] = {kind: dict.fromkeys(of, of[NONE]) for kind, of in SWAYABLE.items()}
"""Nothing moves anybody: a voucher gives a quarter of the margin away."""


@dataclass(frozen=True)
class World:
    """What people of each kind do after an action."""

    responses: Responses

    def value(self, kind: float, action: str) -> float:
        """The true worth of an action: money a trial."""
        margin = SITE.margin_of(SITE.by_id()[action]) if action != NONE else SITE.margin
        return self.responses[kind][action] * margin

    def worth(self, shares: Mapping[float, Mapping[str, float]]) -> float:
        """The true worth of a policy that has these shares for each kind: the kinds are equally many."""
        return sum(
            share * self.value(kind, action) for kind, of in shares.items() for action, share in of.items()
        ) / len(shares)

    def always(self, action: str) -> float:
        return self.worth({kind: {action: 1.0} for kind in self.responses})

    def visited(self, deciding: NextBestActions, people: int, day: int, random: Random) -> list[DecisionTrial]:
        """A day on which so many people come who were never there, each is decided about, and does what the responses say."""
        kinds, trials = list(self.responses), []
        for number in range(people):
            kind, person = kinds[number % len(kinds)], unit(f"{day}-{number}", None)
            best = deciding.decide("default", person, "home", {"conversion_7d": kind}, day * 86_400_000)
            bought = random.random() < self.responses[kind][best.decision.action]
            trials.append(DecisionTrial(str(person), best.decision, bought))
        return trials


def learned_shares(trials: list[DecisionTrial], settings: Settings) -> dict[float, dict[str, float]]:
    """What the policy that is learned from all trials does with each kind."""
    policy = Policy(SITE, fold(trials), settings)
    return {kind: policy.best(segment, [NONE, *SITE.by_id()]) for kind, segment in SEGMENTS.items()}


def lived(world: World, settings: Settings, days: int, people: int, seed: int) -> list[DecisionTrial]:
    """Days of visits, with what they said learned after each."""
    random, trials = Random(seed), list[DecisionTrial]()
    deciding = NextBestActions(settings, SITE)
    for day in range(days):
        trials += world.visited(deciding, people, day, random)
        write(
            settings.lake,
            LearnedActions(
                version=day, digest=SITE.digest, cells=fold(trials), verdict=verdict(trials, SITE, settings)
            ),
        )
        deciding.refresh()
    return trials
