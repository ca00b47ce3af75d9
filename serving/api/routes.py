"""The routes of the API, in one table: the app, the OpenAPI document and the tests all read it."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, NamedTuple

import msgspec

from serving.answers import lists, next_best_action, visitors
from serving.engine import Engine
from serving.schema import requests, responses

Handle = Callable[[Engine, str, Any], Awaitable[msgspec.Struct]]
"""(engine, site, question) → answer."""


class ApiRoute(NamedTuple):
    """One path. A path that ends in `{name}` takes the rest of the path, slashes too, as that field."""

    method: Literal["GET", "POST"]
    path: str
    request: type[msgspec.Struct]
    answer: type[msgspec.Struct]
    handle: Handle
    summary: str
    secret: bool = False

    @property
    def parameter(self) -> str | None:
        """The field that stands in the path."""
        return self.path[self.path.index("{") + 1 : -1] if self.path.endswith("}") else None

    @property
    def start(self) -> str:
        """The path without its parameter."""
        return self.path.partition("{")[0]


ROUTES: tuple[ApiRoute, ...] = (
    ApiRoute(
        "GET", "/v1/personalize", requests.PersonalizeRequest, responses.Personalized, lists.personalize,
        "Recommendations, a banner and a ranked feed for a visitor, in one answer",
    ),
    ApiRoute(
        "GET", "/v1/recommendations", requests.RecommendRequest, responses.Items, lists.recommend, "A list of items for a visitor"
    ),
    ApiRoute("GET", "/v1/similar/{item_id}", requests.SimilarRequest, responses.Items, lists.similar, "Items that resemble an item"),
    ApiRoute("GET", "/v1/popular", requests.PopularRequest, responses.Items, lists.popular, "What everybody likes"),
    ApiRoute("POST", "/v1/rank", requests.RankRequest, responses.Items, lists.rank, "The caller's own items, ranked for a visitor"),
    ApiRoute(
        "GET", "/v1/next-action", requests.NextActionRequest, responses.NextActions, visitors.next_action,
        "What a visitor does next, with probabilities",
    ),
    ApiRoute(
        "GET", "/v1/next-best-action", requests.NextBestActionRequest, responses.NextBestAction, next_best_action.next_best_action,
        "What to do for a visitor: a banner, a recommendation, a discount, or none",
    ),
    ApiRoute("GET", "/v1/suggest", requests.SuggestRequest, responses.Suggestions, visitors.suggest, "Completions of a search"),
    ApiRoute(
        "GET", "/v1/profile/{visitor_id}", requests.ProfileRequest, responses.LiveProfile, visitors.profile,
        "What is known of a visitor now", secret=True,
    ),
)  # fmt: skip


_EXACT: Final = {route.path: [(route, "")] for route in ROUTES}
"""No two routes have one path."""


def find(path: str) -> list[tuple[ApiRoute, str]]:
    """The routes of a path (one a method), each with the value of its parameter."""
    return _EXACT.get(path) or [
        (route, path[len(route.start) :]) for route in ROUTES if route.parameter and path.startswith(route.start)
    ]
