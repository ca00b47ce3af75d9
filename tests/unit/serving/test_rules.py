"""Rules hold whatever is asked, and lists are as full as the rules allow: against a plain loop over the catalogue."""

from collections import Counter
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nextclick.settings import load
from serving.ranking.candidates import gather
from serving.ranking.rank import Order, rank
from serving.ranking.rules import rules
from serving.schema.requests import RecommendRequest
from tests.serving_index import NOW, shop
from tests.unit.serving.test_ranking import BUY, VIEW, known

RANKING = load(environ={}).ranking
ITEMS = [f"i{number}" for number in range(12)]
CATEGORIES = ("a", "b", "c", None)
GOOD = st.fixed_dictionaries(
    {
        "category": st.sampled_from(CATEGORIES),
        "price": st.sampled_from((None, 1.0, 2.0, 3.0)),
        "available": st.sampled_from((None, True, False)),
        "strength": st.sampled_from((0.0, 1.0, 2.0)),
        "currency": st.sampled_from((None, "EUR", "JPY")),
        "recommendable": st.booleans(),
    }
)
SOME = st.lists(st.sampled_from(ITEMS), max_size=4, unique=True)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "categories": st.lists(st.sampled_from(("a", "b", "zz")), max_size=2).map(tuple),
        "price_min": st.sampled_from((0.0, 2.0)),
        "price_max": st.sampled_from((2.0, 3.0)),
        "currency": st.sampled_from(("eur", "JPY", "XXX")),
        "available": st.booleans(),
        "hide_seen": st.booleans(),
        "hide_bought": st.booleans(),
        "allow": SOME.map(lambda some: (*some, "unknown") if some else ()),
        "deny": SOME.map(tuple),
        "per_category": st.integers(0, 3),
        "boost": st.sampled_from(((), ("category:a=9", "item:i1=0"))),
    },
)


def fits(
    item: str, good: dict[str, Any], usual: str | None, request: RecommendRequest, seen: set[str], bought: set[str]
) -> bool:
    """Whether an item may be shown, in plain words; `usual` is the currency of most prices."""
    priced = request.price_min is not None or request.price_max is not None
    wanted = request.currency.upper() if request.currency else usual
    return not (
        not good["recommendable"]
        or (priced and (good["currency"] or usual) != wanted)
        or (request.categories and good["category"] not in request.categories)
        or (request.price_min is not None and (good["price"] is None or good["price"] < request.price_min))
        or (request.price_max is not None and (good["price"] is None or good["price"] > request.price_max))
        or (request.available is not False and good["available"] is False)
        or (request.hide_seen and item in seen)
        or (request.hide_bought is not False and item in bought)
        or (request.allow and item not in request.allow)
        or item in request.deny
    )


@settings(max_examples=150)
@given(
    goods=st.lists(GOOD, max_size=12).map(lambda rows: dict(zip(ITEMS, rows, strict=False))),
    fields=FIELDS,
    actions=st.lists(st.tuples(st.sampled_from((VIEW, BUY)), st.sampled_from(ITEMS)), max_size=4),
    own=SOME,
    n=st.integers(1, 12),
    candidates=st.integers(1, 12),
)
def test_no_rule_is_ever_broken_and_lists_are_as_full_as_the_rules_allow(
    goods: Any, fields: Any, actions: Any, own: Any, n: int, candidates: int
) -> None:
    index, question = shop(goods=goods), RecommendRequest(**fields)
    who = known(index, *actions, personal=[item for item in own if item in goods])
    pool = gather(index, who, candidates, NOW)
    ranked = rank(index, pool, who, rules(index.catalogue, RANKING.rules, question, who), n, Order(RANKING, NOW, {}))
    shown = [index.catalogue.ids[number] for number in ranked.candidates.number]

    seen, bought = ({item for code, item in actions if code == wanted} for wanted in (VIEW, BUY))
    currencies = Counter(good["currency"] for good in goods.values() if good["currency"])
    usual = currencies.most_common(1)[0][0] if currencies else None
    may = [item for item, good in goods.items() if fits(item, good, usual, question, seen, bought)]
    assert set(shown) <= set(may)
    assert len(set(shown)) == len(shown)
    most = question.per_category or len(goods)
    counts = Counter(goods[item]["category"] for item in may)
    assert len(shown) == min(n, sum(count if name is None else min(count, most) for name, count in counts.items()))
    held = Counter(goods[item]["category"] for item in shown if goods[item]["category"] is not None)
    assert not question.per_category or all(count <= most for count in held.values())
    assert np.all(np.diff(ranked.score) <= 0)
    assert ranked.source == "none" or shown


def test_what_history_has_is_hidden_like_what_the_live_profile_has() -> None:
    index = shop()
    number = index.catalogue.number
    who = known(index)._replace(bought=(number["lamp"],), seen=(number["lamp"], number["bulb"]))

    def shown(**fields: Any) -> list[str]:
        pool, question = gather(index, who, 10, NOW), RecommendRequest(**fields)
        ranked = rank(
            index, pool, who, rules(index.catalogue, RANKING.rules, question, who), 9, Order(RANKING, NOW, {})
        )
        return sorted(index.catalogue.ids[number] for number in ranked.candidates.number)

    assert shown() == ["bulb", "gift", "stool"]
    assert shown(hide_seen=True) == ["gift", "stool"]
    assert shown(hide_bought=False) == ["bulb", "gift", "lamp", "stool"]


def test_a_limit_of_price_leaves_out_other_currencies() -> None:
    goods = {"tea": ("EUR", 12.0), "cup": ("EUR", 40.0), "pot": ("JPY", 9.0), "old": (None, 5.0)}
    index = shop(goods={item: {"currency": currency, "price": price} for item, (currency, price) in goods.items()})

    def shown(**fields: Any) -> list[str]:
        who, question = known(index), RecommendRequest(**fields)
        pool = gather(index, who, 10, NOW)
        ranked = rank(
            index, pool, who, rules(index.catalogue, RANKING.rules, question, who), 9, Order(RANKING, NOW, {})
        )
        return sorted(index.catalogue.ids[number] for number in ranked.candidates.number)

    assert shown() == ["cup", "old", "pot", "tea"]
    assert shown(price_max=12) == ["old", "tea"]
    assert shown(price_max=12, currency="jpy") == ["pot"]
    assert shown(price_max=12, currency="USD") == []
