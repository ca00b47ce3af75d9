"""Incremental updates: what changed since the cursor, and how they meet exports and rollbacks."""

import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from ml.jobs import publish_lists, rollback, train, update
from ml.registry import artifact, champion, store, tracking
from nextclick.errors import ModelError
from nextclick.lake import lists_manifest, table_files
from nextclick.lake.lists_manifest import ListsManifest
from nextclick.settings import Settings, load
from tests.conftest import LAKE
from tests.table_rows import NOON, write

WriteInteractions = Callable[..., int]


def settings_of(lake: Path, **environ: str) -> Settings:
    return load(lake, profile="test", environ={f"NEXTCLICK_{key}": value for key, value in environ.items()})


def rows(lake: Path, table: str) -> pd.DataFrame:
    frame = pa.table(DeltaTable(settings_of(lake).lake.table(table)).to_pyarrow_table()).to_pandas()
    return frame.sort_values([name for name in ("person_id", "item_id", "rank") if name in frame], ignore_index=True)


def manifest(lake: Path) -> ListsManifest:
    lists = lists_manifest.read(settings_of(lake).lake)
    assert lists is not None
    return lists


def list_of(lake: Path, person: str) -> list[str]:
    lists = rows(lake, "gold.recommendations")
    return list(lists[lists.person_id == person].sort_values("rank").item_id)


NEWS = [
    ("newcomer", "i10", 1.0, 21, 21), ("newcomer", "i11", 1.0, 21, 21), ("newcomer", "i12", 1.0, 21, 21),
    *((f"p{n}", "brand-new", 20.0, 21, 21) for n in (1, 5, 9, 13)),
]  # fmt: skip
"""A newcomer with the taste of i1…, and an item that four people of that taste have used."""


@pytest.fixture
def news(trained: Path, write_interactions: WriteInteractions) -> Path:
    write_interactions(trained, NEWS)
    return trained


def test_without_changes_nothing_is_written(trained: Path) -> None:
    before = manifest(trained)
    report = update.run(settings_of(trained))
    assert (report.read, report.written) == (0, 0)
    assert manifest(trained) == before


def test_only_the_lists_of_those_who_changed_are_made_anew(news: Path) -> None:
    before = rows(news, "gold.recommendations")
    report = update.run(settings_of(news))
    assert (report.read, report.written) == (5, 5)
    after = rows(news, "gold.recommendations")
    changed = {"newcomer", "p1", "p5", "p9", "p13"}
    assert set(after[after.generated_at == manifest(news).generated_at].person_id) == changed
    kept = [frame[~frame.person_id.isin(changed)].reset_index(drop=True) for frame in (before, after)]
    pd.testing.assert_frame_equal(*kept)
    assert not after.duplicated(["person_id", "rank"]).any()


def test_lists_of_another_length_are_refused_by_an_update_and_made_by_a_training(news: Path) -> None:
    longer = settings_of(news, LISTS__TOP_N="3")
    with pytest.raises(ModelError, match=r"\"top_n\": 3.*an update would mix them.*`nextclick train`"):
        update.run(longer)
    assert update.run(settings_of(news)).written > 0
    published = publish_lists.run(longer)
    assert published.written > 0
    assert set(rows(news, "gold.recommendations").groupby("person_id").size()) == {3}
    assert publish_lists.run(longer).written == 0


def test_people_and_items_that_the_nightly_model_never_saw_get_answers(news: Path) -> None:
    update.run(settings_of(news))
    assert {item[:2] for item in list_of(news, "newcomer")[:5]} <= {"i1", "br"}
    assert "brand-new" in list_of(news, "newcomer")
    assert "brand-new" not in list_of(news, "p1")
    similar = rows(news, "gold.similar_items")
    nearest = similar[similar.item_id == "brand-new"].sort_values("rank").similar_item_id.tolist()
    assert {item[:2] for item in nearest[:5]} == {"i1"}
    assert "brand-new" in rows(news, "gold.popular_items").item_id.tolist()


def test_new_items_get_vectors_in_the_space_of_the_others(news: Path) -> None:
    before, pinned = rows(news, "gold.item_vectors"), manifest(news).vectors
    update.run(settings_of(news))
    after = rows(news, "gold.item_vectors")
    pd.testing.assert_frame_equal(after[after.item_id != "brand-new"].reset_index(drop=True), before)
    vectors = {row.item_id: np.array(row.vector) / np.linalg.norm(row.vector) for row in after.itertuples()}
    near = sorted(before.item_id, key=lambda item: -float(vectors[item] @ vectors["brand-new"]))
    assert {item[:2] for item in near[:5]} == {"i1"}
    newest = manifest(news).vectors
    assert newest
    assert pinned
    assert (newest.method, newest.dimensions) == ("als", len(before.vector[0]))
    assert (pinned.table_version, newest.table_version) == (1, 2)


class TwoHoursAgo(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        return datetime.fromtimestamp(time.time() - 7200, tz)


def walks(visitors: int, name: str, *items: str) -> list[dict[str, Any]]:
    """Each visitor looks at the items in turn, one visitor an hour."""
    return [
        {"event_id": f"{name}{n}-{step}", "event": "view_item", "visitor_id": f"{name}{n}", "item_id": item,
         "site": "default"} | dict.fromkeys(("occurred_at", "client_time"), NOON + timedelta(hours=n, minutes=step))
        for n in range(visitors)
        for step, item in enumerate(items)
    ]  # fmt: skip


def test_what_follows_an_item_is_made_anew_by_the_first_update_after_an_hour(
    trained: Path, write_interactions: WriteInteractions, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(trained, EVALUATION__K="2")

    def first_after(item: str) -> str:
        lists = rows(trained, "gold.next_items")
        return str(lists[(lists.item_id == item) & (lists["rank"] == 1)].next_item_id.item())

    write(settings.lake, "silver.events", walks(200, "v", "i10", "i11", "i12", "i13", "i14", "i15"))
    monkeypatch.setattr(publish_lists, "datetime", TwoHoursAgo)
    publish_lists.run(settings, force=True)
    assert first_after("i10") == "i11"
    write(settings.lake, "silver.events", walks(400, "w", "i10", "brand-new"))
    write_interactions(trained, NEWS)
    facts = update.run(settings).details
    assert first_after("i10") == "brand-new"
    updated = manifest(trained)
    assert updated.next_at == updated.generated_at
    assert facts["next_items"] == f"as of {updated.next_at:%Y-%m-%d %H:%M}"
    write_interactions(trained, [("p2", "brand-new", 1.0, 22, 22)])
    update.run(settings)
    assert manifest(trained).next_version == updated.next_version, "an hour is not over"


def test_an_update_twice_changes_nothing_the_second_time(news: Path) -> None:
    update.run(settings_of(news))
    versions = [DeltaTable(settings_of(news).lake.table(name)).version() for name in publish_lists.TABLES]
    assert update.run(settings_of(news)).written == 0
    assert [DeltaTable(settings_of(news).lake.table(name)).version() for name in publish_lists.TABLES] == versions


def test_updates_one_by_one_give_the_same_popular_list_as_one_for_all(
    trained: Path, tmp_path: Path, write_interactions: WriteInteractions, trained_template: Path
) -> None:
    other = shutil.copytree(trained_template, tmp_path / "other")
    for step in (NEWS[:3], NEWS[3:]):
        write_interactions(trained, step)
        update.run(settings_of(trained))
    write_interactions(other, NEWS)
    update.run(settings_of(other))
    popular = [rows(lake, "gold.popular_items").drop(columns="generated_at") for lake in (trained, other)]
    pd.testing.assert_frame_equal(*popular)


def test_the_champion_is_not_touched_and_the_updated_vectors_lie_with_the_export(news: Path) -> None:
    lake = settings_of(news).lake
    before = champion.model_status(lake)
    update.run(settings_of(news))
    assert champion.model_status(lake) == before
    assert before.champion is not None
    assert "newcomer" not in champion.artifact(lake, before.champion).people.ids.to_pylist()
    state = manifest(news)
    assert state.state.startswith(f"lists/{state.lists_id}/")
    assert "newcomer" in artifact.load(f"{lake.shared}/{state.state}", state.digest).people.ids.to_pylist()


def test_the_run_of_an_update_belongs_to_the_champions(news: Path) -> None:
    from mlflow import MlflowClient

    report = update.run(settings_of(news))
    lake = settings_of(news).lake
    run = MlflowClient(lake.mlflow_uri, lake.mlflow_uri).get_run(str(report.details["mlflow"]))
    assert run.data.tags["champion"] == "1"
    assert run.data.tags["mlflow.parentRunId"] == manifest(news).run_id
    assert (run.data.metrics["new_people"], run.data.metrics["new_items"]) == (1, 1)


def test_lists_go_out_even_if_mlflow_is_locked(news: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_LOCK_SECONDS", 0.1)
    with closing(sqlite3.connect(settings_of(news).lake.state / "mlflow.db")) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        report = update.run(settings_of(news))
    assert report.written == 5
    assert "not logged: MLflow's store" in str(report.details["mlflow"])
    assert list_of(news, "newcomer")


def test_a_person_who_is_known_no_more_loses_the_list(trained: Path) -> None:
    table = DeltaTable(settings_of(trained).lake.table("gold.interactions"))
    table.delete("person_id = 'p3'")  # as when a visitor becomes a known user
    update.run(settings_of(trained))
    assert list_of(trained, "p3") == []
    assert list_of(trained, "p4")
    assert manifest(trained).removed == ["p3"]


def test_another_sites_changes_are_none_of_ours(trained: Path, write_interactions: WriteInteractions) -> None:
    write_interactions(trained, [("p1", "elsewhere", 1.0, 21, 21)], site="elsewhere")
    assert update.run(settings_of(trained)).written == 0


def test_killed_before_its_last_commit_an_update_is_done_again_whole(
    news: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, upsert = rows(news, "gold.recommendations"), table_files.upsert

    def killed(lake: object, table: object, column: str, *rest: object) -> int:
        if column == "person_id":
            raise KeyboardInterrupt
        return upsert(lake, table, column, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(table_files, "upsert", killed)
    with pytest.raises(KeyboardInterrupt):
        update.run(settings_of(news))
    pd.testing.assert_frame_equal(rows(news, "gold.recommendations"), before)
    assert manifest(news).kind == "full"
    monkeypatch.undo()
    assert update.run(settings_of(news)).written == 5
    similar = rows(news, "gold.similar_items")
    assert not similar.duplicated(["item_id", "rank"]).any()
    assert not rows(news, "gold.item_vectors").duplicated(["item_id"]).any()


def test_without_an_export_the_update_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="Call `nextclick train`"):
        update.run(settings_of(tmp_path))


def test_a_table_made_anew_needs_a_training(trained: Path, write_interactions: WriteInteractions) -> None:
    shutil.rmtree(settings_of(trained).lake.table("gold.interactions"))
    write_interactions(trained, NEWS)
    with pytest.raises(ModelError, match=r"made anew.*nextclick train"):
        update.run(settings_of(trained))


def test_a_table_overwritten_in_place_is_an_update_of_everybody(
    trained: Path, write_interactions: WriteInteractions
) -> None:
    write_interactions(trained, NEWS, "overwrite")
    update.run(settings_of(trained))
    assert list_of(trained, "p3") == []
    assert list_of(trained, "newcomer")


def test_popular_lists_are_updated_too(trained: Path, write_interactions: WriteInteractions) -> None:
    settings = settings_of(trained)
    write_interactions(trained, [("anna", "tea", 1.0, 0, 0), ("ben", "pot", 1.0, 0, 2)], "overwrite")
    champion.write(settings.lake, champion.ModelStatus())
    tracking.promote(settings.lake, None)
    train.run(settings)
    publish_lists.run(settings)
    write_interactions(trained, [("carl", "pot", 1.0, 3, 3), ("ben", "cup", 1.0, 3, 3)])
    assert update.run(settings).written == 2
    assert [list_of(trained, person) for person in ("anna", "ben", "carl")] == [["pot"], ["tea"], ["tea", "cup"]]
    assert manifest(trained).model_version == "popular"


TwoExports = tuple[Path, ListsManifest, pd.DataFrame]


@pytest.fixture(scope="module")
def two_exports_template(
    trained_template: Path, write_interactions: WriteInteractions, tmp_path_factory: pytest.TempPathFactory
) -> TwoExports:
    """The first export with an update, then a second model's; the lake, and the first's last state and lists."""
    lake = shutil.copytree(trained_template, tmp_path_factory.mktemp("two_exports") / LAKE)
    settings = settings_of(lake)
    write_interactions(lake, NEWS)
    update.run(settings)
    first, lists = manifest(lake), rows(lake, "gold.recommendations")
    train.run(settings)
    publish_lists.run(settings)
    assert manifest(lake).model_version == "2"
    return lake, first, lists


@pytest.fixture
def two_exports(two_exports_template: TwoExports, tmp_path: Path) -> TwoExports:
    """A copy of that lake, to be changed at will."""
    lake, first, lists = two_exports_template
    return shutil.copytree(lake, tmp_path / LAKE), first, lists


def test_a_rollback_brings_back_lists_champion_and_cursor(
    two_exports: TwoExports,
) -> None:
    lake, first, lists = two_exports
    rollback.run(settings_of(lake), first)
    pd.testing.assert_frame_equal(rows(lake, "gold.recommendations"), lists)
    assert manifest(lake) == first
    assert (champion.facts(settings_of(lake).lake) or {})["version"] == "1"
    reigning = tracking.champion(settings_of(lake).lake)
    assert reigning is not None
    assert reigning.version == "1"
    assert publish_lists.run(settings_of(lake)).written == 0


def test_after_a_rollback_updates_start_from_the_cursor_of_its_export(
    two_exports: TwoExports, write_interactions: WriteInteractions
) -> None:
    lake, first, _ = two_exports
    write_interactions(lake, [("p2", "i22", 1.0, 22, 22)])
    rollback.run(settings_of(lake), first)
    assert update.run(settings_of(lake)).read == 1
    after = manifest(lake)
    assert (after.lists_id, after.interactions_version, after.model_version) == (first.lists_id, 2, "1")


def test_a_rollback_twice_is_a_rollback_once(two_exports: TwoExports) -> None:
    lake, first, _ = two_exports
    rollback.run(settings_of(lake), first)
    version = DeltaTable(settings_of(lake).lake.table("gold.recommendations")).version()
    rollback.run(settings_of(lake), first)
    assert DeltaTable(settings_of(lake).lake.table("gold.recommendations")).version() == version


def test_a_rollback_to_a_state_that_is_gone_goes_on_from_the_exports_beginning(
    two_exports: TwoExports,
) -> None:
    lake, first, lists = two_exports
    shutil.rmtree(settings_of(lake).lake.state / first.state)
    rollback.run(settings_of(lake), first)
    pd.testing.assert_frame_equal(rows(lake, "gold.recommendations"), lists)
    assert (manifest(lake).interactions_version, manifest(lake).state) == (0, f"lists/{first.lists_id}/full")
    assert update.run(settings_of(lake)).written == 5


def test_a_rollback_with_mlflow_locked_is_whole_and_mlflow_learns_of_it_at_the_next_training(
    two_exports: TwoExports, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, first, lists = two_exports
    settings = settings_of(lake)
    monkeypatch.setattr(store, "_LOCK_SECONDS", 0.1)
    with closing(sqlite3.connect(settings.lake.state / "mlflow.db")) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        assert "locked" in str(rollback.run(settings, first).details["mlflow"])
        assert update.run(settings).written == 0
    pd.testing.assert_frame_equal(rows(lake, "gold.recommendations"), lists)
    assert (champion.facts(settings.lake) or {})["version"] == "1"
    train.run(settings_of(lake, ALS__FACTORS="1", ALS__ITERATIONS="1"))  # fails the gate
    reigning = tracking.champion(settings.lake)
    assert reigning is not None
    assert reigning.version == (champion.facts(settings.lake) or {})["version"] == "1"


def test_only_the_newest_lists_and_their_models_are_kept(
    news: Path, write_interactions: WriteInteractions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_files, "_YOUNG", 0.0)
    lake = settings_of(news).lake
    for day in range(22, 28):
        update.run(settings_of(news))
        write_interactions(news, [("p1", f"i3{day % 10}", 1.0, day, day)])
    kept = sorted(path.name for path in (lake.state / "lists").glob("*/*"))
    assert kept == ["full", "update-3", "update-4", "update-5", "update-6"]
    table = Path(lake.table("gold.recommendations"))
    newest = [version for version, _ in lists_manifest.history(lake)][:4]
    named = {Path(uri).name for version in newest for uri in DeltaTable(table, version=version).file_uris()}
    assert {path.name for path in table.glob("*.parquet")} == named
    oldest = list(lists_manifest.history(lake))[3][1]
    rollback.run(settings_of(news), oldest)
    assert manifest(news) == oldest
