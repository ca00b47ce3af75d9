"""From gold.interactions to a champion and its lists: what passes, what is blocked, what is missing."""

import importlib.util
import json
import marshal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from click.testing import CliRunner
from deltalake import DeltaTable

from cli.train import train as train_verb
from ml.data.interactions import IdMap, Interactions
from ml.jobs import publish_lists, train
from ml.models.user_item.als import Als, AlsModel
from ml.registry import artifact, champion, store, tracking
from ml.registry.artifact import Artifact
from nextclick.command import CommandContext
from nextclick.contracts.table import Table
from nextclick.errors import ModelError, TableBusy, TableMissing
from nextclick.lake import lists_manifest, locks, table_files
from nextclick.lake.paths import Lake
from nextclick.settings import Settings, load

WriteInteractions = Callable[..., int]
Fit = Callable[..., AlsModel]


def settings_of(lake: Path, **environ: str) -> Settings:
    return load(lake, profile="test", environ={f"NEXTCLICK_{key}": value for key, value in environ.items()})


def with_candidates(settings: Settings, *names: str) -> Settings:
    return msgspec.structs.replace(settings, evaluation=msgspec.structs.replace(settings.evaluation, candidates=names))


def rows(lake: Path, table: str) -> pd.DataFrame:
    return pa.table(DeltaTable(settings_of(lake).lake.table(table)).to_pyarrow_table()).to_pandas()


@pytest.fixture
def grown(trained: Path, write_interactions: WriteInteractions) -> Path:
    """The trained lake after a day: everybody has used what they lacked."""
    write_interactions(trained, [(f"p{n}", f"i{n % 4}{n % 10}", 1.0, 21.0, 21.0) for n in range(60)])
    return trained


def test_a_trained_lake_has_a_champion_with_its_figures(trained: Path) -> None:
    facts = champion.facts(settings_of(trained).lake)
    assert facts is not None
    assert (facts["name"], facts["version"]) == ("recommender", "1")
    metrics = facts["metrics"]
    assert metrics["recall@20"] > metrics["popular_all_time.recall@20"]
    assert any(name.startswith("popular_last_") for name in metrics)
    assert {"ndcg@20", "map@20", "coverage@20", "novelty@20"} <= metrics.keys()


def test_a_training_and_its_lists_leave_their_figures_by_day_beside_those_of_popularity(trained: Path) -> None:
    daily = rows(trained, "gold.model_daily")
    metrics = champion.model_status(settings_of(trained).lake).attempt.metrics  # type: ignore[union-attr]
    assert set(daily.model_version) == {"1", "popular"}
    ours = daily[daily.model_version == "1"].set_index("metric")
    assert ours.value["offline_recall_at_20"] == metrics["recall@20"]
    assert ours.value["offline_ndcg_at_20"] == metrics["ndcg@20"]
    assert ours.low["offline_recall_at_20"] <= metrics["recall@20"] <= ours.high["offline_recall_at_20"]
    assert (ours.value["lists_people_share"], ours.n["lists_people_share"]) == (1.0, 60)
    assert ours.value["lists_age_hours"] > 0
    popular = daily[daily.model_version == "popular"].set_index("metric").value
    assert set(popular.index) == {"offline_recall_at_20", "offline_ndcg_at_20", "offline_coverage_at_20"}


def test_lists_hold_n_distinct_unseen_known_items_for_everybody(trained: Path) -> None:
    lists, used = rows(trained, "gold.recommendations"), rows(trained, "gold.interactions")
    assert set(lists.person_id) == set(used.person_id)
    assert (lists.groupby("person_id").item_id.nunique() == 20).all()
    assert (lists.groupby("person_id")["rank"].apply(list).map(lambda ranks: ranks == list(range(1, 21)))).all()
    assert set(lists.item_id) <= set(used.item_id)
    seen = set(zip(used.person_id, used.item_id, strict=True))
    assert not seen & set(zip(lists.person_id, lists.item_id, strict=True))


def test_the_first_item_is_the_one_that_the_person_lacks_of_their_taste(trained: Path) -> None:
    lists = rows(trained, "gold.recommendations")
    first = lists[lists["rank"] == 1].set_index("person_id").item_id
    right = [first[f"p{n}"] == f"i{n % 4}{n % 10}" for n in range(60)]
    assert np.mean(right) > 0.8


def test_a_manifest_pins_one_state_of_the_three_tables(trained: Path) -> None:
    settings = settings_of(trained)
    manifest = lists_manifest.read(settings.lake)
    assert manifest is not None
    assert (manifest.kind, manifest.model_version, manifest.interactions_version) == ("full", "1", 0)
    for table, version in (("popular_items", manifest.popular_version), ("similar_items", manifest.similar_version)):
        pinned = DeltaTable(settings.lake.table(f"gold.{table}"), version=version).to_pyarrow_table()
        assert pinned["generated_at"].to_pylist()[0] == manifest.generated_at
    similar = rows(trained, "gold.similar_items")
    assert (similar.item_id != similar.similar_item_id).all()
    assert similar.groupby("item_id").size().eq(10).all()


def test_the_registered_model_predicts_the_lists_that_were_exported(trained_template: Path) -> None:
    model = tracking.load(settings_of(trained_template).lake)
    predicted = model.predict(pd.DataFrame({"person_id": ["p7", "nobody"]}), params={"n": 5})
    lists = rows(trained_template, "gold.recommendations")
    mine = lists[lists.person_id == "p7"].sort_values("rank")
    assert predicted["items"][0] == mine.item_id.tolist()[:5]
    assert predicted["scores"][0] == pytest.approx(mine.score.tolist()[:5], rel=1e-5)
    popular = rows(trained_template, "gold.popular_items").sort_values("rank")
    assert predicted["items"][1] == popular.item_id.tolist()[:5]
    assert predicted["source"].tolist() == ["model", "popular"]


def plant_bytecode(code: Path, source: str) -> None:
    """What Python would run in the place of a file: bytecode of another source, which says that it is that file's."""
    cache, stamp = Path(importlib.util.cache_from_source(str(code))), code.stat()
    cache.parent.mkdir()
    stamped = b"".join(part.to_bytes(4, "little") for part in (0, int(stamp.st_mtime), stamp.st_size))
    cache.write_bytes(importlib.util.MAGIC_NUMBER + stamped + marshal.dumps(compile(source, str(code), "exec")))


@pytest.mark.parametrize("name", ["als_trending", "gf_cf", "blend", "popular_blend"])
def test_every_kind_of_model_predicts_in_mlflow_what_it_recommends_here(trained: Path, name: str) -> None:
    settings = with_candidates(settings_of(trained), name)
    train.run(settings, force=True)
    loaded = tracking.load(settings.lake, alias="challenger")
    predicted = loaded.predict(pd.DataFrame({"person_id": ["p7"]}), params={"n": 5})
    newest = max((settings.lake.state / "mlartifacts").rglob("model/card.json"), key=lambda path: path.stat().st_mtime)
    here = artifact.load(str(newest.parent))
    row = here.people.rows(["p7"])
    lists = here.model.recommend(row, 5, here.seen[row])
    assert predicted["items"][0][0] == here.items.take(lists.items[0]).to_pylist()[0]
    assert predicted["scores"][0] == pytest.approx(lists.scores[0].tolist(), rel=1e-4, abs=1e-5)  # later items may tie
    code, ran = newest.parents[2] / "pyfunc.py", trained / "ran"
    assert not list(code.parent.rglob("*.pyc"))
    plant_bytecode(code, f"open({str(ran)!r}, 'w')")
    tracking.load(settings.lake, alias="challenger")
    assert not ran.exists()
    code.write_text(f"open({str(ran)!r}, 'w')\n{code.read_text()}")
    with pytest.raises(
        ModelError, match=r"not the files that were registered as version \d+ of recommender: pyfunc\.py in "
    ):
        tracking.load(settings.lake, alias="challenger")
    assert not ran.exists()


def test_the_run_in_mlflow_says_from_what_with_what_and_how_well(trained_template: Path) -> None:
    from mlflow import MlflowClient

    lake = settings_of(trained_template).lake
    client = MlflowClient(lake.mlflow_uri, lake.mlflow_uri)
    standing = champion.model_status(lake)
    assert standing.champion is not None
    run = client.get_run(str(standing.champion.run_id))
    assert run.data.params["factors"] == "16"
    assert run.data.metrics["recall_at_20"] == pytest.approx(standing.champion.metrics["recall@20"])
    assert {"seconds", "seconds.fit", "peak_memory_mb"} <= run.data.metrics.keys()
    assert run.outputs is not None
    model = client.get_logged_model(run.outputs.model_outputs[0].model_id)
    assert {figure.key: figure.value for figure in model.metrics or ()} == run.data.metrics
    assert (run.info.status, model.status) == ("FINISHED", "READY")
    assert run.inputs is not None
    data = run.inputs.dataset_inputs[0]
    assert "gold/interactions" in data.dataset.source
    assert {tag.key: tag.value for tag in data.tags}["delta_table_version"] == "0"
    files = [path.name for path in (lake.state / standing.champion.artifact).parent.parent.rglob("*") if path.is_file()]
    assert not [name for name in files if name.endswith((".pkl", ".pickle", ".joblib", ".cloudpickle"))]


def test_each_training_leaves_its_report_with_the_run(trained: Path) -> None:
    lake = settings_of(trained).lake
    train.run(settings_of(trained, REPORT__ENABLED="true"), force=True)
    standing = champion.model_status(lake)
    assert standing.champion is not None
    (page,) = (lake.state / "mlartifacts").rglob("report.html")
    assert standing.champion.run_id in page.parts
    assert page.read_text().count("<svg") == 5
    assert standing.attempt is not None
    assert standing.attempt.chosen in ("als", "als_trending")
    assert standing.attempt.validation.keys() >= {"als", "als_trending", "popular_all_time"}


def test_training_again_on_the_same_data_changes_nothing(trained: Path) -> None:
    settings = settings_of(trained)
    before = [DeltaTable(settings.lake.table(name)).version() for name in publish_lists.TABLES]
    report = train.run(settings)
    assert (report.read, report.written) == (0, 0)
    assert publish_lists.run(settings).written == 0
    assert [DeltaTable(settings.lake.table(name)).version() for name in publish_lists.TABLES] == before


def test_new_data_make_a_new_champion_and_the_old_one_the_previous(grown: Path) -> None:
    settings = settings_of(grown)
    assert train.run(settings).details["champion"] == "2"
    standing = champion.model_status(settings.lake)
    assert standing.previous is not None
    assert standing.previous.version == "1"
    assert publish_lists.run(settings).details["model_version"] == "2"


def test_the_same_data_and_settings_give_the_same_model(grown: Path, tmp_path: Path) -> None:
    def digest_of_training() -> dict[str, str]:
        assert train.run(settings_of(grown), force=True).details["passed"]
        model = champion.model_status(settings_of(grown).lake).champion
        assert model is not None
        return champion.artifact(settings_of(grown).lake, model).card.sha256

    assert digest_of_training() == digest_of_training()


def test_a_challenger_of_another_recipe_is_compared_with_the_champions(grown: Path) -> None:
    report = train.run(settings_of(grown, ALS__FACTORS="1", ALS__ITERATIONS="1"))
    assert "worse than that of the champion's recipe" in str(report.details["reason"])
    assert (report.details["champion"], report.details["passed"]) == ("1", 0)


def test_killed_before_its_last_commit_an_export_shows_readers_the_old_lists(
    grown: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, replacing = settings_of(grown), table_files.replace
    train.run(settings)
    before, lists = lists_manifest.read(settings.lake), rows(grown, "gold.recommendations")

    def killed(lake: Lake, table: Table, *rest: Any) -> int:
        if table.name == "gold.recommendations":
            raise KeyboardInterrupt
        return replacing(lake, table, *rest)

    monkeypatch.setattr(table_files, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        publish_lists.run(settings)
    assert lists_manifest.read(settings.lake) == before
    assert before is not None
    popular = DeltaTable(settings.lake.table("gold.popular_items"), version=before.popular_version).to_pyarrow_table()
    assert popular["model_version"].to_pylist()[0] == "1"
    pd.testing.assert_frame_equal(rows(grown, "gold.recommendations"), lists)
    monkeypatch.undo()
    assert publish_lists.run(settings).details["model_version"] == "2"


def not_a_number(model: AlsModel, train: Interactions) -> AlsModel:
    return replace(model, item_factors=np.full_like(model.item_factors, np.nan))


def one_list_for_all(model: AlsModel, train: Interactions) -> AlsModel:
    return replace(model, person_factors=np.ones_like(model.person_factors))


def empty(model: AlsModel, train: Interactions) -> AlsModel:
    return replace(model, person_factors=np.zeros_like(model.person_factors))


def rows_mixed_up(model: AlsModel, train: Interactions) -> AlsModel:
    return replace(model, person_factors=np.roll(model.person_factors, 1, axis=0))


@pytest.mark.parametrize("spoil", [not_a_number, one_list_for_all, empty, rows_mixed_up])
def test_a_bad_model_does_not_move_the_alias(
    grown: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[AlsModel, Interactions], AlsModel]
) -> None:
    fit = Als.fit
    spoiled: list[int] = []

    def bad(self: Als, pairs: Interactions, *args: Any) -> AlsModel:
        spoiled.append(len(pairs))
        return spoil(fit(self, pairs, *args), pairs)

    monkeypatch.setattr(Als, "fit", bad)
    report = train.run(settings_of(grown))
    assert spoiled
    assert (report.details["passed"], report.details["champion"]) == (0, "1")
    reigning = tracking.champion(settings_of(grown).lake)
    assert reigning is not None
    assert reigning.version == "1"
    assert publish_lists.run(settings_of(grown)).written == 0


def test_a_model_file_cut_on_its_way_to_disk_is_blocked(grown: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save = Artifact.save

    def cut(self: Artifact, address: str) -> str:
        digest, folder = save(self, address), Path(address)
        (folder / "model.npz").write_bytes((folder / "model.npz").read_bytes()[:-100])
        return digest

    monkeypatch.setattr(Artifact, "save", cut)
    report = train.run(settings_of(grown))
    assert "model.npz is missing or is not the file that was registered" in str(report.details["reason"])
    assert report.details["champion"] == "1"


def test_ids_mixed_up_on_the_way_to_disk_are_blocked(grown: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save = Artifact.save

    def permuted(self: Artifact, folder: str) -> str:
        order = np.random.default_rng(1).permutation(len(self.people))
        return save(replace(self, people=IdMap(self.people.ids.take(pa.array(order)))), folder)

    monkeypatch.setattr(Artifact, "save", permuted)
    report = train.run(settings_of(grown))
    assert "does not know its people" in str(report.details["reason"])
    assert report.details["champion"] == "1"


@pytest.fixture
def unlearnable(trained: Path, write_interactions: WriteInteractions) -> Path:
    """A lake with an empty registry, whose people are too few to judge a model."""
    settings = settings_of(trained)
    write_interactions(
        trained, [("anna", "tea", 1.0, 0, 0), ("ben", "tea", 1.0, 0, 1), ("ben", "pot", 1.0, 0, 2)], "overwrite"
    )
    champion.write(settings.lake, champion.ModelStatus())
    tracking.promote(settings.lake, None)
    return trained


def test_without_a_champion_a_failing_model_leaves_popular_lists(unlearnable: Path) -> None:
    settings = settings_of(unlearnable)
    report = train.run(settings)
    assert report.details["champion"] is None
    assert "too little to judge" in str(report.details["reason"])
    assert champion.facts(settings.lake) is None
    assert publish_lists.run(settings).details["model_version"] == "popular"
    lists = rows(unlearnable, "gold.recommendations")
    assert lists[["person_id", "rank", "item_id", "model_version"]].values.tolist() == [["anna", 1, "pot", "popular"]]
    assert rows(unlearnable, "gold.popular_items").sort_values("rank").item_id.tolist() == ["tea", "pot"]
    assert rows(unlearnable, "gold.similar_items").empty


def test_no_interactions_of_the_site_are_a_reason_not_an_error(trained: Path) -> None:
    elsewhere = settings_of(trained, SITE="elsewhere")
    report = train.run(elsewhere)
    assert "holds no interaction of site 'elsewhere'" in str(report.details["reason"])


def test_a_lake_without_interactions_names_the_job_that_writes_them(tmp_path: Path) -> None:
    with pytest.raises(TableMissing, match="build_interactions"):
        train.run(settings_of(tmp_path))
    assert "nothing to list" in str(publish_lists.run(settings_of(tmp_path)).details["reason"])


@contextmanager
def locked(lake: Path) -> Iterator[None]:
    """MLflow's store, held by somebody else."""
    with closing(sqlite3.connect(settings_of(lake).lake.state / "mlflow.db")) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        yield


def test_with_mlflow_locked_training_says_what_to_do_and_recovers(grown: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_LOCK_SECONDS", 0.1)
    with locked(grown):
        with pytest.raises(ModelError, match=r"locked.*The last champion is still served"):
            train.run(settings_of(grown))
        assert (champion.facts(settings_of(grown).lake) or {})["version"] == "1"
        assert publish_lists.run(settings_of(grown), force=True).details["model_version"] == "1"
    assert train.run(settings_of(grown)).details["champion"] == "2"


def test_a_damaged_mlflow_store_is_named_and_the_champion_is_still_served(grown: Path) -> None:
    lake = settings_of(grown).lake
    (lake.state / "mlflow.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(ModelError, match=r"mlflow\.db cannot be used: file is not a database"):
        train.run(settings_of(grown))
    assert publish_lists.run(settings_of(grown), force=True).details["model_version"] == "1"


def test_the_alias_in_mlflow_is_the_truth(grown: Path) -> None:
    settings = settings_of(grown)
    train.run(settings)
    tracking.promote(settings.lake, "1")  # a person moved it
    report = train.run(settings_of(grown, ALS__FACTORS="1", ALS__ITERATIONS="1"))
    assert (report.details["passed"], report.details["champion"]) == (0, "1")
    assert (champion.facts(settings.lake) or {})["version"] == "1"


def test_two_trainings_of_one_lake_do_not_meet(trained: Path) -> None:
    settings = settings_of(trained)

    hold = (
        "import sys; from pathlib import Path; from nextclick.lake import locks\n"
        f"with locks.hold(Path({str(settings.lake.locks)!r}), 'model', purpose='train'):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(TableBusy, match=rf"model is being written by process {other.pid}.*train"):
            train.run(settings)
    assert locks.holder(settings.lake.locks, "model") is None


def test_the_verb_prints_json_alone(trained: Path) -> None:
    done = CliRunner().invoke(train_verb, ["--json"], obj=CommandContext(lake=str(trained), profile="test"))
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    assert printed["train"]["details"]["champion"] == "1"
    assert [printed[job]["details"]["model_version"] for job in ("lists", "export")] == ["1", "1"]
