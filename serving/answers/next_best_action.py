"""The route of the next best action."""

from typing import Any

from serving import response
from serving.answers import ranked_lists, visitors
from serving.engine import AnswerContext, Engine, now_ms
from serving.next_best_action.decisions import unit
from serving.next_best_action.live import NextBest
from serving.response import Listed
from serving.schema import requests, responses


async def next_best_action(
    engine: Engine, site: str, request: requests.NextBestActionRequest
) -> responses.NextBestAction:
    """What to do for the visitor; none where it cannot be put on record with its propensity."""
    surface, request_id = request.surface or "", ranked_lists.new_id()
    context = await engine.context(site, request.visitor_id, request.user_id)
    asks = engine.next_best.site.asks_what_is_foreseen
    foreseen = await visitors.foreseen(engine, context) if context and asks else {}
    named = unit(context.who.visitor_id, context.who.user_id) if context else None
    is_up = engine.recorder.is_up  # else nobody gets anything but none, whose record says when it is up again
    now, belongs = (context.now, context.known.audiences) if context else (now_ms(), {})
    best = engine.next_best.decide(site, named if is_up else None, surface, foreseen, now, belongs)
    listed = None
    if context and best.chosen.kind == "recommendation":
        n = ranked_lists.most(engine, request.n)
        listed = ranked_lists.for_visitor(engine, context, request, n)._replace(decision=best.decision)
    tried = bool(context and named and _record(engine, request_id, context, request, best, listed))
    answer = response.next_best(
        request_id,
        best,
        listed.ids if listed else [],
        tried and is_up,
        request,
        variant=context.assigned.variant if context else None,
        degraded=context is None or context.known.degraded,
    )
    engine.metrics.answered("/v1/next-best-action", answer.kind, answer.degraded).inc()
    return answer


def _record(
    engine: Engine, request_id: str, context: AnswerContext, request: Any, best: NextBest, listed: Listed | None
) -> bool:
    """Whether the decision, with what it recommends, will be on record."""
    if not context.settings.serving.record:
        return False
    who, model, degraded = context.who, context.serving_index.model_version, context.known.degraded
    head = request_id, context.now, who, model, context.assigned
    if listed:
        source = listed.ranked.source
        return engine.recorder.put(
            response.record(*head, listed, request.surface, source, degraded, context.known.session.by)
        )
    return engine.recorder.put(response.decision_record(*head, best.decision, request.surface, degraded))
