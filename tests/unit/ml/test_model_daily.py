"""gold.model_daily: figures of trainings and lists are added, those of answers are made anew by day, with intervals."""

import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from ml.jobs import model_daily
from ml.report import model_figures
from ml.report.model_figures import ModelFigure, add
from nextclick.contracts.gold_analytics import MODEL_DAILY
from nextclick.errors import TableBusy
from nextclick.lake import delta, locks
from nextclick.settings import Settings, load
from tests.table_rows import write

DAY = date(2026, 6, 1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load(tmp_path, environ={})
    settings.lake.prepare()
    return settings


def shown(day: int, shown: int, clicks: int, carts: int = 0, **more: Any) -> dict[str, Any]:
    """A row of gold.recommendation_performance of a day of June, by model 3 at the place `home`."""
    row = {
        "date": date(2026, 6, day),
        "site": "shop",
        "surface": "home",
        "model_version": "3",
        "experiment": "none",
        "variant": "none",
    }
    return row | {"served": shown, "shown": shown, "clicks": clicks, "carts": carts, "purchases": 0} | more


def served(day: int, request: str, item: str, **more: Any) -> dict[str, Any]:
    at = datetime(2026, 6, day, 12, tzinfo=UTC)
    return {
        "site": "shop",
        "request_id": request,
        "item_id": item,
        "model_version": "3",
        "served_at": at,
        "shown_at": at,
    } | more


def figures(settings: Settings) -> dict[tuple[Any, ...], tuple[float, int]]:
    """(day of June, metric, segment) → value and n."""
    table = delta.require(settings.lake, "gold.model_daily").to_pyarrow_table().to_pylist()
    return {(row["date"].day, row["metric"], row["segment"]): (round(row["value"], 6), row["n"]) for row in table}


def version(settings: Settings) -> int:
    return delta.require(settings.lake, "gold.model_daily").version()


@pytest.fixture
def answered(settings: Settings) -> Settings:
    clicked = datetime(2026, 6, 1, 13, tzinfo=UTC)
    write(settings.lake, "gold.recommendation_performance", [
        shown(1, 40, 4, 2),
        shown(1, 10, 1, surface="cart"),
        shown(1, 50, 5, experiment="order", variant="b", surface="cart"),
        shown(2, 5, 0),
    ])  # fmt: skip
    write(settings.lake, "silver.served_items", [
        served(1, "r1", "lamp", degraded=False, features=[("ctr", 0.25)], clicked_at=clicked),
        served(1, "r1", "sofa", degraded=False, features=[("ctr", 0.15)]),
        served(1, "r2", "lamp", degraded=True, features=[("popularity", 0.9)], shown_at=None),
        served(1, "r3", "lamp", features=None, clicked_at=clicked),
        served(1, "r4", "rug", degraded=False, features=[("ctr", 0.1)], shown_at=None),
        served(2, "r5", "lamp", degraded=False),
    ])  # fmt: skip
    return settings


def test_online_figures_are_shares_of_what_was_shown_and_of_answers_by_day_and_segment(answered: Settings) -> None:
    report = model_daily.run(answered)
    assert figures(answered) == {
        (1, "online_ctr", "all"): (0.1, 100),
        (1, "online_cart_rate", "all"): (0.02, 100),
        (1, "online_purchase_rate", "all"): (0.0, 100),
        (1, "online_ctr", "surface home"): (0.1, 40),
        (1, "online_cart_rate", "surface home"): (0.05, 40),
        (1, "online_purchase_rate", "surface home"): (0.0, 40),
        (1, "online_ctr", "surface cart"): (0.1, 60),
        (1, "online_cart_rate", "surface cart"): (0.0, 60),
        (1, "online_purchase_rate", "surface cart"): (0.0, 60),
        (1, "online_ctr", "variant order/b"): (0.1, 50),
        (1, "online_cart_rate", "variant order/b"): (0.0, 50),
        (1, "online_purchase_rate", "variant order/b"): (0.0, 50),
        (1, "online_degraded_share", "all"): (round(1 / 3, 6), 3),
        (1, "online_clicks_per_foreseen", "all"): (2.5, 2),
        (2, "online_ctr", "all"): (0.0, 5),
        (2, "online_cart_rate", "all"): (0.0, 5),
        (2, "online_purchase_rate", "all"): (0.0, 5),
        (2, "online_ctr", "surface home"): (0.0, 5),
        (2, "online_cart_rate", "surface home"): (0.0, 5),
        (2, "online_purchase_rate", "surface home"): (0.0, 5),
        (2, "online_degraded_share", "all"): (0.0, 1),
    }  # fmt: skip
    assert (report.read, report.written) == (2, 21)
    [ctr] = [
        (row["low"], row["high"])
        for row in delta.rows_of_days(answered.lake, MODEL_DAILY, [date(2026, 6, 1)])
        if (row["metric"], row["segment"]) == ("online_ctr", "all")
    ]
    assert ctr == pytest.approx((0.0552, 0.1744), abs=1e-4), "Wilson's interval of 10 among 100"


def test_only_days_whose_answers_changed_are_made_anew_and_what_others_added_stays(answered: Settings) -> None:
    model_daily.run(answered)
    before = version(answered)
    assert model_daily.run(answered).details == {"reason": "nothing new"}
    assert version(answered) == before
    ours = ModelFigure(DAY, "shop", "3", "offline_ndcg_at_20", "all", 0.2, 60)
    assert add(answered, [ours]) == "written"
    assert add(answered, [ours]) == "written"
    assert version(answered) == before + 1, "the same once more writes nothing"
    table = delta.require(answered.lake, "gold.recommendation_performance")
    table.delete("date = '2026-06-01'")
    write(answered.lake, "gold.recommendation_performance", [shown(1, 50, 10)])
    assert model_daily.run(answered).read == 1
    seen = figures(answered)
    assert seen[1, "online_ctr", "all"] == (0.2, 50)
    assert (1, "online_ctr", "surface cart") not in seen
    assert seen[1, "offline_ndcg_at_20", "all"] == (0.2, 60)
    assert seen[2, "online_ctr", "all"] == (0.0, 5)


def test_what_is_made_step_by_step_equals_what_is_made_at_once(answered: Settings) -> None:
    model_daily.run(answered)
    write(answered.lake, "gold.recommendation_performance", [shown(2, 5, 5), shown(3, 8, 2)])
    model_daily.run(answered)
    step_by_step = figures(answered)
    shutil.rmtree(answered.lake.table("gold.model_daily"))
    model_daily.run(answered)
    assert figures(answered) == step_by_step
    shutil.rmtree(answered.lake.table("gold.recommendation_performance"))
    write(answered.lake, "gold.recommendation_performance", [shown(3, 8, 2)])
    model_daily.run(answered)
    assert {day for day, metric, _ in figures(answered) if metric == "online_ctr"} == {3}, (
        "no day of another table stays"
    )


def test_a_training_does_not_fail_for_want_of_a_figure(answered: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: Any, **__: Any) -> None:
        raise TableBusy("gold.model_daily is being written")

    monkeypatch.setattr(model_figures, "_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(locks, "hold", busy)
    assert add(answered, [ModelFigure(DAY, "shop", "3", "m", "all", 1.0, 1)]).startswith(
        "not written: gold.model_daily is"
    )
