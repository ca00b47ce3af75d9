"""The demo's report on facts made by hand."""

import io
from typing import Any

import msgspec
import pytest
from rich.console import Console

from demo.outcome.abuse_seen import AbuseSeen
from demo.outcome.facts import (
    ActionsFact,
    AgainstPopular,
    Believed,
    Business,
    Checks,
    DemoFacts,
    Flow,
    Leaver,
    ListedItemFact,
    Portrait,
    SentMessage,
    TasteMatch,
    agrees,
    comparisons,
)
from demo.outcome.ground_truth import Truth
from demo.outcome.known_figures import DemoFigures
from demo.outcome.report import WIDTH, further, print_report
from nextclick.reconciliation import Reconciliation


@pytest.fixture
def facts() -> DemoFacts:
    return DemoFacts(
        lake="demo-lake",
        truth=Truth(
            seed=7,
            items=10,
            good=100,
            late=3,
            duplicates=4,
            broken={"no visitor": 2, "no kind": 1, "negative price": 1},
            trackers={"plain": 60, "segment": 25, "snowplow": 15},
            kinds={"search": 10, "view_item": 90},
            links=7,
            sessions=20,
            revenue={"EUR": "10.50"},
            costs={"EUR": "3.20"},
            figures=DemoFigures(
                credited={"direct": 1, "email": 2}, first_seen=1_200, seen_again=300, funnel=(90, 40, 3), lookers=5
            ),
        ),
        flow=Flow(
            counts=Reconciliation(accepted=115, silver=110, quarantined=1, duplicates=4, rejected=3),
            reasons={"missing_visitor": 2, "missing_event": 1, "out_of_range": 1},
            sources={"plain": 60, "segment": 25, "snowplow": 15},
            kinds={"search": 10, "view_item": 90},
        ),
        business=Business(
            sessions=20,
            bounces=5,
            conversions=2,
            people=12,
            items=10,
            links=7,
            revenue={"EUR": "10.50"},
            costs={"EUR": "3.20"},
        ),
        figures=DemoFigures(
            credited={"direct": 1, "email": 2}, first_seen=1_200, seen_again=300, funnel=(90, 40, 3), lookers=5
        ),
        checks=Checks(passed=30, warned=("volume",)),
        contest=AgainstPopular(
            champion="1",
            scores={"model": {"ndcg@20": 0.2, "recall@20": 0.31234}, "popular_all_time": {"recall@20": 0.1}},
        ),
        tastes=TasteMatch(k=10, people=12, chance=0.2, popular=0.5, model=0.65, best=0.8),
        portrait=Portrait(
            person_id="u00001",
            loves=("mugs", "lamps"),
            history=(ListedItemFact(item_id="i1", name="Calm Fern mug", category="mugs", like=0.9),),
            source="model",
            recommended=(ListedItemFact(item_id="i2", name="Idle Gull lamp", category="lamps", like=0.7),),
        ),
        leaver=Leaver(
            person_id="u00002",
            model_version="1",
            days=3.0,
            foreseen=0.81,
            true=0.77,
            reasons=("sessions", "recency"),
            true_of_tenth=0.7,
            true_of_all=0.3,
        ),
        actions=ActionsFact(
            trials=6_000,
            people=500,
            serves=True,
            offered=0.4,
            policy=Believed(3.9, 3.7, 4.1, 3.95),
            none=Believed(2.5, 2.3, 2.7, 2.45),
            discount=Believed(3.4, 3.2, 3.6, 3.42),
            over_none=1.1,
            over_discount=0.2,
            unmoved_serves=False,
            unmoved_reason="no action is likely to be better than none in any segment",
        ),
        sent=SentMessage(
            trigger="cart_left",
            decided={"sent": 3, "held_out": 1},
            received=3,
            person_id="u00003",
            subject="Calm Fern mug still lies in your cart",
            text="In your cart: Calm Fern mug. You may also like: Idle Gull lamp.",
        ),
        abuse=AbuseSeen(planted=7, seen=6, missed=("cart_bomb",), suspects=8, wrong=2, visitors=600),
    )


def printed(facts: DemoFacts) -> str:
    stream = io.StringIO()
    print_report(Console(file=stream, width=WIDTH), facts)
    return stream.getvalue()


def test_report_names_what_a_newcomer_wants_to_know(facts: DemoFacts) -> None:
    text = printed(facts)
    for phrase in (
        "100   good events, 3 of them late by minutes to days",
        "25     of them from Segment's tracker",
        "15     of them from Snowplow's tracker",
        "silver.quarantine",
        "missing_visitor",
        "20 sessions of 12 people",
        "25.0% bounced",
        "30 expectations hold, 1 warn, 0 stop",
        "popularity of all time",
        "champion: version 1 · every condition of the gate holds",
        "0.3123",
        "75% of the way from chance to the best possible",
        "truly loves mugs, lamps",
        "recommended (model)",
        "Idle Gull lamp",
        "u00002 stays away for 3 days: 81% by version 1 of churn (sessions, recency)",
        "the generator, by how often it lets this person come: 77%",
        "70% truly do on average, of everybody 30%",
        "the policy gives a voucher to 40%",
        "it is served: surely +1.10 over none, and +0.20 over a voucher for all",
        "where a voucher moves nobody: no action is likely to be better than none in any segment",
        "1 held out, 3 sent; 3 webhooks came",
        "to u00003: Calm Fern mug still lies in your cart",
        "6 of 7 abusers among 600 visitors are suspected of what they did; missed: cart_bomb",
        "2 of the 8",
        "nextclick --profile demo --lake demo-lake up",
        "nextclick --profile demo --lake demo-lake funnel order",
        "orders credited to email",
        "300 of 1,200",
        "90 → 40 → 3",
    ):
        assert phrase in text


def test_report_fits_a_plain_terminal_except_for_commands_to_copy(facts: DemoFacts) -> None:
    commands = further(facts, "nextclick").splitlines()
    lines = [line for line in printed(facts).splitlines() if line not in commands]
    assert max(map(len, lines)) <= WIDTH
    assert "\x1b" not in printed(facts)


def test_metrics_stand_in_their_usual_order(facts: DemoFacts) -> None:
    assert printed(facts).index("recall@20") < printed(facts).index("ndcg@20")


def test_equal_numbers_agree(facts: DemoFacts) -> None:
    assert agrees(facts)
    assert "DIFFERS" not in printed(facts)


@pytest.mark.parametrize(
    "counter", ["silver", "quarantined", "duplicates", "residual", "double_counted", "waiting", "missing"]
)
def test_a_number_that_differs_is_shown_and_fails(facts: DemoFacts, counter: str) -> None:
    counts = msgspec.structs.replace(facts.flow.counts, **{counter: getattr(facts.flow.counts, counter) + 1})
    wrong = msgspec.structs.replace(facts, flow=msgspec.structs.replace(facts.flow, counts=counts))
    assert not agrees(wrong)
    assert "DIFFERS" in printed(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"credited": {"direct": 2, "email": 1}},
        {"credited": {"email": 2}},
        {"seen_again": 299},
        {"funnel": (90, 40, 4)},
        {"lookers": 6},
    ],
)
def test_a_figure_of_a_report_that_differs_is_shown_and_fails(facts: DemoFacts, wrong: dict[str, Any]) -> None:
    other = msgspec.structs.replace(facts, figures=msgspec.structs.replace(facts.figures, **wrong))
    assert not agrees(other)
    assert "DIFFERS" in printed(other)


def test_a_check_that_stops_fails_the_demo(facts: DemoFacts) -> None:
    assert not agrees(msgspec.structs.replace(facts, checks=Checks(passed=1, stopped=("residual",))))


def test_equal_sums_of_other_reasons_do_not_agree(facts: DemoFacts) -> None:
    flow = msgspec.structs.replace(facts.flow, reasons={"missing_visitor": 3, "out_of_range": 1})
    assert not agrees(msgspec.structs.replace(facts, flow=flow))


@pytest.mark.parametrize(
    "counts",
    [{"sources": {"plain": 85, "snowplow": 15}}, {"kinds": {"search": 11, "view_item": 89}}, {"kinds": {}}],
)
def test_equal_sums_of_other_trackers_or_kinds_do_not_agree(
    facts: DemoFacts, counts: dict[str, dict[str, int]]
) -> None:
    assert not agrees(msgspec.structs.replace(facts, flow=msgspec.structs.replace(facts.flow, **counts)))


def test_every_reason_of_either_side_is_compared(facts: DemoFacts) -> None:
    flow = msgspec.structs.replace(facts.flow, reasons={"missing_visitor": 2, "missing_event": 1, "damaged_line": 1})
    lines = {line.what.strip(): line for line in comparisons(msgspec.structs.replace(facts, flow=flow))}
    assert (lines["out_of_range"].actual, lines["out_of_range"].known) == ("0", "1")
    assert (lines["damaged_line"].actual, lines["damaged_line"].known) == ("1", "0")


def test_without_a_champion_the_reason_is_shown(facts: DemoFacts) -> None:
    text = printed(
        msgspec.structs.replace(facts, contest=AgainstPopular(champion=None, reasons=("coverage 0.001",), scores={}))
    )
    assert "champion: none, popular lists are served · coverage 0.001" in text


def test_facts_become_json_and_come_back(facts: DemoFacts) -> None:
    assert msgspec.json.decode(msgspec.json.encode(facts), type=DemoFacts) == facts
