"""What is kept of a subject, and how it follows its facts."""

from pathlib import Path

import msgspec
import pytest

from nextclick import formats
from nextclick.audiences.definitions import read
from nextclick.audiences.facts import Facts, Night
from nextclick.audiences.standing import (
    EMPTY,
    AudienceStanding,
    Change,
    Subject,
    change_event,
    decode_standing,
    encode_standing,
    said,
    silently,
    updated,
)
from nextclick.contracts.events import Event
from nextclick.errors import LakeError
from nextclick.profile.profile import Action

NOW = 1_750_000_000_000


def test_a_standing_is_read_as_it_was_written_and_an_empty_one_takes_no_room() -> None:
    standing = AudienceStanding(
        {"buyers": NOW}, Night(as_of=NOW, revenue={"EUR": 5}, foreseen={"churn": (0.5, 6)}), NOW
    )
    assert decode_standing(encode_standing(standing)) == standing
    assert encode_standing(EMPTY) == b""
    assert decode_standing(b"") == EMPTY


def test_a_damaged_standing_is_seen_anew_and_a_newer_one_refused() -> None:
    assert decode_standing(encode_standing(AudienceStanding({"buyers": NOW}))[:-2]) == EMPTY
    with pytest.raises(LakeError, match="newer"):
        decode_standing(bytes([formats.STANDING + 1]) + b"x")


def test_changes_have_an_order_and_what_is_not_known_stands(tmp_path: Path) -> None:
    path = tmp_path / "buyers.toml"
    path.write_text('meaning = "m"\nevent = "purchase"\nwithin = "1h"')
    buyers = [read(path)]
    bought, nothing = Facts([Action(NOW, 1, 6)], NOW, 0, None), Facts([], NOW, 0, None)
    inside, changes = updated(EMPTY, buyers, bought)
    assert changes == [Change("buyers", True, NOW)]
    assert updated(inside, buyers, bought) == (inside, [])
    outside, changes = updated(inside, buyers, nothing)
    assert changes == [Change("buyers", False, NOW + 1)], "of one millisecond, and still in order"
    assert updated(outside, buyers, bought)[1] == [Change("buyers", True, NOW + 2)]
    assert updated(inside, buyers, Facts([], NOW, NOW, None)) == (inside, []), "nobody knows"


def test_what_was_said_is_by_the_standing_and_else_by_the_tables() -> None:
    tables = {"old": 1, "both": 2}
    assert said(EMPTY, tables) == tables, "of a lost standing the tables know"
    live = AudienceStanding({"both": 5, "new": 6})
    assert said(live, tables) == {"old": 1, "both": 5, "new": 6}
    assert said(msgspec.structs.replace(live, nightly=True), tables) == {"both": 5, "new": 6}, "old is over"
    silent = silently(live, [Change("both", True, 5), Change("new", True, 6)])
    assert said(silent, tables) == {"old": 1, "both": 2}
    gone = silently(AudienceStanding(nightly=True), [Change("old", False, 7)])
    assert said(gone, tables) == {"old": 1}


def test_a_change_is_an_event_of_its_subject_and_has_one_id() -> None:
    one, again, later = (
        msgspec.json.decode(change_event(Subject("shop", "user", "u1"), Change("buyers", True, at)), type=Event)
        for at in (NOW, NOW, NOW + 1)
    )
    assert (one.event, one.site, one.visitor_id, one.user_id) == ("audience_entered", "shop", None, "u1")
    assert one.properties == {"audience": "buyers"}
    assert one.event_id == again.event_id != later.event_id
