"""gold.attribution_daily and gold.attribution_fitted against rules written out plainly, in fractions, conversion by conversion."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any, NamedTuple

import msgspec
import pytest

from analytics.answers import Reports
from analytics.attribution import step
from analytics.catalog import report as named
from nextclick.lake import delta
from nextclick.lake.memory import TableMemory
from nextclick.settings import Settings
from tests.table_rows import NOON, write
from tests.unit.nextclick.definitions.test_attribution import removal_effects

Credits = Mapping[tuple[Any, ...], tuple[Decimal, Decimal]]
"""date, site, goal, rule, channel, source, medium, campaign, currency → conversions, revenue."""
CHANNELS = ("direct", "email", "organic_search", "internal")


class Touch(NamedTuple):
    channel: str
    days: float
    campaign: str = "(none)"


def conversion(
    id: str, day: int, path: Iterable[Touch], revenue: Mapping[str, str], goal: str = "purchase", site: str = "s"
) -> dict[str, Any]:
    """Of a day since NOON's; `days` of a touch are before it."""
    at = NOON + timedelta(days=day)
    touches = [
        {"at": at - timedelta(days=each.days), "channel": each.channel, "source": f"from {each.channel}", "medium": "(none)"}
        | {"campaign": each.campaign, "session_id": f"{id} {n}"}
        for n, each in enumerate(path)
    ]  # fmt: skip
    return {
        "date": at.date(), "site": site, "conversion_id": id, "goal": goal, "at": at, "visitor_id": f"of {id}", "session_id": id,
        "revenue": {currency: Decimal(amount) for currency, amount in revenue.items()}, "path": touches, "path_n": len(touches),
    }  # fmt: skip


def visit(visitor: str, day: int, channel: str, site: str = "s") -> dict[str, Any]:
    at = NOON + timedelta(days=day)
    return {
        "date": at.date(),
        "site": site,
        "session_id": f"{visitor} {day}",
        "visitor_id": visitor,
        "channel": channel,
        "started_at": at,
    }


def put(
    settings: Settings, conversions: Iterable[dict[str, Any]], visits: Iterable[dict[str, Any]] = (), **options: Any
) -> None:
    write(settings.lake, "gold.conversions", conversions, **options)
    if not delta.exists(settings.lake, "gold.visits") or visits:
        write(settings.lake, "gold.visits", visits)


def credits(settings: Settings, table: str = "gold.attribution_daily") -> Credits:
    names = ("date", "site", "goal", "rule", "channel", "source", "medium", "campaign", "currency")
    rows = delta.require(settings.lake, table).to_pyarrow_table().to_pylist()
    kept = {tuple(row[name] for name in names): (row["conversions"], row["revenue"]) for row in rows}
    assert len(kept) == len(rows)
    return kept


# The oracle: shares of each touch as fractions, and a largest remainder of its own.


def position(n: int) -> list[Fraction]:
    if n < 3:
        return [Fraction(1, n)] * n
    return [Fraction(2, 5), *[Fraction(1, 5) / (n - 2)] * (n - 2), Fraction(2, 5)]


def named_last(path: list[Touch]) -> list[int]:
    last = max((n for n, touch in enumerate(path) if touch.channel != "direct"), default=len(path) - 1)
    return [int(n == last) for n in range(len(path))]


RULES: Mapping[str, Callable[[list[Touch]], list[Any]]] = {
    "first": lambda path: [int(n == 0) for n in range(len(path))],
    "last": lambda path: [int(n == len(path) - 1) for n in range(len(path))],
    "last_non_direct": named_last,
    "linear": lambda path: [Fraction(1, len(path))] * len(path),
    "position": lambda path: position(len(path)),
    "decay": lambda path: [round(2**24 * 2 ** ((path[-1].days - touch.days) / 7)) for touch in path],
}


def shapley(path: list[Touch]) -> list[Fraction]:
    counts = Counter(touch.channel for touch in path)
    return [Fraction(1, len(counts) * counts[touch.channel]) for touch in path]


def plain(conversions: Iterable[dict[str, Any]], rules: Mapping[str, Callable[[list[Touch]], list[Any]]]) -> Credits:
    sums: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0])
    for row in conversions:
        outside = [touch for touch in row["path"] if touch["channel"] != "internal"] or row["path"]
        path = [
            Touch(touch["channel"], (row["at"] - touch["at"]) / timedelta(days=1), touch["campaign"])
            for touch in outside
        ]
        paid = {currency: int(amount * 10_000) for currency, amount in row["revenue"].items()}
        lines = [(currency, 10_000, units) for currency, units in paid.items()]
        if len(paid) != 1:
            lines = [("", 10_000, 0), *((currency, 0, units) for currency, units in paid.items())]
        for rule, share in rules.items():
            weight = share(path)
            for currency, *amounts in lines:
                for place, amount in enumerate(amounts):
                    for touch, (part, each) in zip(
                        outside, zip(largest(amount, weight), weight, strict=True), strict=True
                    ):
                        key = (
                            row["date"],
                            row["site"],
                            row["goal"],
                            rule,
                            touch["channel"],
                            touch["source"],
                            touch["medium"],
                            touch["campaign"],
                            currency,
                        )
                        if each:
                            sums[key][place] += part
    return {
        key: (Decimal(conversions) / 10_000, Decimal(revenue) / 10_000) for key, (conversions, revenue) in sums.items()
    }


def largest(units: int, weight: list[Any]) -> list[int]:
    shares = [Fraction(abs(units)) * each / sum(weight) for each in weight]
    parts = [math.floor(share) for share in shares]
    order = sorted(range(len(parts)), key=lambda n: (shares[n] - parts[n], n), reverse=True)
    for n in order[: abs(units) - sum(parts)]:
        parts[n] += 1
    return [-part if units < 0 else part for part in parts]


def random_conversions(seed: int, n: int = 60) -> list[dict[str, Any]]:
    draw = Random(seed)
    return [
        conversion(
            f"c{number}",
            draw.randrange(4),
            [
                Touch(draw.choice(CHANNELS), days, draw.choice(["spring", "(none)"]))
                for days in sorted(
                    (draw.choice([0, 1.5, 7, 14, 29.99]) for _ in range(draw.choice([1, 1, 2, 3, 7]))), reverse=True
                )
            ],
            draw.choice(
                [{}, {"EUR": "19.99"}, {"EUR": "-7"}, {"EUR": "0.0001", "USD": "100000000000000000"}, {"": "1"}]
            ),
            draw.choice(["purchase", "sign_up"]),
            draw.choice("st"),
        )
        for number in range(n)
    ]


def test_a_conversion_that_a_reader_shares_out_by_eye(settings: Settings) -> None:
    path = [Touch("email", 14, "spring"), Touch("internal", 9), Touch("direct", 7), Touch("direct", 0)]
    put(settings, [conversion("c", 0, path, {"EUR": "10"})])
    assert step.run(settings).written == 9
    seen: dict[str, dict[tuple[str, str], tuple[str, str]]] = defaultdict(dict)
    for (_, _, _, rule, channel, source, _, campaign, currency), (conversions, revenue) in credits(settings).items():
        assert (source, currency) == (f"from {channel}", "EUR")
        seen[rule][channel, campaign] = (str(conversions), str(revenue))
    email, direct = ("email", "spring"), ("direct", "(none)")
    assert seen == {
        "first": {email: ("1.0000", "10.0000")},
        "last": {direct: ("1.0000", "10.0000")},
        "last_non_direct": {email: ("1.0000", "10.0000")},
        "linear": {email: ("0.3333", "3.3333"), direct: ("0.6667", "6.6667")},
        "position": {email: ("0.4000", "4.0000"), direct: ("0.6000", "6.0000")},
        "decay": {email: ("0.1429", "1.4286"), direct: ("0.8571", "8.5714")},
    }


@pytest.mark.parametrize("seed", range(2))
def test_random_conversions_are_shared_out_as_a_plain_reading_does(settings: Settings, seed: int) -> None:
    """Several currencies, refunds, goals that earn nothing, sums beyond 64 bits, `internal` touches."""
    conversions = random_conversions(seed)
    put(settings, conversions)
    step.run(settings)
    assert credits(settings) == plain(conversions, RULES)
    sums: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for (day, site, goal, rule, *_, currency), (_, revenue) in credits(settings).items():
        sums[rule, day, site, goal, currency] += revenue
    earned: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for row in conversions:
        for currency, amount in row["revenue"].items():
            for rule in RULES:
                earned[rule, row["date"], row["site"], row["goal"], currency] += amount
    assert {key: each for key, each in sums.items() if each} == {key: each for key, each in earned.items() if each}


def test_days_that_changed_are_made_anew_and_equal_all_made_at_once(settings: Settings) -> None:
    """A late conversion on a day that was there, one on a new day, one that went away with its day, and another half-life."""
    rows = random_conversions(5)
    put(settings, rows)
    step.run(settings)
    version = delta.require(settings.lake, "gold.attribution_daily").version()
    assert step.run(settings).written == 0
    assert delta.require(settings.lake, "gold.attribution_daily").version() == version

    late = [conversion("late", 1, [Touch("email", 3)], {"EUR": "5"}), conversion("new", 9, [Touch("direct", 0)], {})]
    put(settings, late)
    step.run(settings)
    gone = NOON.date() + timedelta(days=2)
    kept = [row for row in (*rows, *late) if row["date"] != gone]
    put(settings, [], mode="overwrite", predicate=f"date = '{gone}'")
    step.run(settings)
    assert credits(settings) == plain(kept, RULES)

    slower = msgspec.structs.replace(settings, analytics=msgspec.structs.replace(settings.analytics, decay_days=14.0))
    decay = {"decay": lambda path: [round(2**24 * 2 ** ((path[-1].days - touch.days) / 14)) for touch in path]}
    step.run(slower)
    assert credits(settings) == plain(kept, {**RULES, **decay})
    assert {key[0] for key in credits(settings)} == {row["date"] for row in kept}


def test_fitted_rules_are_fitted_to_the_last_ninety_days(settings: Settings) -> None:
    """320 purchases of two channels within the days, older ones before them, and people who only came."""
    draw = Random(3)
    paths = [
        [Touch(draw.choice(["email", "direct", "social"]), days) for days in (2, 1, 0)[draw.randrange(3) :]]
        for _ in range(320)
    ]
    rows = [conversion(f"c{n}", 100 + n % 90, path, {"EUR": "9.99"}) for n, path in enumerate(paths)]
    old = [conversion("old", 99, [Touch("affiliate", 0)], {"EUR": "1"})]
    few = [conversion("few", 100, [Touch("email", 0)], {}, "sign_up")]
    visits = [
        visit(f"v{n}", 150, draw.choice(["email", "social"]) if n > 1 else ("email", "social")[n]) for n in range(50)
    ]
    visits += [
        *(visit("v0", day, channel) for day, channel in ((151, "internal"), (152, "social"))),
        *(visit("v1", day, channel) for day, channel in ((151, "internal"), (152, "direct"))),
        visit("of c1", 150, "email"),
        visit("before", 99, "social"),
        visit("other", 150, "email", "t"),
    ]
    put(settings, [*rows, *old, *few], visits)
    report = step.run(settings)
    assert report.details == {"s sign_up": "not fitted: 1 conversions: fewer than 300"}
    reports = Reports(TableMemory(settings.lake), settings.analytics)
    [note] = reports.answer(reports.question(named("attribution"))).notes
    assert note == "markov and shapley say nothing of sign_up on s: 1 conversions: fewer than 300."

    converted = Counter(tuple(touch.channel for touch in path) for path in paths)
    others: Counter[tuple[str, ...]] = Counter((row["channel"],) for row in visits[2:50])
    others.update((row["channel"], then) for row, then in zip(visits, ("social", "direct"), strict=False))
    effects = removal_effects(converted, others)

    def markov(path: list[Touch]) -> list[Any]:
        counts = Counter(touch.channel for touch in path)
        whole = math.lcm(*counts.values())
        return [round(2**24 * effects[touch.channel]) * whole // counts[touch.channel] for touch in path]

    assert credits(settings, "gold.attribution_fitted") == plain(rows, {"markov": markov, "shapley": shapley})
    [days] = (
        {
            row["fitted_to"]
            for row in delta.require(settings.lake, "gold.attribution_fitted").to_pyarrow_table().to_pylist()
        },
    )
    assert days == {date(2026, 1, 1) + timedelta(days=189)}


def test_a_lake_without_conversions_has_no_credits(settings: Settings) -> None:
    put(settings, [])
    assert step.run(settings).written == 0
    assert not credits(settings)
    assert not credits(settings, "gold.attribution_fitted")
