"""Experiments: who is in which variant, what is wrong in a file, and what the report counts."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner
from scipy.stats import chi2_contingency, chisquare

from cli.main import cli
from nextclick.audiences.places import place
from nextclick.errors import ExperimentError, UsageError
from nextclick.settings import Settings, load
from serving.experiments import assignment
from serving.experiments.assignment import HOLDOUT, Experiment, Variant, assign, variant_of
from serving.experiments.report import report
from tests import table_rows

START, STOP = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
NOW: Final = table_rows.NOON


def experiment(name: str = "colour", **more: Any) -> Experiment:
    variants = (Variant(name="grey", weight=3), Variant(name="red", params={"bandits.method": "thompson"}))
    defaults: dict[str, Any] = {"name": name, "start": START, "stop": STOP, "variants": variants}
    return Experiment(**defaults | more)


def variants(one: Experiment, n: int = 4000) -> list[str | None]:
    assigned = (variant_of(one, f"v{number}") for number in range(n))
    return [variant.name if variant else None for variant in assigned]


def test_units_are_spread_evenly_and_by_weight() -> None:
    tenths = [int(place("salt", f"v{number}") * 10) for number in range(10_000)]
    assert chisquare([tenths.count(tenth) for tenth in range(10)]).pvalue > 0.001
    names = variants(experiment())
    assert chisquare([names.count("grey"), names.count("red")], [3000, 1000]).pvalue > 0.001


def test_a_unit_keeps_its_variant_for_ever() -> None:
    """Written down once: whoever changes the hash moves everybody, and breaks every running experiment."""
    assert variants(experiment(), 6) == ["grey", "grey", "grey", "red", "grey", "grey"]
    assert place("a", "b") != place("ab", "")


def test_experiments_of_one_layer_exclude_each_other_and_those_of_another_do_not() -> None:
    first, second = experiment("one", traffic=(0.0, 0.5)), experiment("two", traffic=(0.5, 1.0))
    other = experiment("three", layer="texts", traffic=(0.0, 0.5))
    both = [(a is None, b is None, c is None) for a, b, c in zip(*map(variants, (first, second, other)), strict=True)]
    assert all(a != b for a, b, _ in both), "each unit is in exactly one of the layer's two"
    table = [[sum((a, c) == (x, y) for a, _, c in both) for x in (True, False)] for y in (True, False)]
    assert chi2_contingency(table).pvalue > 0.001, "layers are independent"


def test_the_same_units_are_held_out_of_all_experiments() -> None:
    small, large = experiment("one", holdout=0.1), experiment("two", layer="texts", holdout=0.2)
    pairs = list(zip(variants(small), variants(large), strict=True))
    assert 300 < sum(one == HOLDOUT for one, _ in pairs) < 500
    assert all(two == HOLDOUT for one, two in pairs if one == HOLDOUT)


def test_another_salt_draws_other_variants() -> None:
    pairs = list(zip(variants(experiment()), variants(experiment(salt="again")), strict=True))
    assert 0.55 < sum(one == two for one, two in pairs) / len(pairs) < 0.7, "as chance has it: ¾·¾ + ¼·¼"


def test_only_running_experiments_of_the_site_and_unit_are_assigned() -> None:
    two = experiment("two", layer="texts", unit="user", variants=(Variant(name="a"), Variant(name="b")))
    chosen = assign([experiment(), two], "default", "v1", "u1", NOW)
    assert (chosen.experiment, chosen.variant) == (
        "colour,two",
        f"{chosen.assigned[0].variant},{chosen.assigned[1].variant}",
    )
    assert [each.experiment for each in assign([experiment(), two], "default", "v1", None, NOW).assigned] == ["colour"]
    for site, now in (("other", NOW), ("default", STOP), ("default", START - timedelta(seconds=1))):
        assert assign([experiment(), two], site, "v1", "u1", now) == ((), {})
        assert assign([experiment()], site, "v1", None, now).experiment is None


def test_who_does_not_belong_takes_no_part_and_who_comes_back_has_the_same_variant() -> None:
    theirs = [experiment(audience="buyers")]
    before = assign(theirs, "default", "v1", None, NOW, {"buyers": 1}).variant
    assert before in ("grey", "red")
    assert assign(theirs, "default", "v1", None, NOW, ("lookers",)).assigned == ()
    assert assign(theirs, "default", "v1", None, NOW).assigned == ()
    assert assign(theirs, "default", "v1", None, NOW, ("buyers",)).variant == before


def test_parameters_are_those_of_the_variant() -> None:
    for number in range(50):
        chosen = assign([experiment()], "default", f"v{number}", None, NOW)
        assert chosen.params == ({"bandits.method": "thompson"} if chosen.variant == "red" else {})


BODY: Final = """
start = 2026-01-01T00:00:00Z
stop = 2026-02-01T00:00:00Z
[[variants]]
name = "a"
[[variants]]
name = "b"
params = { x = 1 }
"""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("start = 2026-01-01T00:00:00Z", "start = 2026-01-01T00:00:00"), "offset from UTC"),
        (("stop = 2026-02-01", "stop = 2025-02-01"), "not after start"),
        (('"b"', '"a"'), "each name once"),
        (('"b"', '"holdout"'), "none `holdout`"),
        (("start", "traffic = [0.5, 0.5]\nstart"), "0 ≤ from < to ≤ 1"),
        (("start", "name = 'other'\nstart"), "called one.toml"),
        (("start", "colour = 'red'\nstart"), "colour"),
        (("params = { x = 1 }", "weight = 0"), "> 0"),
        (("start", "holdout = 1.0\nstart"), "< 1.0"),
        (("=", "@"), "docs/experiments.md"),
    ],
)
def test_what_is_wrong_in_a_file_is_said(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    (tmp_path / "one.toml").write_text(BODY.replace(*change, 1))
    with pytest.raises(ExperimentError, match=said):
        assignment.load(tmp_path)


def test_experiments_that_clash_are_refused(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text("traffic = [0.0, 0.6]\n" + BODY)
    (tmp_path / "two.toml").write_text("traffic = [0.5, 1.0]\n" + BODY)
    with pytest.raises(ExperimentError, match="share units of the layer default"):
        assignment.load(tmp_path)
    (tmp_path / "two.toml").write_text('layer = "texts"\n' + BODY)
    with pytest.raises(ExperimentError, match="both set x"):
        assignment.load(tmp_path)
    (tmp_path / "two.toml").write_text(BODY.replace("2026-02", "2026-03").replace("2026-01", "2026-02"))
    assert [one.name for one in assignment.load(tmp_path)] == ["one", "two"], "one after the other is fine"


def test_shipped_experiments_can_be_read_and_none_runs(settings: Settings) -> None:
    shipped = assignment.load(settings.conf_dir / "experiments")
    assert {one.state(datetime.now(UTC)) for one in shipped} == {"over"}
    with pytest.raises(ExperimentError, match="There are: example"):
        assignment.FORM.pick(shipped, "missing")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(tmp_path / "lake", environ={})


def event(kind: str, unit: str, minute: float, request: str | None = None, **more: Any) -> dict[str, Any]:
    at = NOW + timedelta(minutes=minute)
    own = {"event": kind, "event_id": f"{kind}{unit}{minute}", "visitor_id": unit, "request_id": request}
    return own | {"site": "default", "occurred_at": at, "received_at": at} | more


def answer(unit: str, variant: str, request: str, minute: float = 0, experiment: str = "colour") -> dict[str, Any]:
    return event("served", unit, minute, request, source="server", experiment=experiment, variant=variant)


def test_the_report_counts_units_that_were_really_shown_something(settings: Settings) -> None:
    said = [
        # v1 saw two answers of grey and clicked one, within the hour
        answer("v1", "x,grey", "r1", experiment="other,colour"), event("impression", "v1", 1, "r1"),
        answer("v1", "grey", "r2", 5), event("impression", "v1", 6, "r2"), event("click", "v1", 7, "r2"),
        # v2 clicked too late; v3 clicked on what nothing had recommended; v4 was never shown anything
        answer("v2", "red", "r3"), event("impression", "v2", 1, "r3"), event("click", "v2", 61, "r3"),
        answer("v3", "red", "r4"), event("impression", "v3", 1, "r4"), event("click", "v3", 2),
        answer("v4", "red", "r5"), event("click", "v4", 1),
        # v5 saw both variants; v6 is still within its hour; v7's answer is no answer of ours
        answer("v5", "red", "r6"), event("impression", "v5", 1, "r6"),
        answer("v5", "grey", "r7"), event("impression", "v5", 2, "r7"),
        answer("v6", "red", "r8", 60), event("impression", "v6", 60, "r8"), event("click", "v6", 61, "r8"),
        answer("v7", "red", "r9") | {"source": "plain"}, event("impression", "v7", 1, "r9"),
    ]  # fmt: skip
    table_rows.write(settings.lake, "silver.events", said)
    found = report(settings, experiment())
    grey, red = found.variants
    assert (grey.exposed, grey.units, grey.successes, grey.answers, grey.clicked) == (1, 1, 1, 2, 1)
    assert (red.exposed, red.units, red.successes, red.answers, red.clicked) == (3, 2, 0, 3, 2)
    assert found.mixed == 1
    assert [each.verdict for each in found.comparisons] == ["open"]
    assert not found.sample_ratio.suspicious


def test_any_event_can_be_the_metric(settings: Settings) -> None:
    said = [answer("v1", "red", "r1"), event("impression", "v1", 1, "r1"), event("purchase", "v1", 30)]
    table_rows.write(settings.lake, "silver.events", [*said, event("page_view", "v9", 100)])
    grey, red = report(settings, experiment(metric="purchase")).variants
    assert (grey.units, red.units, red.successes) == (0, 1, 1)
    nothing = [answer("v2", "red", "r2"), event("impression", "v2", 1, "r2"), event("purchase", "v2", 30)]
    table_rows.write(settings.lake, "silver.events", [*nothing[:2], nothing[2] | {"quantity": 0}])
    assert report(settings, experiment(metric="purchase")).variants[1].successes == 1


def test_an_experiment_that_nobody_saw_has_open_ends(settings: Settings) -> None:
    table_rows.write(settings.lake, "silver.events", [event("page_view", "v1", 0)])
    found = report(settings, experiment(holdout=0.1))
    assert [one.name for one in found.variants] == ["grey", "red", HOLDOUT]
    assert {(one.rate.low, one.rate.high) for one in found.variants} == {(0.0, 1.0)}
    assert [(one.variant, one.difference) for one in found.comparisons] == [("red", None), (HOLDOUT, None)]


def test_a_large_difference_is_found_and_lost_units_are_suspicious(settings: Settings) -> None:
    said = []
    for number in range(300):
        unit, variant = f"v{number}", "red" if number < 150 else "grey"
        said += [answer(unit, variant, unit), event("impression", unit, 1, unit)]
        if variant == "red" and number % 2:
            said.append(event("click", unit, 2, unit))
    table_rows.write(settings.lake, "silver.events", [*said, event("page_view", "late", 100)])
    found = report(settings, experiment())
    assert [each.verdict for each in found.comparisons] == ["better"]
    assert found.sample_ratio.suspicious, "150 to 150 where 3 to 1 was planned"


def call(settings: Settings, conf: Path, *words: str) -> Any:
    command = ["--lake", str(settings.lake.root), "--conf-dir", str(conf), "experiment", *words, "--json"]
    done = CliRunner(catch_exceptions=False).invoke(cli, command)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_the_verb_lists_assigns_and_reports(settings: Settings, tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    (conf / "experiments").mkdir(parents=True)
    shutil.copy(settings.conf_dir / "default.toml", conf)
    (conf / "experiments" / "colour.toml").write_text(BODY)
    [listed] = call(settings, conf, "list")
    assert (listed["name"], [variant["name"] for variant in listed["variants"]]) == ("colour", ["a", "b"])
    own = call(settings, conf, "assign", "--visitor", "v1", "--at", "2026-01-15")["assigned"]["colour"]
    assert call(settings, conf, "assign", "--visitor", "v1", "--at", "2026-02-01")["assigned"] == {}
    table_rows.write(settings.lake, "silver.events", [answer("v1", own, "r1"), event("impression", "v1", 1, "r1")])
    result = call(settings, conf, "report", "colour")
    assert {one["name"]: one["exposed"] for one in result["variants"]} == {own: 1, "ab".replace(own, ""): 0}
    for wrong in (["assign"], ["report", "missing"]):
        with pytest.raises(UsageError):
            call(settings, conf, *wrong)
