"""Live profiles follow what is durable, and after whatever went wrong they are what the landing log makes."""

import random
import signal
import threading
import time
import urllib.error
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collector.http.metrics import LiveMetrics
from collector.live.landing_follower import LandingFollower
from collector.sinks import RequestBatch
from nextclick.contracts.events import Event, encode
from nextclick.errors import ModelError
from nextclick.kv import open_profiles
from nextclick.kv.backends import BACKENDS
from nextclick.kv.profiles.protocol import NONE_MERGED, Profiles
from nextclick.landing.reader import read_segment, segments
from nextclick.landing.writer import SegmentWriter, recover
from nextclick.profile import profile
from nextclick.profile.live_arrivals import Arrivals
from nextclick.profile.profile import EMPTY, Action, Profile
from nextclick.settings import Settings, load
from tests.api_process import answering
from tests.collector_process import Collector, collecting
from tests.integration.test_serving import furnished
from tests.wait import now, wait_until

SOON = 30.0
QUICK: dict[str, Any] = {"NEXTCLICK_LIVE__CATCH_UP_SECONDS": "0.2"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load(tmp_path / "lake", environ=QUICK | {"NEXTCLICK_LIVE__QUEUE_EVENTS": "10"})
    settings.lake.prepare()
    return settings


def view(number: int, visitor: str = "v1", **fields: Any) -> bytes:
    return encode(
        Event(event="view_item", event_id=f"e{number}", client_time=now() - 1000 + number, visitor_id=visitor, **fields)
    )


def batch(*payloads: bytes) -> RequestBatch:
    return RequestBatch("plain", now(), payloads, (), ())


class Faulty:
    """A store that waits, or fails, as long as it is told to."""

    def __init__(self, store: Profiles) -> None:
        self._store = store
        self.gate = threading.Event()
        self.gate.set()
        self.is_down = False
        self.merges = 0

    def merge(
        self,
        updates: Mapping[bytes, Sequence[Action]],
        segments: Sequence[str] = (),
        offsets: Mapping[str, int] = NONE_MERGED,
    ) -> dict[bytes, Profile]:
        self.merges += 1
        assert self.gate.wait(SOON)
        if self.is_down:
            raise ModelError("The store is down.")
        return self._store.merge(updates, segments, offsets)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@pytest.fixture
def store(settings: Settings) -> Faulty:
    return Faulty(open_profiles(settings))


@contextmanager
def living(settings: Settings, store: Faulty) -> Iterator[LandingFollower]:
    live = LandingFollower(settings, store, LiveMetrics({"registry": None, "namespace": "nextclick"}))
    live.start()
    try:
        yield live
    finally:
        store.gate.set()
        live.close()


def ids(store: Profiles, visitor: str = "v1") -> set[int]:
    return {action.id for action in store.get_many([profile.visitor_key("default", visitor)])[0].actions}


def land(settings: Settings, *payloads: bytes) -> str:
    """Publish a segment as an import, or another process, does; its name."""
    names: list[str] = []
    with SegmentWriter(settings.lake.landing, settings.landing, names.append) as writer:
        writer.extend(payloads, "plain", now())
    return names[0]


def from_log(settings: Settings) -> dict[bytes, Profile]:
    """All profiles as the landing log makes them."""
    arrivals, by_key = Arrivals(settings), dict[bytes, list[Action]]()
    for segment in segments(settings.lake.landing):
        for line in read_segment(segment.path):
            assert line.received_at is not None
            if arrival := arrivals.read(line.payload, line.received_at):
                for key in arrival.keys:
                    by_key.setdefault(key, []).append(arrival.action)
    return {key: profile.merge(EMPTY, actions) for key, actions in by_key.items()}


def is_caught_up(settings: Settings) -> bool:
    expected = from_log(settings)
    return open_profiles(settings).get_many(list(expected)) == list(expected.values())


def test_what_is_durable_is_in_the_profile_and_its_segment_is_not_read_again(settings: Settings, store: Faulty) -> None:
    one = view(1, user_id="u1")
    with living(settings, store) as live:
        live.durable([batch(one)])
        wait_until(lambda: len(ids(store)) == 1)
        name = land(settings, one)
        live.durable((), [name])
        wait_until(lambda: name in store.merged_segments()[1])
    person = store.get_many([profile.person_key("default", "u1")])
    assert person == store.get_many([profile.visitor_key("default", "v1")])


@pytest.mark.parametrize("full", [{}, {"queue_events": 1000, "queue_bytes": 2000}], ids=["events", "bytes"])
def test_a_full_queue_takes_nothing_waits_for_nothing_and_the_log_has_it(
    settings: Settings, store: Faulty, full: dict[str, int]
) -> None:
    settings = msgspec.structs.replace(settings, live=msgspec.structs.replace(settings.live, **full))
    payloads = [view(number) for number in range(40)]
    with living(settings, store) as live:
        store.gate.clear()
        live.durable([batch(payloads[0])])
        wait_until(lambda: store.merges > 0)  # the thread is in the store, and stays there
        for payload in payloads[1:]:
            live.durable([batch(payload)])
        live.durable((), [land(settings, *payloads)])
        assert live._waiting <= min(settings.live.queue_events, 39)
        assert live._waiting_bytes <= settings.live.queue_bytes
        store.gate.set()
        wait_until(lambda: len(ids(store)) == 40)
    assert is_caught_up(settings)


def test_while_the_store_is_down_nothing_is_marked_and_afterwards_the_log_is_merged(
    settings: Settings, store: Faulty
) -> None:
    first, second = view(1), view(2)
    with living(settings, store) as live:
        store.is_down = True
        live.durable([batch(first)])
        wait_until(lambda: store.merges > 0)
        time.sleep(0.05)
        store.is_down = False
        live.durable([batch(second)], [land(settings, first)])
        wait_until(lambda: len(ids(store)) == 2)


def test_what_may_be_durable_though_its_write_failed_is_taken_from_the_log(settings: Settings, store: Faulty) -> None:
    often = msgspec.structs.replace(settings.live, catch_up_seconds=0.2)  # the first look may come before the segment
    first, second = view(1), view(2)  # once: the same view a millisecond later is another event
    with living(msgspec.structs.replace(settings, live=often), store) as live:
        live.durable([batch(first)])
        live.durable(None)  # the fsync after it failed: event 2 may or may not be there
        name = land(settings, first, second)
        live.durable((), [name])
        wait_until(lambda: len(ids(store)) == 2)


def test_segments_of_killed_workers_and_of_imports_are_merged_too(settings: Settings, store: Faulty) -> None:
    before = land(settings, view(1), b"no json", view(2))
    with living(settings, store):
        wait_until(lambda: len(ids(store)) == 2)
        meanwhile = land(settings, view(3))
        wait_until(lambda: len(ids(store)) == 3)
        wait_until(lambda: {before, meanwhile} <= store.merged_segments()[1])


def test_a_store_that_lost_everything_is_made_anew_from_the_log(settings: Settings, store: Faulty) -> None:
    names = [land(settings, view(number), view(number, visitor="v2")) for number in range(5)]
    old_time = time.time() - 3600
    for position, name in enumerate(names):  # as if they were an hour old, and settled
        (settings.lake.landing / name).rename(
            settings.lake.landing
            / f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(old_time))}00000{position}-0000000{position}-2.log"
        )
    with living(settings, store):
        wait_until(lambda: is_caught_up(settings) and bool(store.merged_segments()[0]))
        assert not store.merged_segments()[1]


def test_events_older_than_the_kept_days_are_not_merged(settings: Settings, store: Faulty) -> None:
    old = encode(Event(event="view_item", event_id="old", client_time=now() - 31 * 86_400_000, visitor_id="v1"))
    with living(settings, store) as live:
        live.durable([batch(old, view(1))])
        wait_until(lambda: len(ids(store)) == 1)


class Load:
    """Clients that post views of a few visitors, each its own events; some events twice."""

    def __init__(self, collector: Collector, name: str, clients: int = 3) -> None:
        self.acknowledged = 0
        self._collector = collector
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._post, args=(f"{name}-{number}",), daemon=True) for number in range(clients)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(SOON)

    def _post(self, name: str) -> None:
        draw, number = random.Random(name), 0
        while not self._stopped.is_set():
            number += draw.choice((0, 1, 1))
            events = [
                {"event": "view_item", "event_id": f"{name}-{number}-{part}", "visitor_id": f"v{draw.randrange(6)}",
                 "user_id": draw.choice((None, "u1")), "item_id": f"i{number}", "timestamp": now() - draw.randrange(10_000)}
                for part in range(4)
            ]  # fmt: skip
            try:
                self.acknowledged += self._collector.post("/v1/events", events).status == 200
            except (OSError, urllib.error.URLError):
                return


def killed_under_load(lake: Path, times: int, seed: int) -> None:
    """Kill the collector, its live thread with it, and the API `times` over; after a restart profiles are what the log makes."""
    draw, settings = random.Random(seed), furnished(load(lake, environ={}))
    for number in range(times):
        with collecting(lake, **QUICK) as collector, answering(lake) as api:
            load_ = Load(collector, str(number))
            reading = threading.Thread(target=ask_until_dead, args=(api,), daemon=True)
            reading.start()
            time.sleep(draw.uniform(0.1, 0.6))
            for door in draw.sample((collector, api), 2):
                door.stop(signal.SIGKILL)
            load_.stop()
            reading.join(SOON)
    with collecting(lake, **QUICK):
        wait_until(
            lambda: segments(settings.lake.landing) and is_caught_up(settings), every=0.1
        )  # it reads the whole log
    answers_are_those_of_the_log(settings)


def ask_until_dead(api: Collector) -> None:
    """Answers read the store that the collector writes."""
    with suppress(OSError):
        while True:
            api.ask("/v1/personalize?visitor_id=v1")


def answers_are_those_of_the_log(settings: Settings, **store: str) -> None:
    """Two workers of the API, each asked several times, tell the profiles that the landing log makes."""
    expected = from_log(settings)
    patient: Any = {  # what a busy machine holds up is no stranger's answer
        "NEXTCLICK_SERVING__SECRET_KEY": "a secret key of tests", "NEXTCLICK_SERVING__BUDGET_MILLISECONDS": "10000",
    }  # fmt: skip
    with answering(settings.lake.root, "--workers", "2", **patient | store) as api:
        for visitor in [f"v{number}" for number in range(6)] * 4:
            answered = api.ask(f"/v1/profile/{visitor}", authorization="Bearer a secret key of tests").json["actions"]
            actions = expected.get(profile.visitor_key("default", visitor), EMPTY).actions
            assert [(action["at"], action["item_id"]) for action in answered] == [
                (action.at, action.item) for action in actions
            ]


def test_after_two_kills_under_load_profiles_are_what_the_landing_log_makes(tmp_path: Path) -> None:
    killed_under_load(tmp_path / "lake", 2, seed=1)


@pytest.mark.stress
def test_after_ten_kills_under_load_profiles_are_what_the_landing_log_makes(tmp_path: Path) -> None:
    killed_under_load(tmp_path / "lake", 10, seed=2)


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_workers_on_one_store_give_what_one_would(
    tmp_path: Path, backend: str, request: pytest.FixtureRequest
) -> None:
    lake = tmp_path / "lake"
    url = request.getfixturevalue("redis_url") if backend == "redis" else ""
    store = {"NEXTCLICK_KV__BACKEND": backend, "NEXTCLICK_KV__REDIS_URL": url}
    settings = furnished(load(lake, environ=store))
    with collecting(lake, "--workers", "2", **QUICK | store) as collector:
        load_ = Load(collector, "both", clients=6)
        time.sleep(0.4)
        load_.stop()
        collector.stop()
    recover(settings.lake.landing)
    assert load_.acknowledged
    assert is_caught_up(settings)
    answers_are_those_of_the_log(settings, **store)


def test_switched_off_it_keeps_no_profiles(tmp_path: Path) -> None:
    with collecting(tmp_path / "lake", NEXTCLICK_LIVE__ENABLED="false") as collector:
        assert collector.post("/v1/events", {"event": "view_item", "visitor_id": "v1", "item_id": "a"}).status == 200
        collector.stop()
    assert not (tmp_path / "lake" / "_state" / "kv" / "profiles").exists()


def test_the_collector_counts_what_it_merged(tmp_path: Path) -> None:
    with collecting(tmp_path / "lake") as collector:
        collector.post("/v1/events", [{"event": "view_item", "visitor_id": "v1", "item_id": "a"}] * 3)
        wait_until(lambda: "nextclick_live_merged_total 3.0" in collector.ask("/metrics").body.decode())
        with suppress(ProcessLookupError):
            collector.stop()
