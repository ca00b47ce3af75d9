"""Everybody whom the tables know, with what they know of each: the facts that audiences look at.

Everybody is whoever did something within `live.keep_days`, or the longest window of an audience where that is longer; where a condition
looks at gold, also whoever gold has; and whoever belonged. Others belong nowhere.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

from nextclick.audiences.conditions import Count, leaves
from nextclick.audiences.definitions import Audience
from nextclick.audiences.facts import Facts, Night
from nextclick.audiences.standing import Subject
from nextclick.contracts.events import ALIASES
from nextclick.contracts.gold import PREDICTIONS
from nextclick.contracts.gold_analytics import VISITS
from nextclick.contracts.silver import EVENTS
from nextclick.identity.persons import ACCOUNT, USER, VISITOR
from nextclick.lake import delta, duck
from nextclick.lake.people import human_events
from nextclick.profile import profile
from nextclick.profile.owned_events import action, owned_sql
from nextclick.profile.profile import Action, Profile
from nextclick.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_KEYS: Final = {"visitor": profile.visitor_key, "user": profile.person_key}
_TOGETHER: Final = 250_000
"""Rows that are in memory at once, about."""
_MONEY: Final = "(sum(amount) * 10000)::BIGINT"
_VISITS: Final = """
SELECT '{kind}' AS kind, site, {owner} AS owner, count(*) AS visits, sum(orders)::BIGINT AS orders, epoch_ms(max(started_at)) AS last_at,
       epoch_ms(max(started_at) FILTER (orders > 0)) AS ordered_at, arg_min(channel, (started_at, session_id)) AS channel
FROM visits WHERE {where} GROUP BY ALL
"""
_REVENUE: Final = f"""
SELECT kind, site, owner, map_from_entries(list((currency, amount) ORDER BY currency)) AS revenue FROM (
    SELECT kind, site, owner, currency, {_MONEY} AS amount FROM (
        SELECT '{{kind}}' AS kind, site, {{owner}} AS owner, unnest(map_keys(revenue)) AS currency, unnest(map_values(revenue)) AS amount
        FROM visits WHERE {{where}}
    ) GROUP BY ALL HAVING sum(amount) <> 0
) GROUP BY ALL
"""
_WHOSE: Final = (
    {
        "kind": "visitor",
        "owner": "visitor_id",
        "where": f"visitor_id IS DISTINCT FROM user_id AND NOT starts_with(visitor_id, '{ACCOUNT}')",
    },
    {"kind": "user", "owner": "user_id", "where": "user_id <> ''"},
)
_FORESEEN: Final = f"""
SELECT CASE WHEN starts_with(subject_id, '{VISITOR}') THEN 'visitor' ELSE 'user' END AS kind, site,
       CASE WHEN starts_with(subject_id, '{VISITOR}') THEN substr(subject_id, {len(VISITOR) + 1})
            WHEN starts_with(subject_id, '{USER}') THEN substr(subject_id, {len(USER) + 1}) ELSE subject_id END AS owner,
       list((model, calibrated, decile) ORDER BY model) AS foreseen
FROM predictions GROUP BY ALL
"""
_PEOPLE: Final = """
CREATE OR REPLACE TEMP TABLE people AS
SELECT kind, site, owner, hash(kind, site, owner) AS part, max(seen_at) AS seen_at
FROM ({everybody}) WHERE {only} GROUP BY ALL
"""


class Looked(NamedTuple):
    """One subject as the tables have it."""

    subject: Subject
    actions: list[Action]
    """The newest first: of the kinds that audiences count, as far back as they look."""
    seen: bool
    """They did something within live.keep_days."""
    night: Night | None
    """None where no audience looks at gold."""

    def facts(self, live: Profile, now: int, keep_ms: int, complete_since: int) -> Facts:
        """What the tables and the live profile know together: the tables may not have the newest events yet."""
        recent = live.since(now - keep_ms).actions
        actions = profile.greatest([*self.actions, *recent]) if recent else self.actions
        return Facts(actions, now, complete_since, self.night, self.seen or bool(recent))


def key_of(subject: Subject) -> bytes:
    """Where the live profile and the standing of a subject are kept."""
    return _KEYS[subject.kind](subject.site, subject.id)


class Everybody:
    """What the tables say at `now` (ms), which may have passed: gold is as it is. `only` one subject, where it is named."""

    def __init__(
        self,
        settings: Settings,
        database: "DuckDBPyConnection",
        audiences: Sequence[Audience],
        now: int,
        only: Subject | None = None,
    ) -> None:
        self._database, self._now, self._keep_ms = database, now, settings.live.keep_ms
        counts = [leaf for audience in audiences for leaf in leaves(audience.condition) if isinstance(leaf, Count)]
        self.complete_since = now - max([self._keep_ms, *(count.tally.within_ms for count in counts)])
        """Everything since then is there."""
        self._looks_at_gold = any(audience.asks_the_night for audience in audiences)
        self._show(settings, {key[0] for count in counts for key in count.tally.keys})
        self._gather(only)

    def __iter__(self) -> Iterator[list[Looked]]:
        """Everybody, some at a time."""
        rows = self._database.execute("SELECT (SELECT count(*) FROM people) + (SELECT count(*) FROM acts)").fetchall()[
            0
        ][0]
        parts = 1 + rows // _TOGETHER
        for part in range(parts):
            yield list(self._part(parts, part))

    def nobody(self, subject: Subject) -> Looked:
        """One who is not among them: they did nothing lately, and gold does not have them."""
        return Looked(subject, [], False, Night(as_of=self._now) if self._looks_at_gold else None)

    def _show(self, settings: Settings, kinds: Iterable[str]) -> None:
        """Tables `acts` (of the kinds that are counted), and views of who was seen and what gold has."""
        lake, database = settings.lake, self._database
        events = delta.require(lake, EVENTS.name)
        duck.show(database, "silver_events", lake, EVENTS.name, events)
        allowed = human_events.allowed(events, settings.consent.personalization)
        happened = f"epoch_ms(least(occurred_at, received_at)) BETWEEN {self.complete_since} AND {self._now}"
        recent = f"{happened} AND {allowed}"
        database.execute(
            f"CREATE OR REPLACE TEMP TABLE owned AS {owned_sql('silver_events', 'visitor', 'user', recent)}"
        )
        words = sorted({*kinds} | {alias for alias, kind in ALIASES.items() if kind in {*kinds}})
        listed = ", ".join(map(duck.text, words)) or "NULL"
        database.execute(
            f"CREATE OR REPLACE TEMP TABLE acts AS SELECT hash(kind, site, owner) AS part, * FROM owned WHERE event IN ({listed})"
        )
        for view, table in (("visits", VISITS), ("predictions", PREDICTIONS)):
            duck.show(database, view, lake, table.name, delta.open_table(lake, table.name))
        for view, query in (("of_visits", _VISITS), ("of_revenue", _REVENUE)):
            parts = " UNION ALL ".join(f"({query.format(**whose)})" for whose in _WHOSE)
            database.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS {parts}")
        database.execute(f"CREATE OR REPLACE TEMP VIEW of_predictions AS {_FORESEEN}")

    def _gather(self, only: Subject | None) -> None:
        seen = "SELECT kind, site, owner, least(occurred_at, received_at) AS seen_at FROM owned"
        gold = (
            "SELECT kind, site, owner, NULL FROM of_visits UNION ALL SELECT kind, site, owner, NULL FROM of_predictions"
        )
        everybody = f"{seen} UNION ALL {gold}" if self._looks_at_gold else seen
        which = "kind = $kind AND site = $site AND owner = $owner" if only else "true"
        params = {"kind": only.kind, "site": only.site, "owner": only.id} if only else {}
        self._database.execute(_PEOPLE.format(everybody=everybody, only=which), params)

    def _part(self, parts: int, part: int) -> Iterator[Looked]:
        acts = self._database.execute(
            "SELECT a.* EXCLUDE (part) FROM acts a SEMI JOIN people USING (kind, site, owner) WHERE a.part % ? = ?",
            [parts, part],
        ).fetchall()
        acts.sort(key=lambda row: row[:3])
        of: dict[tuple[str, str, str], list[Action]] = {}
        for owner, rows in groupby(acts, key=lambda row: row[:3]):
            read = (action(received_at, fields) for _, _, _, received_at, *fields in rows)
            of[owner] = profile.greatest(one for one in read if one)
        people = self._database.execute(_WITH_GOLD, [parts, part]).fetchall()
        oldest = self._now - self._keep_ms
        for kind, site, owner, seen_at, *gold in people:
            night = self._night(*gold) if self._looks_at_gold else None
            yield Looked(
                Subject(site, kind, owner),
                of.get((kind, site, owner), []),
                seen_at is not None and seen_at >= oldest,
                night,
            )

    def _night(
        self, visits: int | None, orders: int | None, last_at: int | None, ordered_at: int | None, channel: str | None,
        revenue: dict[str, int] | None, foreseen: list[tuple[str, float, int]] | None,
    ) -> Night:  # fmt: skip
        return Night(
            as_of=self._now,
            visits=visits or 0,
            orders=orders or 0,
            revenue=revenue or {},
            last_visit_at=last_at,
            last_order_at=ordered_at,
            first_channel=channel or "",
            foreseen={name: (probability, decile) for name, probability, decile in foreseen or ()},
        )


_WITH_GOLD: Final = """
SELECT kind, site, owner, seen_at, visits, orders, last_at, ordered_at, channel, revenue, foreseen
FROM people LEFT JOIN of_visits USING (kind, site, owner) LEFT JOIN of_revenue USING (kind, site, owner)
     LEFT JOIN of_predictions USING (kind, site, owner)
WHERE part % ? = ?
"""
