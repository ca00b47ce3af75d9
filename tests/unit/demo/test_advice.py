"""What the shop asks the API: a cookie is a visitor's id, whatever is written in it, and never a path."""

import asyncio

import httpx
import pytest

from demo.shop.advice import Advice


def test_a_cookie_cannot_lead_the_secret_to_another_path(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = []

    async def answered(_: httpx.AsyncClient, request: httpx.Request, **__: object) -> httpx.Response:
        paths.append(request.url.raw_path)
        return httpx.Response(200, json={}, request=request)

    monkeypatch.setattr(httpx.AsyncClient, "send", answered)
    asyncio.run(Advice("http://api", "secret").profile("a/../../../metrics"))
    assert paths == [b"/v1/profile/a%2F..%2F..%2F..%2Fmetrics"]
