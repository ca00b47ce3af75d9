"""The demo's traffic: two weeks of a small shop, deterministic by its seed, with everything known about it.

`make_traffic` simulates what the visitors' trackers send; `write_traffic` leaves beside it the catalogue and the costs of
campaigns, for `nextclick import`, and the truth, which the pipeline never sees.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
import numpy as np

from demo.outcome.ground_truth import Truth, costs_by_currency, count_links, revenue
from demo.outcome.known_figures import figures, visits_of
from demo.traffic.abuse import Abuser, make_abuse, write_abuse
from demo.traffic.app import make_app
from demo.traffic.catalogue import ShopItems, make_catalogue
from demo.traffic.events import Acts, make_acts, numbered, users_at
from demo.traffic.faults import Sent, send
from demo.traffic.marketing import Cost, costs, mails, sign_ups, write_costs
from demo.traffic.tastes import Tastes, make_affinity, make_mixture
from demo.traffic.trackers import PLAIN, Fields, Parcel, TrackerRecord, encode, pack
from demo.traffic.visits import DAY_MS, START_MS, Devices, Ints, Visits, make_sessions, make_views, make_visitors

DAYS: Final = 14
ITEMS: Final = 360


@dataclass(frozen=True)
class Traffic:
    """Records in order of arrival, and what is true about them."""

    lines: list[TrackerRecord]
    arrival: Ints
    """Epoch ms, ascending."""
    catalogue: ShopItems
    costs: list[Cost]
    abusers: list[Abuser]
    tastes: Tastes
    truth: Truth


def make_traffic(seed: int, visitors: int, gap: timedelta, items: int = ITEMS, days: int = DAYS) -> Traffic:
    """Simulate; the same arguments give the same bytes. A longer `gap` between two acts opens a session."""
    rng = np.random.default_rng(seed)
    catalogue = make_catalogue(rng, items)
    guests = make_visitors(rng, visitors)
    mixture, affinity = make_mixture(rng, guests.people), make_affinity(rng, catalogue)
    tastes = Tastes(catalogue.ids, *_who_is_who(guests), mixture, affinity, guests.visits_a_day(days))
    sessions = make_sessions(rng, guests, days)
    views = make_views(rng, guests, sessions, catalogue, tastes.likes(np.arange(guests.people)), days)
    acts = make_acts(rng, guests, sessions, views, catalogue)
    beside = np.random.default_rng((seed, 1))  # of its own, so that what the shop's visitors do hangs on nothing below
    parcels = [
        parcel
        for theirs, random in ((acts, rng), (sign_ups(beside, sessions), beside))
        for parcel in pack(_events(random, guests, sessions, theirs), theirs.visitor.tolist(), theirs.at.tolist())
    ]
    abusers, abuse = make_abuse(np.random.default_rng((seed, 2)), catalogue, visitors, days)
    times, others = zip(*make_app(beside, visitors, days), *mails(beside, guests, acts, days), *abuse, strict=True)
    stamped = _stamped(beside, np.array(times), others)
    parcels += [Parcel(PLAIN, at, [event]) for at, event in zip(times, stamped, strict=True)]
    sent = send(rng, parcels, START_MS + days * DAY_MS)
    paid = costs(beside, acts)
    return Traffic(
        lines=sent.lines,
        arrival=sent.arrival,
        catalogue=catalogue,
        costs=paid,
        abusers=abusers,
        tastes=tastes,
        truth=_truth(seed, items, parcels, sent, paid, gap, START_MS + days * DAY_MS),
    )


def _truth(
    seed: int, items: int, parcels: list[Parcel], sent: Sent, paid: list[Cost], gap: timedelta, end: int
) -> Truth:
    acts = [(parcel.at, event) for parcel in parcels for event in parcel.events]
    events = [event for _, event in acts]
    trackers: Counter[str] = Counter()
    for parcel in parcels:
        trackers[parcel.tracker] += len(parcel.events)
    visits = visits_of(acts, gap)
    return Truth(
        seed=seed,
        items=items,
        good=len(events),
        late=sent.late,
        duplicates=sent.duplicates,
        broken=sent.broken,
        trackers=dict(sorted(trackers.items())),
        kinds=dict(sorted(Counter(event["event"] for event in events).items())),
        links=count_links(events),
        sessions=len(visits),
        revenue=revenue(events),
        costs=costs_by_currency(paid),
        figures=figures(visits, end),
    )


class ImportFiles(NamedTuple):
    """What `nextclick import` reads."""

    catalogue: Path
    costs: Path


def write_traffic(traffic: Traffic, folder: Path) -> ImportFiles:
    """What is imported; beside it what only the demo's report reads: tastes, truth and abusers."""
    folder.mkdir(parents=True, exist_ok=True)
    last_day = np.datetime64(int(traffic.arrival[-1]), "ms").astype("datetime64[D]")
    catalogue = folder / "catalogue.ndjson"
    catalogue.write_bytes(
        b"".join(encode(record) + b"\n" for record in traffic.catalogue.records(f"{last_day}T23:59:59Z"))
    )
    traffic.tastes.save(folder / "tastes.npz")
    (folder / "truth.json").write_bytes(msgspec.json.format(msgspec.json.encode(traffic.truth)))
    write_costs(traffic.costs, folder / "costs.csv")
    write_abuse(traffic.abusers, folder)
    return ImportFiles(catalogue, folder / "costs.csv")


def _who_is_who(visitors: Devices) -> tuple[np.ndarray[Any, Any], Ints]:
    """Every id that may appear in an event, sorted, and the person behind it."""
    people = np.arange(visitors.people)
    ids = np.concatenate([visitors.ids, numbered("u", people), numbered("g", people)])
    person = np.concatenate([visitors.person, people, people])
    order = np.argsort(ids)
    return ids[order], person[order]


def _events(rng: np.random.Generator, visitors: Devices, sessions: Visits, acts: Acts) -> list[Fields]:
    """The acts with id, time and who: what a tracker would have sent."""
    users = users_at(visitors, sessions, acts.visitor, acts.at).tolist()
    whos = (column[acts.visitor].tolist() for column in (visitors.ids, visitors.device, visitors.country))
    names = ("visitor_id", "device", "country")
    known = [
        dict(zip(names, who, strict=True)) | ({"user_id": user} if user else {}) | fields
        for who, user, fields in zip(zip(*whos, strict=True), users, acts.fields, strict=True)
    ]
    return _stamped(rng, acts.at, known)


def _stamped(rng: np.random.Generator, at: Ints, events: Sequence[Fields]) -> list[Fields]:
    """The events with id and time."""
    random = rng.bytes(16 * len(at))
    ids = (str(UUID(bytes=random[n : n + 16], version=4)) for n in range(0, len(random), 16))
    times = np.datetime_as_string(at.astype("datetime64[ms]"), timezone="UTC").tolist()
    stamps = ({"event_id": id, "client_time": time} for id, time in zip(ids, times, strict=True))
    return [stamp | event for stamp, event in zip(stamps, events, strict=True)]
