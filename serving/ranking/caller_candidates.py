"""Candidates that the caller brings along, as candidates."""

from collections.abc import Collection, Sequence

from nextclick.settings import RuleSettings
from serving.index.items import ItemColumns
from serving.ranking.candidates import Candidates, of_numbers
from serving.schema.requests import CallerItem, RankRequest


def of_caller(stock: ItemColumns, items: Sequence[str | CallerItem]) -> tuple[list[str], Candidates]:
    """The ids, each once, and the candidates; what a caller says of an item wins over the catalogue."""
    said = {(each if isinstance(each, str) else each.item_id): each for each in items}
    ids = list(said)
    candidates = of_numbers(stock, stock.numbers(ids))
    codes: dict[str, int] = {}
    for row, each in enumerate(said.values()):
        if isinstance(each, CallerItem):
            _overwrite(stock, codes, candidates, row, each)
    return ids, candidates


def _overwrite(stock: ItemColumns, codes: dict[str, int], candidates: Candidates, row: int, said: CallerItem) -> None:
    """`codes` numbers the categories that the catalogue does not have, beyond those that it has."""
    if said.category is not None:
        new = len(stock.category_names) + len(codes)
        candidates.category[row] = stock.code.get(said.category, codes.setdefault(said.category, new))
    if said.price is not None:
        candidates.price[row] = said.price
    if said.available is not None:
        candidates.available[row] = said.available


def listed_rows(ids: Sequence[str], request: RankRequest, conf: RuleSettings, never: Collection[str]) -> list[int]:
    """The rows whose ids no list of ids keeps out; by id, since a caller may bring items that the catalogue does not have."""
    allow = [set(each) for each in (conf.allow, request.allow) if each]
    return [row for row, item in enumerate(ids) if item not in never and all(item in each for each in allow)]
