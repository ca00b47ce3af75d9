"""The next best action: who may have what, that shares are the true ones, and what counts as a trial; rows counted by eye."""

import random
from collections import Counter
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from nextclick.errors import LakeError, SettingsError
from nextclick.settings import Settings, load
from serving.api.server import serve
from serving.next_best_action import actions, learn, outcomes, state
from serving.next_best_action.actions import NONE, SiteAction, SiteActions
from serving.next_best_action.cells import ActionCell, fold, posterior, priors
from serving.next_best_action.decisions import DECISION, Decision, drawn, encode, period, unit
from serving.next_best_action.judge import Verdict
from serving.next_best_action.live import NextBestActions
from serving.next_best_action.outcomes import DecisionTrial
from serving.next_best_action.policy import Policy, mixed
from tests import table_rows
from tests.hypothesis_settings import generated
from tests.next_best_world import SITE, VOUCHER
from tests.served_events import event

HOURS: Final = 24


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    conf = tmp_path / "conf"
    conf.mkdir()
    return msgspec.structs.replace(load(tmp_path / "lake", environ={}), conf_dir=conf)


def wrote(settings: Settings, text: str) -> Settings:
    (settings.conf_dir / "actions.toml").write_text(text)
    return settings


def test_the_form_that_the_file_shows_can_be_read(settings: Settings) -> None:
    shown = load(environ={}).conf_dir / "actions.toml"
    assert actions.load(shown.parent) == SiteActions(), "none is set up"
    example = shown.read_text().partition("#\n# margin = 20.0")[2]
    example = "margin = 20.0" + "\n".join(line.removeprefix("#").removeprefix(" ") for line in example.splitlines())
    site = actions.load(wrote(settings, example).conf_dir)
    assert [(one.id, one.kind, site.margin_of(one)) for one in site.actions] == [
        ("voucher", "discount", 15.0),
        ("for-you", "recommendation", 20.0),
        ("free-returns", "banner", 20.0),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[actions]]\nid = "none"\nkind = "banner"', "means that nothing is done"),
        ('[[actions]]\nid = "a"\nkind = "banner"\n' * 2, "the action a is there twice"),
        ('[[actions]]\nid = "a"\nkind = "gift"', "kind"),
        ('[[actions]]\nid = "a"\nkind = "banner"\nleast = { mood = 0.5 }', "mood"),
        ('[[actions]]\nid = "a"\nkind = "banner"\nleast = { churn = 0.5 }\nmost = { churn = 0.4 }', "a is for nobody"),
        ('[[actions]]\nid = "a"\nkind = "banner"\ncost = -1.0', "cost"),
        ('[[actions]]\nid = "a"\nkind = "banner"\nmargin = nan', "a"),
        ("segments = { churn = [0.5, 0.2] }", "write probabilities that rise"),
        ("segments = { churn = [0.0] }", "write probabilities that rise"),
        (f"segments = {{ churn = {[n / 200 for n in range(1, 150)]} }}", "151 groups, more than 100"),
        ("margin = [", "wrong"),
    ],
)
def test_a_file_that_is_wrong_is_refused_in_words(settings: Settings, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=r"actions\.toml is wrong.*docs/next-best-action\.md") as refused:
        actions.load(wrote(settings, text).conf_dir)
    assert said in str(refused.value)


def test_a_holdout_below_one_in_twenty_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"actions\.holdout"):
        load(environ={"NEXTCLICK_ACTIONS__HOLDOUT": "0.04"})
    with pytest.raises(SettingsError, match="more than 1"):
        load(environ={"NEXTCLICK_ACTIONS__HOLDOUT": "0.6", "NEXTCLICK_ACTIONS__EXPLORE": "0.5"})
    assert load(environ={"NEXTCLICK_ACTIONS__HOLDOUT": "0.05"}).actions.holdout == 0.05


def test_an_action_is_for_whom_it_says() -> None:
    action = SiteAction(id="a", kind="discount", surfaces=("cart",), least={"churn": 0.5}, most={"conversion_7d": 0.2})
    assert action.refusal("cart", {"churn": 0.5, "conversion_7d": 0.2}) is None
    assert action.refusal("home", {"churn": 0.5, "conversion_7d": 0.2}) == "only on cart"
    assert action.refusal("cart", {"churn": 0.4, "conversion_7d": 0.2}) == "only where churn is at least 0.5"
    assert action.refusal("cart", {"churn": 0.5, "conversion_7d": 0.3}) == "only where conversion_7d is at most 0.2"
    assert action.refusal("cart", {"churn": 0.5}) == "only where conversion_7d is at most 0.2", "nobody knows"
    known_only = SiteAction(id="c", kind="discount", users_only=True)
    assert known_only.refusal("home", {}, user=True) is None
    assert known_only.refusal("home", {}) == "only to known users"
    regulars = SiteAction(id="b", kind="banner", audience="regulars")
    assert regulars.refusal("home", {}, {"regulars": 7}) is None
    assert regulars.refusal("home", {}) == regulars.refusal("home", {}, ["others"]) == "only to the audience regulars"


def test_people_are_parted_by_what_is_foreseen_and_by_surfaces_that_actions_name() -> None:
    site = SiteActions(
        segments={"churn": (0.5,), "conversion_7d": (0.05, 0.2)},
        actions=(SiteAction(id="a", kind="banner", surfaces=("cart",)),),
    )
    assert (site.place("cart"), site.place("home"), site.place("")) == ("cart", "*", "*")
    assert site.segment("cart", {"churn": 0.5, "conversion_7d": 0.049}) == "cart churn=0.5..1 conversion_7d=0..0.05"
    assert site.segment("*", {"conversion_7d": 1.0}) == "* churn=? conversion_7d=0.2..1"


SHARES: Final = {NONE: 0.55, "voucher": 0.1, "returns": 0.35}


def test_an_action_is_drawn_as_often_as_its_share_says_and_stays_for_the_period() -> None:
    counts = Counter(drawn(SHARES, "default", f"visitor:{n}", "home", 0) for n in range(5_000))
    assert chisquare([counts[name] for name in SHARES], [5_000 * share for share in SHARES.values()]).pvalue > 0.001
    again = Counter(drawn(SHARES, "default", "visitor:1", "home", start) for start in range(0, 5_000 * 10, 10))
    assert chisquare([again[name] for name in SHARES], [5_000 * share for share in SHARES.values()]).pvalue > 0.001
    assert len({drawn(SHARES, "default", "visitor:1", "home", 7) for _ in range(10)}) == 1
    hour = 3_600_000
    assert period(49 * hour, 24) == (48 * hour, 72 * hour)


@generated(100)
@given(
    best=st.lists(st.floats(0, 1), min_size=1, max_size=6).filter(sum),
    holdout=st.floats(0.05, 0.5),
    explore=st.floats(0, 0.5),
)
def test_shares_sum_to_one_and_keep_the_holdout_and_what_is_tried(
    best: list[float], holdout: float, explore: float
) -> None:
    names = [NONE, *(f"a{n}" for n in range(1, len(best)))]
    shares = mixed({name: share / sum(best) for name, share in zip(names, best, strict=True)}, holdout, explore)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares[NONE] >= holdout + explore / len(best) - 1e-12
    assert min(shares.values()) >= explore / len(best) - 1e-12


def trial(person: str, action: str, share: float, outcome: bool, segment: str = "*") -> DecisionTrial:
    shares = {action: share, NONE if action != NONE else VOUCHER: 1 - share}
    return DecisionTrial(person, Decision(action=action, shares=shares, place="*", segment=segment), outcome)


def test_a_cell_weighs_each_trial_by_its_propensity() -> None:
    """A voucher at 1/2 that sold and one at 1/4 that did not: weights 2 and 4, rate 2/6, worth 36/20 trials."""
    [cell] = fold([trial("a", VOUCHER, 0.5, True), trial("b", VOUCHER, 0.25, False)])["*"].values()
    assert cell == ActionCell(trials=2, outcomes=1, weight=6.0, squares=20.0, happened=2.0)
    assert (cell.rate, cell.effective) == (2 / 6, 36 / 20)
    assert priors({"*": {VOUCHER: cell}})[""] == pytest.approx(2 / 102), "one in a hundred, and one of two"
    beta = posterior(cell, 0.1)
    assert beta == pytest.approx((20 * 0.1 + 1.8 / 3, 20 * 0.9 + 1.8 * 2 / 3))
    assert (ActionCell().rate, ActionCell().effective, posterior(ActionCell(), 0.1)) == (0, 0, (2.0, 18.0))


@generated(50)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from([NONE, VOUCHER]), st.sampled_from([0.05, 0.1, 0.3, 0.7]), st.booleans()), max_size=30
    ),
    seed=st.integers(0, 99),
)
def test_cells_are_exact_sums_whatever_the_order(rows: list[tuple[str, float, bool]], seed: int) -> None:
    trials = [trial(str(n), *row) for n, row in enumerate(rows)]
    cells = fold(trials)
    random.Random(seed).shuffle(trials)
    assert fold(trials) == cells
    for action, cell in cells.get("*", {}).items():
        weights = [Fraction(1 / share) for name, share, _ in rows if name == action]
        happened = [Fraction(1 / share) for name, share, outcome in rows if name == action and outcome]
        assert (cell.weight, cell.happened) == (float(sum(weights)), float(sum(happened)))
        assert cell.trials == len(weights)


def known(none: tuple[int, int], voucher: tuple[int, int]) -> dict[str, dict[str, ActionCell]]:
    """Trials and outcomes of each, all of propensity 1."""
    return {
        "*": {
            action: ActionCell(trials=n, outcomes=y, weight=float(n), squares=float(n), happened=float(y))
            for action, (n, y) in ((NONE, none), (VOUCHER, voucher))
        }
    }


def test_an_action_for_users_is_not_for_who_is_nobodys_but_a_visitor(settings: Settings) -> None:
    voucher = SiteAction(id=VOUCHER, kind="discount", users_only=True)
    here = NextBestActions(settings, SiteActions(margin=20.0, actions=(voucher,)))
    assert set(here.decide("default", unit("v1", "ann"), "home", {}, 0).decision.shares) == {NONE, VOUCHER}
    assert here.decide("default", unit("v1", None), "home", {}, 0).refused == {VOUCHER: "only to known users"}
    assert here.decide("default", unit("user:ann", None), "home", {}, 0).decision.shares == {NONE: 1.0}


def test_every_process_draws_the_same_shares(settings: Settings) -> None:
    """Whatever it was asked before: else a person would change actions with the worker that answers."""
    cells = known((200, 20), (200, 45))
    one, other = policy(settings, cells), policy(settings, cells)
    other.best("elsewhere", [VOUCHER, NONE])
    assert one.best("*", [NONE, VOUCHER]) == other.best("*", [NONE, VOUCHER])


ONE_SEGMENT: Final = msgspec.structs.replace(SITE, segments={})


def policy(settings: Settings, cells: Any) -> Policy:
    return Policy(ONE_SEGMENT, cells, settings)


def test_uplift_not_response_decides_a_discount(settings: Settings) -> None:
    """Half of all who have a voucher buy, but so do half of the others: it would give away 5 of 20 each time."""
    likely = policy(settings, known((2000, 1000), (2000, 1000)))
    worth = likely.worth("*", VOUCHER)
    assert worth.expected.value == pytest.approx(0.5 * 15, rel=0.01)
    assert worth.uplift.value == pytest.approx(0.5 * 15 - 0.5 * 20, rel=0.01)
    assert likely.best("*", [NONE, VOUCHER]) == {NONE: 1.0, VOUCHER: 0.0}
    swayed = policy(settings, known((2000, 100), (2000, 400)))
    assert swayed.worth("*", VOUCHER).uplift.value == pytest.approx(0.2 * 15 - 0.05 * 20, rel=0.02)
    assert swayed.best("*", [NONE, VOUCHER])[VOUCHER] == 1.0


def test_a_discount_that_is_only_likely_to_be_better_is_held_back(settings: Settings) -> None:
    """10 of 20 against 4 of 20: .5 · 15 is more than .2 · 20, not surely."""
    unsure = policy(settings, known((20, 4), (20, 10)))
    worth = unsure.worth("*", VOUCHER)
    assert worth.uplift.low < 0 < worth.uplift.value
    assert unsure.held_back("*", VOUCHER) == "not surely worth more than none"
    assert unsure.best("*", [NONE, VOUCHER, "returns"])[VOUCHER] == 0


@pytest.mark.parametrize("trials", [0, 1, 5, 30, 100])
def test_a_rare_action_is_not_taken_for_a_good_one(settings: Settings, trials: int) -> None:
    """Nobody bought with it, and hardly anybody without: a uniform prior would call it surely better."""
    assert policy(settings, known((5000, 5), (trials, 0))).held_back("*", VOUCHER)


def test_the_interval_of_a_discount_is_by_hand(settings: Settings) -> None:
    """κ 20, one discount: 1.96 standard deviations of the two posteriors."""
    cells = known((100, 10), (100, 30))
    prior = priors(cells)["*"]
    assert prior == pytest.approx((40 + 20 * 41 / 300) / 220)
    none, voucher = (10 + 20 * prior) / 120, (30 + 20 * prior) / 120
    deviation = ((15**2 * voucher * (1 - voucher) + 20**2 * none * (1 - none)) / 121) ** 0.5
    worth = policy(settings, cells).worth("*", VOUCHER)
    assert worth.uplift.value == pytest.approx(15 * voucher - 20 * none)
    assert worth.uplift.low == pytest.approx(15 * voucher - 20 * none - 1.959964 * deviation)
    assert worth.expected.high == pytest.approx(15 * (voucher + 1.959964 * (voucher * (1 - voucher) / 121) ** 0.5))


def test_no_rate_is_below_none_at_all(settings: Settings) -> None:
    worth = policy(settings, known((100, 0), (100, 0))).worth("*", VOUCHER)
    assert worth.expected.low == 0 < worth.expected.value < worth.expected.high


def answer(request: str, hour: float, action: str = VOUCHER, **more: Any) -> dict[str, Any]:
    decision = Decision(action=action, shares={NONE: 0.75, VOUCHER: 0.25}, place=more.pop("place", "*"), segment="*")
    row = event("served", request, visitor_id=more.pop("visitor_id", "v1"), **more)
    at = table_rows.NOON + timedelta(hours=hour - 12)
    return row | {"source": "server", "properties": [(DECISION, encode(decision).decode())], "occurred_at": at}


def bought(hour: float, **more: Any) -> dict[str, Any]:
    row = event("purchase", None, visitor_id=more.pop("visitor_id", "v1"), **more)
    return row | {"event_id": f"{hour}-{more}", "occurred_at": table_rows.NOON + timedelta(hours=hour - 12)}


LATER: Final = answer("later", 24 * 9, visitor_id="later")
"""An answer far behind: periods before it are over."""


def read(settings: Settings, *rows: dict[str, Any]) -> list[tuple[str, str, bool]]:
    table_rows.write(settings.lake, "silver.events", [*rows, LATER], mode="overwrite")
    trials = outcomes.read(settings, "purchase").rows
    return [(trial.person, trial.decision.action, trial.outcome) for trial in trials]


def test_a_person_and_a_period_are_one_trial_and_a_purchase_behind_the_answer_its_outcome(settings: Settings) -> None:
    assert read(settings, answer("r1", 1), answer("r2", 2, NONE), bought(3)) == [("visitor:v1", VOUCHER, True)]
    assert read(settings, answer("r1", 1), bought(0.5)) == [("visitor:v1", VOUCHER, False)], "it came before"
    assert read(settings, answer("r1", 1), bought(24)) == [("visitor:v1", VOUCHER, False)], "the period is over"
    assert read(settings, answer("r1", 1), bought(23.9)) == [("visitor:v1", VOUCHER, True)]
    assert read(settings, answer("r1", 1), bought(2, visitor_id="v2")) == [("visitor:v1", VOUCHER, False)]
    assert read(settings, answer("r1", 1), bought(2, quantity=0)) == [("visitor:v1", VOUCHER, False)], "no pieces"


def test_a_user_is_one_person_on_two_devices(settings: Settings) -> None:
    user = {"user_id": "ann"}
    assert read(settings, answer("r1", 1, **user), bought(2, visitor_id="v2", **user)) == [("user:ann", VOUCHER, True)]
    assert read(settings, answer("r1", 1, **user), bought(2)) == [("user:ann", VOUCHER, True)], "the same device"
    both = answer("r1", 1, **user), answer("r2", 2, NONE, visitor_id="v2", **user)
    assert read(settings, *both) == [("user:ann", VOUCHER, False)]


def test_places_and_periods_are_trials_of_their_own_and_one_that_runs_is_none(settings: Settings) -> None:
    rows = answer("r1", 1), answer("r2", 2, NONE, place="cart"), answer("r3", 25), bought(3)
    assert read(settings, *rows) == [
        ("visitor:v1", VOUCHER, True),
        ("visitor:v1", NONE, True),
        ("visitor:v1", VOUCHER, False),
    ]
    assert read(settings, answer("r1", 24 * 9 - 0.5), answer("r2", 24 * 8 + 1, NONE)) == [
        ("visitor:v1", NONE, False),
    ], "both are in the ninth day, which is over when the newest answer begins the tenth"


def test_only_what_the_api_wrote_counts(settings: Settings) -> None:
    assert read(settings, answer("r1", 1) | {"source": "plain"}) == []
    assert read(settings, answer("r1", 1, site="other")) == []


ROWS = st.lists(
    st.tuples(
        st.sampled_from([NONE, VOUCHER, "purchase"]),
        st.integers(0, 71),
        st.sampled_from(["v1", "v2"]),
        st.sampled_from([None, "ann", "bob"]),
        st.sampled_from(["*", "cart"]),
    ),
    max_size=12,
    unique_by=lambda row: row[1],
)


@generated(15)
@given(rows=ROWS)
def test_trials_are_those_of_plain_python(rows: list[tuple[str, int, str, str | None, str]]) -> None:
    settings = load(SCRATCH[0] / "lake", environ={})
    events = [
        bought(hour, visitor_id=visitor, user_id=user)
        if what == "purchase"
        else answer(f"r{hour}", hour, what, visitor_id=visitor, user_id=user, place=place)
        for what, hour, visitor, user, place in rows
    ]
    expected, counted = [], set()
    for what, hour, visitor, user, place in sorted(rows, key=lambda row: row[1]):
        person = f"user:{user}" if user else f"visitor:{visitor}"
        if what == "purchase" or (person, place, hour // 24) in counted:
            continue
        counted.add((person, place, hour // 24))
        outcome = any(
            kind == "purchase"
            and hour <= at < (hour // 24 + 1) * 24
            and (device == visitor or (user and known == user))
            for kind, at, device, known, _ in rows
        )
        expected.append((person, what, outcome))
    assert read(settings, *events) == expected


SCRATCH: list[Path] = []


@pytest.fixture(autouse=True, scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where examples of hypothesis write, one over the other."""
    SCRATCH.append(tmp_path_factory.mktemp("trials"))


ACTIONS: Final = """
margin = 20.0
[[actions]]
id = "voucher"
kind = "discount"
margin = 15.0
"""


def test_what_is_learned_is_the_same_again_and_after_a_replay(settings: Settings, tmp_path: Path) -> None:
    assert "no actions" in str(learn.run(settings).details["reason"])
    wrote(settings, ACTIONS)
    assert "never written" in str(learn.run(settings).details["reason"])
    rows = [answer("r1", 1), bought(2), answer("r2", 1, NONE, visitor_id="v2"), LATER]
    table_rows.write(settings.lake, "silver.events", rows)
    assert (learn.run(settings).written, learn.run(settings).written) == (2, 0)
    learned = state.read(settings.lake)
    assert learned
    assert learned.cells == {
        "*": {
            NONE: ActionCell(trials=1, weight=4 / 3, squares=16 / 9, happened=0.0),
            VOUCHER: ActionCell(trials=1, outcomes=1, weight=4.0, squares=16.0, happened=4.0),
        }
    }
    assert learned.verdict.reason.startswith("2 people have a period that is over")
    other = msgspec.structs.replace(load(tmp_path / "replayed", environ={}), conf_dir=settings.conf_dir)
    for row in reversed(rows):
        table_rows.write(other.lake, "silver.events", [row])
    learn.run(other)
    again = state.read(other.lake)
    assert again
    assert (again.cells, again.version) == (learned.cells, 3)


def test_a_newer_state_is_taken_up_and_a_broken_or_newer_format_is_not(settings: Settings) -> None:
    here = NextBestActions(settings, ONE_SEGMENT)

    def shares() -> dict[str, float]:
        return here.decide("default", "visitor:v1", "home", {}, 0).decision.shares

    assert shares()[NONE] == pytest.approx(0.95 + 0.05 / 3)
    cells, passed = known((2000, 100), (2000, 600)), Verdict(serves=True, reason="surely")
    good = state.LearnedActions(digest=ONE_SEGMENT.digest, cells=cells, verdict=passed)
    state.write(settings.lake, good)
    here.refresh()
    assert shares()[VOUCHER] == pytest.approx(0.9 + 0.05 / 3)
    Path(state.address(settings.lake)).write_text("{")
    here.refresh()
    assert shares()[VOUCHER] > 0.9
    other = NextBestActions(settings, msgspec.structs.replace(ONE_SEGMENT, margin=21.0))
    state.write(settings.lake, good)
    other.refresh()
    changed = other.decide("default", "visitor:v1", "home", {}, 0)
    assert changed.decision.shares[NONE] == pytest.approx(0.95 + 0.05 / 3), "the verdict was about another margin"
    assert "another one than what was learned about" in changed.reason
    state.write(settings.lake, msgspec.structs.replace(good, format=99))
    with pytest.raises(LakeError, match="format 99"):
        state.read(settings.lake)


def test_nobody_is_answered_none_and_actions_are_ranked_with_their_reasons(settings: Settings) -> None:
    here = NextBestActions(settings, ONE_SEGMENT)
    nobody = here.decide("default", None, "home", {}, 0)
    assert (nobody.decision.action, nobody.decision.propensity) == (NONE, 1.0)
    state.write(
        settings.lake,
        state.LearnedActions(
            digest=ONE_SEGMENT.digest, cells=known((400, 80), (400, 88)), verdict=Verdict(serves=True, reason="yes")
        ),
    )
    here.refresh()
    best = here.decide("default", "visitor:v1", "home", {}, 0)
    assert [offer.id for offer in best.offers][-1] == VOUCHER, ".2 · 20 is more than .22 · 15"
    reasons = {offer.id: offer.reason for offer in best.offers}
    assert reasons[VOUCHER].startswith("tried only: not surely worth more than none; uplift -0.")
    assert reasons["returns"].startswith("tried only: 0 trials of 20; uplift ")
    assert best.until == 86_400_000


def test_a_server_with_wrong_actions_stops_before_its_workers_start(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="the action a is there twice"):
        serve(wrote(settings, '[[actions]]\nid = "a"\nkind = "banner"\n' * 2))
