"""The demo's traffic: two weeks of a small shop, deterministic by its seed, with everything known about it.

`make_traffic` simulates, `write_traffic` leaves in a folder what a shop would: one NDJSON file a day in the plain
form that `nextclick import --mapping plain` reads, the catalogue for `--kind items`, and the truth, which
the pipeline never sees.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from demo.acts import Acts, make_acts, numbered, users_at
from demo.catalogue import Catalogue, make_catalogue
from demo.mishaps import encode, send
from demo.tastes import Tastes, make_affinity, make_mixture
from demo.truth import Truth, count_sessions, revenue
from demo.visits import (
    DAY_MS,
    START_MS,
    Ints,
    Sessions,
    Visitors,
    make_sessions,
    make_views,
    make_visitors,
)

DAYS: Final = 14
ITEMS: Final = 360


@dataclass(frozen=True)
class Traffic:
    """Lines in order of arrival, and what is true about them."""

    lines: list[bytes]
    arrival: Ints
    """Epoch ms, ascending."""
    catalogue: Catalogue
    tastes: Tastes
    truth: Truth


def make_traffic(seed: int, visitors: int, items: int = ITEMS, days: int = DAYS) -> Traffic:
    """Simulate; the same arguments give the same bytes."""
    rng = np.random.default_rng(seed)
    catalogue = make_catalogue(rng, items)
    guests = make_visitors(rng, visitors)
    mixture, affinity = make_mixture(rng, guests.people), make_affinity(rng, catalogue)
    tastes = Tastes(catalogue.ids, *_who_is_who(guests), mixture, affinity)
    sessions = make_sessions(rng, guests, days)
    views = make_views(rng, guests, sessions, catalogue, tastes.likes(np.arange(guests.people)), days)
    acts = make_acts(rng, guests, sessions, views, catalogue)
    events = _events(rng, guests, sessions, acts)
    sent = send(rng, acts.at, events, START_MS + days * DAY_MS)
    truth = Truth(
        seed=seed,
        items=items,
        good=len(events),
        late=sent.late,
        duplicates=sent.duplicates,
        broken=sent.broken,
        kinds=dict(sorted(Counter(event["event"] for event in events).items())),
        sessions=count_sessions(acts),
        revenue=revenue(events),
    )
    return Traffic(sent.lines, sent.arrival, catalogue, tastes, truth)


def write_traffic(traffic: Traffic, folder: Path) -> list[Path]:
    """One file a day of arrival, the last one `today-…`; returns them in order.

    Beside them: `catalogue.ndjson`, `tastes.npz`, `truth.json`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    records = traffic.catalogue.records(f"{_day(traffic.arrival[-1])}T23:59:59Z")
    _write_lines(folder / "catalogue.ndjson", list(map(encode, records)))
    traffic.tastes.save(folder / "tastes.npz")
    (folder / "truth.json").write_bytes(msgspec.json.format(msgspec.json.encode(traffic.truth)))
    day = (traffic.arrival - START_MS) // DAY_MS
    files = []
    for number in np.unique(day).tolist():
        first, last = np.searchsorted(day, [number, number + 1]).tolist()
        name = "today" if last == len(day) else "history"
        files.append(folder / f"{name}-{_day(traffic.arrival[first])}.ndjson")
        _write_lines(files[-1], traffic.lines[first:last])
    return files


def _day(moment: int) -> str:
    return str(np.datetime64(int(moment), "ms").astype("datetime64[D]"))


def _write_lines(path: Path, lines: list[bytes]) -> None:
    path.write_bytes(b"\n".join(lines) + b"\n")


def _who_is_who(visitors: Visitors) -> tuple[np.ndarray[Any, Any], Ints]:
    """Every id that may appear in an event, sorted, and the person behind it."""
    people = np.arange(visitors.people)
    ids = np.concatenate([visitors.ids, numbered("u", people), numbered("g", people)])
    person = np.concatenate([visitors.person, people, people])
    order = np.argsort(ids)
    return ids[order], person[order]


def _events(rng: np.random.Generator, visitors: Visitors, sessions: Sessions, acts: Acts) -> list[dict[str, Any]]:
    """The acts with id, time and who: what a tracker would have sent."""
    ids = [f"{number:016x}" for number in rng.integers(0, 1 << 63, len(acts.at)).tolist()]
    times = np.datetime_as_string(acts.at.astype("datetime64[ms]"), timezone="UTC").tolist()
    users = users_at(visitors, sessions, acts.visitor, acts.at).tolist()
    whos = (column[acts.visitor].tolist() for column in (visitors.ids, visitors.device, visitors.country))
    names = ("event_id", "client_time", "visitor_id", "device", "country")
    return [
        dict(zip(names, head, strict=True)) | ({"user_id": user} if user else {}) | fields
        for head, user, fields in zip(zip(ids, times, *whos, strict=True), users, acts.fields, strict=True)
    ]
