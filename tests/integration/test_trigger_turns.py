"""Workers of one lake in an object store, on machines of their own: one has its turn, and the next one knows all that it decided."""

import asyncio
import math
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from nextclick.errors import LakeError, TableBusy
from nextclick.lake import files
from nextclick.object_store import bucket, lease
from nextclick.settings import Settings
from tests import object_store
from tests.trigger_lake import Hook, event, minutes, settings_of, trigger, write_events
from triggers.definition import TriggerDefinition
from triggers.look import look
from triggers.outbox import turn
from triggers.outbox.outbox import Outbox
from triggers.outbox.schema import ms
from triggers.outbox.turn import WorkerTurn
from triggers.receiver import Receiver
from triggers.worker import TriggerReport, TriggerWorker

pytestmark = [
    pytest.mark.skipif(bool(object_store.missing()), reason=object_store.missing()),
    pytest.mark.usefixtures("no_waits"),
]
RULE = trigger(cap={"times": 1, "days": 7})


@pytest.fixture(scope="module")
def store() -> Iterator[object_store.Store]:
    with object_store.running() as store:
        yield store


class Machines:
    """Settings of the machines that have one lake."""

    def __init__(self, store: object_store.Store, folder: Path) -> None:
        self._store, self._folder = store, folder

    def settings(self, name: str, url: str = "http://127.0.0.1:9/") -> Settings:
        environ = self._store.environment(self._folder / name)
        settings = settings_of(self._store.lake(self._folder.name), url, environ)
        settings.lake.prepare()
        return settings


@pytest.fixture
def machines(store: object_store.Store, tmp_path: Path) -> Machines:
    return Machines(store, tmp_path)


def once(settings: Settings, minute: float, rule: TriggerDefinition = RULE) -> TriggerReport:
    async def work() -> TriggerReport:
        outbox = Outbox.of(settings.lake)
        try:
            async with Receiver(settings.triggers) as receiver:
                worker = TriggerWorker(settings, [rule], outbox, receiver, lambda: minutes(minute))
                return await worker.once(minutes(minute))
        finally:
            outbox.close()

    return asyncio.run(work())


def left_carts(settings: Settings, minute: float, *visitors: str) -> None:
    write_events(settings.lake, [event(visitor, "add_to_cart", minute, "lamp") for visitor in visitors])


def counts(settings: Settings) -> dict[str, dict[str, int]]:
    outbox = turn.looked_at(settings.lake)
    return outbox.counts() if outbox else {}


def test_another_machine_goes_on_where_the_first_one_ended(machines: Machines) -> None:
    with Hook() as hook:
        one, two = machines.settings("one", hook.url), machines.settings("two", hook.url)
        left_carts(one, 0, "a", "b")
        assert once(one, 40).decided == {"waiting": 2}
        assert (once(two, 41).decided, len(hook.tries)) == ({}, 2), "what was sent is not sent again"
        left_carts(two, 100, "a", "c")
        assert once(two, 140).decided == {"capped": 1, "waiting": 1}, "the cap counts what the other one sent"
        assert once(one, 141).decided == {}
    assert len(hook.tries) == len(hook.bodies) == 3
    assert counts(machines.settings("three")) == {"t": {"capped": 1, "sent": 3}}


def test_one_machine_has_its_turn_and_the_others_are_told_whose_it_is(machines: Machines) -> None:
    one, two = machines.settings("one"), machines.settings("two")
    left_carts(one, 0, "a")
    who = {"pid": 7, "host": "one", "purpose": "nextclick triggers", "since": "today"}
    held = lease.Lease(f"{one.lake.locks}/{turn.LOCK}.lock", who)
    with pytest.raises(TableBusy, match="process 7 on one"):
        once(two, 40)
    held.release()
    assert once(two, 40).decided == {"waiting": 1}


def test_who_slept_beyond_the_lease_sends_nothing_of_what_it_decided_alone(machines: Machines) -> None:
    """The other one takes over between its look and its first try."""
    with Hook() as hook:
        one, two = machines.settings("one", hook.url), machines.settings("two", hook.url)
        left_carts(one, 0, "a")

        async def sleep() -> None:
            outbox = Outbox.of(one.lake)
            async with Receiver(one.triggers) as receiver:
                worker = TriggerWorker(one, [RULE], outbox, receiver, lambda: minutes(40))
                async with worker._turn.hold():
                    looked = await worker._look(minutes(40))
                    take_over(two)
                    with pytest.raises(LakeError, match="Another worker"):
                        await worker._deliver(*looked, math.inf)
            outbox.close()

        asyncio.run(sleep())
        assert hook.tries == []
        assert once(one, 41).tried == 2, "it goes on from what the other one decided"


def take_over(settings: Settings) -> None:
    """Decide of one more, as a worker does whose lease is good."""
    outbox = Outbox.of(settings.lake)
    stored = turn._StoredOutbox(settings.lake, outbox)
    stored.fetch()
    left_carts(settings, 1, "b")
    assert look(settings, outbox, [RULE], minutes(40), minutes(40)) == {"waiting": 2}
    stored.put()
    outbox.close()


def test_what_a_machine_could_not_put_back_it_still_knows(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is away once the decision is kept: what was sent then is known to this machine alone."""
    with Hook() as hook:
        one, two = machines.settings("one", hook.url), machines.settings("two", hook.url)
        left_carts(one, 0, "a")
        puts, put_instead = list[str](), bucket.put_instead

        def once_only(address: str, content: bytes, etag: str) -> str:
            if address.endswith("triggers/outbox"):
                puts.append(address)
                if len(puts) > 1:
                    raise LakeError("The store is away.")
            return put_instead(address, content, etag)

        monkeypatch.setattr(bucket, "put_instead", once_only)
        with pytest.raises(LakeError, match="away"):
            once(one, 40)
        monkeypatch.undo()
        assert len(hook.tries) == 1
        assert once(one, 41).tried == 0
        assert once(two, 42).tried == 0, "and it has told the store"
    assert len(hook.tries) == 1


def test_a_dead_letter_is_asked_for_again_from_any_machine(machines: Machines) -> None:
    with Hook(400) as hook:
        one, three = machines.settings("one", hook.url), machines.settings("three")
        left_carts(one, 0, "a")
        once(one, 40)
        assert counts(three) == {"t": {"failed": 1}}
        outbox = turn.looked_at(three.lake)
        assert outbox is not None
        ids = [letter.id for letter in outbox.dead()]
        assert turn.replay(three.lake, outbox, ids, 0, ms(minutes(0) + timedelta(days=1))) == 1
        assert once(one, 41).tried == 1
        assert once(one, 42).tried == 0, "it is asked for once"
    assert (hook.tries, [*hook.bodies]) == (ids * 2, ids)


def test_an_outbox_of_before_the_store_had_it_is_brought_by_its_own_machine(machines: Machines) -> None:
    one, two = machines.settings("one"), machines.settings("two")
    outbox = Outbox.of(one.lake)
    files.write(f"{one.lake.shared}/triggers-outbox", outbox.id.encode())
    left_carts(one, 0, "a")
    with pytest.raises(LakeError, match="on that machine"):
        once(two, 40)
    once(one, 40)
    once(two, 41)
    assert Outbox.of(two.lake).id == outbox.id


def test_nothing_is_put_where_nothing_changed(machines: Machines) -> None:
    one = machines.settings("one")
    outbox = Outbox.of(one.lake)

    async def hold() -> list[str]:
        own, etags = WorkerTurn(one.lake, outbox), []
        async with own.hold():
            for _ in range(2):
                await own.keep()
                there = bucket.get(f"{one.lake.shared}/triggers/outbox")
                etags.append(there.etag if there else "")
        return etags

    first, second = asyncio.run(hold())
    assert first == second != ""
    outbox.close()
