"""deploy/: what rules and Grafana's dashboard ask for is what collector, API and dashboard say."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from prometheus_client import Counter, Histogram
from prometheus_client.metrics import MetricWrapperBase

from collector.http.metrics import CollectorMetrics
from dashboard.watching.metrics import LakeMetrics
from nextclick.settings import CHECKOUT, load
from serving.metrics import ServingMetrics

DEPLOY: Final = CHECKOUT / "deploy"
RULES: Final = DEPLOY / "prometheus" / "nextclick.rules.yml"
BOARD: Final = json.loads((DEPLOY / "grafana" / "nextclick.json").read_text(encoding="utf-8"))


def _of_doors() -> Iterator[tuple[str, set[str]]]:
    """Names as Prometheus stores them, and their labels."""
    waiting: list[Any] = [CollectorMetrics(), ServingMetrics()]
    while waiting:
        there = waiting.pop()
        for metric in vars(there).values():
            if isinstance(metric, MetricWrapperBase):
                name, labels = metric._name, {*metric._labelnames}
                if isinstance(metric, Histogram):
                    yield from ((f"{name}_{end}", labels) for end in ("sum", "count"))
                    yield f"{name}_bucket", labels | {"le"}
                else:
                    yield f"{name}_total" if isinstance(metric, Counter) else name, labels
            elif hasattr(metric, "__dict__") and type(metric).__module__.startswith("collector"):
                waiting.append(metric)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Metric → its labels; those of Prometheus' own are on each."""
    lake = load(tmp_path_factory.mktemp("lake"), profile="test", environ={})
    own = {family.name: {*family._labelnames} for family in LakeMetrics(lake).collect()}
    there = {**dict(_of_doors()), **own, "up": set[str]()}
    return {name: labels | {"job", "instance"} for name, labels in there.items()}


def queries() -> list[str]:
    rules = [rule["expr"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    return rules + board_queries()


def board_queries() -> list[str]:
    return [target["expr"] for panel in BOARD["panels"] for target in panel.get("targets", ())]


def test_the_metrics_of_all_three_are_known(known: dict[str, set[str]]) -> None:
    assert {"nextclick_collector_accepted_total", "nextclick_live_merged_total"} <= known.keys()
    assert {"nextclick_serving_answer_seconds_bucket", "nextclick_table_lag_seconds"} <= known.keys()


@pytest.mark.parametrize("query", queries())
def test_a_query_asks_for_what_there_is(known: dict[str, set[str]], query: str) -> None:
    names = re.findall(r"\b(nextclick_\w+|up)\b(\{[^}]*\})?", query)
    assert names
    for name, labels in names:
        assert name in known, name
        assert {*re.findall(r"(\w+)(?==~?\"|!)", labels)} <= known[name], query
    grouped = {label.strip() for each in re.findall(r"\bby \(([^)]*)\)", query) for label in each.split(",")}
    assert grouped <= {label for name, _ in names for label in known[name]}, query


def test_the_board_has_a_panel_for_each_metric_of_the_lake(known: dict[str, set[str]]) -> None:
    lake = {name for name in known if re.match(r"nextclick_(?!collector|serving|live)", name)}
    asked_for = {name for query in queries() for name in re.findall(r"nextclick_\w+", query)}
    assert lake - asked_for == {"nextclick_checked_timestamp_seconds", "nextclick_lists_generated_timestamp_seconds"}


def test_the_boards_panels_have_numbers_of_their_own_and_do_not_overlap() -> None:
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(ids) == len(set(ids))
    cells = [
        (x, y)
        for panel in BOARD["panels"]
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_every_rule_says_what_to_do_and_is_tried() -> None:
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    tried = Path(DEPLOY / "prometheus" / "nextclick.test.yml").read_text()
    for rule in rules:
        assert {*rule["annotations"]} == {"summary", "action"}
        assert rule["labels"]["severity"] in ("page", "warn")
    fired = re.findall(r"alertname: (\w+)\n\s+exp_alerts", tried)
    assert {rule["alert"] for rule in rules} == {*fired}
