"""Hints leave out no file that holds a wanted row."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.sharing.hints import Hints

DAY = date(2026, 1, 10)


@pytest.mark.parametrize(
    ("hint", "wanted"),
    [
        ("date = '2026-01-10'", True),
        ("date = '2026-01-11'", False),
        ("date >= DATE '2026-01-11'", False),
        ("'2026-01-10' < date", False),
        ("'2026-01-09' < `date`", True),
        ("date <= '2026-01-10'", True),
        ("date > '2026-01-10'", False),
        ("site = 'x'", True),  # no column of the partitioning
        ("date = 'soon'", True),
        ("date <> '2026-01-10'", True),  # not understood: the client filters
        ("date >= '2026-01-11' OR true", True),
        ("", True),
    ],
)
def test_a_comparison_of_the_day_decides(hint: str, wanted: bool) -> None:
    assert Hints([hint]).may_match({"date": DAY}) is wanted


def test_all_hints_must_hold() -> None:
    assert not Hints(["date >= '2026-01-01'", "date > '2026-01-10'"]).may_match({"date": DAY})


def test_of_null_nothing_is_known() -> None:
    assert Hints(["date = '2026-01-10'"]).may_match({"date": None})
    null = json.dumps({"op": "isNull", "children": [{"op": "column", "name": "date", "valueType": "date"}]})
    assert Hints(json=null).may_match({"date": None})
    assert not Hints(json=null).may_match({"date": DAY})


@pytest.mark.parametrize(
    "text", ["", "[", "[]", "1", '{"op":"and"}', '{"op":"and","children":[]}', '{"op":["x"],"children":[1,2]}']
)
def test_what_is_no_predicate_leaves_nothing_out(text: str) -> None:
    assert Hints(json=text).may_match({"date": DAY})


_OPS = {
    "equal": "__eq__",
    "lessThan": "__lt__",
    "lessThanOrEqual": "__le__",
    "greaterThan": "__gt__",
    "greaterThanOrEqual": "__ge__",
}
_leaf = st.tuples(st.sampled_from([*_OPS]), st.sampled_from(["date", "hidden"]), st.integers(-3, 3), st.booleans())
_trees = st.recursive(
    _leaf,
    lambda inner: (
        st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3))
        | st.tuples(st.just("not"), st.lists(inner, min_size=1, max_size=1))
    ),
    max_leaves=8,
)


def _json(tree: Any) -> dict[str, Any]:
    if len(tree) == 2:
        return {"op": tree[0], "children": [_json(child) for child in tree[1]]}
    op, name, days, is_turned = tree
    pair = [
        {"op": "column", "name": name, "valueType": "date"},
        {"op": "literal", "value": str(DAY + timedelta(days)), "valueType": "date"},
    ]
    return {"op": op, "children": pair[::-1] if is_turned else pair}


def _holds(tree: Any, row: dict[str, date]) -> bool:
    """What the tree says of one row, worked out without the code."""
    if len(tree) == 2:
        parts = [_holds(child, row) for child in tree[1]]
        return not parts[0] if tree[0] == "not" else all(parts) if tree[0] == "and" else any(parts)
    op, name, days, is_turned = tree
    left, right = row[name], DAY + timedelta(days)
    return bool(getattr(right if is_turned else left, _OPS[op])(left if is_turned else right))


@given(tree=_trees, day=st.integers(-3, 3), hidden=st.integers(-4, 4))
def test_no_file_with_a_wanted_row_is_left_out(tree: Any, day: int, hidden: int) -> None:
    """A row's day is its file's; its other columns may be anything."""
    row = {"date": DAY + timedelta(day), "hidden": DAY + timedelta(hidden)}
    if _holds(tree, row):
        assert Hints(json=json.dumps(_json(tree))).may_match({"date": row["date"]})


@given(tree=_trees, day=st.integers(-3, 3))
def test_a_tree_of_the_day_alone_is_decided(tree: Any, day: int) -> None:
    text = json.dumps(_json(tree)).replace('"hidden"', '"date"')
    row = {name: DAY + timedelta(day) for name in ("date", "hidden")}
    assert Hints(json=text).may_match({"date": row["date"]}) is _holds(tree, row)
