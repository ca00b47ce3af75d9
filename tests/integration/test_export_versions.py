"""Which versions of the exported lists are kept, and which one a rollback serves."""

import pytest

from nextclick.errors import ModelError
from nextclick.settings import Settings
from serving.export import export

from .conftest import ANN, BOB, CLO, POPULAR, Gold, served


def test_a_rollback_serves_the_lists_before_and_newer_lists_end_it(lake: Settings, gold: Gold) -> None:
    gold.full({"ann": ANN}, POPULAR, model="1")
    export.run(lake)
    gold.full({"ann": BOB}, POPULAR, model="2")
    export.run(lake)
    back = export.rollback(lake)
    assert (back.version, back.lists.model_version, back.lists.interactions_version) == (1, "1", 7)
    assert served(lake, "ann") == ANN
    assert export.run(lake).details["kind"] == "rolled back"  # the lists of gold are those that were rolled back
    assert served(lake, "ann") == ANN
    gold.full({"ann": CLO}, POPULAR, model="3")
    export.run(lake)
    assert served(lake, "ann") == CLO
    assert [each["version"] for each in export.versions(lake)] == [3, 1]  # what was rolled back is gone
    assert export.rollback(lake).version == 1


def test_gold_that_went_back_too_is_served_as_it_was_and_updates_go_on_from_there(lake: Settings, gold: Gold) -> None:
    people = {"ann": ANN, "bob": BOB, "clo": CLO}
    gold.full(people, POPULAR, model="1")
    export.run(lake)
    gold.full(dict.fromkeys(people, BOB), POPULAR, model="2")
    export.run(lake)
    target = export.rollback_target(lake)
    gold.back_to(target.lists_version)
    assert export.run(lake).written == 0  # the rollback died before its flip; the export does it
    assert served(lake, "ann") == ANN
    export.rollback(lake, to=target.version)
    gold.update({"ann": CLO})
    assert export.run(lake).details["kind"] == "incremental"
    assert {person: served(lake, person) for person in people} == people | {"ann": CLO}


def test_a_rollback_can_be_undone_by_name(lake: Settings, gold: Gold) -> None:
    for people in (ANN, BOB):
        gold.full({"ann": people}, POPULAR)
        export.run(lake)
    export.rollback(lake)
    export.rollback(lake, to=2)
    assert served(lake, "ann") == BOB
    assert export.run(lake).details["kind"] == "nothing new"


def test_a_rollback_without_a_version_to_go_to_names_those_there_are(lake: Settings, gold: Gold) -> None:
    with pytest.raises(ModelError, match="Kept: none"):
        export.rollback(lake)
    gold.full({"ann": ANN}, POPULAR)
    export.run(lake)
    with pytest.raises(ModelError, match=r"before 1 .*Kept: 1"):
        export.rollback(lake)
    with pytest.raises(ModelError, match=r"version 7 .*Kept: 1"):
        export.rollback(lake, to=7)
    assert served(lake, "ann") == ANN


def test_only_the_current_version_and_the_one_before_are_kept(lake: Settings, gold: Gold) -> None:
    for _ in range(4):
        gold.full({"ann": ANN}, POPULAR)
        export.run(lake)
    assert [each["version"] for each in export.versions(lake)] == [4, 3]


def test_updates_do_not_push_out_what_the_night_before_had_made(lake: Settings, gold: Gold) -> None:
    for night in ("1", "2"):
        gold.full({"ann": ANN, "bob": BOB, "clo": CLO}, POPULAR, model=night)
        export.run(lake)
        for _ in range(3):
            gold.update({"ann": BOB})
            export.run(lake)
    assert [each["version"] for each in export.versions(lake)] == [8, 7, 4]  # two of today, the last of yesterday
    export.rollback(lake, to=4)
    gold.update({"ann": CLO})
    assert export.run(lake).details["version"] == 9
    assert [each["version"] for each in export.versions(lake)] == [9, 4]  # what was rolled back is gone
