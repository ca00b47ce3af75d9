"""The sender by itself: what a stop, a lost lease and workers that die leave in the outbox."""

import asyncio
from pathlib import Path

import pytest

from nextclick.settings import Settings
from tests.trigger_lake import Hook, minutes, settings_of
from triggers.outbox.outbox import Outbox
from triggers.outbox.schema import TriggerDecision, ms
from triggers.receiver import Receiver, retry_after
from triggers.sender import NO_END, Sender

NOW = minutes(40)


def outbox_with(settings: Settings, *ids: str, tries: int = 0) -> Outbox:
    outbox = Outbox.of(settings.lake)
    with outbox.deciding() as deciding:
        for each in ids:
            deciding.add(
                TriggerDecision(
                    id=each,
                    trigger="t",
                    site="s",
                    person_id=each,
                    visitor_id=None,
                    user_id=None,
                    due_at=0,
                    expires_at=ms(minutes(60)),
                    decided_at=0,
                    holdout=0.0,
                    window_s=1,
                    items="[]",
                    payload=b"{}",
                    outcome="waiting",
                    ended_at=None,
                    tries=tries,
                )
            )
    return outbox


def send(settings: Settings, outbox: Outbox, stop_after: float | None = None) -> int:
    async def run() -> int:
        async with Receiver(settings.triggers) as receiver:
            sender = Sender(outbox, receiver, settings.triggers, lambda: NOW)
            if stop_after is not None:
                asyncio.get_running_loop().call_later(stop_after, sender.draining.set)
            return await sender.send_due()

    return asyncio.run(run())


def test_a_stop_leaves_what_was_refused_for_now_to_the_next_start_at_once(tmp_path: Path) -> None:
    with Hook(*[503] * 4) as hook:
        settings = settings_of(tmp_path, hook.url)
        outbox = outbox_with(settings, "a", "b")
        assert send(settings, outbox, stop_after=0.0) == 2
        assert len(hook.tries) <= 2
        left = outbox.claim("next", ms(NOW), ms(NOW) + 1, 9)
    assert [each.id for each in left] == ["a", "b"]
    assert all(each.tries <= 1 for each in left)


def test_tries_in_a_row_have_seconds_between_them_and_later_ones_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    async def sleep(sender: Sender, seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(Sender, "_sleep", sleep)
    with Hook(503, 503, 503) as hook:
        settings = settings_of(tmp_path, hook.url)
        send(settings, outbox_with(settings, "a"))
    first, second = waited
    assert 0.2 <= first <= 1.2
    assert 0.4 <= second <= 1.4


def test_what_workers_died_of_is_given_up(tmp_path: Path) -> None:
    with Hook() as hook:
        settings = settings_of(tmp_path, hook.url, tries=3)
        outbox = outbox_with(settings, "a", tries=3)
        send(settings, outbox)
        assert [(each.error, each.tries) for each in outbox.dead()] == [(NO_END, 3)]
    assert hook.tries == []


def test_the_receivers_yes_counts_though_the_lease_was_lost(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    outbox = outbox_with(settings, "a")
    outbox.claim("slow", 0, 10, 1)
    outbox.claim("other", 20, 30, 1)
    outbox.put_back("a", "slow", 99, "mine no more")
    outbox.fail("a", "other", 25, "HTTP 500")
    outbox.sent("a", 26)
    outbox.fail("a", "other", 27, "HTTP 500")
    assert outbox.dead() == []
    assert [(each.outcome, each.ended_at) for each in outbox.unlogged(9)] == [("sent", 26)]


@pytest.mark.parametrize(
    ("said", "least"), [("120", 120_000), ("Fri, 31 Dec 1999 23:59:59 GMT", 0), ("soon", 0), ("9" * 400, 0)]
)
def test_retry_after_is_kept_to_for_an_hour_at_most(said: str, least: int) -> None:
    assert retry_after(said) * 1000 >= least
