"""From a request to a response: visitor, candidates, rules, order. Every response is of one index."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from msgspec import UNSET

from nextclick import kv
from nextclick.contracts.events import somebody
from nextclick.ctr import TERMS
from nextclick.profile.conversion import probability
from nextclick.profile.live_features import open_session
from nextclick.profile.predict_features import SessionRules, session_terms
from nextclick.profile.predictions import NIGHTLY, SESSION
from nextclick.profile.profile import Action
from nextclick.settings import Settings
from serving import response
from serving.bandits.context import context as bandit_context
from serving.bandits.live import Bandits, banners
from serving.experiments import assignment
from serving.experiments.assignment import Assignments
from serving.index.index import ServingIndex
from serving.index.items import Numbers
from serving.index.next_action import ACTIONS
from serving.index.refresh import IndexRefresher
from serving.index.session_answers import SessionModels
from serving.metrics import ServingMetrics
from serving.next_best_action import actions
from serving.next_best_action.decisions import unit
from serving.next_best_action.live import NextBest, NextBestActions
from serving.ranking import audiences, caller_candidates
from serving.ranking.audiences import rules_for
from serving.ranking.candidates import (
    CATEGORY,
    POPULAR,
    SIMILAR,
    Candidates,
    annotate,
    dedupe_keep_last,
    gather,
    of_numbers,
)
from serving.ranking.rank import By, Order, Ranked, rank
from serving.ranking.rules import AnswerRules, never, rules
from serving.ranking.visitor import Known, VisitorLookup, Who
from serving.response import Listed
from serving.schema import requests, responses
from serving.served_log import open_record

_DAY_MS: Final = 86_400_000
_BY_SESSION: Final = ("/v1/personalize", "/v1/recommendations", "/v1/rank")
"""Routes whose order the open session decides."""
_NOTHING: Final[dict[str, Any]] = {"model_version": "none", "variant": None, "source": "none", "degraded": True}
"""What an answer says of itself before the first export."""


class AnswerContext(NamedTuple):
    """Who asks, when, and from what they are answered."""

    serving_index: ServingIndex
    who: Who
    known: Known
    now: int
    assigned: Assignments

    def order(self, settings: Settings, by: By = "score") -> Order:
        """How lists are ordered, as experiments have it."""
        values = {term: self.assigned.params.get(f"ranking.weight_{term}") for term in TERMS}
        weights: dict[str, float] = {
            term: float(value) for term, value in values.items() if isinstance(value, int | float)
        }
        return Order(settings.ranking, self.now, weights, by)


class Engine:
    """One worker's; `start` it before the first question."""

    def __init__(self, settings: Settings, metrics: ServingMetrics) -> None:
        self._settings = settings
        self._nobody = settings.events.nobody_words
        self._metrics = metrics
        shown = banners(settings.conf_dir / "banners.toml")
        self._bandits = Bandits(settings.lake, settings.bandits, shown)
        self._next_best = NextBestActions(settings, actions.load(settings.conf_dir))
        self._experiments = assignment.load(settings.conf_dir / "experiments")
        for_audiences = [
            *((f"The banner {one.id}", one.audience) for one in shown),
            *((f"The action {one.id}", one.audience) for one in self._next_best.site.actions),
            *((f"The experiment {one.name}", one.audience) for one in self._experiments),
            *(("A rule of [ranking.audience_rules]", name) for name in settings.ranking.audience_rules),
        ]
        audiences.require(settings, for_audiences)
        table = kv.open_table(settings)
        self._refresher = IndexRefresher(
            table, settings.serving.refresh_seconds, self._after_look, SessionModels(settings)
        )
        self._visitors = VisitorLookup(settings, metrics)
        self._recorder = open_record(settings, metrics)

    def start(self) -> None:
        """Read the lists, and follow what changes."""
        self._refresher.start()
        self._recorder.start()

    def close(self) -> None:
        """Write what was served and let go of the stores."""
        self._recorder.close()
        self._refresher.stop()
        self._visitors.close()

    def _after_look(self) -> None:
        self._metrics.version.set(self.ready().version or 0)
        self._bandits.refresh()
        self._next_best.refresh()

    def ready(self) -> responses.Ready:
        """Whether there are lists to answer from."""
        index = self._refresher.current
        status: Any = "ready" if index else "no lists"
        return responses.Ready(
            status=status, version=index.version if index else None, degraded=not self._refresher.reachable
        )

    async def personalize(self, site: str, request: requests.PersonalizeRequest) -> responses.Personalized:
        """Recommendations, a banner and a feed."""
        context = await self._context(Who(site, request.visitor_id, request.user_id))
        if context is None:
            return responses.Personalized(
                request_id=_new_id(), **_NOTHING, recommendations=[], personalized_banner=None, ranked_feed=[]
            )
        n, feed = self._most(request.n), self._most(request.feed)
        asks = self._bandits.asks_what_is_foreseen
        foreseen = await self._visitors.foreseen(context.serving_index, context.who) if asks else {}
        ranked = self._for_visitor(context, request, max(n, feed))
        listed = self._with_banner(context, ranked, request.surface, foreseen)
        return responses.Personalized(
            **self._head("/v1/personalize", context, listed, request.surface),
            recommendations=listed.ids[:n],
            personalized_banner=response.banner(listed.banner) if listed.banner else None,
            ranked_feed=response.items(context.serving_index, listed, request.explain)[:feed],
            weights=listed.ranked.scored.weights if request.explain else UNSET,
        )

    async def recommend(self, site: str, request: requests.RecommendRequest) -> responses.Items:
        """A list for a visitor."""
        context = await self._context(Who(site, request.visitor_id, request.user_id))
        listed = self._for_visitor(context, request, self._most(request.n)) if context else None
        return self._items("/v1/recommendations", context, listed, request)

    async def popular(self, site: str, request: requests.PopularRequest) -> responses.Items:
        """What everybody likes, in that order; the rules hold."""
        context = await self._context(Who(site, request.visitor_id, request.user_id))
        if context is None:
            return self._items("/v1/popular", None, None, request)
        index, n = context.serving_index, self._most(request.n)
        everything = of_numbers(index.catalogue, index.by_popularity[:n], POPULAR)
        known = context.known._replace(personal=None, similar=(), embedded=None)
        ranked = rank(
            index,
            everything,
            known,
            self._rules(context, request),
            n,
            context.order(self._settings, "popularity"),
        )
        return self._items("/v1/popular", context, _listed(index, ranked), request)

    async def similar(self, site: str, request: requests.SimilarRequest) -> responses.Items:
        """Items that resemble one, the likest first; then as for a visitor who has just viewed it and nothing else."""
        context = await self._context(Who(site, request.visitor_id, request.user_id))
        if context is None:
            return self._items("/v1/similar", None, None, request)
        index, stock = context.serving_index, context.serving_index.catalogue
        like, failed = await self._visitors.similar(index, request.item_id)
        category = stock.category_of(request.item_id) or ""
        as_if = self._visitors.nobody(context.now)
        viewed = msgspec.structs.replace(as_if.features, last_category=category)
        as_if = as_if._replace(features=viewed, similar=(like,) if like is not None else ())
        ruleset = self._rules(context, request, request.item_id)
        n = self._most(request.n)
        candidates = _resembling(index, like, category, n)
        annotate(index, candidates, as_if)
        ranked = rank(index, candidates, as_if, ruleset, n, context.order(self._settings, "likeness"))
        context = context._replace(known=context.known._replace(degraded=context.known.degraded or failed))
        return self._items("/v1/similar", context, _listed(index, ranked), request)

    async def rank(self, site: str, request: requests.RankRequest) -> responses.Items:
        """The caller's own candidates in order; nothing is added to them."""
        context = await self._context(Who(site, request.visitor_id, request.user_id))
        if context is None:
            return self._items("/v1/rank", None, None, request)
        index, conf = context.serving_index, rules_for(self._settings.ranking, context.known.audiences)
        ids, candidates = caller_candidates.of_caller(index.catalogue, request.items)
        rows = caller_candidates.listed_rows(ids, request, conf, never(index.catalogue, conf, request, context.known))
        candidates = candidates.take(np.array(rows, np.int64))
        annotate(index, candidates, context.known)
        ruleset = replace(
            self._rules(context, request), allow=None, hidden=candidates.number[:0], only_recommendable=False
        )
        order = context.order(self._settings)
        ranked = rank(index, candidates, context.known, ruleset, request.n or len(ids), order, fill=False)
        shown = [ids[row] for row in ranked.candidates.row.tolist()]
        return self._items("/v1/rank", context, Listed(shown, ranked, [1.0] * len(shown)), request)

    async def next_action(self, site: str, request: requests.NextActionRequest) -> responses.NextActions:
        """What the visitor does next."""
        context = await self._context(Who(site, request.visitor_id, request.user_id))
        if context is None:
            return responses.NextActions(actions=[], acts=[], degraded=True)
        acts = self._acts(context)
        probabilities = context.serving_index.transitions.after(acts, self._settings.ranking.transition_prior)
        ordered: list[Any] = sorted(probabilities.items(), key=lambda pair: -pair[1])
        actions = [responses.LikelyAction(action=name, probability=probability) for name, probability in ordered]
        return responses.NextActions(actions=actions, acts=acts, degraded=context.known.degraded)

    async def next_best_action(self, site: str, request: requests.NextBestActionRequest) -> responses.NextBestAction:
        """What to do for the visitor; none where it cannot be put on record with its propensity."""
        who, surface, request_id = Who(site, request.visitor_id, request.user_id), request.surface or "", _new_id()
        context = await self._context(who)
        foreseen = await self._foreseen(context) if context and self._next_best.site.asks_what_is_foreseen else {}
        named = unit(context.who.visitor_id, context.who.user_id) if context else None
        is_up = self._recorder.is_up  # else nobody gets anything but none, whose record says when it is up again
        now, belongs = (context.now, context.known.audiences) if context else (_now(), {})
        best = self._next_best.decide(site, named if is_up else None, surface, foreseen, now, belongs)
        listed = None
        if context and best.chosen.kind == "recommendation":
            listed = self._for_visitor(context, request, self._most(request.n))._replace(decision=best.decision)
        tried = bool(context and named and self._record_decision(request_id, context, request, best, listed))
        answer = response.next_best(
            request_id,
            best,
            listed.ids if listed else [],
            tried and is_up,
            request,
            variant=context.assigned.variant if context else None,
            degraded=context is None or context.known.degraded,
        )
        self._metrics.answers.labels("/v1/next-best-action", answer.kind, answer.degraded).inc()
        return answer

    async def suggest(self, site: str, request: requests.SuggestRequest) -> responses.Suggestions:
        """Completions of what was typed."""
        context = await self._context(Who(site, request.visitor_id, request.user_id))
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

    async def profile(self, site: str, request: requests.ProfileRequest) -> responses.LiveProfile:
        """What is known of a visitor now; all of it empty for an unknown visitor."""
        context = await self._context(Who(site, request.visitor_id, request.user_id))
        known = context.known if context else self._visitors.nobody(_now(), degraded=True)
        shown = [
            responses.RecentAction(
                at=action.at, kind=action.kind, item_id=action.item, category=action.category, query=action.query
            )
            for action in known.profile.actions
        ]
        prior = self._settings.ranking.transition_prior
        after = context.serving_index.transitions.after(self._acts(context), prior) if context else {}
        foreseen = await self._predictions(context) if context else response.NOT_FORESEEN
        liked = self._visitors.attributes(context.serving_index, known, context.now) if context else {}
        return responses.LiveProfile(
            visitor_id=request.visitor_id,
            features=msgspec.structs.replace(known.features, attributes=liked),
            actions=shown,
            embedding=response.embedding(context.serving_index, known) if context else None,
            next_action=after,
            conversion=foreseen.conversion_session,
            predictions=foreseen,
            audiences=[responses.Belongs(name=name, since=at) for name, at in sorted(known.audiences.items())],
            degraded=known.degraded,
        )

    async def _context(self, who: Who) -> AnswerContext | None:
        """None before the first export."""
        index, now = self._refresher.current, _now()
        if index is None:
            return None
        visitor, user = somebody(who.visitor_id, who.user_id, self._nobody)
        who = who._replace(visitor_id=visitor, user_id=user)
        at = datetime.fromtimestamp(now / 1000, UTC)
        known = await self._visitors.known(index, who, now)
        assigned = assignment.assign(self._experiments, who.site, who.visitor_id, who.user_id, at, known.audiences)
        return AnswerContext(index, who, known, now, assigned)

    async def _predictions(self, context: AnswerContext) -> responses.PersonPredictions:
        """What is foreseen of the visitor and of the open session."""
        rules, index = SessionRules.of(self._settings, context.who.site), context.serving_index
        counted = probability(self._session(context), index.conversion)
        night = await self._visitors.foreseen(index, context.who)
        return response.foreseen(index, session_terms(context.known.profile, context.now, rules), counted, night)

    async def _foreseen(self, context: AnswerContext) -> dict[str, float]:
        """By prediction the probability, where there is one."""
        predictions = await self._predictions(context)
        named = ((name, getattr(predictions, name)) for name in (*NIGHTLY, SESSION))
        return {name: value for name, value in named if value is not None}

    def _record_decision(
        self, request_id: str, context: AnswerContext, request: Any, best: NextBest, listed: Listed | None
    ) -> bool:
        """Whether the decision, with what it recommends, will be on record."""
        if not self._settings.serving.record:
            return False
        who, model, degraded = context.who, context.serving_index.model_version, context.known.degraded
        head = request_id, context.now, who, model, context.assigned
        if listed:
            source = listed.ranked.source
            return self._recorder.put(
                response.record(*head, listed, request.surface, source, degraded, context.known.session.by)
            )
        return self._recorder.put(response.decision_record(*head, best.decision, request.surface, degraded))

    def _for_visitor(self, context: AnswerContext, request: requests.FilteredRequest, n: int) -> Listed:
        """The n best items for the visitor; places that exploration fills are drawn from the items below."""
        index, ranking = context.serving_index, self._settings.ranking
        positions = self._settings.bandits.positions
        need = n + (self._settings.bandits.pool if positions else 0)
        fresh_since = context.now - ranking.fresh_days * _DAY_MS
        candidates = gather(index, context.known, ranking.candidates, fresh_since)
        ranked = rank(
            index, candidates, context.known, self._rules(context, request), need, context.order(self._settings)
        )
        listed = _listed(index, ranked)
        if not positions:
            return listed
        surface = getattr(request, "surface", None) or ""
        vector = bandit_context(context.known.features)
        drawn = self._bandits.explore(surface, listed.ids[:n], listed.ids[n:], vector, _method(context))
        ranked = response.in_order(ranked, listed.ids, drawn.items)
        return Listed(drawn.items, ranked, drawn.propensities, drawn.draws)

    def _with_banner(
        self, context: AnswerContext, listed: Listed, surface: str | None, foreseen: Mapping[str, float]
    ) -> Listed:
        vector = bandit_context(context.known.features)
        drawn = self._bandits.banner(surface or "", vector, _method(context), foreseen, context.known.audiences)
        return listed._replace(banner=drawn[0], draws=[*listed.draws, drawn[1]]) if drawn else listed

    def _rules(self, context: AnswerContext, request: requests.FilteredRequest, *hidden: str) -> AnswerRules:
        conf = rules_for(self._settings.ranking, context.known.audiences)
        return rules(context.serving_index.catalogue, conf, request, context.known, hidden)

    def _items(self, route: str, context: AnswerContext | None, listed: Listed | None, request: Any) -> responses.Items:
        """A list as its answer; an empty one before the first export."""
        if context is None or listed is None:
            return responses.Items(request_id=_new_id(), **_NOTHING, items=[])
        return responses.Items(
            **self._head(route, context, listed, request.surface),
            items=response.items(context.serving_index, listed, request.explain),
            weights=listed.ranked.scored.weights if request.explain else UNSET,
        )

    def _head(self, route: str, context: AnswerContext, listed: Listed, surface: str | None) -> dict[str, Any]:
        """What a list says of itself; it is put on record."""
        source, degraded, model = listed.ranked.source, context.known.degraded, context.serving_index.model_version
        self._metrics.answers.labels(route, source, degraded).inc()
        request_id, who = _new_id(), context.who
        session = context.known.session if route in _BY_SESSION else responses.NO_SESSION
        if self._settings.serving.record and (who.visitor_id or who.user_id) and listed.ids:
            self._recorder.put(
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

    def _acts(self, context: AnswerContext) -> list[str]:
        """The last two acts of the open session, the newest last."""
        session = self._session(context)
        return [ACTIONS[action.kind] for action in session if action.kind in ACTIONS][:2][::-1]

    def _session(self, context: AnswerContext) -> tuple[Action, ...]:
        """The actions of the session that is open now, the newest first."""
        gap_ms = self._settings.sessions.gap_ms_for(context.who.site)
        return open_session(context.known.profile.actions, context.now, gap_ms)

    def _most(self, n: int) -> int:
        return min(n, self._settings.serving.max_items)


def _listed(index: ServingIndex, ranked: Ranked) -> Listed:
    ids = [index.catalogue.ids[number] for number in ranked.candidates.number.tolist()]
    return Listed(ids, ranked, [1.0] * len(ids))


def _resembling(index: ServingIndex, like: Numbers | None, category: str, n: int) -> Candidates:
    """What resembles an item; without such a list the popular items of its category."""
    stock = index.catalogue
    if like is not None:
        return of_numbers(stock, dedupe_keep_last(index, like), SIMILAR)
    if category:
        return of_numbers(stock, index.of_category(stock.code[category])[: n + 1], CATEGORY)
    return of_numbers(stock, index.by_popularity[:0])


def _method(context: AnswerContext) -> str | None:
    """The bandit's method that an experiment chooses."""
    method = context.assigned.params.get("bandits.method")
    return method if isinstance(method, str) else None


def _now() -> int:
    return time.time_ns() // 1_000_000


def _new_id() -> str:
    return secrets.token_hex(16)
