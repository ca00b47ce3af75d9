"""Live profiles: events merged a second, one worker, against plain puts of as many finished profiles into LMDB.

    .venv/bin/python -m benchmarks.speed.profiles [--events 200000] [--visitors 20000] [--redis URL]

Merging is all of it: the payload as it lies in the landing log is decoded and checked, and the action merged into
the visitor's profile, 50 events in a transaction, as the collector does. The visitors' profiles are full at the
end: the last tenth is timed.
"""

import argparse
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import lmdb
import msgspec

from benchmarks.measure import ratio
from collector.live.follower import PIECE
from nextclick.contracts.events import Event, encode
from nextclick.kv import open_profiles
from nextclick.kv.profiles.protocol import Profiles
from nextclick.profile import profile
from nextclick.profile.live_arrivals import Arrivals
from nextclick.profile.profile import Action
from nextclick.settings import Settings, load

WANTED = 20_000
"""Events a second of one worker."""
START = time.time_ns() // 1_000_000 - 86_400_000
CATEGORIES = ("electronics", "garden & outdoor", "books", "home office", "kitchen")


class Stopwatch:
    """Wall and processor seconds since it was made; far apart on a busy machine."""

    def __init__(self) -> None:
        self.wall, self.processor = -time.perf_counter(), -time.process_time()

    def stop(self) -> None:
        self.wall += time.perf_counter()
        self.processor += time.process_time()

    def rates(self, count: int) -> str:
        return f"{count / self.wall:,.0f} a second ({count / self.processor:,.0f} a second of processor)"


def main() -> None:
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="nextclick-profiles-"))
    try:
        settings = load(lake=folder, environ={})
        if options.redis:
            chosen = msgspec.structs.replace(settings.kv, backend="redis", redis_url=options.redis)
            settings = msgspec.structs.replace(settings, kv=chosen)
        compare(settings, options.events, options.visitors)
    finally:
        shutil.rmtree(folder)


def compare(settings: Settings, events: int, visitors: int) -> None:
    """Print the figures."""
    store, arrivals = open_profiles(settings), Arrivals(settings)
    filling = visitors * profile.K
    for batch in _batches(payloads(filling, visitors)):  # until nearly all are full
        merge(store, arrivals, batch)
    timed = list(_batches(payloads(events, visitors, filling)))
    merging = Stopwatch()
    for batch in timed:
        merge(store, arrivals, batch)
    merging.stop()
    stored = [profile.encode(entry) for entry in store.get_many(_keys(visitors))]
    sizes = sorted(map(len, stored))
    putting = plain_puts(settings.lake.root / "plain", stored, events)
    print(f"live profiles, {settings.kv.backend}:  {merging.rates(events)} events merged, one worker")
    print(f"plain puts, lmdb:     {putting.rates(events)} profiles put")
    print(f"merging takes {merging.processor / putting.processor:.1f} times the processor time of plain puts")
    print(ratio("merged a second of processor", events / merging.processor, f"{WANTED:,}", WANTED, 1, at_least=True))
    median, p99 = statistics.median(sizes), sizes[len(sizes) * 99 // 100]
    print(f"size:  median {median:,.0f} bytes, 99 % {p99:,}, largest {sizes[-1]:,}; never above {profile.MAX_BYTES:,}")


def merge(store: Profiles, arrivals: Arrivals, batch: Sequence[bytes]) -> None:
    """What the collector's thread does with a batch."""
    updates: dict[bytes, list[Action]] = {}
    for payload in batch:
        if arrival := arrivals.read(payload, START + 86_400_000):
            for key in arrival.keys:
                updates.setdefault(key, []).append(arrival.action)
    store.merge(updates)


def plain_puts(folder: Path, values: Sequence[bytes], puts: int) -> "Stopwatch":
    """Time for `puts` of finished values under random keys, as many to a transaction, as little synced."""
    draw, keys = random.Random(2), _keys(len(values))
    folder.mkdir()
    with lmdb.open(str(folder), map_size=64 << 30, sync=False, metasync=False) as environment:
        with environment.begin(write=True) as transaction:
            for key, value in zip(keys, values, strict=True):
                transaction.put(key, value)
        chosen = [draw.randrange(len(values)) for _ in range(puts)]
        putting = Stopwatch()
        for first in range(0, puts, PIECE):
            with environment.begin(write=True) as transaction:
                for place in chosen[first : first + PIECE]:
                    transaction.put(keys[place], values[place])
        putting.stop()
        return putting


def payloads(events: int, visitors: int, first: int = 0) -> Iterator[bytes]:
    """Views of a shop as the collector lands them, of random visitors."""
    draw = random.Random(first)
    for number in range(first, first + events):
        item = draw.randrange(5_000)
        yield encode(
            Event(
                event=draw.choice(("view_item", "view_item", "page_view", "add_to_cart")),
                event_id=f"{number:032x}",
                client_time=START + number,
                visitor_id=f"visitor-{draw.randrange(visitors)}",
                item_id=f"sku-{item:06d}",
                name=f"Item number {item}",
                category=CATEGORIES[item % len(CATEGORIES)],
                price=f"{item % 900}.90",
                currency="EUR",
                page_url=f"https://shop.example/items/{item}",
                referrer="https://shop.example/",
                user_agent="Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36",
                ip="203.0.0.0",
                surface="list",
            )
        )


def _batches(payloads: Iterator[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    for payload in payloads:
        batch.append(payload)
        if len(batch) == PIECE:
            yield batch
            batch = []
    if batch:
        yield batch


def _keys(visitors: int) -> list[bytes]:
    return [profile.visitor_key("default", f"visitor-{number}") for number in range(visitors)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--visitors", type=int, default=10_000)
    parser.add_argument("--redis", metavar="URL", help="keep the profiles in this Redis, an empty one, instead of LMDB")
    return parser.parse_args()


if __name__ == "__main__":
    main()
