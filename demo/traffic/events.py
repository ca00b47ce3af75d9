"""What the visits look like to a tracker: canonical events, as dictionaries ready for JSON."""

from dataclasses import dataclass
from itertools import repeat
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from demo.traffic.catalogue import CATEGORIES, STYLES, ShopItems
from demo.traffic.visits import NEVER, Devices, Flags, Ints, Texts, Views, Visits

SHOP: Final = "https://shop.example"
NEWSLETTER: Final = {"utm_source": "newsletter", "utm_medium": "email", "utm_campaign": "june"}
_ARRIVALS: Final[tuple[tuple[float, dict[str, str]], ...]] = (
    (0.34, {}),
    (0.28, {"referrer": "https://search.example/"}),
    (0.10, {"referrer": "https://reviews.example/best-gifts"}),
    (0.12, NEWSLETTER),
    (0.10, {"utm_source": "searchads", "utm_medium": "cpc", "utm_campaign": "gifts", "utm_term": "gift"}),
    (0.06, {"utm_source": "chatter", "utm_medium": "social", "referrer": "https://chatter.example/"}),
)
"""Shares of the ways in, and what they leave on the landing page."""
_IDENTIFIED_AFTER: Final = 1_500
"""Milliseconds from the start of a visit to its login or merge."""


@dataclass(frozen=True)
class Acts:
    """Events in no particular order; parallel."""

    at: Ints
    """Epoch ms."""
    visitor: Ints
    fields: list[dict[str, Any]]
    """All but id, time and who."""


def make_acts(
    rng: np.random.Generator, visitors: Devices, sessions: Visits, views: Views, catalogue: ShopItems
) -> Acts:
    """Everything that the visits did."""
    parts = [
        _arrivals(rng, sessions),
        *_identities(visitors, sessions),
        *_finding(rng, sessions, views, catalogue),
        *_looking(rng, sessions, views, catalogue),
        *_buying(rng, visitors, sessions, views, catalogue),
    ]
    return Acts(
        at=np.concatenate([part.at for part in parts]),
        visitor=np.concatenate([part.visitor for part in parts]),
        fields=[fields for part in parts for fields in part.fields],
    )


def users_at(visitors: Devices, sessions: Visits, visitor: Ints, at: Ints) -> Texts:
    """The user id that an event carries: none before the login, the guest's before the merge."""
    login_at, merge_at = (_moment(visitors, sessions, number) for number in (visitors.login, visitors.merge))
    person = visitors.person[visitor]
    first = np.where(visitors.merge[visitor] == NEVER, numbered("u", person), numbered("g", person))
    return np.where(at < login_at[visitor], "", np.where(at < merge_at[visitor], first, numbered("u", person)))


def numbered(letter: str, numbers: Ints) -> Texts:
    """Ids: `u…` is a person's own account, `g…` the guest account that some had before, `o…` an order."""
    return np.array([f"{letter}{number:05d}" for number in numbers.tolist()], dtype="U12")


def _acts(at: Ints, visitor: Ints, event: str, **columns: npt.NDArray[Any]) -> Acts:
    """Events of one kind; each keyword is a field, its array parallel to `at`."""
    names = ("event", *columns)
    rows = zip(repeat(event, len(at)), *(column.tolist() for column in columns.values()), strict=True)
    return Acts(at, visitor, [dict(zip(names, row, strict=True)) for row in rows])


def _arrivals(rng: np.random.Generator, sessions: Visits) -> Acts:
    way = rng.choice(len(_ARRIVALS), len(sessions.start), p=[share for share, _ in _ARRIVALS])
    page = {"event": "page_view", "page_url": f"{SHOP}/"}
    return Acts(sessions.start, sessions.visitor, [{**page, **_ARRIVALS[n][1]} for n in way.tolist()])


def _identities(visitors: Devices, sessions: Visits) -> tuple[Acts, Acts]:
    """A login, and for a few a guest account that is merged into the real one."""
    logs_in = np.flatnonzero(sessions.number == visitors.login[sessions.visitor])
    merges = np.flatnonzero(sessions.number == visitors.merge[sessions.visitor])
    guests = numbered("g", visitors.person[sessions.visitor[merges]]).tolist()
    previous = np.array([{"previous_id": guest} for guest in guests], dtype=object)
    return (
        _acts(sessions.start[logs_in] + _IDENTIFIED_AFTER, sessions.visitor[logs_in], "identify"),
        _acts(sessions.start[merges] + _IDENTIFIED_AFTER, sessions.visitor[merges], "alias", properties=previous),
    )


def _moment(visitors: Devices, sessions: Visits, number: Ints) -> Ints:
    """When each visitor's visit of that number identifies; NEVER if there is no such visit."""
    moment = np.full(len(visitors.ids), NEVER)
    hit = sessions.number == number[sessions.visitor]
    moment[sessions.visitor[hit]] = sessions.start[hit] + _IDENTIFIED_AFTER
    return moment


def _finding(rng: np.random.Generator, sessions: Visits, views: Views, catalogue: ShopItems) -> tuple[Acts, ...]:
    """How an item was found: from the front page, a category page or a search; else nothing tells."""
    way = np.where(views.featured > 0, 2.0, rng.random(len(views.at)))
    browse, query, click = (
        np.flatnonzero(way < 0.3),
        np.flatnonzero((way >= 0.3) & (way < 0.5)),
        np.flatnonzero(way == 2),
    )
    at, who, item = views.opened, sessions.visitor[views.session], catalogue.ids[views.item]
    words = np.array([f"{style} {category}" for category in CATEGORIES for style in STYLES])
    meant = words[catalogue.category[views.item] * len(STYLES) + catalogue.style[views.item]]
    shelf = np.array([f"{SHOP}/c/{category}" for category in CATEGORIES])[catalogue.category[views.item]]
    front, home, page = (np.full(len(way), text) for text in ("front_page", f"{SHOP}/", f"{SHOP}/search"))
    return (
        _acts(at[browse], who[browse], "page_view", page_url=shelf[browse]),
        _acts(at[query], who[query], "search", query=meant[query], page_url=page[query]),
        _acts(
            at[click],
            who[click],
            "click",
            page_url=home[click],
            item_id=item[click],
            surface=front[click],
            position=views.featured[click],
        ),
    )


def _looking(rng: np.random.Generator, sessions: Visits, views: Views, catalogue: ShopItems) -> tuple[Acts, ...]:
    """The item's page, how far down it was read, and for how long."""
    who = sessions.visitor[views.session]
    item = catalogue.ids[views.item]
    page = np.strings.add(f"{SHOP}/i/", item)
    category = np.array(CATEGORIES)[catalogue.category[views.item]]
    depth = np.rint(20 + 80 * rng.random(len(item)) * (0.4 + 0.6 * views.like))
    scroll, stay = np.flatnonzero(rng.random(len(item)) < 0.2), np.flatnonzero(rng.random(len(item)) < 0.5)
    halfway, left = views.at + views.dwell // 2, views.at + views.dwell
    return (
        _acts(views.at, who, "view_item", item_id=item, category=category, page_url=page),
        _acts(halfway[scroll], who[scroll], "scroll", page_url=page[scroll], scroll_pct=depth[scroll]),
        _acts(left[stay], who[stay], "engagement", page_url=page[stay], item_id=item[stay], dwell_ms=views.dwell[stay]),
    )


def _buying(
    rng: np.random.Generator, visitors: Devices, sessions: Visits, views: Views, catalogue: ShopItems
) -> tuple[Acts, ...]:
    """What is liked goes into the cart; some of it comes out again; not every cart becomes an order."""
    who = sessions.visitor[views.session]
    cart = _first_of_each(views, rng.random(len(who)) < 0.04 + 0.26 * views.like)
    out = cart & (rng.random(len(who)) < 0.12)
    bought = cart & ~out & (rng.random(len(sessions.start)) < 0.5)[views.session]
    leaves = np.zeros(len(sessions.start), dtype=np.int64)
    np.maximum.at(leaves, views.session, views.at + views.dwell + 1_000)
    goods = {
        "item_id": catalogue.ids[views.item],
        "price": catalogue.cents(views.item, visitors.currency[who]) / 100,
        "currency": visitors.currency[who],
        "quantity": np.where(rng.random(len(who)) < 0.12, 2, 1),
    }
    orders = numbered("o", views.session)
    ordered = leaves[views.session] + 30_000

    def acts(which: Flags, at: Ints, event: str, **columns: npt.NDArray[Any]) -> Acts:
        return _acts(at[which], who[which], event, **{name: column[which] for name, column in columns.items()})

    return (
        acts(cart, views.at + views.dwell * 4 // 5, "add_to_cart", **goods),
        acts(out, leaves[views.session], "remove_from_cart", item_id=goods["item_id"]),
        acts(bought, ordered, "purchase", order_id=orders, **goods),
    )


def _first_of_each(views: Views, chosen: Flags) -> Flags:
    """Of the chosen views the first of each item in each session."""
    keys = np.where(chosen, views.session * (views.item.max(initial=0) + 1) + views.item, -1)
    firsts = np.zeros(len(keys), dtype=bool)
    firsts[np.unique(keys, return_index=True)[1]] = True
    return firsts & chosen
