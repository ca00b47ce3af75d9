"""What the demo says: plain records, read from a lake or made by hand, and printed by
demo/outcome/report.py or, with `--json`, as they are."""

from decimal import Decimal
from typing import NamedTuple

import msgspec

from demo.outcome.abuse_seen import AbuseSeen
from demo.outcome.ground_truth import Truth
from demo.outcome.known_figures import DAYS_LATER, STEPS, DemoFigures
from nextclick.reconciliation import Reconciliation


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """Where each line went, as `nextclick status` counts it, and why some were refused."""

    counts: Reconciliation
    reasons: dict[str, int]
    """Rows of silver.quarantine by reason."""
    sources: dict[str, int]
    """Rows of silver.events by the dialect that brought them, without the catalogue's."""
    kinds: dict[str, int]
    """The same rows by kind of event."""

    @property
    def arrived(self) -> int:
        return self.counts.accepted + self.counts.rejected

    @property
    def quarantined(self) -> int:
        """By the door and by silver."""
        return self.counts.rejected + self.counts.quarantined

    @property
    def astray(self) -> int:
        """What must not be: in silver twice, still waiting, lost or doubled on disk."""
        return self.counts.double_counted + self.counts.waiting + self.counts.missing + self.counts.unexpected


class Business(msgspec.Struct, frozen=True, kw_only=True):
    """Totals of silver.sessions and gold."""

    sessions: int
    bounces: int
    conversions: int
    people: int
    """Distinct persons of gold.interactions."""
    items: int
    links: int
    """Rows of silver.items and silver.identities."""
    revenue: dict[str, str]
    """By currency, from the sessions."""
    costs: dict[str, str]
    """Of campaigns, by currency."""


class Checks(msgspec.Struct, frozen=True, kw_only=True):
    """The expectations that were checked in this run."""

    passed: int
    warned: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()


class AgainstPopular(msgspec.Struct, frozen=True, kw_only=True):
    """The model against the popular lists, on the clicks that were held back."""

    champion: str | None
    """Registered version; None: the gate refused it."""
    reasons: tuple[str, ...] = ()
    """What the gate held against the last training."""
    scores: dict[str, dict[str, float]]
    """Contender → metric → value."""


class TasteMatch(msgspec.Struct, frozen=True, kw_only=True):
    """Share of the recommended items that a person truly likes, by the tastes that only the generator knows."""

    k: int
    people: int
    chance: float
    """Any unseen item."""
    popular: float
    """The most popular unseen items."""
    model: float
    best: float
    """The best that anyone could do who knew the tastes."""


class ListedItemFact(msgspec.Struct, frozen=True, kw_only=True):
    """One item of a person's history or list."""

    item_id: str
    name: str
    category: str
    like: float
    """The true probability that the person likes it."""


class Portrait(msgspec.Struct, frozen=True, kw_only=True):
    """One person: what the generator knows, what the pipeline saw, and what it recommends."""

    person_id: str
    loves: tuple[str, ...]
    """The categories that the person truly likes best."""
    history: tuple[ListedItemFact, ...]
    """The strongest interactions, strongest first."""
    source: str
    """Where the list comes from: the model, or the popular list."""
    recommended: tuple[ListedItemFact, ...]


class Leaver(msgspec.Struct, frozen=True, kw_only=True):
    """The person whom the pipeline takes for the likeliest not to come back, and what the generator knows of it."""

    person_id: str
    model_version: str
    """Registered version, or `counted`: the rates by recency."""
    days: float
    """Within which nobody is expected."""
    foreseen: float
    """The pipeline's probability that the person stays away for so long."""
    true: float
    """The generator's."""
    reasons: tuple[str, ...]
    """What speaks most for it and against it."""
    true_of_tenth: float
    """The generator's, on average over the tenth that the pipeline takes for the likeliest to stay away."""
    true_of_all: float
    """The same over everybody who was foreseen."""


class Believed(msgspec.Struct, frozen=True):
    """An amount of money a trial: as it is estimated, and as the generator knows it."""

    value: float
    low: float
    high: float
    true: float


class ActionsFact(msgspec.Struct, frozen=True, kw_only=True):
    """The next best action of people whose responses are known; days that were played, not logged."""

    trials: int
    people: int
    serves: bool
    """Whether the policy passed its gate."""
    offered: float
    """Share of trials in which the policy gives a voucher."""
    policy: Believed
    none: Believed
    discount: Believed
    """A voucher for all."""
    over_none: float
    """The lower end of what the policy earns more."""
    over_discount: float
    unmoved_serves: bool
    """The same in a shop in which a voucher moves nobody."""
    unmoved_reason: str


class SentMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message that a trigger sent, as its receiver on loopback got it."""

    trigger: str
    decided: dict[str, int]
    """Occasions by outcome."""
    received: int
    """Webhooks that came, each under a true signature."""
    person_id: str
    subject: str
    text: str


class DemoFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the demo prints, but for times."""

    lake: str
    truth: Truth
    flow: Flow
    business: Business
    figures: DemoFigures
    """As reports and funnels say them."""
    checks: Checks
    contest: AgainstPopular
    tastes: TasteMatch
    portrait: Portrait
    leaver: Leaver | None
    """None where nobody was foreseen: the facts of the step say why."""
    actions: ActionsFact | None
    """None where too few people were foreseen."""
    sent: SentMessage | None
    """None where no cart was left."""
    abuse: AbuseSeen


class AgainstTruth(NamedTuple):
    """A number of the pipeline beside what the generator knows."""

    what: str
    actual: str
    known: str

    @property
    def agrees(self) -> bool:
        return self.actual == self.known


def comparisons(facts: DemoFacts) -> list[AgainstTruth]:
    """Every number that the generator knows for sure."""
    truth, flow, business = facts.truth, facts.flow, facts.business
    counts = [
        ("events that came in", flow.arrived, truth.arrived + truth.items),
        ("→ silver.events, catalogue records among them", flow.counts.silver, truth.good + truth.items),
        *_each("by ", flow.sources, truth.trackers),
        ("    kinds of event, as many of each", _equal(flow.kinds, truth.kinds), len(flow.kinds | truth.kinds)),
        ("→ duplicates: sent again, byte for byte", flow.counts.duplicates, truth.duplicates),
        ("→ silver.quarantine", flow.quarantined, truth.rejected),
        *_each("", flow.reasons, truth.reasons),
        ("→ nowhere (residual)", flow.counts.residual, 0),
        ("→ twice, waiting, or damaged on disk", flow.astray, 0),
        ("silver.items", business.items, truth.items),
        ("silver.identities", business.links, truth.links),
        ("silver.sessions", business.sessions, truth.sessions),
    ]
    money = [
        (f"{what}, {currency}", actual.get(currency, "0.00"), known.get(currency, "0.00"))
        for what, actual, known in (
            ("revenue", business.revenue, truth.revenue),
            ("silver.costs", business.costs, truth.costs),
        )
        for currency in sorted(known.keys() | actual.keys())
    ]
    return [
        *(AgainstTruth(what, f"{actual:,}", f"{known:,}") for what, actual, known in counts),
        *(AgainstTruth(what, f"{Decimal(actual):,}", f"{Decimal(known):,}") for what, actual, known in money),
    ]


def reported(facts: DemoFacts) -> list[AgainstTruth]:
    """The figures of reports, a funnel and an audience that the generator knows."""
    actual, known = facts.figures, facts.truth.figures
    credits = _each("orders credited to ", actual.credited, known.credited)
    return [
        *(AgainstTruth(what.strip(), f"{count:,}", f"{expected:,}") for what, count, expected in credits),
        AgainstTruth(f"visitors active {DAYS_LATER} days after their first", _retained(actual), _retained(known)),
        AgainstTruth(f"visitors by step: {' → '.join(STEPS)}", _steps(actual), _steps(known)),
        AgainstTruth(
            "visitors in the audience `example` after the last day", f"{actual.lookers:,}", f"{known.lookers:,}"
        ),
    ]


def _retained(figures: DemoFigures) -> str:
    return f"{figures.seen_again:,} of {figures.first_seen:,}"


def _steps(figures: DemoFigures) -> str:
    return " → ".join(f"{count:,}" for count in figures.funnel)


def _each(word: str, actual: dict[str, int], known: dict[str, int]) -> list[tuple[str, int, int]]:
    """One line a name that either side has."""
    names = sorted(actual.keys() | known.keys())
    return [(f"    {word}{name}", actual.get(name, 0), known.get(name, 0)) for name in names]


def _equal(actual: dict[str, int], known: dict[str, int]) -> int:
    return sum(actual.get(name) == count for name, count in known.items())


def agrees(facts: DemoFacts) -> bool:
    """The pipeline found everything that the generator knows, and no check stopped it."""
    return all(line.agrees for line in (*comparisons(facts), *reported(facts))) and not facts.checks.stopped
