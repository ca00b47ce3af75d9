"""The routes that answer with what a visitor does, and who they are: completions, the next action, the profile."""

from typing import Any

import msgspec
from msgspec import UNSET

from nextclick.profile.conversion import probability
from nextclick.profile.predict_features import SessionRules, session_terms
from nextclick.profile.predictions import NIGHTLY, SESSION
from serving import response
from serving.engine import AnswerContext, Engine, now_ms
from serving.index.next_action import ACTIONS
from serving.schema import requests, responses


async def next_action(engine: Engine, site: str, request: requests.NextActionRequest) -> responses.NextActions:
    """What the visitor does next."""
    context = await engine.context(site, request.visitor_id, request.user_id)
    if context is None:
        return responses.NextActions(actions=[], acts=[], degraded=True)
    ordered: list[Any] = sorted(_next_actions(context).items(), key=lambda pair: -pair[1])
    actions = [responses.LikelyAction(action=name, probability=probability) for name, probability in ordered]
    return responses.NextActions(actions=actions, acts=_acts(context), degraded=context.known.degraded)


async def suggest(engine: Engine, site: str, request: requests.SuggestRequest) -> responses.Suggestions:
    """Completions of what was typed."""
    context = await engine.context(site, request.visitor_id, request.user_id)
    if context is None:
        return responses.Suggestions(suggestions=[], degraded=True)
    ids, interest = context.serving_index.catalogue.ids, context.known.features.interest
    suggestions = [
        responses.Suggested(
            text=each.text,
            item_id=ids[each.item] if each.item is not None else UNSET,
            score=each.score,
            terms=each.terms if request.explain else UNSET,
        )
        for each in context.serving_index.suggestions.find(request.q, request.n, interest)
    ]
    return responses.Suggestions(suggestions=suggestions, degraded=context.known.degraded)


async def profile(engine: Engine, site: str, request: requests.ProfileRequest) -> responses.LiveProfile:
    """What is known of a visitor now; all of it empty for an unknown visitor."""
    context = await engine.context(site, request.visitor_id, request.user_id)
    known = context.known if context else engine.visitors.nobody(now_ms(), degraded=True)
    shown = [
        responses.RecentAction(
            at=action.at, kind=action.kind, item_id=action.item, category=action.category, query=action.query
        )
        for action in known.profile.actions
    ]
    said = await predictions(engine, context) if context else response.NOT_FORESEEN
    liked = engine.visitors.attributes(context.serving_index, known, context.now) if context else {}
    return responses.LiveProfile(
        visitor_id=request.visitor_id,
        features=msgspec.structs.replace(known.features, attributes=liked),
        actions=shown,
        embedding=response.embedding(context.serving_index, known) if context else None,
        next_action=_next_actions(context) if context else {},
        conversion=said.conversion_session,
        predictions=said,
        audiences=[responses.Belongs(name=name, since=at) for name, at in sorted(known.audiences.items())],
        degraded=known.degraded,
    )


async def predictions(engine: Engine, context: AnswerContext) -> responses.PersonPredictions:
    """What is foreseen of the visitor and of the open session."""
    rules, index = SessionRules.of(context.settings, context.who.site), context.serving_index
    counted = probability(context.session(), index.conversion)
    night = await engine.visitors.foreseen(index, context.who)
    return response.foreseen(index, session_terms(context.known.profile, context.now, rules), counted, night)


async def foreseen(engine: Engine, context: AnswerContext) -> dict[str, float]:
    """By prediction the probability, where there is one."""
    said = await predictions(engine, context)
    named = ((name, getattr(said, name)) for name in (*NIGHTLY, SESSION))
    return {name: value for name, value in named if value is not None}


def _next_actions(context: AnswerContext) -> dict[str, float]:
    """By action the probability that it comes next."""
    return context.serving_index.transitions.after(_acts(context), context.settings.ranking.transition_prior)


def _acts(context: AnswerContext) -> list[str]:
    """The last two acts of the open session, the newest last."""
    return [ACTIONS[action.kind] for action in context.session() if action.kind in ACTIONS][:2][::-1]
