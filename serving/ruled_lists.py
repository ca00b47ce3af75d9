"""`nextclick recommend`: the stored lists under the rules that every answer keeps, each in its own order.

It reads the whole catalogue of the served version, as a worker of the API does when it starts.
"""

import asyncio
import time

import numpy as np

from nextclick import kv
from nextclick.identity import persons
from nextclick.kv.lists.protocol import ListsTable
from nextclick.settings import Settings
from serving.index import index as indexes
from serving.ranking.audiences import rules_for
from serving.ranking.candidates import of_numbers
from serving.ranking.rules import filled, pick, rules
from serving.ranking.visitor import VisitorLookup, Who
from serving.recommend import ListAnswer, ListedItem, ServedLists
from serving.schema.requests import RecommendRequest


def of_person(settings: Settings, person_id: str, n: int) -> ListAnswer:
    """The n best items of the person's own list that may be shown; where they are fewer, then popular ones."""
    table = kv.open_table(settings)
    return _ruled(settings, table, ServedLists(table).of_person(person_id, _ALL), n, ())


def similar_to(settings: Settings, item_id: str, n: int) -> ListAnswer:
    """The n items that resemble the item most and may be shown; where they are fewer, then popular ones."""
    table = kv.open_table(settings)
    return _ruled(settings, table, ServedLists(table).similar_to(item_id, _ALL), n, (item_id,))


def _who(site: str, stored: ListAnswer) -> Who:
    """The visitor or the user whose list it is; both of them where neither has one."""
    person = stored.person_id or ""
    own, anonymous = persons.id_of(person) or None, person.startswith(persons.VISITOR)
    either = stored.source == "popular"
    return Who(site, own if anonymous or either else None, None if anonymous else own)


_ALL = 1 << 31
"""Every item of a list."""


def _ruled(settings: Settings, table: ListsTable, stored: ListAnswer, n: int, hidden: tuple[str, ...]) -> ListAnswer:
    index = indexes.load(table.snapshot())
    stock, now = index.catalogue, time.time_ns() // 1_000_000
    visitors = VisitorLookup(settings)
    who = _who(index.snapshot.manifest.lists.site, stored)
    known = asyncio.run(visitors.known(index, who, now))._replace(personal=None, similar=())
    visitors.close()
    ruleset = rules(stock, rules_for(settings.ranking, known.audiences), RecommendRequest(), known, hidden)
    listed = [item for item in stored.items if item.item_id in stock.number]
    numbers = stock.numbers([item.item_id for item in listed])
    scores = {number: item.score for number, item in zip(numbers.tolist(), listed, strict=True)}
    own = of_numbers(stock, numbers)
    candidates = filled(index, ruleset, own, n, known)
    rows = pick(np.arange(len(candidates)), candidates.category, n, ruleset.per_category)
    shown = candidates.number[rows].tolist()
    items = (ListedItem(rank, stock.ids[number], scores.get(number, 0.0)) for rank, number in enumerate(shown, 1))
    return ListAnswer(
        person_id=stored.person_id,
        item_id=stored.item_id,
        source=stored.source if scores.keys() & set(shown) else "popular",
        model_version=stored.model_version,
        items=tuple(items),
    )
