"""The worker against a real receiver on loopback: what is decided, sent, logged and forgotten."""

import asyncio
import json
import sqlite3
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nextclick.errors import LakeError, SettingsError, TriggerError
from nextclick.landing.reader import read_segment, segments
from nextclick.settings import Settings
from tests.table_rows import write
from tests.trigger_lake import YES, Hook, event, minutes, settings_of, trigger, write_events
from triggers.definition import TriggerDefinition
from triggers.look import look
from triggers.outbox.outbox import Outbox
from triggers.receiver import Receiver
from triggers.worker import TriggerReport, TriggerWorker

pytestmark = pytest.mark.usefixtures("no_waits")


def once(settings: Settings, minute: float, *triggers: TriggerDefinition) -> TriggerReport:
    """One round of a worker of its own at that minute."""
    outbox = Outbox.of(settings.lake)

    async def work() -> TriggerReport:
        async with Receiver(settings.triggers) as receiver:
            return await TriggerWorker(settings, triggers, outbox, receiver, lambda: minutes(minute)).once(
                minutes(minute)
            )

    try:
        return asyncio.run(work())
    finally:
        outbox.close()


def logged(settings: Settings) -> list[dict[str, Any]]:
    """The decisions in the landing log."""
    lines = [line for segment in segments(settings.lake.landing) for line in read_segment(segment.address)]
    assert {line.source for line in lines} <= {"server"}
    return [json.loads(line.payload) for line in lines]


def outcomes(settings: Settings) -> dict[str, str]:
    return {each["properties"]["person_id"]: each["properties"]["outcome"] for each in logged(settings)}


def left_carts(settings: Settings, *visitors: str, **more: Any) -> None:
    write_events(settings.lake, [event(visitor, "add_to_cart", 0, "lamp", **more) for visitor in visitors])


def test_a_left_cart_is_one_verified_webhook_with_names_prices_and_recommendations(tmp_path: Path) -> None:
    with Hook() as hook:
        settings = settings_of(tmp_path, hook.url)
        left_carts(settings, "v")
        known = {"site": "default", "name": "Lamp", "price": 20, "currency": "EUR", "category": "light"}
        write(
            settings.lake,
            "silver.items",
            [{"item_id": "lamp", **known}, {"item_id": "gone", "site": "default", "available": False}],
        )
        listed = {"site": "default", "person_id": "visitor:v"}
        write(
            settings.lake,
            "gold.recommendations",
            [{"item_id": item, "rank": rank, **listed} for rank, item in enumerate(("gone", "rug"), 1)],
        )
        texts = {"subject": "$first_name waits, $$5 off", "text": "See $recommended, $user_id"}
        report = once(settings, 40, trigger(message=texts))
        again = once(settings, 45, trigger(message=texts))
    assert (report.decided, report.tried, report.logged) == ({"waiting": 1}, 1, 1)
    assert (again.decided, again.tried, again.logged) == ({}, 0, 0)
    [(send_id, said)] = hook.bodies.items()
    assert send_id.startswith("trg_")
    assert said["type"] == "trigger.t"
    data = said["data"]
    assert data["message"] == {"subject": "Lamp waits, $5 off", "text": "See rug, "}
    assert data["items"] == [
        {"item_id": "lamp", "name": "Lamp", "price": "20.0000", "currency": "EUR", "category": "light"}
    ]
    assert [each["item_id"] for each in data["recommendations"]] == ["rug"]
    [record] = logged(settings)
    assert (record["event"], record["visitor_id"], record["properties"]["outcome"]) == ("trigger_decision", "v", "sent")


def test_values_of_events_are_no_templates(tmp_path: Path) -> None:
    with Hook() as hook:
        settings = settings_of(tmp_path, hook.url)
        left_carts(settings, "v")
        write(
            settings.lake,
            "silver.items",
            [{"item_id": "lamp", "site": "default", "name": '$user_id ${x} {0.__class__} "'}],
        )
        once(settings, 40, trigger(message={"s": "<$first_name>"}))
    [said] = hook.bodies.values()
    assert said["data"]["message"] == {"s": '<$user_id ${x} {0.__class__} ">'}


@pytest.mark.parametrize(
    ("said", "unless_said", "outcome"),
    [
        (YES, False, "sent"),
        (None, False, "no_consent"),
        (None, True, "sent"),
        (YES | {"advertising": False}, True, "no_consent"),
    ],
)
def test_consent_is_what_was_said_last(
    tmp_path: Path, said: Mapping[str, Any] | None, unless_said: bool, outcome: str
) -> None:
    with Hook() as hook:
        settings = settings_of(tmp_path, hook.url)
        write_events(
            settings.lake,
            [event("v", "page_view", -9, consent={name: not value for name, value in (said or {}).items()} or None)],
        )
        left_carts(settings, "v", consent=said)
        once(settings, 40, trigger(consent="advertising", consent_unless_said=unless_said))
    assert outcomes(settings) == {"visitor:v": outcome}
    assert len(hook.bodies) == (outcome == "sent")


def test_a_cap_counts_the_device_of_who_became_known_and_all_triggers_together(tmp_path: Path) -> None:
    with Hook() as hook:
        settings = settings_of(tmp_path, hook.url, per_person=2)
        left_carts(settings, "v")
        once(settings, 40, trigger())
        write_events(settings.lake, [event("v", "add_to_cart", 60, "rug", user_id="u")], 1)
        link = {
            "site": "default",
            "kind": "visitor",
            "id": "v",
            "user_id": "u",
            "first_at": minutes(60),
            "last_at": minutes(60),
        }
        write(settings.lake, "silver.identities", [link])
        once(settings, 95, trigger())  # the person is u now
        write_events(settings.lake, [event("v", "add_to_cart", 120, "mug", user_id="u")], 2)
        once(settings, 155, trigger(), trigger(name="other"), trigger(name="third"))
    kept = [
        (each["properties"]["trigger"], each["properties"]["person_id"], each["properties"]["outcome"])
        for each in logged(settings)
    ]
    assert sorted(kept) == [
        ("other", "u", "sent"), ("t", "u", "capped"), ("t", "u", "capped"), ("t", "visitor:v", "sent"), ("third", "u", "capped"),
    ]  # fmt: skip
    assert len(hook.bodies) == 2


def test_quiet_hours_are_those_of_the_device_and_then_of_the_site(tmp_path: Path) -> None:
    with Hook() as hook:
        settings = settings_of(tmp_path, hook.url)
        write_events(
            settings.lake,
            [
                event("utc", "add_to_cart", 9 * 60, "lamp"),  # at 21:00
                event("tokyo", "add_to_cart", 9 * 60, "lamp", timezone="Asia/Tokyo"),  # at 6:00 the next morning
                event("nowhere", "add_to_cart", 9 * 60, "lamp", timezone="Mars/Olympus"),
            ],
        )
        quiet = trigger(quiet=("21:00", "06:00"))
        once(settings, 9 * 60 + 30, quiet)
        assert outcomes(settings) == {"visitor:tokyo": "sent"}
        write_events(settings.lake, [event("nowhere", "purchase", 15 * 60, "lamp")], 1)  # at 3:00
        once(settings, 18 * 60, quiet)
    assert outcomes(settings) == {"visitor:tokyo": "sent", "visitor:utc": "sent"}


def test_who_waits_in_quiet_hours_is_not_asked_about_before_they_end(tmp_path: Path) -> None:
    settings, waits, rule = settings_of(tmp_path), dict[str, datetime](), trigger(quiet=("12:00", "14:00"))
    left_carts(settings, "v")
    outbox = Outbox.of(settings.lake)
    assert look(settings, outbox, [rule], minutes(40), minutes(40), waits) == {}
    assert [*waits.values()] == [minutes(120)]
    assert look(settings, outbox, [rule], minutes(119), minutes(119), waits) == {}
    assert look(settings, outbox, [rule], minutes(120), minutes(120), waits) == {"waiting": 1}
    assert waits == {}
    outbox.close()


def test_a_contact_is_the_newest_device_and_zone_under_whatever_name(tmp_path: Path) -> None:
    with Hook() as hook:
        settings = settings_of(tmp_path, hook.url)
        write_events(
            settings.lake,
            [
                event("phone", "add_to_cart", 0, "lamp", user_id="visitor:7", timezone="Asia/Tokyo", consent=YES),
                event("phone", "served", 3, user_id="visitor:7"),
                event(" user:visitor:7", "email_open", 5, user_id="visitor:7"),
                event(
                    "7", "page_view", 6, timezone="Europe/Vienna", consent={**YES, "advertising": False}
                ),  # somebody else
            ],
        )
        once(settings, 40, trigger(consent="advertising"))
    [said] = hook.bodies.values()
    assert [said["data"][name] for name in ("person_id", "user_id", "visitor_id")] == [
        "user:visitor:7",
        "visitor:7",
        "phone",
    ]
    assert [each["visitor_id"] for each in logged(settings)] == ["phone"]


def test_who_would_have_to_wait_too_long_is_not_sent_it(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    left_carts(settings, "v")
    once(settings, 40, trigger(quiet=("12:00", "14:00"), keep_hours=1))
    assert outcomes(settings) == {"visitor:v": "quiet"}


def test_the_same_share_is_held_out_for_ever_and_logged(tmp_path: Path) -> None:
    visitors = [f"v{number}" for number in range(60)]
    with Hook() as hook:
        settings = settings_of(tmp_path, hook.url, in_flight=16)
        left_carts(settings, *visitors)
        once(settings, 40, trigger(holdout=0.5, cap={"times": 9, "days": 1}))
        first = outcomes(settings)
        write_events(settings.lake, [event(visitor, "add_to_cart", 60, "rug") for visitor in visitors], 1)
        once(settings, 95, trigger(holdout=0.5, cap={"times": 9, "days": 1}))
    assert outcomes(settings) == first
    held_out = [person for person, outcome in first.items() if outcome == "held_out"]
    assert 15 < len(held_out) < 45
    assert len(hook.bodies) == 2 * (60 - len(held_out))


def test_a_receiver_that_fails_is_tried_again_under_the_same_id(tmp_path: Path) -> None:
    with Hook(503, 500, 503, 429, 204) as hook:
        settings = settings_of(tmp_path, hook.url)
        left_carts(settings, "v")
        assert once(settings, 40, trigger()).tried == 1
        assert (len(hook.tries), hook.bodies) == (3, {})
        assert once(settings, 40, trigger()).tried == 0  # not yet
        assert once(settings, 41, trigger()).tried == 1
    assert len({*hook.tries}) == 1
    assert (len(hook.tries), len(hook.bodies)) == (5, 1)
    assert outcomes(settings) == {"visitor:v": "sent"}


def test_a_dead_letter_is_listed_and_replayed(tmp_path: Path) -> None:
    with Hook(400) as hook:
        settings = settings_of(tmp_path, hook.url)
        left_carts(settings, "v")
        once(settings, 40, trigger())
        assert outcomes(settings) == {"visitor:v": "failed"}
        outbox = Outbox.of(settings.lake)
        [letter] = outbox.dead()
        assert (letter.error, letter.tries) == ("HTTP 400", 1)
        assert outbox.replay([letter.id], 0, letter.expires_at) == 1
        once(settings, 41, trigger())
        assert outbox.dead() == []
    assert [*hook.bodies] == [letter.id]
    assert [each["properties"]["outcome"] for each in logged(settings)] == ["failed", "sent"]
    assert len({each["event_id"] for each in logged(settings)}) == 2


def test_what_nobody_takes_ends_as_a_dead_letter(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, tries=4)  # nobody listens
    left_carts(settings, "v")
    for minute in (40, 50, 60):
        once(settings, minute, trigger())
    [record] = logged(settings)
    assert record["properties"] | {"outcome": "failed", "tries": "4", "error": "ConnectError"} == record["properties"]


def test_what_waited_too_long_is_not_sent(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    left_carts(settings, "v")
    once(settings, 40, trigger(keep_hours=1))
    with Hook() as hook:
        later = msgspec.structs.replace(settings, triggers=msgspec.structs.replace(settings.triggers, url=hook.url))
        once(later, 95, trigger(keep_hours=1))
    assert (hook.tries, outcomes(settings)) == ([], {"visitor:v": "failed"})


def test_a_slow_receiver_has_a_deadline_for_all_of_its_answer(tmp_path: Path) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for sign in b"HTTP/1.1 204 No Content\r\n" + b"x: y\r\n" * 100:
            writer.write(bytes([sign]))
            await asyncio.sleep(0.05)

    async def work() -> float:
        server = await asyncio.start_server(drip, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        settings = settings_of(tmp_path, f"http://127.0.0.1:{port}/", timeout_seconds=0.3, tries=1)
        left_carts(settings, "v")
        async with Receiver(settings.triggers) as receiver:
            await TriggerWorker(settings, [trigger()], Outbox.of(settings.lake), receiver, lambda: minutes(40)).once(
                minutes(40)
            )
        server.close()
        return float(logged(settings)[0]["properties"]["tries"])

    assert asyncio.run(work()) == 1
    assert "no answer within 0.3 seconds" in (tmp_path / "landing").glob("*.log").__next__().read_text()


@pytest.mark.parametrize(
    ("chosen", "what"),
    [
        ({"url": ""}, "NEXTCLICK_TRIGGERS__URL"),
        ({"url": "http://10.0.0.7/hook"}, "triggers.hosts"),
        ({"url": "https://169.254.169.254/latest"}, "triggers.hosts"),
        ({"url": "http://127.0.0.1.example/"}, "triggers.hosts"),
        ({"secret": "whsec_"}, "openssl rand"),
    ],
)
def test_a_receiver_that_nobody_listed_is_refused_without_its_secret(
    tmp_path: Path, chosen: Mapping[str, Any], what: str
) -> None:
    with pytest.raises(SettingsError, match=what) as refused:
        Receiver(settings_of(tmp_path, **{"url": "http://127.0.0.1:9/"} | dict(chosen)).triggers)
    assert "MfKQ9" not in str(refused.value)


def test_a_redirect_is_no_delivery(tmp_path: Path) -> None:
    with Hook(307) as hook:
        settings = settings_of(tmp_path, hook.url)
        left_carts(settings, "v")
        once(settings, 40, trigger())
    assert outcomes(settings) == {"visitor:v": "failed"}


def test_workers_that_start_together_make_one_outbox_and_lease_each_webhook_once(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    with ThreadPoolExecutor(8) as threads:
        outboxes = [*threads.map(lambda _: Outbox.of(settings.lake), range(8))]
        assert len({outbox.id for outbox in outboxes}) == 1
        left_carts(settings, *(f"v{number}" for number in range(20)))
        look(settings, outboxes[0], [trigger()], minutes(40), minutes(40))
        claimed = [*threads.map(lambda place: outboxes[place].claim(f"w{place}", 10, 1000, 3), range(8))]
        ids = [each.id for some in claimed for each in some]
        assert len(ids) == len({*ids}) == 20
        owner = next(place for place, some in enumerate(claimed) if some)
        assert not outboxes[0].begin_try(claimed[owner][0].id, "another", 2000)
        assert [each.id for each in outboxes[7].claim("w7", 1000, 2000, 99)] == sorted(ids)  # the leases ran out
        assert not outboxes[owner].begin_try(claimed[owner][0].id, f"w{owner}", 2000)
        for outbox in outboxes:
            outbox.close()


def test_an_outbox_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    Outbox.of(settings.lake).close()
    with sqlite3.connect(settings.lake.state / "triggers.db") as newer:
        newer.execute("PRAGMA user_version = 99")
    with pytest.raises(LakeError, match="format 99"):
        Outbox.of(settings.lake)


def test_a_second_outbox_of_one_lake_is_refused(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    Outbox.of(settings.lake).close()
    for left in settings.lake.state.glob("triggers.db*"):
        left.unlink()
    with pytest.raises(LakeError, match=r"triggers\.db here"):
        Outbox.of(settings.lake)


def test_what_waits_for_a_trigger_that_was_switched_off_is_not_sent(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    left_carts(settings, "v")
    once(settings, 40, trigger())  # nobody listens
    with Hook() as hook:
        later = msgspec.structs.replace(settings, triggers=msgspec.structs.replace(settings.triggers, url=hook.url))
        once(later, 60, trigger(enabled=False), trigger(name="other", when={"after_minutes": 100}))
    assert (hook.tries, outcomes(settings)) == ([], {"visitor:v": "failed"})


def test_a_cap_that_the_outbox_would_forget_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TriggerError, match="remember_days = 90"):
        once(settings_of(tmp_path), 0, trigger(cap={"times": 1, "days": 91}))


def test_what_is_old_is_forgotten(tmp_path: Path) -> None:
    with Hook() as hook:
        settings = settings_of(tmp_path, hook.url)
        left_carts(settings, "v")
        once(settings, 40, trigger())
        once(settings, 91 * 1440, trigger())
    assert Outbox.of(settings.lake).counts() == {}
