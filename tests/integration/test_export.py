"""From gold to answers: what is exported is what gold holds, and what is served changes in one step."""

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from cli.main import main
from nextclick import kv
from nextclick.contracts.gold_lists import POPULAR_ITEMS, RECOMMENDATIONS
from nextclick.errors import LakeError, ModelError, SettingsError, TableBusy, TableMissing
from nextclick.kv.lists.lmdb import LmdbTable, _LmdbWriter
from nextclick.kv.lists.protocol import Entry
from nextclick.lake import locks
from nextclick.settings import Settings
from serving.export import export, gold_lists
from serving.recommend import lookup, similar

from .conftest import ANN, BOB, CLO, POPULAR, Gold, served, with_kv

Nextclick = Callable[..., tuple[int, str, str]]
SIMILAR = {"a": [("b", 0.5)], "b": [("a", 0.5), ("c", 0.25)]}


def test_every_list_of_gold_is_served_as_gold_has_it(lake: Settings, gold: Gold) -> None:
    gold.full({"ann": ANN, "bob": BOB}, POPULAR, SIMILAR, model="12")
    report = export.run(lake)
    assert (report.read, report.details["people"], report.details["kind"]) == (8, 2, "full")
    assert served(lake, "ann") == ANN
    assert served(lake, "bob") == BOB
    assert served(lake, "unknown") == POPULAR
    assert [(item.item_id, item.score) for item in similar(lake, "b", 9).items] == SIMILAR["b"]
    assert lookup(lake, "ann", 1).model_version == "12"


def test_exporting_twice_changes_nothing(lake: Settings, gold: Gold) -> None:
    gold.full({"ann": ANN}, POPULAR)
    export.run(lake)
    again = export.run(lake)
    assert (again.written, again.details["kind"], again.details["version"]) == (0, "nothing new", 1)


def test_a_full_export_on_demand_writes_everything_anew(lake: Settings, gold: Gold) -> None:
    gold.full({"ann": ANN}, POPULAR)
    export.run(lake)
    assert export.run(lake, full=True).details["version"] == 2


def test_an_update_sends_only_the_lists_that_changed(lake: Settings, gold: Gold) -> None:
    gold.full({"ann": ANN, "bob": BOB, "clo": CLO, "dan": ANN}, POPULAR, SIMILAR)
    export.run(lake)
    gold.update({"bob": [("new", 4.0), ("a", 3.0)], "eve": [("c", 2.0)]})
    report = export.run(lake)
    assert (report.details["kind"], report.details["people"]) == ("incremental", 5)
    assert report.written == 4  # bob, eve, the chunk of ids that got a new item, and its facts
    assert served(lake, "bob") == [("new", 4.0), ("a", 3.0)]
    assert (served(lake, "ann"), served(lake, "eve"), served(lake, "unknown")) == (ANN, [("c", 2.0)], POPULAR)


def test_an_update_renews_the_popular_list(lake: Settings, gold: Gold) -> None:
    gold.full({"ann": ANN, "bob": BOB}, POPULAR)
    export.run(lake)
    gold.update({"ann": CLO}, popular=[("hit", 7.0)])
    assert export.run(lake).details["kind"] == "incremental"
    assert served(lake, "unknown") == [("hit", 7.0)]


def test_several_updates_in_one_export_are_one_step(lake: Settings, gold: Gold) -> None:
    gold.full({"ann": ANN, "bob": BOB, "clo": CLO, "dan": ANN, "eve": ANN}, POPULAR)
    export.run(lake)
    gold.update({"bob": CLO})
    gold.update({"clo": BOB})
    assert export.run(lake).details["kind"] == "incremental"
    assert (served(lake, "bob"), served(lake, "clo"), served(lake, "dan")) == (CLO, BOB, ANN)


def test_a_person_whose_list_went_is_unknown_after_the_update(lake: Settings, gold: Gold) -> None:
    gold.full({"ann": ANN, "bob": BOB, "clo": CLO, "dan": ANN}, POPULAR)
    export.run(lake)
    gold.update({}, removed=["dan"])
    assert export.run(lake).details["kind"] == "incremental"
    assert lookup(lake, "dan", 1).source == "popular"
    assert served(lake, "ann") == ANN


def test_a_person_who_went_and_came_back_within_one_export_has_the_last_list(lake: Settings, gold: Gold) -> None:
    gold.full(dict.fromkeys("abcdefgh", ANN), POPULAR)
    export.run(lake)
    gold.update({}, removed=["a", "b"])
    gold.update({"a": CLO})
    assert export.run(lake).details["kind"] == "incremental"
    assert served(lake, "a") == CLO
    assert lookup(lake, "b", 1).source == "popular"


def test_a_list_that_went_without_a_word_is_found_out_by_counting(lake: Settings, gold: Gold) -> None:
    gold.full({"ann": ANN, "bob": BOB, "clo": CLO, "dan": ANN}, POPULAR)
    export.run(lake)
    gold.update({}, unsaid=["dan"])
    assert export.run(lake).details["kind"] == "full"
    assert lookup(lake, "dan", 1).source == "popular"


def test_many_changes_make_a_full_export(lake: Settings, gold: Gold) -> None:
    gold.full({"ann": ANN, "bob": BOB}, POPULAR)
    export.run(lake)
    gold.update({"ann": CLO, "bob": CLO})
    assert export.run(lake).details["kind"] == "full"


def test_the_manifest_carries_model_cursor_and_what_was_read(lake: Settings, gold: Gold) -> None:
    assert export.current(lake) is None
    gold.full({"ann": ANN}, POPULAR, model="12")
    export.run(lake)
    facts = export.current(lake)
    assert facts is not None
    assert (facts["version"], facts["people"], facts["model_version"], facts["interactions_version"]) == (1, 1, "12", 7)
    manifest = kv.current(lake)
    assert manifest is not None
    assert manifest.lists_version == DeltaTable(lake.lake.table(RECOMMENDATIONS.name)).version()
    assert (manifest.entries, manifest.rows, manifest.items) == (4, 4, 4)  # two lists, the ids, their facts


def test_an_export_that_died_before_its_flip_is_taken_up(
    lake: Settings, gold: Gold, monkeypatch: pytest.MonkeyPatch
) -> None:
    gold.full({"ann": ANN}, POPULAR)
    export.run(lake)
    gold.full({"ann": BOB}, POPULAR)
    with monkeypatch.context() as killed:
        killed.setattr(export, "_flip", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            export.run(lake)
    assert served(lake, "ann") == ANN
    report = export.run(lake)
    assert (report.written, report.details["kind"]) == (0, "resumed")
    assert served(lake, "ann") == BOB


@pytest.mark.parametrize("seed", range(3))
def test_rows_in_any_order_give_the_same_answers(settings: Settings, gold: Gold, seed: int) -> None:
    people = {"ann": ANN, "bob": BOB, "clo": CLO}
    gold.full(people, POPULAR)
    rows = DeltaTable(settings.lake.table(RECOMMENDATIONS.name)).to_pyarrow_table()
    order = list(range(len(rows)))
    random.Random(seed).shuffle(order)
    gold.rows(rows.take(order), 3)
    assert export.run(settings).details["kind"] == "full, sorted"
    assert {person: served(settings, person) for person in people} == people


def test_lists_that_span_the_batches_of_the_reader_are_whole(
    settings: Settings, gold: Gold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gold_lists, "ROWS", 7)
    people = {f"{person:03d}": [(f"i{rank}", 1.0 / rank) for rank in range(1, 2 + person % 20)] for person in range(60)}
    gold.full(people, POPULAR)
    assert export.run(settings).details["kind"] == "full"
    for person, places in people.items():
        assert [item for item, _ in served(settings, person)] == [item for item, _ in places]


def test_more_items_than_fit_into_two_bytes(settings: Settings, gold: Gold) -> None:
    many = {f"{person:03d}": [(f"i{person}-{rank}", 1.0) for rank in range(700)] for person in range(100)}
    gold.full(many, POPULAR)
    export.run(settings)
    assert {len(served(settings, person)) for person in many} == {100}
    assert served(settings, "099") == many["099"][:100]


def test_lists_of_other_sites_are_left_out(settings: Settings, gold: Gold) -> None:
    gold.full({"ann": ANN}, POPULAR)
    rows = DeltaTable(settings.lake.table(RECOMMENDATIONS.name)).to_pyarrow_table()
    elsewhere = rows.set_column(0, "site", pa.array(["elsewhere"] * len(rows)))
    gold.rows(pa.concat_tables([rows, elsewhere.cast(rows.schema)]), 1)
    report = export.run(settings)
    assert (report.details["people"], report.details["kind"]) == (1, "full")
    assert served(settings, "ann") == ANN


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ([("a", 1, float("nan"))], "not finite"),
        ([("a", 1, 1.0), ("b", 1, 0.5)], "not together"),
        ([("a", 1, 1.0), ("b", 3, 0.5)], "ranks do not run from 1"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused_and_the_old_ones_are_served(
    settings: Settings, gold: Gold, places: list[tuple[str, int, float]], message: str
) -> None:
    gold.full({"ann": ANN}, POPULAR)
    export.run(settings)
    row: dict[str, Any] = DeltaTable(settings.lake.table(RECOMMENDATIONS.name)).to_pyarrow_table().to_pylist()[0]
    rows = [row | {"item_id": item, "rank": rank, "score": score} for item, rank, score in places]
    gold.rows(pa.Table.from_pylist(rows, schema=_schema()), 1)
    with pytest.raises(ModelError, match=message):
        export.run(settings)
    assert served(settings, "ann") == ANN
    assert _traces(settings) == {"1", "CURRENT"}


def test_a_store_that_loses_an_entry_is_found_out_before_the_flip(
    settings: Settings, gold: Gold, monkeypatch: pytest.MonkeyPatch
) -> None:
    gold.full({"ann": ANN}, POPULAR)
    export.run(settings)
    gold.full({"ann": BOB, "bob": ANN}, POPULAR)
    put = _LmdbWriter.put_many

    def forgetful(self: _LmdbWriter, entries: list[Entry]) -> int:
        put(self, entries[:-1])
        return len(entries)

    monkeypatch.setattr(_LmdbWriter, "put_many", forgetful)
    with pytest.raises(ModelError, match="The store holds"):
        export.run(settings)
    assert served(settings, "ann") == ANN


def test_lists_without_a_popular_one_are_refused(settings: Settings, gold: Gold) -> None:
    gold.full({"ann": ANN}, [])
    with pytest.raises(ModelError, match="popular_items is empty"):
        export.run(settings)


def test_a_lake_without_lists_says_which_job_makes_them(settings: Settings) -> None:
    with pytest.raises(TableMissing, match="nextclick train"):
        export.run(settings)


def test_gold_files_that_are_missing_are_an_error_of_the_lake(settings: Settings, gold: Gold) -> None:
    gold.full({"ann": ANN}, POPULAR)
    for file in Path(settings.lake.table(POPULAR_ITEMS.name)).glob("*.parquet"):
        file.unlink()
    with pytest.raises(LakeError, match="cannot be read"):
        export.run(settings)


def test_a_second_export_at_the_same_time_is_refused_with_the_holder_named(settings: Settings, gold: Gold) -> None:
    gold.full({"ann": ANN}, POPULAR)
    holding = "from nextclick.lake import locks; import sys, pathlib\n"
    holding += f"with locks.hold(pathlib.Path(sys.argv[1]), {export.LOCK!r}, purpose='export'): print('held', flush=True); input()"
    command = [sys.executable, "-c", holding, str(settings.lake.locks)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(TableBusy, match=str(other.pid)):
            export.run(settings)
        other.communicate("\n")
    assert locks.holder(settings.lake.locks, export.LOCK) is None


def test_lists_that_do_not_fit_name_the_setting(tmp_path: Path) -> None:
    writer = LmdbTable(tmp_path / "lists", 1 << 16).begin()
    with pytest.raises(ModelError, match=r"kv\.map_gib"):
        writer.put_many([(b"p%d" % number, bytes(1000)) for number in range(100)])


def test_a_store_that_cannot_be_written_leaves_a_clear_error(settings: Settings, gold: Gold) -> None:
    gold.full({"ann": ANN}, POPULAR)
    settings.lake.kv.mkdir(parents=True)
    (settings.lake.kv / "recommendations").write_text("a file is in the way")
    with pytest.raises(ModelError, match="cannot be written"):
        export.run(settings)


def test_redis_that_is_down_is_a_clear_error_without_the_password(settings: Settings, gold: Gold) -> None:
    gold.full({"ann": ANN}, POPULAR)
    down = with_kv(settings, backend="redis", redis_url="redis://:secret@127.0.0.1:1/0")
    for call in (lambda: export.run(down), lambda: export.current(down), lambda: lookup(down, "ann", 1)):
        with pytest.raises(ModelError, match=r"127\.0\.0\.1:1") as error:
            call()
        assert "secret" not in str(error.value)


def test_a_redis_address_that_is_none_names_the_setting(settings: Settings) -> None:
    with pytest.raises(SettingsError, match=r"kv\.redis_url"):
        export.current(with_kv(settings, backend="redis", redis_url="localhost"))


@pytest.fixture
def nextclick(settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Nextclick:
    """`nextclick(words…)` on the lake: exit code, stdout, stderr."""

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["nextclick", "--lake", str(settings.lake.root), *words])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        return code, *capsys.readouterr()

    return call


def test_the_command_line_prints_what_scripts_rely_on(nextclick: Nextclick, gold: Gold) -> None:
    gold.full({"ann": ANN}, POPULAR, SIMILAR, model="12")
    assert json.loads(nextclick("export", "--json")[1])["details"]["people"] == 1
    assert json.loads(nextclick("recommend", "ann", "-n", "1", "--json")[1]) == {
        "person_id": "ann",
        "source": "model",
        "model_version": "12",
        "items": [{"rank": 1, "item_id": "a", "score": 3.0}],
    }
    similar_items = json.loads(nextclick("recommend", "--similar", "a", "--json")[1])
    assert (similar_items["item_id"], similar_items["source"]) == ("a", "similar")
    gold.full({"ann": BOB}, POPULAR, model="13")
    nextclick("export")
    listed = json.loads(nextclick("rollback", "--list", "--json")[1])
    assert (listed["version"], [each["version"] for each in listed["versions"]]) == (2, [2, 1])


def test_the_command_line_tells_people_what_they_see(nextclick: Nextclick, settings: Settings, gold: Gold) -> None:
    gold.full({"ann": ANN}, POPULAR)
    assert "Version 1 is served (full): lists of 1 people from model 1" in nextclick("export")[1]
    assert "There is no list for zoe yet: this is what everybody likes." in nextclick("recommend", "zoe")[1]
    gold.full({"ann": BOB}, POPULAR)
    nextclick("export")
    export.rollback(settings)
    assert "`nextclick rollback --to 2` serves it again" in nextclick("export")[1]


def test_the_command_line_says_what_is_wrong(nextclick: Nextclick) -> None:
    code, out, errors = nextclick("recommend", "ann", "--json")
    assert (code, out) == (1, "")
    assert "There are no lists" in errors
    assert "nextclick run" in errors
    assert nextclick("recommend")[0] == 2
    assert nextclick("recommend", "ann", "-n", "0")[0] == 2


def _traces(settings: Settings) -> set[str]:
    return {path.name for path in (settings.lake.kv / "recommendations").iterdir()}


def _schema() -> pa.Schema:
    from nextclick.contracts import arrow

    return arrow.schema(RECOMMENDATIONS)
