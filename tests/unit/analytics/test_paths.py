"""Paths against a walk through each visit by hand: every visit is somewhere at every step."""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import groupby, pairwise
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner

from analytics.journeys.days import Days
from analytics.paths import Direction, PathsQuestion, Places, VisitPaths, answer
from cli.main import cli
from nextclick.errors import UsageError
from nextclick.settings import Settings
from tests.table_rows import NOON, write
from tests.unit.analytics.conftest import WriteEvents

Visit = Sequence[tuple[str, str | None]]
"""Kind and page of each event, a minute apart."""
HOST = "https://shop.example"


def put(settings: Settings, events: WriteEvents, visits: Sequence[Visit], agents: Sequence[str] = ()) -> None:
    """Each visit is a visitor's, and begins a day after the one before."""
    starts = [n * 1440 for n in range(len(visits))]
    rows: list[tuple[str, float, str, dict[str, Any]]] = [
        (f"v{n}", starts[n] + minute, kind, {"page_url": page and HOST + page, "event_id": f"{n}-{minute:02}"})
        for n, visit in enumerate(visits)
        for minute, (kind, page) in enumerate(visit)
    ]
    events(rows)
    write(
        settings.lake,
        "silver.sessions",
        [
            {"session_id": f"s{n}", "site": "shop", "visitor_id": f"v{n}", "user_agent": agents[n] if agents else None}
            | {"started_at": NOON + timedelta(minutes=start), "ended_at": NOON + timedelta(minutes=start + len(visits[n]) - 1)}
            for n, start in enumerate(starts)
        ],
    )  # fmt: skip


def paths(settings: Settings, **options: Any) -> VisitPaths:
    return answer(settings, PathsQuestion(**options))


def test_a_visit_that_a_reader_walks_by_eye(settings: Settings, events: WriteEvents) -> None:
    put(
        settings,
        events,
        [
            [("page_view", "/"), ("scroll", "/"), ("page_view", "/a?x=1"), ("page_view", "/a#top"), ("purchase", None),
             ("page_view", "/b")],
            [("page_view", "/"), ("page_view", "/b")],
            [("impression", None)],
        ],
    )  # fmt: skip
    walked = paths(settings, steps=3)
    assert (walked.visits, walked.anchor) == (3, "(start)")
    assert [[(place.place.removeprefix(HOST), place.visits) for place in step] for step in walked.steps] == [
        [("/", 2), ("(end)", 1)],
        [("(end)", 1), ("/a", 1), ("/b", 1)],
        [("(end)", 2), ("/b", 1)],
    ]
    after = paths(settings, anchor="purchase", steps=2)
    assert [(link.step, link.source, link.target.removeprefix(HOST), link.visits) for link in after.links] == [
        (1, "purchase", "/b", 1), (2, "https://shop.example/b", "(end)", 1)]  # fmt: skip
    before = paths(settings, anchor="/b", direction="before", of="events", steps=2)
    assert [[(place.place, place.visits) for place in step] for step in before.steps] == [
        [("(start)", 1), ("purchase", 1)],
        [("(start)", 1), ("page_view", 1)],
    ]


def walk(visit: Visit, anchor: str | None, direction: Direction, of: Places, steps: int) -> list[str] | None:
    """The visit's places step by step from the anchor on; None where it does not come to that."""
    rows = [*visit] if direction == "after" else [*reversed(visit)]
    at = -1
    if anchor is not None:
        hits = [n for n, (kind, page) in enumerate(rows) if anchor in (kind, page)]
        if not hits:
            return None
        at = hits[0] if direction == "after" else hits[-1]
    first = rows[at][of == "pages"] if at >= 0 else None
    ahead = [row[of == "pages"] for row in rows[at + 1 :]]
    places = [
        HOST + place if of == "pages" else place for place, _ in groupby(place for place in [first, *ahead] if place)
    ]
    return (places[1:] if first else places)[:steps]


def links_of(walks: Iterable[list[str]], anchor: str, end: str, steps: int, top: int) -> Counter[tuple[int, str, str]]:
    walks = [*walks]
    named = []
    for step in range(steps):
        counts = Counter(walk[step] for walk in walks if len(walk) > step)
        named.append({place for place, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:top]})
    labels = [
        [anchor, *(place if place in named[n] else "(other)" for n, place in enumerate(walk)), end] for walk in walks
    ]
    return Counter((n + 1, *pair) for label in labels for n, pair in enumerate(pairwise(label)) if n < steps)


@pytest.mark.parametrize("seed", range(2))
def test_random_visits_go_where_a_walk_goes(settings: Settings, events: WriteEvents, seed: int) -> None:
    draw = Random(seed)
    kinds = ["page_view"] * 3 + ["search", "purchase", "impression"]
    visits = [
        [(kind, draw.choice([None, "/a", "/b", "/c", "/d"])) for kind in draw.choices(kinds, k=draw.randrange(1, 9))]
        for _ in range(80)
    ]
    visits = [[(kind, None if kind == "impression" else page) for kind, page in visit] for visit in visits]
    put(settings, events, visits)
    visits = [[("" if kind == "impression" else kind, page) for kind, page in visit] for visit in visits]
    for anchor, direction, of in (
        (None, "after", "pages"), (None, "before", "events"), ("/a", "after", "pages"), ("/b", "before", "events"),
        ("search", "after", "pages"), ("purchase", "before", "events"),
    ):  # fmt: skip
        walked = paths(settings, anchor=anchor, direction=direction, of=of, steps=4, top=2)
        start, end = ("(start)", "(end)") if direction == "after" else ("(end)", "(start)")
        walks = [way for visit in visits if (way := walk(visit, anchor, direction, of, 4)) is not None]  # type: ignore[arg-type]
        assert {(link.step, link.source, link.target): link.visits for link in walked.links} == links_of(
            walks, anchor or start, end, 4, 2
        )
        assert [sum(place.visits for place in step) for step in walked.steps] == [walked.visits] * 4 == [len(walks)] * 4


def test_visits_count_by_the_day_of_their_start_and_bots_never(settings: Settings, events: WriteEvents) -> None:
    put(settings, events, [[("page_view", f"/{n}")] for n in range(3)], agents=["x", "bot", "x"])
    write(settings.lake, "silver.user_agents", [{"user_agent": "bot", "is_bot": True}])
    assert paths(settings).visits == 2
    assert paths(settings, days=Days(date(2026, 1, 2), date(2026, 1, 2))).visits == 0
    assert [place.place for place in paths(settings, days=Days(date(2026, 1, 3))).steps[0]] == [f"{HOST}/2"]
    assert paths(settings, days=Days(site="other")).visits == 0


def call(settings: Settings, *words: str) -> Any:
    return CliRunner().invoke(cli, ["--lake", str(settings.lake.root), "paths", *words])


def test_the_verb_shows_a_table_json_or_csv(settings: Settings, events: WriteEvents) -> None:
    assert "0 visits" in call(settings).stdout
    put(settings, events, [[("page_view", "/a"), ("page_view", "/b")]])
    assert "1 visits, pages after (start)" in call(settings, "--steps", "1").stdout
    assert json.loads(call(settings, "--after", "/a", "--steps", "1", "--json").stdout)["steps"] == [
        [{"place": f"{HOST}/b", "visits": 1}]
    ]
    lines = [*csv.DictReader(call(settings, "--before", "/b", "--steps", "1", "--csv").stdout.splitlines())]
    assert lines == [{"step": "1", "source": "/b", "target": f"{HOST}/a", "visits": "1"}]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--after", "/a", "--before", "/b"], "--after and --before are two ends of one path: choose one"),
        (["--csv", "--json"], "choose one"),
        (["--after", "view_item["], "is no event"),
    ],
)
def test_a_wrong_call_says_what_to_do(settings: Settings, words: list[str], why: str) -> None:
    error = call(settings, *words).exception
    assert isinstance(error, UsageError)
    assert why in str(error)
