"""A ranked list as the client sees it, and as the landing log keeps it."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from msgspec import UNSET

from nextclick.contracts.events import Event, encode
from nextclick.ctr import FEATURES, FORESEEN
from nextclick.profile.predict_features import TERMS
from nextclick.profile.predictions import COUNTED, SESSION
from serving.bandits.live import Banner
from serving.bandits.trials import DRAWS, Draw
from serving.bandits.trials import encode as encode_draws
from serving.experiments.assignment import Assignments
from serving.index.index import ServingIndex
from serving.index.items import Floats
from serving.next_best_action.actions import NONE
from serving.next_best_action.decisions import DECISION, Decision
from serving.next_best_action.decisions import encode as encode_decision
from serving.next_best_action.live import NextBest, Offer
from serving.ranking.rank import Ranked
from serving.ranking.visitor import Known, Who
from serving.schema.requests import NextBestActionRequest
from serving.schema.responses import Item, LiveEmbedding, NextBestAction, OfferedAction, PersonPredictions, Source

_json: Final = msgspec.json.Encoder().encode
_PLACES: Final = 6
"""Decimal places of a score."""


class Listed(NamedTuple):
    """A list as it is answered: ids, the ranked row of each, and what was drawn."""

    ids: list[str]
    ranked: Ranked
    propensities: list[float]
    """Of each place; 1 where nothing was drawn."""
    draws: Sequence[Draw] = ()
    banner: Banner | None = None
    decision: Decision | None = None
    """The action that the list comes from."""


NOT_FORESEEN: Final = PersonPredictions(conversion_session=0.0, model_version={})
"""Before the first export."""


def foreseen(
    index: ServingIndex, terms: Sequence[float] | None, counted: float, night: Mapping[str, float]
) -> PersonPredictions:
    """Of the open session by the model that the export carries, else by the rates that it counted; of the person as the night did."""
    said = index.foreseeing
    versions = {SESSION: COUNTED} | (said.versions if said else {})
    model = said.session if said else None
    return PersonPredictions(
        conversion_session=model.of(dict(zip(TERMS, terms, strict=True))) if model and terms else counted,
        model_version=versions,
        as_of=said.as_of // 1000 if said and night else None,
        **night,
    )


def items(index: ServingIndex, listed: Listed, explain: bool) -> list[Item]:
    """The places of a list with the facts of their items."""
    stock, ranked = index.catalogue, listed.ranked
    names, currencies, categories = stock.names, stock.currencies, stock.category_names
    terms = [_terms(ranked, row) for row in range(len(listed.ids))] if explain else [UNSET] * len(listed.ids)
    rows = zip(
        listed.ids,
        ranked.score.round(_PLACES).tolist(),
        ranked.candidates.number.tolist(),
        ranked.candidates.category.tolist(),
        ranked.candidates.price.tolist(),
        terms,
        strict=True,
    )
    return [
        Item(
            item_id=item,
            score=score,
            name=names[number],
            category=categories[code] if 0 <= code < len(categories) else UNSET,
            price=price if price == price else UNSET,
            currency=currencies[number],
            terms=why,
        )
        for item, score, number, code, price, why in rows
    ]


def banner(chosen: Banner) -> dict[str, str]:
    """The banner as the client sees it."""
    return {"id": chosen.id, "text": chosen.text, "link": chosen.link}


def embedding(index: ServingIndex, known: Known) -> LiveEmbedding | None:
    """Where the visitor stands, as the client sees it."""
    if index.vectors is None or known.embedded is None:
        return None
    vectors = known.embedded.vector, index.vectors.mean(known.embedded)
    vector, mean = (np.round(each, _PLACES).tolist() for each in vectors)
    return LiveEmbedding(method=index.vectors.about.method, vector=vector, mean=mean)


def record(
    request_id: str,
    now: int,
    who: Who,
    model_version: str,
    assigned: Assignments,
    listed: Listed,
    surface: str | None,
    source: Source,
    degraded: bool,
    session: str,
) -> bytes:
    """The answer as a `served` event (docs/api.md has its properties)."""
    scored = listed.ranked.scored
    features = dict(zip(FEATURES, scored.columns.round(4).tolist(), strict=True))
    if scored.foreseen is not None:
        features[FORESEEN] = scored.foreseen.round(4).tolist()
    properties = {
        "items": _text(listed.ids),
        "propensities": _text(listed.propensities),
        "features": _text(features),
        "source": source,
        "degraded": "true" if degraded else "false",
        "session": session,
    }
    if listed.draws:
        properties[DRAWS] = encode_draws(list(listed.draws)).decode()
        properties["bandit"] = listed.draws[0].bandit
    if listed.banner:
        properties["banner"] = listed.banner.id
    if listed.decision:
        properties[DECISION] = encode_decision(listed.decision).decode()
    return _served(request_id, now, who, model_version, assigned, surface, properties)


def decision_record(
    request_id: str,
    now: int,
    who: Who,
    model_version: str,
    assigned: Assignments,
    decision: Decision,
    surface: str | None,
    degraded: bool,
) -> bytes:
    """A decision without a list, as a `served` event."""
    properties = {DECISION: encode_decision(decision).decode(), "degraded": "true" if degraded else "false"}
    return _served(request_id, now, who, model_version, assigned, surface, properties)


def _served(
    request_id: str,
    now: int,
    who: Who,
    model_version: str,
    assigned: Assignments,
    surface: str | None,
    properties: dict[str, str],
) -> bytes:
    return encode(
        Event(
            event="served", event_id=request_id, request_id=request_id, client_time=now, occurred_at=now, site=who.site,
            visitor_id=who.visitor_id, user_id=who.user_id, surface=surface, model_version=model_version,
            experiment=assigned.experiment, variant=assigned.variant, properties=properties,
        )
    )  # fmt: skip


def offered(offer: Offer) -> OfferedAction:
    """An action as the client sees it."""
    worth = offer.worth
    return OfferedAction(
        action=offer.id,
        kind=offer.kind,
        expected=round(worth.expected.value, _PLACES),
        low=round(worth.expected.low, _PLACES),
        high=round(worth.expected.high, _PLACES),
        uplift=round(worth.uplift.value, _PLACES),
        propensity=offer.share,
        reason=offer.reason,
    )


def next_best(
    request_id: str,
    best: NextBest,
    items: list[str],
    recorded: bool,
    request: NextBestActionRequest,
    variant: str | None,
    degraded: bool,
) -> NextBestAction:
    """A decision as the client sees it; one that is not on record is none."""
    action = best.chosen.action if recorded else None
    unrecorded = "nobody is named, or the answer cannot be put on record: nothing could be learned from it"
    return NextBestAction(
        request_id=request_id,
        action=action.id if action else NONE,
        kind=action.kind if action else "none",
        text=action.text if action else "",
        link=action.link if action else None,
        items=items if recorded else [],
        propensity=best.decision.propensity if recorded else 1.0,
        until=best.until,
        actions=[] if request.brief else [*map(offered, best.offers), *(refused(best) if request.explain else ())],
        reason="" if request.brief else best.reason if recorded else unrecorded,
        recorded=recorded,
        variant=variant,
        degraded=degraded,
    )


def refused(best: NextBest) -> list[OfferedAction]:
    """The actions that are not allowed."""
    return [OfferedAction(action=name, propensity=0.0, reason=why) for name, why in best.refused.items()]


def _terms(ranked: Ranked, row: int) -> dict[str, float]:
    """Every number that the score of a place is made of."""
    scored = ranked.scored
    columns: dict[str, Floats] = scored.features | scored.terms | {"boost": ranked.boost}
    return {name: round(float(values[row]), _PLACES) for name, values in columns.items()}


def _text(value: object) -> str:
    return _json(value).decode()


def in_order(ranked: Ranked, before: list[str], after: list[str]) -> Ranked:
    """The rows of a list with the ids `before` in the order of `after`, which are some of them."""
    row = {item: place for place, item in enumerate(before)}
    return ranked.take(np.array([row[item] for item in after], np.int64))
