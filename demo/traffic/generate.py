"""The demo's traffic: two weeks of a small shop, deterministic by its seed, with everything known about it.

`make_traffic` simulates what the visitors' trackers send; `write_traffic` leaves beside it the catalogue, for
`nextclick import --kind items`, and the truth, which the pipeline never sees.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
import numpy as np

from demo.outcome.ground_truth import Truth, count_links, count_sessions, revenue
from demo.traffic.catalogue import ShopItems, make_catalogue
from demo.traffic.events import Acts, make_acts, numbered, users_at
from demo.traffic.faults import send
from demo.traffic.tastes import Tastes, make_affinity, make_mixture
from demo.traffic.trackers import Fields, TrackerRecord, encode, pack, tracker_of
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
    tastes: Tastes
    truth: Truth


def make_traffic(seed: int, visitors: int, gap: timedelta, items: int = ITEMS, days: int = DAYS) -> Traffic:
    """Simulate; the same arguments give the same bytes. A longer `gap` between two acts opens a session."""
    rng = np.random.default_rng(seed)
    catalogue = make_catalogue(rng, items)
    guests = make_visitors(rng, visitors)
    mixture, affinity = make_mixture(rng, guests.people), make_affinity(rng, catalogue)
    tastes = Tastes(catalogue.ids, *_who_is_who(guests), mixture, affinity)
    sessions = make_sessions(rng, guests, days)
    views = make_views(rng, guests, sessions, catalogue, tastes.likes(np.arange(guests.people)), days)
    acts = make_acts(rng, guests, sessions, views, catalogue)
    events = _events(rng, guests, sessions, acts)
    parcels = pack(events, acts.visitor.tolist(), acts.at.tolist())
    sent = send(rng, parcels, START_MS + days * DAY_MS)
    truth = Truth(
        seed=seed,
        items=items,
        good=len(events),
        late=sent.late,
        duplicates=sent.duplicates,
        broken=sent.broken,
        trackers=dict(sorted(Counter(map(tracker_of, acts.visitor.tolist())).items())),
        kinds=dict(sorted(Counter(event["event"] for event in events).items())),
        links=count_links(events),
        sessions=count_sessions(acts, gap),
        revenue=revenue(events),
    )
    return Traffic(sent.lines, sent.arrival, catalogue, tastes, truth)


def write_traffic(traffic: Traffic, folder: Path) -> Path:
    """The catalogue, which is returned, `tastes.npz` and `truth.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    last_day = np.datetime64(int(traffic.arrival[-1]), "ms").astype("datetime64[D]")
    catalogue = folder / "catalogue.ndjson"
    catalogue.write_bytes(
        b"".join(encode(record) + b"\n" for record in traffic.catalogue.records(f"{last_day}T23:59:59Z"))
    )
    traffic.tastes.save(folder / "tastes.npz")
    (folder / "truth.json").write_bytes(msgspec.json.format(msgspec.json.encode(traffic.truth)))
    return catalogue


def _who_is_who(visitors: Devices) -> tuple[np.ndarray[Any, Any], Ints]:
    """Every id that may appear in an event, sorted, and the person behind it."""
    people = np.arange(visitors.people)
    ids = np.concatenate([visitors.ids, numbered("u", people), numbered("g", people)])
    person = np.concatenate([visitors.person, people, people])
    order = np.argsort(ids)
    return ids[order], person[order]


def _events(rng: np.random.Generator, visitors: Devices, sessions: Visits, acts: Acts) -> list[Fields]:
    """The acts with id, time and who: what a tracker would have sent."""
    random = rng.bytes(16 * len(acts.at))
    ids = [str(UUID(bytes=random[n : n + 16], version=4)) for n in range(0, len(random), 16)]
    times = np.datetime_as_string(acts.at.astype("datetime64[ms]"), timezone="UTC").tolist()
    users = users_at(visitors, sessions, acts.visitor, acts.at).tolist()
    whos = (column[acts.visitor].tolist() for column in (visitors.ids, visitors.device, visitors.country))
    names = ("event_id", "client_time", "visitor_id", "device", "country")
    return [
        dict(zip(names, head, strict=True)) | ({"user_id": user} if user else {}) | fields
        for head, user, fields in zip(zip(ids, times, *whos, strict=True), users, acts.fields, strict=True)
    ]
