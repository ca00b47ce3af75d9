"""Workers of one lake on two machines, killed in turn: nothing is lost, nothing comes twice by key, caps and hold-outs hold."""

import json
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nextclick.settings import Settings
from tests import object_store
from tests.table_rows import seq, write
from tests.trigger_lake import settings_of, trigger
from tests.trigger_processes import receive, started, work_beside
from tests.wait import listens
from triggers.decisions import is_held_out
from triggers.outbox import turn

pytestmark = [pytest.mark.servers, pytest.mark.skipif(bool(object_store.missing()), reason=object_store.missing())]
RULE = trigger(name="often", holdout=0.2, cap={"times": 2, "days": 7})
CARTS, PEOPLE = 3, 30


@pytest.fixture
def store() -> Iterator[object_store.Store]:
    with object_store.running() as store:
        yield store


def _put(settings: Settings, cart: int, began: datetime) -> None:
    """A further cart of everybody, left long ago."""
    at = began - timedelta(hours=3) + timedelta(minutes=cart)
    stamps = {"client_time": at, "occurred_at": at, "received_at": datetime.now(UTC)}
    put = {"event": "add_to_cart", "item_id": f"i{cart}", "site": "default", "channel": "direct", "source": "plain"}
    rows = [{"event_id": f"{n}/{cart}", "visitor_id": f"v{n}", "seq": seq(n, "s", cart)} for n in range(PEOPLE)]
    write(settings.lake, "silver.events", [put | stamps | row for row in rows])


def _until(true: Callable[..., bool], *how: Any) -> None:
    until = time.monotonic() + 60
    while not true(*how):
        assert time.monotonic() < until
        time.sleep(0.05)


def _decided(settings: Settings, *outcomes: str) -> int:
    outbox = turn.looked_at(settings.lake)
    if outbox is None:
        return 0
    counts = outbox.counts().get(RULE.name, {})
    outbox.close()
    return sum(count for outcome, count in counts.items() if not outcomes or outcome in outcomes)


@pytest.mark.timeout(300)
def test_whichever_machine_dies_the_other_one_goes_on(store: object_store.Store, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    lake, url, log = store.lake("shop"), f"http://127.0.0.1:{port}/", tmp_path / "received"
    settings, began = settings_of(lake, url, store.environment(tmp_path / "who looks")), datetime.now(UTC)
    machines = [(work_beside, lake, url, store.environment(tmp_path / name), (RULE,)) for name in ("one", "two")]
    receiver = started(receive, port, log, False)
    _until(lambda: listens(port))
    running = [started(*machines[0])]
    for cart in range(CARTS):
        _put(settings, cart, began)
        _until(lambda before: _decided(settings) > before, cart * PEOPLE)  # whoever has its turn is in the middle of it
        running.append(started(*machines[(cart + 1) % 2]))
        running[cart].kill()
        running[cart].join()
        _until(lambda all_of_them: _decided(settings) == all_of_them, (cart + 1) * PEOPLE)
    _until(lambda: _decided(settings, "waiting") == 0)
    for process in (*running, receiver):
        process.kill()
        process.join()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    by_id = {line["id"]: line for line in lines}
    got = Counter(line["person_id"] for line in by_id.values())
    assert dict(got) == {f"visitor:v{n}": 2 for n in range(PEOPLE) if not is_held_out(RULE, f"visitor:v{n}")}
    occasions = Counter((line["person_id"], line["due_at"]) for line in by_id.values())
    assert set(occasions.values()) == {1}, "an occasion has one id, whichever machine sends it"
    assert _decided(settings, "failed") == 0
