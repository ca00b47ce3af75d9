"""Audiences on the live path: processor time that each event costs more than its merge, against a budget of 0.2 ms for 50 of them.

    .venv/bin/python -m benchmarks.speed.audiences [--audiences 50] [--events 5000] [--visitors 500]

Profiles are full (64 actions), each event is of one visitor, and 50 lie in one piece, as the follower takes them: reading the profile
and the standing back, deciding, and, of those who enter or leave, the event in the landing log with its fsync. The same events are
merged without an audience first. Then, of one full profile: what deciding alone costs.
"""

import argparse
import random
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from collector.live.audience_watch import AudienceWatch
from collector.live.follower import PIECE
from nextclick.audiences import definitions
from nextclick.audiences.facts import Facts
from nextclick.audiences.membership import members_of
from nextclick.contracts.events import Event, encode
from nextclick.kv import open_profiles
from nextclick.kv.profiles.protocol import Profiles
from nextclick.landing.reader import segments
from nextclick.profile import profile
from nextclick.profile.live_arrivals import Arrivals
from nextclick.profile.profile import Action, K
from nextclick.settings import Settings, load

BUDGET_MS: Final = 0.2
CATEGORIES: Final = ("electronics", "garden & outdoor", "books", "home office", "kitchen")
KINDS: Final = ("view_item", "view_item", "view_item", "search", "add_to_cart", "purchase")


def main() -> None:
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="nextclick-audiences-"))
    try:
        (folder / "audiences").mkdir()
        settings = msgspec.structs.replace(load(lake=folder / "lake", environ={}), conf_dir=folder)
        settings.lake.prepare()
        compare(settings, options.audiences, options.events, options.visitors)
    finally:
        shutil.rmtree(folder)


def compare(settings: Settings, audiences: int, events: int, visitors: int) -> None:
    """Print the figures."""
    draw, store, arrivals = random.Random(1), open_profiles(settings), Arrivals(settings)
    for piece in _pieces(_payloads(draw, visitors * K, visitors)):
        deliver(arrivals, store, AudienceWatch(settings, store), piece)
    pieces = list(_pieces(_payloads(draw, events, visitors)))
    without = timed(settings, store, pieces)
    write(settings, draw, audiences)
    watched = timed(settings, store, list(_pieces(_payloads(draw, events, visitors))))
    lines = sum(segment.lines for segment in segments(settings.lake.landing))
    more = watched - without
    print(
        f"{events:,} events of {visitors:,} visitors with full profiles, {audiences} audiences, processor time an event:"
    )
    print(f"  merge alone            {without:.4f} ms")
    print(f"  with audiences         {watched:.4f} ms, {lines:,} of them entered or left")
    print(
        f"  what audiences cost    {more:.4f} ms of {BUDGET_MS} ms: {'within' if more <= BUDGET_MS else 'ABOVE'} the budget"
    )
    print(f"  deciding alone         {deciding(settings, store, visitors):.4f} ms a profile")


def timed(settings: Settings, store: Profiles, pieces: Sequence[list[bytes]]) -> float:
    """Milliseconds of processor an event."""
    arrivals, watch = Arrivals(settings), AudienceWatch(settings, store)
    started = time.process_time()
    for piece in pieces:
        deliver(arrivals, store, watch, piece)
    watch.publish(at_once=True)
    return (time.process_time() - started) * 1000 / sum(map(len, pieces))


def deliver(arrivals: Arrivals, store: Profiles, watch: AudienceWatch, piece: Sequence[bytes]) -> None:
    """One piece, as the follower takes it."""
    updates = dict[bytes, list[Action]]()
    received_at = time.time_ns() // 1_000_000
    for payload in piece:
        if arrival := arrivals.read(payload, received_at):
            for key in arrival.keys:
                updates.setdefault(key, []).append(arrival.action)
            if not watch.is_idle:
                watch.add(arrival.keys, arrival.event, received_at)
    watch.look(store.merge(updates))


def deciding(settings: Settings, store: Profiles, visitors: int) -> float:
    """Milliseconds of processor a profile, of deciding all audiences alone."""
    loaded, now = definitions.load(settings.conf_dir / "audiences"), time.time_ns() // 1_000_000
    whole = store.get_many([profile.visitor_key(settings.site, f"v{number}") for number in range(visitors)])
    started = time.process_time()
    for one in whole:
        members_of(loaded, Facts.live(one, now, settings.live.keep_ms, None))
    return (time.process_time() - started) * 1000 / len(whole)


def write(settings: Settings, draw: random.Random, count: int) -> None:
    """Audiences of two conditions each: how much of a category lately, and that nothing was bought."""
    for number in range(count):
        category, hours = draw.choice(CATEGORIES), draw.choice((1, 6, 24, 72))
        of = draw.choice(("events", "events", "items"))
        text = (
            f'meaning = "m"\nall = [{{ event = "view_item", category = "{category}", of = "{of}", within = "{hours}h", '
            f'least = {draw.randint(1, 12)} }}, {{ not = {{ event = "purchase", within = "{hours}h" }} }}]\n'
        )
        (settings.conf_dir / "audiences" / f"a{number}.toml").write_text(text)


def _payloads(draw: random.Random, count: int, visitors: int) -> Iterator[bytes]:
    now = time.time_ns() // 1_000_000
    for number in range(count):
        yield encode(
            Event(
                event=draw.choice(KINDS), event_id=f"{number}-{draw.random()}", client_time=now - draw.randrange(3 * 86_400_000),
                visitor_id=f"v{number % visitors}", item_id=f"i{draw.randrange(2000)}", category=draw.choice(CATEGORIES), price="9.90",
            )
        )  # fmt: skip


def _pieces(payloads: Iterator[bytes]) -> Iterator[list[bytes]]:
    while piece := list(islice(payloads, PIECE)):
        yield piece


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--audiences", type=int, default=50)
    parser.add_argument("--events", type=int, default=5_000)
    parser.add_argument("--visitors", type=int, default=500)
    return parser.parse_args()


if __name__ == "__main__":
    main()
