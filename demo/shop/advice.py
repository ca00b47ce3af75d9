"""What the shop asks the personalization API. Where the API is silent, the shop still stands: it shows its own order."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import httpx

_SECONDS: Final = 2.0


class Advice:
    """The API at `address`, asked on a visitor's behalf; `secret` opens the profile."""

    def __init__(self, address: str, secret: str) -> None:
        self._client = httpx.AsyncClient(base_url=address, timeout=_SECONDS)
        self._secret = {"authorization": f"Bearer {secret}"}

    async def home(self, visitor: str, n: int) -> dict[str, Any]:
        """`/v1/personalize` with the terms of every score; {} where the API does not answer."""
        return await self._ask(
            "/v1/personalize", {"visitor_id": visitor, "surface": "home", "feed": n, "explain": "true"}
        )

    async def popular(self, visitor: str) -> list[str]:
        """What everybody likes."""
        return _items(await self._ask("/v1/popular", {"visitor_id": visitor, "surface": "popular"}))

    async def for_you(self, visitor: str) -> list[str]:
        """What suits the visitor."""
        return _items(await self._ask("/v1/recommendations", {"visitor_id": visitor, "surface": "for-you"}))

    async def profile(self, visitor: str) -> dict[str, Any]:
        """What is known of the visitor now."""
        return await self._ask(f"/v1/profile/{quote(visitor, safe='')}", {}, self._secret) if visitor else {}

    async def suggestions(self, text: str, visitor: str) -> list[str]:
        """Searches that `text` may become."""
        answer = await self._ask("/v1/suggest", {"q": text, "visitor_id": visitor})
        return [each["text"] for each in answer.get("suggestions", ())]

    async def close(self) -> None:
        await self._client.aclose()

    async def _ask(
        self, path: str, parameters: Mapping[str, str | int], headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        try:
            params = {name: value for name, value in parameters.items() if value != ""}
            answer = await self._client.get(path, params=params, headers=headers)
            answer.raise_for_status()
        except httpx.HTTPError:
            return {}
        return dict(answer.json())


def _items(answer: Mapping[str, Any]) -> list[str]:
    return [row["item_id"] for row in answer.get("items", ())]
