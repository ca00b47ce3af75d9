"""Senders and the receiver of triggers, killed at random: nothing is lost, nothing comes twice by key, caps and hold-outs hold."""

import json
import random
import socket
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nextclick.landing.reader import read_segment, segments
from nextclick.settings import Settings
from tests.table_rows import seq, write
from tests.trigger_lake import settings_of, trigger
from tests.trigger_processes import receive, started, work
from triggers.decisions import is_held_out
from triggers.outbox.outbox import Outbox

TRIGGERS = (
    trigger(name="often", holdout=0.2, cap={"times": 2, "days": 7}),
    trigger(name="once", holdout=0.3),
)
CARTS = 3
"""Of each visitor, one after the other: more than the caps allow."""
_PER_KILL = 4
"""Visitors who come while one process is killed and started again."""


def _put(settings: Settings, visitors: range, cart: int, began: datetime) -> None:
    """A further cart of these visitors, left long ago."""
    at = began - timedelta(hours=3) + timedelta(minutes=cart)
    stamps = {
        "client_time": at,
        "occurred_at": at,
        "received_at": datetime.now(UTC),
        "site": "default",
        "channel": "direct",
        "source": "plain",
    }
    put = {"event": "add_to_cart", "item_id": f"i{cart}", **stamps}
    rows = [
        put | {"event_id": f"{each}/{cart}", "visitor_id": f"v{each}", "seq": seq(each, "s", cart)} for each in visitors
    ]
    write(settings.lake, "silver.events", rows)


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def _state(settings: Settings) -> Counter[tuple[str, str]]:
    with sqlite3.connect(settings.lake.state / "triggers.db", timeout=60) as outbox:
        rows = outbox.execute("SELECT trigger, outcome, count(*) FROM decisions GROUP BY 1, 2").fetchall()
    return Counter({(name, outcome): count for name, outcome, count in rows})


def _await_carts(settings: Settings, decisions: int) -> None:
    """Until so many decisions of each trigger were made: only then may a visitor's next cart come, which hides this one."""
    until = time.monotonic() + 60
    while any(
        sum(count for (of, _), count in _state(settings).items() if of == each.name) < decisions for each in TRIGGERS
    ):
        assert time.monotonic() < until, _state(settings)
        time.sleep(0.05)


def _await_end(settings: Settings, decisions: int) -> None:
    """Until nothing waits and everything is logged."""
    _await_carts(settings, decisions)
    until = time.monotonic() + 60
    with sqlite3.connect(settings.lake.state / "triggers.db", timeout=60) as outbox:
        while outbox.execute("SELECT count(*) FROM decisions WHERE outcome = 'waiting' OR is_logged = 0").fetchone()[0]:
            assert time.monotonic() < until, _state(settings)
            time.sleep(0.05)


@pytest.mark.parametrize(
    "kills", [pytest.param(12, marks=pytest.mark.servers), pytest.param(200, marks=pytest.mark.stress)]
)
@pytest.mark.timeout(1800)
def test_killed_at_random_nothing_is_lost_and_nothing_comes_twice(
    tmp_path: Path, kills: int, record_property: Callable[[str, object], None]
) -> None:
    port, log, drawn = _free_port(), tmp_path / "received", random.Random(kills)
    settings = settings_of(
        tmp_path / "lake",
        f"http://127.0.0.1:{port}/",
        tries=100,
        timeout_seconds=0.6,
        look_seconds=0.05,
        per_person=1000,
    )
    Outbox.of(settings.lake).close()
    began = datetime.now(UTC)
    starts: list[Any] = [(work, settings, TRIGGERS), (work, settings, TRIGGERS), (receive, port, log, True)]
    running = [started(*start) for start in starts]
    killed = Counter[str]()
    for number in range(kills):
        visitors, cart = range(number // CARTS * _PER_KILL, (number // CARTS + 1) * _PER_KILL), number % CARTS
        _put(settings, visitors, cart, began)
        time.sleep(drawn.uniform(0.0, 0.5))
        victim = drawn.randrange(len(running))
        running[victim].kill()
        running[victim].join()
        killed[starts[victim][0].__name__] += 1
        running[victim] = started(*starts[victim])
        _await_carts(settings, (number + 1) * _PER_KILL)
    people = (kills + CARTS - 1) // CARTS * _PER_KILL
    _await_end(settings, kills * _PER_KILL)
    for process in running:
        process.kill()
        process.join()
    _judge(settings, log, people, kills)
    record_property("killed", dict(killed))
    record_property("decisions", {" ".join(key): count for key, count in _state(settings).items()})


def _judge(settings: Settings, log: Path, people: int, kills: int) -> None:
    """Against what each person must have got: of each trigger the first carts up to its cap, or nothing."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    by_id = {line["id"]: line for line in lines}
    for each in TRIGGERS:
        got = Counter(line["person_id"] for line in by_id.values() if line["trigger"] == each.name)
        carts = {f"visitor:v{number}": min(CARTS, kills - number // _PER_KILL * CARTS) for number in range(people)}
        expected = {who: min(each.cap.times, count) for who, count in carts.items() if not is_held_out(each, who)}
        assert dict(got) == expected, each.name
        keys = Counter((line["person_id"], line["due_at"]) for line in by_id.values() if line["trigger"] == each.name)
        assert set(keys.values()) <= {1}  # an occasion has one id
    assert len(lines) > len(by_id) or kills < 50  # else nothing was ever sent again
    logged = Counter[str]()
    for segment in segments(settings.lake.landing):
        logged.update(json.loads(line.payload)["properties"]["outcome"] for line in read_segment(segment.address))
    assert logged["sent"] >= len(by_id)
    distinct = {
        json.loads(line.payload)["event_id"]
        for segment in segments(settings.lake.landing)
        for line in read_segment(segment.address)
    }
    assert len(distinct) == 2 * kills * _PER_KILL
    assert not any(outcome == "failed" for _, outcome in _state(settings))
