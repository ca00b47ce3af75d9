"""What every store of live profiles does, in one suite that each of them runs."""

import multiprocessing
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nextclick.errors import ModelError
from nextclick.kv.backends import BACKENDS
from nextclick.kv.profiles import lmdb
from nextclick.kv.profiles.lmdb import LmdbProfiles
from nextclick.kv.profiles.protocol import Profiles
from nextclick.kv.profiles.redis import RedisProfiles
from nextclick.profile import profile
from nextclick.profile.profile import EMPTY, Action, K

DAY = 86_400_000
NOW = time.time_ns() // 1_000_000
SPAWN = multiprocessing.get_context("spawn")


def open_store(place: str) -> Profiles:
    """The store at a Redis' URL or in a folder, as one process after another opens it."""
    if place.startswith("redis:"):
        return RedisProfiles(place, "nextclick:test:profiles", 5, DAY)
    return LmdbProfiles(Path(place), 1 << 28)


PLACES: dict[str, Callable[[pytest.FixtureRequest], str]] = {
    "lmdb": lambda request: str(request.getfixturevalue("tmp_path") / "profiles"),
    "redis": lambda request: str(request.getfixturevalue("redis_url")),
}


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> str:
    return PLACES[request.param](request)


@pytest.fixture
def store(place: str) -> Profiles:
    return open_store(place)


def test_the_profiles_of_every_backend_are_tested_here() -> None:
    assert PLACES.keys() == BACKENDS.keys()


def action(number: int, at: int = NOW) -> Action:
    return Action(at=at + number, id=number, code=2, item=f"i{number}")


def test_who_is_not_known_has_an_empty_profile_and_answers_come_in_the_order_of_the_keys(store: Profiles) -> None:
    assert store.get_many([]) == []
    store.merge({b"vb": [action(2)], b"va": [action(1)]})
    assert [[one.item for one in each.actions] for each in store.get_many([b"va", b"vx", b"vb"])] == [
        ["i1"],
        [],
        ["i2"],
    ]


def test_what_is_merged_is_seen_by_other_readers_at_once(store: Profiles, place: str) -> None:
    reader = open_store(place)
    assert reader.get_many([b"va"]) == [EMPTY]
    store.merge({b"va": [action(1)]})
    store.merge({b"va": [action(2), action(1)]})
    assert reader.get_many([b"va"]) == [profile.merge(EMPTY, [action(1), action(2)])]


def test_a_merge_says_what_the_profiles_are_after_it(store: Profiles) -> None:
    assert store.merge({}) == {}
    for numbers in ([1, 2], [2], [3]):
        after = store.merge({key: [action(number) for number in numbers] for key in (b"va", b"vb")})
        assert list(after.values()) == store.get_many(list(after)), "also where nothing is new"
    assert len(after[b"va"].actions) == 3


def test_a_profile_keeps_the_newest_k(store: Profiles) -> None:
    store.merge({b"va": [action(number) for number in range(K + 5)]})
    store.merge({b"va": [action(2)]})
    assert [one.id for one in store.get_many([b"va"])[0].actions] == list(range(K + 4, 4, -1))


def test_marks_of_segments_are_kept_until_they_are_settled(store: Profiles, place: str) -> None:
    assert store.merged_segments() == ("", set())
    store.merge({b"va": [action(1)]}, ["20260101T1-a", "20260101T2-b"])
    store.merge({}, ["20260101T3-c"])
    store.settle_segments("20260101T2-b")
    store.settle_segments("20260101T1-a")  # of another worker, which looked earlier
    assert open_store(place).merged_segments() == ("20260101T2-b", {"20260101T3-c"})


def test_up_to_where_partitions_are_merged_is_kept_with_the_actions_also_if_it_goes_back(
    store: Profiles, place: str
) -> None:
    assert store.merged_offsets() == {}
    store.merge({b"va": [action(1)]}, offsets={"t-0": 7, "t-1": 1 << 40})
    store.merge({}, offsets={"t-0": 5})
    assert open_store(place).merged_offsets() == {"t-0": 5, "t-1": 1 << 40}
    assert store.merged_segments() == ("", set())


def test_a_store_has_one_place_wherever_it_is_opened(store: Profiles, place: str) -> None:
    assert store.place == open_store(place).place


def test_the_place_of_a_redis_is_its_server_its_database_and_its_prefix_without_the_password() -> None:
    def place(url: str, prefix: str = "p") -> str:
        return RedisProfiles(url, prefix, 1, DAY).place

    assert place("redis://ann:secret@kv") == place("redis://kv:6379/0") == "redis://kv:6379/0/p"
    assert len({place("redis://kv"), place("redis://kv/1"), place("redis://kv:1"), place("redis://kv", "q")}) == 4
    assert place("unix://:secret@/run/kv.sock?db=2") == "redis:///run/kv.sock/2/p"


def test_profiles_without_anything_new_go_and_others_stay(store: Profiles) -> None:
    store.merge({b"v%03d" % number: [action(number, NOW - 2 * DAY)] for number in range(25)})
    store.merge({b"v%03d" % number: [action(number)] for number in range(5)})
    looks = 0
    while any(each.actions for each in store.get_many([b"v%03d" % number for number in range(5, 25)])):
        store.expire(NOW - DAY, 10)
        looks += 1
        assert looks < 10
    assert all(each.actions for each in store.get_many([b"v%03d" % number for number in range(5)]))


def _merge_share(place: str, start: int, now: int) -> None:
    store = open_store(place)
    for number in range(start, K, 2):
        one = action(number, now)
        store.merge({b"va": [one], b"v%d" % (number % 3): [one]}, [f"s{number:03d}"])


def test_two_processes_at_once_lose_nothing_of_each_other(place: str) -> None:
    workers = [SPAWN.Process(target=_merge_share, args=(place, start, NOW)) for start in (0, 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    store = open_store(place)
    assert store.get_many([b"va"]) == [profile.merge(EMPTY, map(action, range(K)))]
    parts = store.get_many([b"v0", b"v1", b"v2"])
    assert parts == [profile.merge(EMPTY, map(action, range(start, K, 3))) for start in range(3)]
    assert store.merged_segments() == ("", {f"s{number:03d}" for number in range(K)})


def test_many_threads_on_one_profile_lose_nothing_of_each_other(place: str) -> None:
    def merge(start: int) -> None:
        store = open_store(place)
        for number in range(start, K, 4):
            store.merge({b"va": [action(number)]})

    threads = [threading.Thread(target=merge, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert open_store(place).get_many([b"va"]) == [profile.merge(EMPTY, map(action, range(K)))]


def test_lmdb_waits_for_an_environment_that_is_just_being_closed(tmp_path: Path) -> None:
    store = LmdbProfiles(tmp_path, 1 << 26)
    store.merge({b"va": [action(1)]})
    other = store._open.env
    lmdb._environments.clear()  # as at the moment when nobody needs it any more
    closing = threading.Timer(0.1, other.close)
    closing.start()
    assert LmdbProfiles(tmp_path, 1 << 26).get_many([b"va"]) == [profile.merge(EMPTY, [action(1)])]
    closing.join()


def test_lmdb_begins_anew_after_a_restart_of_the_machine_since_pages_may_be_torn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, boot = tmp_path / "profiles", tmp_path / "boot_id"
    monkeypatch.setattr(lmdb, "_BOOT", boot)
    boot.write_text("first\n")
    first = LmdbProfiles(folder, 1 << 26)
    first.merge({b"va": [action(1)]}, ["s1"], {"t-0": 1})
    assert LmdbProfiles(folder, 1 << 26).merged_segments() == ("", {"s1"})
    before = first.place
    boot.write_text("second\n")
    after = LmdbProfiles(folder, 1 << 26)
    assert after.get_many([b"va"]) == [EMPTY]
    assert after.merged_segments() == ("", set())
    assert after.merged_offsets() == {}
    assert after.place != before
    assert [path.name for path in folder.iterdir()] == ["second"]


def test_an_lmdb_that_is_full_says_which_settings_help_and_keeps_what_it_has(tmp_path: Path) -> None:
    store = LmdbProfiles(tmp_path / "profiles", 1 << 17)
    store.merge({b"va": [action(1)]})
    with pytest.raises(ModelError, match=r"kv\.map_gib"):
        store.merge({b"v%d" % number: [action(number)] for number in range(5000)}, ["s1"])
    assert store.get_many([b"va"]) == [profile.merge(EMPTY, [action(1)])]
    assert store.merged_segments() == ("", set())


def test_a_redis_that_is_not_there_is_an_error_that_names_it() -> None:
    store = RedisProfiles("redis://127.0.0.1:1/0", "nextclick:test:profiles", 1, DAY)
    with pytest.raises(ModelError, match=r"127\.0\.0\.1:1"):
        store.get_many([b"va"])


def test_redis_removes_a_profile_by_itself_when_its_newest_action_is_too_old(redis_url: str) -> None:
    store = RedisProfiles(redis_url, "nextclick:test:profiles", 5, 300)
    store.merge({b"va": [action(0)], b"vb": [action(0, time.time_ns() // 1_000_000 + 60_000)]})
    deadline = time.monotonic() + 10
    while store.get_many([b"va"])[0].actions and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [len(each.actions) for each in store.get_many([b"va", b"vb"])] == [0, 1]


def test_a_store_knows_when_it_began(store: Profiles, place: str) -> None:
    began = store.began()
    assert NOW - 1000 <= began <= time.time_ns() // 1_000_000
    time.sleep(0.01)
    store.merge({b"va": [action(1)]})
    assert (store.began(), open_store(place).began()) == (began, began)


def test_a_standing_is_replaced_where_it_is_what_was_read_alone(store: Profiles, place: str) -> None:
    assert store.standings([]) == []
    assert store.standings([b"va", b"vb"]) == [b"", b""]
    assert store.replace_standings({b"va": (b"", b"one"), b"vb": (b"", b"two")}) == []
    assert open_store(place).standings([b"vb", b"va", b"vx"]) == [b"two", b"one", b""]
    assert store.replace_standings({b"va": (b"old", b"three"), b"vb": (b"two", b"")}) == [b"va"]
    assert store.standings([b"va", b"vb"]) == [b"one", b""]
    assert store.get_many([b"va"]) == [EMPTY]


def test_standings_that_nobody_wrote_lately_go(store: Profiles) -> None:
    store.replace_standings({b"va": (b"", b"one")})
    store.expire(NOW - DAY, 10)
    assert store.standings([b"va"]) == [b"one"]
    if isinstance(store, LmdbProfiles):  # Redis removes it by itself
        store.expire(time.time_ns() // 1_000_000 + 1, 10)
        assert store.standings([b"va"]) == [b""]
