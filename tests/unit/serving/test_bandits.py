"""Bandits: the logged propensity is the true one, they learn, and their state is a fold over what was shown and clicked."""

import random
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pytest
from scipy.stats import chisquare

from nextclick.errors import SettingsError, TableMissing
from nextclick.profile import live_features
from nextclick.profile.live_features import FeatureRules, Features
from nextclick.profile.profile import Action, Profile
from nextclick.settings import Settings, load
from serving.bandits import learn, live, state, trials
from serving.bandits.context import SIZE, context
from serving.bandits.methods import Arm, Arms, Bandit, EpsilonGreedy, LinearThompson, Thompson, draw
from serving.bandits.trials import Draw, Trial
from tests import table_rows
from tests.served_events import BANNER, SLOT, event, served

KNOWN: Final = {"a": Arm(trials=200, rewards=12), "b": Arm(trials=50, rewards=5), "c": Arm(trials=3, rewards=0)}
ARMS: Final = ["a", "b", "c", "new", "newer"]
LINEAR: Final = {
    "a": Arm(trials=9, rewards=4, gram=[[9.0, 2.0], [2.0, 4.0]], moment=[4.0, -1.0]),
    "b": Arm(trials=5, rewards=2, gram=[[5.0, 1.0], [1.0, 2.0]], moment=[2.0, 1.5]),
}
CONTEXT: Final = np.array([1.0, -0.5])


def bandits() -> list[Bandit]:
    rng = np.random.default_rng(7)
    return [
        EpsilonGreedy(KNOWN, 0.2),
        Thompson(KNOWN, 0.05, 128, rng),
        LinearThompson(LINEAR, 0.05, 128, 0.3, rng),
    ]


@pytest.mark.parametrize("bandit", bandits(), ids=lambda bandit: type(bandit).__name__)
def test_an_arm_is_drawn_as_often_as_the_logged_propensity_says(bandit: Bandit) -> None:
    rng, n = np.random.default_rng(1), 5_000
    chosen = [draw(bandit, ARMS, rng, CONTEXT) for _ in range(n)]
    logged = {choice.arm: choice.propensity for choice in chosen}
    assert set(chosen) == set(logged.items()), "one state gives one propensity an arm"
    assert sum(logged.values()) == pytest.approx(1)
    counts = [sum(choice.arm == arm for choice in chosen) for arm in logged]
    assert chisquare(counts, [n * share for share in logged.values()]).pvalue > 0.001


@pytest.mark.parametrize("bandit", bandits(), ids=lambda bandit: type(bandit).__name__)
def test_probabilities_sum_to_one_and_leave_no_arm_out(bandit: Bandit) -> None:
    for count in range(1, len(ARMS) + 1):
        shares = bandit.probabilities(ARMS[:count], CONTEXT)
        assert shares.sum() == pytest.approx(1)
        assert (shares >= 0.05 / count - 1e-12).all()


def test_epsilon_greedy_shares_ties_and_tries_what_was_never_shown() -> None:
    shares = EpsilonGreedy(KNOWN, 0.2).probabilities(ARMS)
    assert shares.tolist() == pytest.approx([0.04, 0.04, 0.04, 0.44, 0.44])


def test_thompson_gives_an_arm_the_probability_that_it_is_the_best() -> None:
    """Beta(2, 1) beats Beta(1, 1) with probability 2/3; the estimate from m draws has an error of √(2/9 / m)."""
    bandit = Thompson({"clicked": Arm(trials=1, rewards=1)}, 0.0, 4096, np.random.default_rng(3))
    assert bandit.probabilities(["clicked", "new"])[0] == pytest.approx(2 / 3, abs=4 * (2 / 9 / 4096) ** 0.5)


def test_linear_thompson_draws_from_the_posterior() -> None:
    """The draws' mean and covariance are A⁻¹b and v²·A⁻¹."""
    bandit = LinearThompson(LINEAR, 0.0, 4096, 0.5, np.random.default_rng(3))
    thetas = bandit._of_posterior("a", 2)
    precision = np.eye(2) + np.array(LINEAR["a"].gram)
    assert thetas.mean(axis=0) == pytest.approx(np.linalg.solve(precision, LINEAR["a"].moment), abs=0.02)
    assert np.cov(thetas.T) == pytest.approx(0.25 * np.linalg.inv(precision), abs=0.004)


@pytest.mark.parametrize("method", ["epsilon_greedy", "thompson", "linear"])
def test_regret_is_well_below_that_of_uniform_choice(method: str) -> None:
    """Rates .02 to .12, and for `linear` rates that swap with the context; updated every 200 choices, as in batches."""
    rates = np.array([[0.02, 0.12], [0.05, 0.05], [0.12, 0.02]])
    if method != "linear":
        rates = rates[:, :1]
    uniform = float((rates.max(axis=0) - rates.mean(axis=0)).mean())
    lost = [_regret(method, rates, np.random.default_rng(seed)) for seed in range(2)]
    assert np.mean(lost) < uniform / 2


def _regret(method: str, rates: Any, rng: np.random.Generator, batches: int = 20, size: int = 200) -> float:
    """Mean loss against the best arm of each context."""
    seen: list[Trial] = []
    names, regret = ["x", "y", "z"], 0.0
    for batch in range(batches):
        bandit = _bandit(method, state.fold(seen).get("t", {}), rng)
        for at in range(size):
            kind = int(rng.integers(rates.shape[1]))
            context = np.eye(rates.shape[1])[kind]
            choice = draw(bandit, names, rng, context)
            row = names.index(choice.arm)
            regret += rates[:, kind].max() - rates[row, kind]
            seen.append(trial(f"{batch}-{at}", choice.arm, bool(rng.random() < rates[row, kind]), context.tolist()))
    return float(regret / (batches * size))


def _bandit(method: str, known: Arms, rng: np.random.Generator) -> Bandit:
    if method == "epsilon_greedy":
        return EpsilonGreedy(known, 0.1)
    return LinearThompson(known, 0.0, 64, 0.1, rng) if method == "linear" else Thompson(known, 0.0, 64, rng)


def trial(request: str, arm: str, clicked: bool, context: list[float] | None = None) -> Trial:
    return Trial(request, Draw(bandit="t", arm=arm, propensity=0.5, arms=3, context=context or []), clicked)


def test_state_does_not_depend_on_the_order_or_copies_of_trials() -> None:
    rng = random.Random(5)
    seen = [trial(f"r{n}", rng.choice("ab"), rng.random() < 0.3, [1.0, rng.random()]) for n in range(200)]
    again = seen + seen[:50]
    rng.shuffle(again)
    assert state.fold(again) == state.fold(seen)
    assert sum(arm.trials for arm in state.fold(seen)["t"].values()) == 200


def test_contexts_of_another_length_count_without_their_context() -> None:
    arm = state.fold([trial("1", "a", True, [1.0]), trial("2", "a", True, [1.0, 2.0]), trial("3", "a", False)])["t"][
        "a"
    ]
    assert (arm.trials, arm.rewards, arm.moment) == (3, 2, [1.0, 2.0])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(tmp_path / "lake", environ={})


def answers() -> list[dict[str, Any]]:
    """Five answers: shown, clicked (its impression was lost), not shown, too old, forged by a client."""
    summer = [("banner", "summer")]
    return [
        served("r1", BANNER, SLOT),
        event("impression", "r1", properties=summer),
        event("impression", "r1", item_id="i7"),
        event("impression", "r1", item_id="i8"),
        served("r2", BANNER, SLOT),
        event("click", "r2", properties=summer),
        served("r3", BANNER),
        served("r4", BANNER, day=-31),
        event("click", "r4", day=-31, properties=summer),
        served("r5", BANNER) | {"source": "plain"},
        event("click", "r5", properties=summer),
    ]


def test_what_was_really_shown_is_a_trial_and_a_click_its_reward(settings: Settings) -> None:
    table_rows.write(settings.lake, "silver.events", answers())
    learn.run(settings)
    learned = state.read(settings.lake)
    assert learned is not None
    assert learned.bandits == {
        "banner:home": {"summer": Arm(trials=2, rewards=1)},
        "slot:home": {"i7": Arm(trials=1)},
    }


def test_a_replay_and_a_resend_give_the_same_state(settings: Settings, tmp_path: Path) -> None:
    """Silver holds a resend once; another copy of an impression is another event of the same trial."""
    table_rows.write(settings.lake, "silver.events", answers())
    assert learn.run(settings).written == 2
    table_rows.write(settings.lake, "silver.events", [event("impression", "r1", item_id="i7", position=3)])
    assert learn.run(settings).written == 0
    other = load(tmp_path / "replayed", environ={})
    for row in reversed(answers()):
        table_rows.write(other.lake, "silver.events", [row])
    learn.run(other)
    one, two = state.read(settings.lake), state.read(other.lake)
    assert one
    assert two
    assert one.bandits == two.bandits
    assert (one.version, two.version) == (1, len(answers()) - 1)


def test_bots_are_left_out(settings: Settings) -> None:
    agents = [{"user_agent": "robot", "is_bot": True}, {"user_agent": "browser", "is_bot": False}]
    table_rows.write(settings.lake, "silver.user_agents", agents)
    clicks = [event("click", "r1", properties=[("banner", "summer")], user_agent=name) for name in ("robot", "browser")]
    table_rows.write(settings.lake, "silver.events", [served("r1", BANNER), clicks[0]])
    assert learn.run(settings).read == 0
    table_rows.write(settings.lake, "silver.events", [clicks[1]])
    assert learn.run(settings).read == 1


def test_before_the_first_run_there_is_nothing_to_learn(settings: Settings) -> None:
    assert "never written" in str(learn.run(settings).details["reason"])
    assert state.read(settings.lake) is None
    with pytest.raises(TableMissing, match="nextclick run"):
        trials.read(settings)


def features(*actions: Action) -> Features:
    rules = FeatureRules(gap_ms=1_800_000, half_life_ms=3_600_000, keep_ms=10**10, weights={"view_item": 1.0})
    return live_features.features(Profile(actions), 10**9, rules)


def test_a_context_has_one_size_and_tells_visitors_apart() -> None:
    anonymous_id = context(features())
    reader = context(features(Action(at=10**9 - 1000, id=1, code=2, item="i1", category="lamps")))
    assert anonymous_id.tolist() == [1.0] + [0.0] * (SIZE - 1)
    assert len(reader) == SIZE
    assert (reader[1] > 0.99, reader[2] > 0) == (True, True)
    assert np.abs(reader[6:]).sum() == pytest.approx(0.5, abs=0.001), "one fresh view leans by a half"


BANNERS: Final = (
    live.Banner(id="summer", text="Summer sale", link="/summer"),
    live.Banner(id="home", text="Welcome", link="/", surfaces=("home",)),
)


def ready(settings: Settings, **changed: Any) -> live.Bandits:
    chosen = msgspec.structs.replace(settings.bandits, **changed)
    return live.Bandits(settings.lake, chosen, BANNERS, np.random.default_rng(1))


def test_a_surface_gets_only_its_banners(settings: Settings) -> None:
    here = ready(settings)
    assert {here.banner("cart")[0].id for _ in range(50)} == {"summer"}  # type: ignore[index]
    assert {here.banner("home")[0].id for _ in range(50)} == {"summer", "home"}  # type: ignore[index]
    assert live.Bandits(settings.lake, settings.bandits, ()).banner("home") is None


def test_a_banner_for_an_audience_is_shown_to_who_belongs_alone(settings: Settings) -> None:
    thanks = live.Banner(id="thanks", text="Thank you", link="/", audience="buyers")
    here = live.Bandits(settings.lake, settings.bandits, (thanks,), np.random.default_rng(1))
    assert here.banner("home", audiences={"buyers": 1})[0].id == "thanks"  # type: ignore[index]
    assert here.banner("home", audiences=("lookers",)) is None
    assert here.banner("home") is None


def test_a_banner_for_people_who_may_leave_is_shown_to_them_alone(settings: Settings) -> None:
    stay = live.Banner(id="stay", text="Stay", link="/", least={"churn": 0.6})
    here = live.Bandits(settings.lake, settings.bandits, (*BANNERS, stay), np.random.default_rng(1))

    def shown(**foreseen: float) -> set[str]:
        return {here.banner("cart", foreseen=foreseen)[0].id for _ in range(50)}  # type: ignore[index]

    assert shown(churn=0.6) == {"summer", "stay"}
    assert shown(churn=0.59) == shown() == shown(conversion_7d=0.9) == {"summer"}
    assert (here.asks_what_is_foreseen, ready(settings).asks_what_is_foreseen) == (True, False)


def test_a_newer_state_is_taken_up_and_a_broken_one_is_not(settings: Settings) -> None:
    here = ready(settings, epsilon=0.0)
    learned = {"banner:home": {"summer": Arm(trials=9999), "home": Arm(trials=9999, rewards=9999)}}
    state.write(settings.lake, state.State(version=1, bandits=learned))
    here.refresh()
    assert {here.banner("home")[0].id for _ in range(50)} == {"home"}  # type: ignore[index]
    Path(state.address(settings.lake)).write_text("{")
    here.refresh()
    assert {here.banner("home")[0].id for _ in range(50)} == {"home"}  # type: ignore[index]


def test_exploration_fills_its_places_and_no_others(settings: Settings) -> None:
    here = ready(settings, positions=(2, 4, 9), pool=3)
    for _ in range(50):
        explored = here.explore("home", ["a", "b", "c", "d"], ["c", "e", "f", "g", "h"])
        assert [explored.items[0], explored.items[2]] == ["a", "c"]
        assert len(set(explored.items)) == 4
        assert set(explored.items) <= set("abcdefg")
        assert [each.position for each in explored.draws] == [2, 4]
        assert [explored.propensities[0], explored.propensities[2]] == [1.0, 1.0]
        assert [each.propensity for each in explored.draws] == [explored.propensities[1], explored.propensities[3]]


def test_without_a_pool_or_places_a_list_stays_as_it_is(settings: Settings) -> None:
    assert ready(settings).explore("home", ["a", "b"], ["c"]) == (["a", "b"], [1.0, 1.0], [])
    assert ready(settings, positions=(1,)).explore("home", ["a", "b"], ["b"]).draws == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[banners]]\nid = 'a'\ntext = 'x'\nlink = 'javascript:alert(1)'", "link"),
        ("[[banners]]\nid = 'a'\ntext = 'x'\nlink = '/'\n" * 2, "the banner a twice"),
        ("[[banners]]\nid = 'a'\ntext = 'x'\nlink = '/'\ncolour = 'red'", "colour"),
    ],
)
def test_a_wrong_banner_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "banners.toml").write_text(text)
    with pytest.raises(SettingsError, match=said):
        live.banners(tmp_path / "banners.toml")


def test_the_shipped_banners_can_be_read(settings: Settings) -> None:
    assert live.banners(settings.conf_dir / "banners.toml") is not None
