"""Off-policy estimates: by hand, on logs with known truth, and on the Open Bandit Dataset."""

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from cli.main import cli
from nextclick.errors import UsageError
from serving.off_policy import estimators, policy_log
from serving.off_policy.estimators import Judgement, Log, by_distribution, evaluate, named
from serving.off_policy.policy_log import Columns, distribution_of, read
from tests import table_rows
from tests.served_events import BANNER, event, served

DATA: Final = Path(__file__).resolve().parents[3] / "shared" / "data" / "open-bandit"
OPEN_BANDIT: Final = Columns("item_id", "click", "propensity_score", ("position",))


def log(action: list[int], propensity: list[float], reward: list[float], **more: Any) -> Log:
    count = len(action)
    names = tuple("abcdefgh"[: max(action) + 1])
    fields: dict[str, Any] = {"stratum": np.zeros(count, int), "group": np.arange(count), "strata": ("all",)} | more
    return Log(
        actions=names, action=np.array(action), propensity=np.array(propensity), reward=np.array(reward), **fields
    )


def test_four_rows_by_hand() -> None:
    """Always b: weights 0, 0, 1/0.5, 1/0.25; rewards 1 and 0 there."""
    seen = log([0, 0, 1, 1], [0.5, 0.75, 0.5, 0.25], [1, 0, 1, 0])
    judgement = evaluate(seen, by_distribution(seen, named(seen, "b")))
    assert judgement.logged.value == 0.5
    assert judgement.ips.value == pytest.approx(2 / 4)
    assert judgement.snips.value == pytest.approx(2 / 6)
    assert judgement.effective_rows == pytest.approx(36 / 20)
    assert (judgement.mean_weight, judgement.largest_weight) == (1.5, 4.0)


def test_a_policy_judged_by_its_own_log_earns_what_it_earned() -> None:
    seen = log([0, 1, 1, 0, 1], [0.4, 0.6, 0.6, 0.4, 0.6], [1, 0, 1, 0, 0])
    own = by_distribution(seen, np.array([[0.4, 0.6]]))
    judgement = evaluate(seen, own)
    assert judgement.ips == judgement.snips == judgement.logged


def test_doubly_robust_is_right_where_the_model_is_whatever_the_weights() -> None:
    """Rewards that only the action decides: the direct part says it all, and the correction is nearly nothing."""
    rng = np.random.default_rng(1)
    action = rng.integers(0, 3, 6000)
    seen = log(action.tolist(), [1 / 3] * 6000, (action == 2).astype(float).tolist())
    judgement = evaluate(seen, by_distribution(seen, np.array([[0.1, 0.2, 0.7]])))
    assert judgement.dr is not None
    assert judgement.dr.value == pytest.approx(0.7, abs=0.001)
    assert judgement.dr.standard_error < judgement.snips.standard_error < judgement.ips.standard_error


RATES: Final = np.array([[0.02, 0.10, 0.05, 0.2], [0.10, 0.02, 0.30, 0.05]])
"""Truth of the synthetic logs: strata × actions."""
LOGGED: Final = np.array([[0.4, 0.3, 0.2, 0.1], [0.25, 0.25, 0.25, 0.25]])
TARGET: Final = np.array([[0.1, 0.2, 0.1, 0.6], [0.0, 0.1, 0.8, 0.1]])
TRUTH: Final = float((TARGET * RATES).sum(axis=1).mean())


def synthetic(seed: int, n: int) -> Log:
    rng = np.random.default_rng(seed)
    stratum = rng.integers(0, 2, n)
    action = (rng.random((n, 1)) > LOGGED[stratum].cumsum(axis=1)).sum(axis=1)
    reward = (rng.random(n) < RATES[stratum, action]).astype(float)
    return Log(tuple("abcd"), ("0", "1"), action, stratum, LOGGED[stratum, action], reward, np.arange(n))


def covered(resamples: int, seeds: int, n: int) -> dict[str, float]:
    """How often the 95 % interval of each estimator holds the truth."""
    judged = []
    for seed in range(seeds):
        seen = synthetic(seed, n)
        judged.append(evaluate(seen, by_distribution(seen, TARGET), resamples=resamples, seed=seed))
    holds: Callable[[Any], bool] = lambda one: one.low <= TRUTH <= one.high  # noqa: E731
    return {name: float(np.mean([holds(getattr(one, name)) for one in judged])) for name in ("ips", "snips", "dr")}


@pytest.mark.parametrize(("resamples", "seeds"), [(0, 400), (200, 60)])
def test_intervals_hold_the_truth_as_often_as_they_say(resamples: int, seeds: int) -> None:
    """95 % of logs, within what chance allows a correct interval (four standard deviations)."""
    slack = 4 * (0.95 * 0.05 / seeds) ** 0.5
    assert all(share == pytest.approx(0.95, abs=slack) for share in covered(resamples, seeds, 2000).values())


def test_estimates_are_right_on_average() -> None:
    judged = [evaluate(seen, by_distribution(seen, TARGET)) for seen in (synthetic(seed, 2000) for seed in range(200))]
    for name in ("ips", "snips", "dr"):
        values = [getattr(one, name).value for one in judged]
        assert np.mean(values) == pytest.approx(TRUTH, abs=4 * np.std(values) / 200**0.5)


def test_rows_of_a_group_count_as_one_for_the_interval() -> None:
    """The same rows four times over say no more than once, if they are one visitor's."""
    once = synthetic(1, 500)
    four = Log(once.actions, once.strata, *(np.tile(column, 4) for column in once[2:]))  # type: ignore[arg-type]
    one, grouped = (evaluate(seen, by_distribution(seen, TARGET)) for seen in (once, four))
    assert grouped.groups == 500
    assert grouped.ips.standard_error == pytest.approx(one.ips.standard_error)


def test_what_the_log_never_shows_is_said() -> None:
    seen = log([0, 1, 0, 1], [0.5] * 4, [1, 0, 1, 0], stratum=np.array([0, 0, 0, 1]), strata=("x", "y"))
    judgement = evaluate(seen, by_distribution(seen, named(seen, "uniform")))
    assert judgement.unsupported == pytest.approx(1 / 4 / 2), "the action a in y, a quarter of the rows"


def write(path: Path, lines: list[dict[str, Any]]) -> Path:
    with gzip.open(path, "wt", newline="") as file:
        table = csv.DictWriter(file, list(lines[0]))
        table.writeheader()
        table.writerows(lines)
    return path


def line(item: int, click: int, p: float, position: int = 1) -> dict[str, Any]:
    return {"item_id": item, "position": position, "click": click, "propensity_score": p}


def test_a_target_log_acts_as_often_as_it_showed(tmp_path: Path) -> None:
    """The small twin of the Open Bandit test: the other log shows item 2 in three of four rows at position 1."""
    seen, _ = read(write(tmp_path / "a.csv.gz", [line(1, 0, 0.5), line(2, 1, 0.5), line(1, 0, 1.0, 2)]), OPEN_BANDIT)
    other, _ = read(
        write(tmp_path / "b.csv.gz", [line(2, 0, 0.9)] * 3 + [line(1, 0, 0.1), line(1, 0, 1.0, 2)]), OPEN_BANDIT
    )
    assert distribution_of(other, seen).tolist() == [[0.25, 0.75], [1.0, 0.0]]
    with pytest.raises(UsageError, match="no rows of the stratum 2"):
        distribution_of(read(write(tmp_path / "c.csv.gz", [line(1, 0, 0.5)]), OPEN_BANDIT)[0], seen)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (line(1, 0, 0.0), "propensity_score must be within .0, 1.; 1 rows are not, the first is row 2"),
        (line(1, 0, 1.5), "propensity_score must be"),
        ({**line(1, 0, 0.5), "click": "yes"}, "click does not hold numbers"),
        ({**line(1, 0, 0.5), "click": "nan"}, "click must be a number"),
    ],
)
def test_what_is_wrong_in_a_log_is_said(tmp_path: Path, bad: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read(write(tmp_path / "log.csv.gz", [line(1, 0, 0.5), bad]), OPEN_BANDIT)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="colour"):
        read(write(tmp_path / "log.csv.gz", [line(1, 0, 0.5)]), OPEN_BANDIT._replace(action="colour"))


def call(*words: str) -> Any:
    done = CliRunner(catch_exceptions=False).invoke(cli, ["evaluate-policy", *map(str, words), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_the_verb_judges_a_file(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv.gz", [{"action": "a", "reward": 1, "propensity": 0.5, "pi": 0.25}] * 4)
    assert call(str(path), "--target", "a")["ips"]["value"] == 2.0
    by_column = call(str(path), "--target-column", "pi", "--resamples", "0")
    assert (by_column["ips"]["value"], by_column["dr"]) == (0.5, None)
    for wrong in ([], [str(path)], [str(path), "--target", "c"], ["--bandit", "b", "--target-column", "pi"]):
        with pytest.raises(UsageError):
            CliRunner(catch_exceptions=False).invoke(cli, ["evaluate-policy", *wrong])


def test_the_verb_judges_a_bandit_of_the_lake(tmp_path: Path) -> None:
    """summer was drawn with 0.4 and clicked once in two; winter with 0.6 and never: uniform earns (½·1/0.4) / 4."""
    from nextclick.lake.paths import lake_at

    winter = msgspec.structs.replace(BANNER, arm="winter", propensity=0.6)
    said = [served(f"r{n}", draw) for n, draw in enumerate((BANNER, BANNER, winter, winter))]
    said += [event("impression", f"r{n}", properties=[("banner", "summer" if n < 2 else "winter")]) for n in range(4)]
    said.append(event("click", "r0", properties=[("banner", "summer")]))
    table_rows.write(lake_at(tmp_path / "lake"), "silver.events", said)
    judgement = call("--lake", str(tmp_path / "lake"), "--bandit", "banner:home", "--target", "uniform")
    assert (judgement["rows"], judgement["logged"]["value"]) == (4, 0.25)
    assert judgement["ips"]["value"] == pytest.approx(0.5 / 0.4 / 4)
    with pytest.raises(UsageError, match="Bandits with answers: banner:home"):
        call("--lake", str(tmp_path / "lake"), "--bandit", "banner:cart", "--target", "uniform")


def test_the_verb_judges_what_was_shown_in_lists(tmp_path: Path) -> None:
    """Two of four rows were shown and a: one clicked, each drawn with ½; b was shown once, c never."""
    from nextclick.lake.paths import lake_at

    def row(request: str, item: str, shown: bool = True, clicked: bool = False) -> dict[str, Any]:
        times = {"shown_at": table_rows.NOON if shown else None, "clicked_at": table_rows.NOON if clicked else None}
        return {"site": "default", "request_id": request, "item_id": item, "propensity": 0.5} | times

    said = [row("r1", "a", clicked=True), row("r2", "a"), row("r3", "b"), row("r4", "c", shown=False)]
    table_rows.write(lake_at(tmp_path / "lake"), "silver.served_items", said)
    lake = ("--lake", str(tmp_path / "lake"), "--served")
    judgement = call(*lake, "--stratum", "position", "--target", "a")
    assert (judgement["rows"], judgement["ips"]["value"]) == (3, pytest.approx(2 / 3))
    with pytest.raises(UsageError, match="colour"):
        call(*lake, "--stratum", "colour", "--target", "a")


@pytest.fixture(scope="module")
def open_bandit() -> tuple[Log, Log]:
    """The logs of the random and of the Thompson policy."""
    if not DATA.is_dir():
        pytest.skip(f"{DATA} is not there: the Open Bandit Dataset's sample")
    return read(DATA / "men_random.csv.gz", OPEN_BANDIT)[0], read(DATA / "men_bts.csv.gz", OPEN_BANDIT)[0]


def holding(judgement: Judgement, truth: float) -> dict[str, bool]:
    estimates = {name: getattr(judgement, name) for name in ("ips", "snips", "dr")}
    return {name: one.low <= truth <= one.high for name, one in estimates.items()}


ALL: Final = {"ips": True, "snips": True, "dr": True}


@pytest.mark.parametrize("resamples", [0, 1000])
def test_the_random_log_tells_what_thompson_earned(open_bandit: tuple[Log, Log], resamples: int) -> None:
    random, thompson = open_bandit
    target = by_distribution(random, distribution_of(thompson, random))
    assert holding(evaluate(random, target, resamples=resamples), thompson.reward.mean()) == ALL


def test_the_thompson_log_tells_what_random_earned(open_bandit: tuple[Log, Log]) -> None:
    random, thompson = open_bandit
    target = by_distribution(thompson, named(thompson, "uniform"))
    assert holding(evaluate(thompson, target, resamples=1000), random.reward.mean()) == ALL


def test_logs_of_many_groups_are_joined_before_they_are_drawn_from(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = synthetic(3, 4000)
    whole = evaluate(seen, by_distribution(seen, TARGET), resamples=300)
    monkeypatch.setattr(estimators, "_MOST_GROUPS", 500)
    joined = evaluate(seen, by_distribution(seen, TARGET), resamples=300)
    for name in ("ips", "snips", "dr"):
        one, two = getattr(whole, name), getattr(joined, name)
        assert two.high - two.low == pytest.approx(one.high - one.low, rel=0.2)


def test_policy_log_reads_parquet(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"action": ["a", None], "reward": [1, 0], "propensity": [0.5, 0.5], "who": ["v1", "v1"]})
    pq.write_table(table, tmp_path / "log.parquet")
    seen, target = policy_log.read(tmp_path / "log.parquet", Columns("action", "reward", "propensity", group="who"))
    assert (seen.actions, seen.group.tolist(), target) == (("", "a"), [0, 0], None)
