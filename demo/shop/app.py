"""The shop's pages: plain HTML made on the server, with the page tag in them and the marks that it reads."""

import uuid
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from demo.shop.advice import Advice
from demo.shop.goods import Good
from demo.shop.pictures import picture

VISITOR: Final = "_nextclick"
"""The page tag's cookie."""
_CART: Final = "cart"
_ON_A_PAGE: Final = 24
_FORM_BYTES: Final = 1_000
_HERE: Final = Path(__file__).parent


class Shop:
    """What the handlers share: the goods, the API, and where the collector and the API listen."""

    def __init__(self, goods: Mapping[str, Good], advice: Advice, collector: str, api: str) -> None:
        self.goods = goods
        self.advice = advice
        self._pages = Jinja2Templates(_HERE / "templates")
        self._pages.env.globals |= {
            "collector": collector,
            "api": api,
            "goods": goods,
            "categories": self._categories(),
        }

    def page(self, request: Request, name: str, **facts: Any) -> Response:
        """A page of the templates."""
        cart = _cart(request)
        return self._pages.TemplateResponse(request, f"{name}.html", {"in_cart": sum(cart.values()), **facts})

    def shown(self, answer: dict[str, Any]) -> list[tuple[Good, dict[str, Any]]]:
        """The goods of an answer, each with what the API says of it; the shop's own first ones without an answer."""
        feed = answer.get("ranked_feed") or [{"item_id": item} for item in self.goods]
        return [(self.goods[row["item_id"]], row) for row in feed if row["item_id"] in self.goods][:_ON_A_PAGE]

    def known(self, items: list[str]) -> list[Good]:
        """Those of the items that the shop sells."""
        return [self.goods[item] for item in items if item in self.goods]

    def _categories(self) -> list[str]:
        return sorted({good.category for good in self.goods.values()})


def app(shop: Shop) -> Starlette:
    """The shop as an ASGI application."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await shop.advice.close()

    routes = [
        Route("/", _home),
        Route("/new", _new),
        Route("/popular", _popular),
        Route("/for-you", _for_you),
        Route("/category/{name}", _category),
        Route("/item/{item_id}", _item),
        Route("/search", _search),
        Route("/suggest", _suggest),
        Route("/cart", _cart_page),
        Route("/cart/{item_id}", _add, methods=["POST"]),
        Route("/order", _order, methods=["POST"]),
        Route("/panel", _panel),
        Route("/picture/{item_id}.svg", _picture),
        Route("/shop.css", _style),
        Route("/health", _health),
    ]
    application = Starlette(routes=routes, lifespan=lifespan)
    application.state.shop = shop
    return application


async def _home(request: Request) -> Response:
    shop, visitor = _of(request)
    answer = await shop.advice.home(visitor, _ON_A_PAGE)
    return shop.page(request, "home", answer=answer, shown=shop.shown(answer))


async def _new(request: Request) -> Response:
    shop, _ = _of(request)
    return shop.page(request, "list", title="New this week", goods=list(shop.goods.values())[-_ON_A_PAGE:])


async def _popular(request: Request) -> Response:
    shop, visitor = _of(request)
    return shop.page(
        request, "list", title="What everybody likes", goods=shop.known(await shop.advice.popular(visitor))
    )


async def _for_you(request: Request) -> Response:
    shop, visitor = _of(request)
    return shop.page(request, "list", title="Chosen for you", goods=shop.known(await shop.advice.for_you(visitor)))


async def _category(request: Request) -> Response:
    shop, _ = _of(request)
    name = request.path_params["name"]
    goods = [good for good in shop.goods.values() if good.category == name]
    return shop.page(request, "list", title=name, goods=goods) if goods else _missing(request)


async def _item(request: Request) -> Response:
    shop, _ = _of(request)
    good = shop.goods.get(request.path_params["item_id"])
    return shop.page(request, "item", good=good) if good else _missing(request)


async def _search(request: Request) -> Response:
    shop, _ = _of(request)
    words = request.query_params.get("q", "").lower().split()
    goods = [
        good
        for good in shop.goods.values()
        if words and all(word in f"{good.name} {good.category}".lower() for word in words)
    ]
    return shop.page(request, "list", title=f"“{' '.join(words)}”", goods=goods)


async def _suggest(request: Request) -> Response:
    shop, visitor = _of(request)
    return JSONResponse(await shop.advice.suggestions(request.query_params.get("q", ""), visitor))


async def _cart_page(request: Request) -> Response:
    shop, _ = _of(request)
    lines = [(shop.goods[item], count) for item, count in _cart(request).items() if item in shop.goods]
    return shop.page(request, "cart", lines=lines, order_id=None)


async def _add(request: Request) -> Response:
    """Into the cart, or out of it with `out` in the form; then the cart's page."""
    cart, item = _cart(request), request.path_params["item_id"]
    form = parse_qs((await _body(request)).decode("latin-1"))
    if "out" in form:
        cart.pop(item, None)
    elif item in _of(request)[0].goods:
        cart[item] += 1
    answer = RedirectResponse("/cart", status_code=303)
    answer.set_cookie(_CART, ".".join(cart.elements()), samesite="lax", httponly=True)
    return answer


async def _order(request: Request) -> Response:
    shop, _ = _of(request)
    lines = [(shop.goods[item], count) for item, count in _cart(request).items() if item in shop.goods]
    answer = shop.page(request, "cart", lines=lines, order_id=uuid.uuid4().hex[:8], in_cart=0)
    answer.delete_cookie(_CART)
    return answer


async def _panel(request: Request) -> Response:
    """What is known of the visitor, as a fragment that the page asks for again and again."""
    shop, visitor = _of(request)
    return shop.page(request, "panel", visitor=visitor, profile=await shop.advice.profile(visitor))


async def _picture(request: Request) -> Response:
    good = _of(request)[0].goods.get(request.path_params["item_id"])
    if not good:
        return Response(status_code=404)
    return Response(picture(good), media_type="image/svg+xml", headers={"cache-control": "max-age=86400"})


async def _style(_: Request) -> Response:
    return Response((_HERE / "shop.css").read_bytes(), media_type="text/css")


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _missing(request: Request) -> Response:
    answer = _of(request)[0].page(request, "list", title="Nothing here", goods=[])
    answer.status_code = 404
    return answer


def _of(request: Request) -> tuple[Shop, str]:
    """The shop, and who asks; "" before the tag has given the visitor an id."""
    return request.app.state.shop, request.cookies.get(VISITOR, "")


def _cart(request: Request) -> Counter[str]:
    """How many of each good; the cookie repeats a good as often as it is in the cart."""
    return Counter(filter(None, request.cookies.get(_CART, "").split(".")))


async def _body(request: Request) -> bytes:
    """A form's body, of which a long one is cut."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _FORM_BYTES:
            break
    return body
