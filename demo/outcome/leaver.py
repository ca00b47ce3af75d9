"""Who will not come back: what gold.predictions says, beside how often the generator lets each person come."""

from typing import Final

import numpy as np

from demo.outcome.facts import Leaver
from demo.traffic.tastes import Tastes
from nextclick.lake.paths import Lake
from nextclick.lake.sql import ask

_FORESEEN: Final = """
SELECT subject_id, calibrated, decile, model_version, horizon_s / 86400, map_keys(reasons)
FROM gold.predictions WHERE model = 'churn' ORDER BY calibrated DESC, subject_id
"""


def leaver(lake: Lake, tastes: Tastes) -> Leaver | None:
    """Of the people whom the generator made as people the likeliest to stay away; None where nobody was foreseen."""
    rows = ask(lake, _FORESEEN)[1]
    place = tastes.rows_of(np.array([row[0] for row in rows], dtype=str)) if rows else np.zeros(0, np.int64)
    known = [
        (row, at) for row, at in zip(rows, place.tolist(), strict=True) if at >= 0
    ]  # the others are the app's and of mails
    if not known:
        return None
    person, foreseen, _, version, days, reasons = known[0][0]
    true = tastes.stays_away(np.array([at for _, at in known]), days)
    tenth = np.array([row[2] == 10 for row, _ in known])
    return Leaver(
        person_id=person,
        model_version=version,
        days=days,
        foreseen=round(foreseen, 6),
        true=round(float(true[0]), 6),
        reasons=tuple(reasons),
        true_of_tenth=round(float(true[tenth].mean()), 6) if tenth.any() else 0.0,
        true_of_all=round(float(true.mean()), 6),
    )
