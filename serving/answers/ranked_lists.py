"""What the routes of lists share: the list for a visitor, what an answer says of itself, and its record."""

import secrets
from typing import Any, Final

from msgspec import UNSET

from serving import response
from serving.bandits.context import context as bandit_context
from serving.engine import AnswerContext, Engine
from serving.index.index import ServingIndex
from serving.ranking.candidates import gather
from serving.ranking.rank import Ranked, rank
from serving.ranking.rules import AnswerRules, rules
from serving.response import Listed
from serving.schema import requests, responses

_DAY_MS: Final = 86_400_000
_BY_SESSION: Final = ("/v1/personalize", "/v1/recommendations", "/v1/rank")
"""Routes whose order the open session decides."""
NOTHING: Final[dict[str, Any]] = {"model_version": "none", "variant": None, "source": "none", "degraded": True}
"""What an answer says of itself before the first export."""


def for_visitor(engine: Engine, context: AnswerContext, request: requests.FilteredRequest, n: int) -> Listed:
    """The n best items for the visitor; places that exploration fills are drawn from the items below."""
    index, settings = context.serving_index, context.settings
    positions = settings.bandits.positions
    need = n + (settings.bandits.pool if positions else 0)
    fresh_since = context.now - settings.ranking.fresh_days * _DAY_MS
    ruleset = of_rules(context, request)
    may_be = index.shown if ruleset.only_available else None
    candidates = gather(index, context.known, settings.ranking.candidates, fresh_since, may_be)
    ranked = rank(index, candidates, context.known, ruleset, need, context.order())
    best = listed(index, ranked)
    if not positions:
        return best
    surface = getattr(request, "surface", None) or ""
    vector = bandit_context(context.known.features)
    drawn = engine.bandits.explore(surface, best.ids[:n], best.ids[n:], vector, context.method())
    ranked = response.in_order(ranked, best.ids, drawn.items)
    return Listed(drawn.items, ranked, drawn.propensities, drawn.draws)


def listed(index: ServingIndex, ranked: Ranked) -> Listed:
    """A ranked list with its ids; nothing of it was drawn."""
    ids = [*map(index.catalogue.ids.__getitem__, ranked.candidates.number.tolist())]
    return Listed(ids, ranked, [1.0] * len(ids))


def of_rules(context: AnswerContext, request: requests.FilteredRequest, *hidden: str) -> AnswerRules:
    """The rules of an answer, which has none of the items `hidden`."""
    return rules(context.serving_index.catalogue, context.rules(), request, context.known, hidden)


def items_answer(
    engine: Engine, route: str, context: AnswerContext | None, listed: Listed | None, request: Any
) -> responses.Items:
    """A list as its answer; an empty one before the first export."""
    if context is None or listed is None:
        return responses.Items(request_id=new_id(), **NOTHING, items=[])
    return responses.Items(
        **head(engine, route, context, listed, request.surface),
        items=response.items(context.serving_index, listed, request.explain),
        weights=listed.ranked.scored.weights if request.explain else UNSET,
    )


def head(engine: Engine, route: str, context: AnswerContext, listed: Listed, surface: str | None) -> dict[str, Any]:
    """What a list says of itself; it is put on record."""
    source, degraded, model = listed.ranked.source, context.known.degraded, context.serving_index.model_version
    engine.metrics.answered(route, source, degraded).inc()
    request_id, who = new_id(), context.who
    session = context.known.session if route in _BY_SESSION else responses.NO_SESSION
    if context.settings.serving.record and (who.visitor_id or who.user_id) and listed.ids:
        engine.recorder.put(
            response.record(
                request_id, context.now, who, model, context.assigned, listed, surface, source, degraded, session.by
            )
        )
    return {
        "request_id": request_id,
        "model_version": model,
        "variant": context.assigned.variant,
        "source": source,
        "degraded": degraded,
        "session": session,
    }


def most(engine: Engine, n: int) -> int:
    """So many items of those that are asked for."""
    return min(n, engine.settings.serving.max_items)


def new_id() -> str:
    """Names an answer."""
    return secrets.token_hex(16)
