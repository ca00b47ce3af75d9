"""The routes that answer with a list."""

from collections.abc import Mapping

import msgspec
import numpy as np
from msgspec import UNSET

from serving import response
from serving.answers import ranked_lists
from serving.answers.ranked_lists import NOTHING, head, items_answer, most, new_id, of_rules
from serving.bandits.context import context as bandit_context
from serving.engine import AnswerContext, Engine
from serving.index.index import ServingIndex
from serving.index.items import Numbers
from serving.ranking import caller_candidates
from serving.ranking.candidates import Candidates, annotate, of_numbers
from serving.ranking.rank import rank as ranked
from serving.ranking.rules import never
from serving.response import Listed
from serving.schema import requests, responses


async def personalize(engine: Engine, site: str, request: requests.PersonalizeRequest) -> responses.Personalized:
    """Recommendations, a banner and a feed."""
    context = await engine.context(site, request.visitor_id, request.user_id)
    if context is None:
        return responses.Personalized(
            request_id=new_id(), **NOTHING, recommendations=[], personalized_banner=None, ranked_feed=[]
        )
    n, feed = most(engine, request.n), most(engine, request.feed)
    asks = engine.bandits.asks_what_is_foreseen
    foreseen = await engine.visitors.foreseen(context.serving_index, context.who) if asks else {}
    listed = ranked_lists.for_visitor(engine, context, request, max(n, feed))
    listed = _with_banner(engine, context, listed, request.surface, foreseen)
    return responses.Personalized(
        **head(engine, "/v1/personalize", context, listed, request.surface),
        recommendations=listed.ids[:n],
        personalized_banner=response.banner(listed.banner) if listed.banner else None,
        ranked_feed=response.items(context.serving_index, listed, request.explain)[:feed],
        weights=listed.ranked.scored.weights if request.explain else UNSET,
    )


async def recommend(engine: Engine, site: str, request: requests.RecommendRequest) -> responses.Items:
    """A list for a visitor."""
    context = await engine.context(site, request.visitor_id, request.user_id)
    listed = ranked_lists.for_visitor(engine, context, request, most(engine, request.n)) if context else None
    return items_answer(engine, "/v1/recommendations", context, listed, request)


async def popular(engine: Engine, site: str, request: requests.PopularRequest) -> responses.Items:
    """What everybody likes, in that order; the rules hold."""
    context = await engine.context(site, request.visitor_id, request.user_id)
    if context is None:
        return items_answer(engine, "/v1/popular", None, None, request)
    index, n = context.serving_index, most(engine, request.n)
    everything = of_numbers(index.catalogue, index.by_popularity[:n])
    known = context.known._replace(personal=None, similar=(), embedded=None)
    best = ranked(index, everything, known, of_rules(context, request), n, context.order("popularity"))
    return items_answer(engine, "/v1/popular", context, ranked_lists.listed(index, best), request)


async def similar(engine: Engine, site: str, request: requests.SimilarRequest) -> responses.Items:
    """Items that resemble one, the likest first; then as for a visitor who has just viewed it and nothing else."""
    context = await engine.context(site, request.visitor_id, request.user_id)
    if context is None:
        return items_answer(engine, "/v1/similar", None, None, request)
    index, stock = context.serving_index, context.serving_index.catalogue
    like, failed = await engine.visitors.similar(index, request.item_id)
    category = stock.category_of(request.item_id) or ""
    as_if = engine.visitors.nobody(context.now)
    viewed = msgspec.structs.replace(as_if.features, last_category=category)
    as_if = as_if._replace(features=viewed, similar=(like,) if like is not None else ())
    n = most(engine, request.n)
    candidates = _resembling(index, like, category, n)
    annotate(index, candidates, as_if)
    best = ranked(index, candidates, as_if, of_rules(context, request, request.item_id), n, context.order("likeness"))
    context = context._replace(known=context.known._replace(degraded=context.known.degraded or failed))
    return items_answer(engine, "/v1/similar", context, ranked_lists.listed(index, best), request)


async def rank(engine: Engine, site: str, request: requests.RankRequest) -> responses.Items:
    """The caller's own candidates in order; nothing is added to them."""
    context = await engine.context(site, request.visitor_id, request.user_id)
    if context is None:
        return items_answer(engine, "/v1/rank", None, None, request)
    index, conf = context.serving_index, context.rules()
    ids, candidates = caller_candidates.of_caller(index.catalogue, request.items)
    rows = caller_candidates.listed_rows(ids, request, conf, never(index.catalogue, conf, request, context.known))
    candidates = candidates.take(np.array(rows, np.int64))
    annotate(index, candidates, context.known)
    ruleset = of_rules(context, request)._replace(allow=None, hidden=candidates.number[:0], only_recommendable=False)
    n = request.n or len(ids)
    best = ranked(index, candidates, context.known, ruleset, n, context.order(), fill=False)
    shown = [ids[row] for row in best.candidates.row.tolist()]
    return items_answer(engine, "/v1/rank", context, Listed(shown, best, [1.0] * len(shown)), request)


def _with_banner(
    engine: Engine, context: AnswerContext, listed: Listed, surface: str | None, foreseen: Mapping[str, float]
) -> Listed:
    vector = bandit_context(context.known.features)
    drawn = engine.bandits.banner(surface or "", vector, context.method(), foreseen, context.known.audiences)
    if drawn is None:
        return listed
    banner, draw = drawn
    return Listed(listed.ids, listed.ranked, listed.propensities, [*listed.draws, draw], banner)


def _resembling(index: ServingIndex, like: Numbers | None, category: str, n: int) -> Candidates:
    """What resembles an item; without such a list the popular items of its category."""
    stock = index.catalogue
    if like is not None:
        return of_numbers(stock, index.distinct(like))
    if category:
        popular = index.of_category(stock.code[category])[: n + 1]
        return of_numbers(stock, popular, popular)
    return of_numbers(stock, index.by_popularity[:0])
