"""Rules of lists for those who belong to audiences."""

import msgspec

from nextclick.settings import AudienceRules, load
from serving.ranking.audiences import rules_for

RANKING = load(environ={}).ranking
RULES = msgspec.structs.replace(RANKING.rules, deny=("a",), boost={"item:a": 2.0}, hide_bought=True, per_category=3)


def test_single_values_win_by_name_and_lists_add_up() -> None:
    ranking = msgspec.structs.replace(
        RANKING,
        rules=RULES,
        audience_rules={
            "one": AudienceRules(hide_bought=False, deny=("b",), boost={"item:a": 3.0, "category:x": 4.0}),
            "two": AudienceRules(hide_bought=True, per_category=0, deny=("c",)),
            "others": AudienceRules(deny=("everything",)),
        },
    )
    assert rules_for(ranking, ()) is ranking.rules
    assert rules_for(ranking, ("unknown",)) is ranking.rules
    one, both = rules_for(ranking, ("one",)), rules_for(ranking, {"two": 1, "one": 2})
    assert (one.hide_bought, one.per_category, one.deny) == (False, 3, ("a", "b"))
    assert one.boost == {"item:a": 3.0, "category:x": 4.0}
    assert (both.hide_bought, both.per_category, both.deny) == (True, 0, ("a", "b", "c"))
    assert one.only_available is RULES.only_available
