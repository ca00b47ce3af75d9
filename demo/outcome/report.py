"""The demo's answer, as text for a terminal or a log."""

from collections.abc import Iterator
from decimal import Decimal

from rich import box
from rich.console import Console, Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from dashboard import PORT
from demo.outcome.abuse_seen import AbuseSeen
from demo.outcome.facts import (
    ActionsFact,
    AgainstPopular,
    AgainstTruth,
    Believed,
    DemoFacts,
    Leaver,
    ListedItemFact,
    Portrait,
    SentMessage,
    TasteMatch,
    comparisons,
    reported,
)

WIDTH = 100
_BAR = 40
_METRICS = ("recall", "ndcg", "map", "coverage", "novelty")
"""The columns; a metric's name may carry its k, such as recall@20."""
_TRACKERS = {
    "plain": "in nextclick's own form, POST /v1/events",
    "segment": "from Segment's tracker",
    "snowplow": "from Snowplow's tracker",
}
_NAMES = {
    "popular_all_time": "popularity of all time",
    "popular_last_": "popularity of the last ",
    "popular_fading_": "popularity, half of it gone in ",
    "popular_blend": "popularity of several kinds",
}
"""What a contender's name, or its beginning, means."""


def print_report(console: Console, facts: DemoFacts, command: str = "nextclick") -> None:
    """All sections, one after the other; `command` is how nextclick is called here."""
    for title, body in _sections(facts):
        _print_section(console, title, body)
    _print_section(console, "How to look further", further(facts, command))


def _print_section(console: Console, title: str, body: RenderableType) -> None:
    console.print()
    console.print(Rule(title, align="left", style="bold"))
    console.print(body, soft_wrap=isinstance(body, str), markup=False, highlight=False)


def _sections(facts: DemoFacts) -> Iterator[tuple[str, RenderableType]]:
    """Title and content of each section, in the order of the data's way."""
    yield "What came in", _came_in(facts)
    yield "Where each event went", _went(comparisons(facts))
    yield "What the shop did", _business(facts)
    yield "Checks", _checks(facts)
    yield "The model against popularity, on clicks that were held back", _contest(facts.contest)
    yield "The model against the hidden tastes", _tastes(facts.tastes)
    yield f"One person: {facts.portrait.person_id}", _portrait(facts.portrait)
    yield "Who will not come back", _leaver(facts.leaver) if facts.leaver else Text("nobody was foreseen")
    if facts.actions:
        yield "A voucher, or none", _actions(facts.actions)
    yield "What is sent by itself", _sent(facts.sent) if facts.sent else Text("no cart was left")
    yield "Who is no customer", _abuse(facts.abuse)
    yield "Figures of reports, a funnel and an audience", _went(reported(facts))


def further(facts: DemoFacts, command: str) -> str:
    """Commands to copy, one a line; each works on the lake that the demo left."""
    call = f"{command} --profile demo --lake {facts.lake}"
    sql = "select channel, sum(sessions) as sessions from gold.traffic_daily group by 1 order by 2 desc"
    return "\n".join(
        (
            f"{call} up         # the Dagster and MLflow pages",
            f"{call} status     # tables, reconciliation, champion, export",
            f"{call} recommend {facts.portrait.person_id} -n 10",
            f"{call} anomalies --all   # traffic, fraud and abuse",
            f"{call} report     # the reports that there are; such as",
            f"{call} report campaigns --by campaign,currency",
            f"{call} report releases",
            f"{call} report games",
            f"{call} funnel order --by device",
            f"{call} audience example --size --at 2026-06-15",
            f'{call} sql "{sql}"',
            f"{call} dashboard  # prints the link to all of this at http://127.0.0.1:{PORT}",
        )
    )


def _came_in(facts: DemoFacts) -> RenderableType:
    truth = facts.truth
    table = _table("events", "what", justify=("right", "left"))
    table.add_row(
        f"{truth.good:,}", f"good events, {truth.late:,} of them late by minutes to days, in no order of time"
    )
    for tracker, count in truth.trackers.items():
        table.add_row(f"{count:,}", f"  of them {_TRACKERS[tracker]}")
    table.add_row(f"{truth.duplicates:,}", "sent again, byte for byte, some days later")
    table.add_row(f"{truth.rejected:,}", f"broken: {', '.join(truth.broken)}")
    table.add_row(f"{truth.items:,}", "records of the item catalogue")
    return table


def _went(lines: list[AgainstTruth]) -> RenderableType:
    table = _table("", "pipeline", "generator knows", "", justify=("left", "right", "right", "left"))
    for line in lines:
        table.add_row(line.what, line.actual, line.known, "ok" if line.agrees else Text("DIFFERS", style="bold red"))
    return table


def _business(facts: DemoFacts) -> RenderableType:
    business = facts.business
    sessions = max(1, business.sessions)
    money = ", ".join(f"{Decimal(amount):,} {currency}" for currency, amount in business.revenue.items())
    return Text(
        f"{business.sessions:,} sessions of {business.people:,} people who used an item · "
        f"{business.bounces / sessions:.1%} bounced · {business.conversions / sessions:.1%} bought · revenue {money}"
    )


def _checks(facts: DemoFacts) -> RenderableType:
    checks = facts.checks
    lines = [Text(f"{checks.passed} expectations hold, {len(checks.warned)} warn, {len(checks.stopped)} stop")]
    lines += [Text(f"warns: {name}", style="yellow") for name in checks.warned]
    lines += [Text(f"STOPS: {name}", style="bold red") for name in checks.stopped]
    return Group(*lines)


def _contest(contest: AgainstPopular) -> RenderableType:
    known = {metric for scores in contest.scores.values() for metric in scores}
    metrics = [metric for name in _METRICS for metric in known if metric.partition("@")[0] == name]
    table = _table("", *metrics, justify=("left", *("right" for _ in metrics)))
    for contender, scores in contest.scores.items():
        table.add_row(
            _spoken(contender),
            *(f"{scores[metric]:.4f}" if metric in scores else "–" for metric in metrics),
        )
    champion = f"version {contest.champion}" if contest.champion else "none, popular lists are served"
    verdict = "; ".join(contest.reasons) or "every condition of the gate holds"
    return Group(table, Text(f"champion: {champion} · {verdict}"))


def _spoken(contender: str) -> str:
    begin = next((begin for begin in _NAMES if contender.startswith(begin)), "")
    return _NAMES.get(begin, "") + contender.removeprefix(begin)


def _tastes(tastes: TasteMatch) -> RenderableType:
    table = _table(f"truly liked among {tastes.k} new items", "", "", justify=("left", "right", "left"))
    rows = (
        ("any items", tastes.chance),
        ("the popular ones", tastes.popular),
        ("the model's", tastes.model),
        ("the best possible", tastes.best),
    )
    for name, share in rows:
        table.add_row(name, f"{share:.1%}", "█" * round(_BAR * share))
    span = max(1e-9, tastes.best - tastes.chance)
    reach = f"{(tastes.model - tastes.chance) / span:.0%} of the way from chance to the best possible"
    return Group(table, Text(f"{tastes.people:,} people; the model goes {reach}"))


def _portrait(portrait: Portrait) -> RenderableType:
    return Group(
        Text(f"truly loves {', '.join(portrait.loves)} (which the pipeline cannot know)"),
        _items("used most", portrait.history),
        _items(f"recommended ({portrait.source})", portrait.recommended),
    )


def _abuse(abuse: AbuseSeen) -> RenderableType:
    missed = f"; missed: {', '.join(abuse.missed)}" if abuse.missed else ""
    return Text(
        f"{abuse.seen} of {abuse.planted} abusers among {abuse.visitors:,} visitors are suspected of what they did{missed}; "
        f"{abuse.wrong:,} of the {abuse.suspects:,} suspects did nothing"
    )


def _leaver(leaver: Leaver) -> RenderableType:
    by = "the rates by recency" if leaver.model_version == "counted" else f"version {leaver.model_version} of churn"
    return Group(
        Text(
            f"{leaver.person_id} stays away for {leaver.days:g} days: {leaver.foreseen:.0%} by {by} ({', '.join(leaver.reasons)})"
        ),
        Text(
            f"the generator, by how often it lets this person come: {leaver.true:.0%} (which the pipeline cannot know)"
        ),
        Text(
            f"of the tenth who is likeliest to stay away by the pipeline {leaver.true_of_tenth:.0%} truly do on average, "
            f"of everybody {leaver.true_of_all:.0%}"
        ),
    )


def _actions(fact: ActionsFact) -> RenderableType:
    table = _table(
        "money a visit", "estimate", "95 % interval", "generator knows", justify=("left", "right", "left", "right")
    )
    rows: tuple[tuple[str, Believed], ...] = (
        ("the learned policy", fact.policy),
        ("none", fact.none),
        ("a voucher for all", fact.discount),
    )
    for name, one in rows:
        table.add_row(name, f"{one.value:.2f}", f"{one.low:.2f} to {one.high:.2f}", f"{one.true:.2f}")
    verdict = "is served" if fact.serves else "is not served"
    return Group(
        table,
        Text(
            f"{fact.trials:,} visits of {fact.people:,} people, played here; the policy gives a voucher to {fact.offered:.0%}"
        ),
        Text(
            f"it {verdict}: surely {fact.over_none:+.2f} over none, and {fact.over_discount:+.2f} over a voucher for all"
        ),
        Text(f"where a voucher moves nobody: {fact.unmoved_reason}"),
    )


def _sent(sent: SentMessage) -> RenderableType:
    counts = ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in sorted(sent.decided.items()))
    return Group(
        Text(
            f"carts left as the last day ends: {counts}; {sent.received} webhooks came to a receiver on loopback, signatures true"
        ),
        Text(f"to {sent.person_id}: {sent.subject}"),
        Text(f"  {sent.text}"),
    )


def _items(title: str, items: tuple[ListedItemFact, ...]) -> RenderableType:
    table = _table("", title, "category", "item", "true liking", justify=("right", "left", "left", "left", "right"))
    for rank, item in enumerate(items, 1):
        table.add_row(str(rank), item.name, item.category, item.item_id, f"{item.like:.0%}")
    return table


def _table(*headers: str, justify: tuple[str, ...]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for header, side in zip(headers, justify, strict=True):
        table.add_column(header, justify=side)  # type: ignore[arg-type]
    return table
