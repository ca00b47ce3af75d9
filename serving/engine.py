"""From a question to an answer."""

import secrets

from nextclick import kv
from nextclick.errors import ModelError
from nextclick.settings import Settings
from serving.answers import Item, Items, Personalized, Ready
from serving.asking import Personalize, Popular, Recommend, Similar
from serving.recommend import Answer, Lists


class Engine:
    """Answers questions from the lists that are served now."""

    def __init__(self, settings: Settings) -> None:
        self._table = kv.open_table(settings)
        self._lists = Lists(self._table)

    def ready(self) -> Ready:
        """Whether there are lists."""
        try:
            served = self._table.current()
        except ModelError:
            return Ready(status="no lists", version=None, degraded=True)
        return Ready(
            status="ready" if served else "no lists", version=served.version if served else None, degraded=False
        )

    async def personalize(self, asked: Personalize) -> Personalized:
        """Everything that a page needs at once."""
        found = self._lists.of_person(asked.user_id or asked.visitor_id or "", max(asked.n, asked.feed))
        listed = _items(found, max(asked.n, asked.feed))
        return Personalized(
            request_id=listed.request_id,
            model_version=listed.model_version,
            variant=None,
            source=listed.source,
            degraded=False,
            recommendations=[item.item_id for item in listed.items[: asked.n]],
            personalized_banner=None,
            ranked_feed=listed.items[: asked.feed],
        )

    async def recommend(self, asked: Recommend) -> Items:
        """A list for a visitor."""
        return _items(self._lists.of_person(asked.user_id or asked.visitor_id or "", asked.n), asked.n)

    async def similar(self, asked: Similar) -> Items:
        """Items that resemble an item."""
        return _items(self._lists.similar_to(asked.item_id, asked.n), asked.n)

    async def popular(self, asked: Popular) -> Items:
        """What everybody likes."""
        return _items(self._lists.of_person("", asked.n), asked.n)


def _items(found: Answer, n: int) -> Items:
    return Items(
        request_id=secrets.token_hex(16),
        model_version=found.model_version,
        variant=None,
        source="personal" if found.source == "model" else found.source,
        degraded=False,
        items=[Item(item_id=item.item_id, score=item.score) for item in found.items[:n]],
    )
