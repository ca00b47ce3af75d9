"""How people write events: what each condition lets through, and what is refused in words."""

import duckdb
import pytest

from analytics.journeys.patterns import Values, pattern, pattern_sql
from nextclick.errors import UsageError

EVENT = """
SELECT 'view_item' AS event, 'shoes' AS category, NULL::VARCHAR AS name, 19.99::DECIMAL(18, 4) AS price,
       MAP {'plan': 'pro', 'level': '10', 'category': 'own', 'a,b"c]': 'x=1'} AS properties
"""


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("view_item", True),
        ("view", False),
        ("*", True),
        ("*[plan=pro]", True),
        (" view_item[ category = shoes , plan = pro ]", True),
        ("view_item[category=shoes,plan=free]", False),
        ("view_item[category~hoe]", True),
        ("view_item[category!=hats]", True),
        ("view_item[properties.category=own]", True),
        ("view_item[price=19.99]", True),
        ("view_item[price<=19.99,price>=19.99]", True),
        ("view_item[price<19.99]", False),
        ("view_item[level>9]", True),
        ("view_item[plan>9]", False),
        ("view_item[name=x]", False),
        ("view_item[name!=x]", True),
        ("view_item[nothing!=x]", True),
        ("view_item[nothing>1]", False),
        ('"view_item"["a,b""c]"="x=1"]', True),
        ("view_item[plan='; DROP TABLE events; --]", False),
    ],
)
def test_a_pattern_matches_what_it_says(text: str, matches: bool) -> None:
    values = Values()
    sql = pattern_sql(pattern(text), values)
    [(answer,)] = duckdb.connect().execute(f"SELECT {sql} FROM ({EVENT})", list(values)).fetchall()
    assert answer is matches


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is no event"),
        ("view_item[", "is no event"),
        ("view_item[]", "is no event"),
        ("view_item[category]", "is no event"),
        ("view_item[category=shoes]x", "is no event"),
        ("view_item[price=cheap]", "compared with a number"),
        ("view_item[plan>pro]", "compared with a number"),
        ("view_item[occurred_at=1]", "occurred_at cannot be compared"),
    ],
)
def test_what_is_no_pattern_is_refused_in_words(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        pattern(text)
