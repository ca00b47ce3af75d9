"""What the shop does to be visited: a newsletter, whose e-mails are opened and clicked, and campaigns that cost money."""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from demo.traffic.events import NEWSLETTER, Acts, numbered
from demo.traffic.trackers import Fields
from demo.traffic.visits import DAY_MS, NEVER, START_MS, Devices, Visits

_SIGN_UPS: Final = 0.03
"""Share of visits that sign up for the newsletter."""
_SIGNED_UP_AFTER: Final = 3_000
"""Milliseconds from the start of a visit: before it turns to an item."""
_MAILED_ON: Final = (1, 8)
"""Days on which the newsletter goes out, at 7 o'clock UTC."""
_CENTS_A_CLICK: Final = {"searchads": 45, "newsletter": 6}


class Cost(NamedTuple):
    """A row of a file that the mapping `costs` reads; its clicks are those that the network counts, some of which never arrive."""

    date: str
    network: str
    medium: str
    campaign: str
    currency: str
    cost: str
    clicks: int


def sign_ups(rng: np.random.Generator, sessions: Visits) -> Acts:
    """What conf/demo.toml has as a goal."""
    which = np.flatnonzero(rng.random(len(sessions.start)) < _SIGN_UPS)
    at, visitor = sessions.start[which] + _SIGNED_UP_AFTER, sessions.visitor[which]
    return Acts(at, visitor, [{"event": "sign_up"} for _ in which])


def mails(rng: np.random.Generator, visitors: Devices, acts: Acts, days: int) -> Iterator[tuple[int, Fields]]:
    """What the e-mail service reports, which knows accounts alone: epoch ms, and the event but for its id and time.

    Whose newsletter brought a visit clicked it just before; of twice as many others some opened it.
    """
    accounts = np.unique(visitors.person[visitors.login != NEVER])
    for sent in (START_MS + day * DAY_MS + 7 * 3_600_000 for day in _MAILED_ON if day < days):
        clicked = _clicked(visitors, acts, sent)
        others = rng.permutation(np.setdiff1d(accounts, [*clicked]))[: 2 * len(clicked)]
        for person in (*clicked, *others.tolist()):
            to = {"user_id": str(numbered("u", np.array([person]))[0])} | NEWSLETTER
            yield sent + int(rng.integers(1_000, 30_000)), {"event": "email_delivered", **to}
            if person in clicked:
                yield clicked[person] - int(rng.integers(5_000, 25_000)), {"event": "email_open", **to}
                yield clicked[person] - 1_000, {"event": "email_click", **to}
            elif rng.random() < 0.3:
                yield sent + int(rng.integers(60_000, DAY_MS // 2)), {"event": "email_open", **to}


def costs(rng: np.random.Generator, acts: Acts) -> list[Cost]:
    """What the campaigns cost by day."""
    day = np.datetime_as_string(acts.at.astype("datetime64[ms]"), unit="D").tolist()
    arrived = Counter(
        (on, *(fields[name] for name in NEWSLETTER))
        for on, fields in zip(day, acts.fields, strict=True)
        if fields.get("utm_source") in _CENTS_A_CLICK
    )
    rows = []
    for (on, source, medium, campaign), count in sorted(arrived.items()):
        clicks = count + int(rng.binomial(count, 0.1))
        cost = f"{clicks * _CENTS_A_CLICK[source] / 100:.2f}"
        rows.append(Cost(on, source, medium, campaign, "EUR", cost, clicks))
    return rows


def write_costs(rows: list[Cost], path: Path) -> None:
    """As CSV with a header."""
    with path.open("w", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(Cost._fields)
        lines.writerows(rows)


def _clicked(visitors: Devices, acts: Acts, sent: int) -> dict[int, int]:
    """Person with an account → when the first visit from the newsletter began, within a day of its sending."""
    clicked: dict[int, int] = {}
    for at, visitor, fields in zip(acts.at.tolist(), acts.visitor.tolist(), acts.fields, strict=True):
        if (
            fields.get("utm_source") == NEWSLETTER["utm_source"]
            and visitors.login[visitor] != NEVER
            and sent + 60_000 < at < sent + DAY_MS
        ):
            person = int(visitors.person[visitor])
            clicked[person] = min(at, clicked.get(person, at))
    return clicked
