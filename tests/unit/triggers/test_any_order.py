"""Whatever the order of events, their copies, restarts and other workers: the same triggers, against plain Python."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from tests.hypothesis_settings import generated
from tests.trigger_lake import event, minutes, settings_of, trigger, write_events
from triggers.look import look
from triggers.occasions.occasion import Occasion
from triggers.outbox.outbox import Outbox

AFTER, KEEP = 30, 60
"""Minutes."""


class Act(NamedTuple):
    """What a visitor did in a minute."""

    visitor: str
    minute: int
    kind: str
    item: str


ACTS = st.builds(
    Act,
    st.sampled_from("ab"),
    st.integers(0, 200),
    st.sampled_from(["add_to_cart", "add_to_cart", "remove_from_cart", "purchase", "page_view"]),
    st.sampled_from(["lamp", "rug"]),
)


def left(acts: Iterable[Act], visitor: str, now: int) -> tuple[str, datetime] | None:
    """The cart that the visitor has left by now, as a person would go through it: whose, and when its newest item was put there."""
    cart, last = dict[str, int](), None
    for act in sorted(acts, key=lambda act: act.minute):
        if act.visitor != visitor or act.minute > now:
            continue
        last = act.minute
        match act.kind:
            case "add_to_cart":
                cart[act.item] = act.minute
            case "remove_from_cart":
                cart.pop(act.item, None)
            case "purchase":
                cart.clear()
    if last is None or not cart or not last + AFTER <= now <= last + AFTER + KEEP:
        return None
    return f"visitor:{visitor}", minutes(max(cart.values()))


@generated(5)
@given(
    st.lists(ACTS, min_size=3, max_size=12, unique_by=lambda act: (act.visitor, act.minute)), st.integers(0, 1 << 30)
)
def test_the_same_carts_are_left(acts: list[Act], seed: int) -> None:
    """Events arrive before the look at their minute, in any order, some of them again."""
    random = Random(seed)
    looks = sorted(random.sample(range(20, 320), 4))
    carts = {cart for now in looks for visitor in "ab" if (cart := left(acts, visitor, now))}
    rule = trigger(keep_hours=KEEP / 60, when={"cart_hours": 720}, cap={"times": 1000, "days": 7})
    with TemporaryDirectory() as folder:
        settings = settings_of(Path(folder), per_person=1000)
        for number, now in enumerate(looks):
            before = looks[number - 1] if number else -1
            arrived = [
                act for act in acts if before < act.minute <= now or (act.minute <= now and random.random() < 0.2)
            ]
            random.shuffle(arrived)
            if arrived:
                write_events(
                    settings.lake, [event(act.visitor, act.kind, act.minute, act.item) for act in arrived], number
                )
            for _ in range(random.randint(1, 2)):
                outbox = Outbox.of(settings.lake)  # a restart, or another worker
                look(settings, outbox, [rule, trigger(name="off", enabled=False)], minutes(now), minutes(now))
                outbox.close()
        outbox = Outbox.of(settings.lake)
        claimed = outbox.claim("test", 1 << 50, 1 << 51, 99)
        outbox.close()
    expected = {Occasion("t", "default", person, newest.isoformat(), newest).id for person, newest in carts}
    assert {each.id for each in claimed} == expected
