"""The report of a training: its numbers by hand, and a page that stands alone."""

import re
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from ml.data.interactions import Interactions, from_arrow
from ml.report import figures, report_page
from ml.selection.select import Selection, choose
from nextclick.settings import Settings, load

START = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = load(profile="test", environ={})


def two_tastes() -> Interactions:
    """30 people, each of one taste of five items, in ten days; p20 … p29 have used less than the others."""
    rows = [
        (f"p{n:02}", f"{'ab'[n % 2]}{item}", START + timedelta(days=item * 2 + n / 100))
        for n in range(30)
        for item in (range(5) if n < 20 else range(2, 5))
    ]
    person, item, at = zip(*rows, strict=True)
    names = ["person_id", "item_id", "strength", "first_at", "last_at"]
    return from_arrow(pa.table([person, item, [1.0] * len(rows), at, at], names=names))


PAIRS = two_tastes()
CHOICE = choose(SETTINGS, PAIRS)


def facts(
    settings: Settings = SETTINGS, verdict: tuple[str, ...] = (), fit_seconds: float = 0.0
) -> figures.TrainingFacts:
    return figures.facts(settings, "Training <1>", CHOICE, list(verdict), fit_seconds)


def test_what_was_chosen_was_best_on_the_validation_part_and_is_judged_on_a_later_one() -> None:
    assert isinstance(CHOICE, Selection)
    assert CHOICE.recalls[CHOICE.name] == max(CHOICE.recalls[name] for name in ("als", "als_trending"))
    windows = {name.rsplit("_", 1)[0] for name in CHOICE.judged.metrics}
    assert windows == {CHOICE.name.rsplit("_", 1)[0], "popular_fading", "popular_last", "popular_all"}
    assert CHOICE.validation.cut is not None
    assert CHOICE.test.cut is not None
    assert CHOICE.validation.cut < CHOICE.test.cut


def test_people_are_grouped_by_what_they_had_used_before_the_cut() -> None:
    used = {group.least: group.people for group in facts().groups}
    assert used == {2: 10, 4: 3}  # the last tenth of the pairs: the last item of p17 … p29


def test_the_shares_of_the_tenths_of_the_catalogue_add_up() -> None:
    bias = facts().bias
    assert bias.keys() == {"used", *CHOICE.judged.metrics}
    assert all(sum(shares) == pytest.approx(1.0) for shares in bias.values())
    assert bias["used"][-2:] == pytest.approx([6 / 13, 7 / 13])  # a4 and b4, which fewest had used before


def test_the_curve_ends_with_what_was_judged_and_is_left_out_where_it_takes_too_long() -> None:
    curve = facts().curve
    assert list(curve) == [*figures.CURVE, 1.0]
    assert curve[1.0] == pytest.approx(CHOICE.judged.recall(CHOICE.name))
    assert facts(fit_seconds=1e6).curve == {}


def test_the_page_stands_alone_and_holds_a_figure_for_everything() -> None:
    page = report_page.page(facts(verdict=("it is <stale>",)))
    assert page.count("<svg") == page.count("<figure") == 5
    assert "it is &lt;stale&gt;" in page
    assert "Training &lt;1&gt;" in page
    assert not re.search(r'(src|href)="(?!#)', page.replace("xlink:href", "href"))


def test_with_too_few_people_the_page_says_so_without_figures() -> None:
    few = PAIRS.where(PAIRS.person < 4)
    alone = figures.facts(SETTINGS, "Few", choose(SETTINGS, few), ["too little to judge"], 0.0)
    assert alone.groups == []
    page = report_page.page(alone)
    assert "too little to judge" in page
    assert "<svg" not in page


def test_the_numbers_are_the_same_whatever_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (msgspec.json.encode(facts()) for _ in range(2))
    assert one == two
    assert np.isfinite(list(facts().curve.values())).all()
