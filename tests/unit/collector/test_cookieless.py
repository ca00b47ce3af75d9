"""Strangers: one id a day and a site, and none beyond."""

from pathlib import Path

from collector.request.cookieless import AnonymousIds, visitor_id

NOON = 1_770_120_000_000  # 2026-02-03 12:00 UTC
DAY = 86_400_000


def test_a_stranger_is_the_same_all_day_and_another_the_next_day(tmp_path: Path) -> None:
    strangers = AnonymousIds(str(tmp_path))
    morning = strangers.of("203.0.113.9", "Firefox", NOON - DAY // 2)
    assert strangers.of("203.0.113.9", "Firefox", NOON + DAY // 2 - 1) == morning
    assert strangers.of("203.0.113.9", "Firefox", NOON + DAY // 2) != morning


def test_strangers_differ_by_the_whole_address_and_by_the_agent(tmp_path: Path) -> None:
    strangers = AnonymousIds(str(tmp_path))
    seen = {strangers.of(*who, NOON) for who in (("203.0.113.9", "a"), ("203.0.113.8", "a"), ("203.0.113.9", "b"))}
    assert len(seen) == 3


def test_workers_share_the_salt(tmp_path: Path) -> None:
    assert AnonymousIds(str(tmp_path)).of("203.0.113.9", "a", NOON) == AnonymousIds(str(tmp_path)).of(
        "203.0.113.9", "a", NOON
    )


def test_another_installation_gives_other_ids(tmp_path: Path) -> None:
    one, other = AnonymousIds(str(tmp_path / "one")), AnonymousIds(str(tmp_path / "other"))
    assert one.of("203.0.113.9", "a", NOON) != other.of("203.0.113.9", "a", NOON)


def test_a_salt_is_deleted_after_the_day_that_follows(tmp_path: Path) -> None:
    strangers = AnonymousIds(str(tmp_path))
    for day in range(3):
        strangers.of("203.0.113.9", "a", NOON + day * DAY)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2026-02-04.salt", "2026-02-05.salt"]
    assert (tmp_path / "2026-02-05.salt").stat().st_mode & 0o777 == 0o600


def test_where_no_salt_can_be_kept_strangers_are_still_told_apart(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    strangers = AnonymousIds(str(tmp_path / "file"))
    assert strangers.of("203.0.113.9", "a", NOON) == strangers.of("203.0.113.9", "a", NOON + 1)
    assert strangers.of("203.0.113.9", "a", NOON) != strangers.of("203.0.113.8", "a", NOON)


def test_a_visitor_of_two_sites_has_two_ids() -> None:
    assert visitor_id("9f", "shop") != visitor_id("9f", "blog")
