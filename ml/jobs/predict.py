"""What people will do: learn it from silver.events, judge it, and write gold.predictions for everybody who was active lately.

docs/predictions.md says what a prediction must show. What does not pass is served as counted rates, and says so.
"""

import hashlib
import time
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from ml.data.interactions import TableVersion
from ml.models.protocol import Stages, quiet
from ml.predictions import judge, nightly, people, sessions
from ml.predictions.foreseen import Foreseen
from ml.predictions.frames import NUMBERS, WORDS, Frame, frame
from ml.predictions.history import KnownEvents, open_history
from ml.registry import linear, store, tracking
from nextclick.contracts import arrow
from nextclick.contracts.gold import PREDICTIONS
from nextclick.contracts.silver import EVENTS, USER_AGENTS
from nextclick.identity import persons
from nextclick.lake import commits, delta, duck, files, locks
from nextclick.lake.paths import Lake
from nextclick.profile import predictions
from nextclick.profile.predict_features import TERMS
from nextclick.profile.predictions import COUNTED, NIGHTLY, SESSION, Name, Predictions, Predictor, Standing
from nextclick.report import JobReport
from nextclick.settings import Settings

Outcomes = Mapping[Name, Foreseen | str]


def run(settings: Settings, progress: Stages = quiet, force: bool = False) -> JobReport:
    """Learn, judge and score anew where data or settings have changed; TableMissing without silver.events."""
    started, lake = time.monotonic(), settings.lake
    with locks.hold(lake.locks, PREDICTIONS.name, purpose=PREDICTIONS.job):
        key, before = _key(settings), predictions.read(lake)
        if not force and before and before.key == key and delta.exists(lake, PREDICTIONS.name):
            return _report(before, 0, started, "Nothing has changed since the last training.")
        store.check(lake)
        progress("predictions", 0, 3)
        with (
            duck.answering(lake, "What people will do") as database,
            threadpool_limits(1, "blas"),  # two dozen columns: threads of its own cost more than they take over
        ):
            history = open_history(database, settings)
            if history is None:
                commits.create(lake, PREDICTIONS)
                return _report(None, 0, started, "Nobody was there yet.")
            outcomes: Outcomes = {
                **nightly.foresee(database, settings, history),
                SESSION: sessions.foresee(database, settings, history),
            }
            progress("predictions", 1, 3)
            now = frame(database, settings.site, history.newest + 1, nightly.window(settings, {}))
        kept = _register(lake, history, key, outcomes)
        progress("predictions", 2, 3)
        version = _write(lake, settings.site, history, now, [kept[name][0] for name in NIGHTLY if name in kept])
        outcome = Predictions(
            key=key,
            as_of=now.as_of,
            table_version=version,
            served={name: standing for name, (_, standing) in kept.items()},
            absent={name: one for name, one in outcomes.items() if isinstance(one, str)},
        )
        files.write(predictions.address(lake, "status"), msgspec.json.format(msgspec.json.encode(outcome)))
        progress("predictions", 3, 3)
    return _report(outcome, len(now), started)


def _register(lake: Lake, history: KnownEvents, key: str, outcomes: Outcomes) -> dict[Name, tuple[Predictor, Standing]]:
    """What is served of each prediction, with its version; in MLflow a run of each, and a registered model of what passed."""
    kept = {}
    for name, one in outcomes.items():
        if isinstance(one, str):
            continue
        run = tracking.Run(
            name=f"predict {name}",
            source=TableVersion(lake.table(EVENTS.name), history.version, history.table_id),
            digest=key,
            started=time.time(),
            params={"horizon_s": one.model.horizon_s, "terms": len(one.model.coefficients)},
            metrics=one.metrics,
            tags={"gate": "failed" if one.reasons else "passed", "gate.reasons": "; ".join(one.reasons)},
        )
        version = COUNTED
        if one.reasons:
            tracking.log(lake, run)
        else:
            columns = tuple(one.model.coefficients)
            stored = linear.LinearModel(name, predictions.encode(one.model), columns)
            version = linear.register(lake, run, stored, one.reliability, champion=True)
        model = msgspec.structs.replace(one.model, version=version)
        encoded = predictions.encode(model)
        files.write(predictions.address(lake, name), encoded)
        standing = Standing(
            version=version, digest=predictions.digest(encoded), reasons=one.reasons, metrics=one.metrics
        )
        kept[name] = predictions.decode(encoded), standing
    return kept


def _write(lake: Lake, site: str, history: KnownEvents, now: Frame, models: list[Predictor]) -> int:
    """All rows anew, in one commit; returns the table's version."""
    schema = arrow.schema(PREDICTIONS)
    rows = [schema.empty_table(), *(_rows(site, history, now, model) for model in models if len(now))]
    commits.write(lake, PREDICTIONS, pa.concat_tables(rows), "overwrite")
    return int(delta.require(lake, PREDICTIONS.name).version())


def _rows(site: str, history: KnownEvents, now: Frame, model: Predictor) -> pa.Table:
    terms = people.terms(now, people.named(model))
    odds = model.odds(terms)
    probability = model.probability(odds)
    place = np.empty(len(now), np.int64)
    place[np.argsort(probability, kind="stable")] = np.arange(len(now))
    kinds = ["visitor" if person.startswith(persons.VISITOR) else "person" for person in now.people.to_pylist()]
    columns: dict[str, Any] = {
        "site": [site] * len(now),
        "model": [model.name] * len(now),
        "model_version": [model.version] * len(now),
        "subject_kind": kinds,
        "subject_id": now.people,
        "as_of": np.full(len(now), now.as_of, "datetime64[us]"),
        "horizon_s": np.full(len(now), model.horizon_s),
        "score": odds,
        "calibrated": probability,
        "decile": (1 + place * 10 // len(now)).astype(np.int32),
        "reasons": people.reasons(model, terms),
        "source_version": np.full(len(now), history.version),
    }
    schema = arrow.schema(PREDICTIONS)
    arrays = [_array(columns[field.name], field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    return values if isinstance(values, pa.Array) else pa.array(values, kind)


def _key(settings: Settings) -> str:
    """Digest of all that decides the outcome."""
    tables = [delta.require(settings.lake, EVENTS.name), delta.open_table(settings.lake, USER_AGENTS.name)]
    versions = [(str(table.metadata().id), table.version()) for table in tables if table]
    decides = (
        versions,
        settings.site,
        settings.predictions,
        settings.sessions,
        settings.consent,
        settings.live.keep_days,
        sorted(settings.events.nobody_words),
        (*NUMBERS, *WORDS, *TERMS),
    )
    return hashlib.sha256(msgspec.json.encode(decides)).hexdigest()


def _said(standing: Standing) -> list[str]:
    """Why counted rates are served, and whether people have changed."""
    shift = standing.metrics["psi"]
    moved = f"its scores are spread otherwise than when it was learned (PSI {shift:.2f})"
    return [*standing.reasons, *([moved] if shift > judge.MAX_PSI else [])]


def _report(outcome: Predictions | None, people_scored: int, started: float, reason: str | None = None) -> JobReport:
    """Of each prediction its version, or why there is none, or why counted rates are served."""
    details: dict[str, Any] = {"reason": reason}
    if outcome:
        details |= {name: f"version {one.version}" for name, one in outcome.served.items()}
        details |= {
            f"{name}.{key}": value for name, one in outcome.served.items() for key, value in one.metrics.items()
        }
        why = {name: "; ".join(said) for name, one in outcome.served.items() if (said := _said(one))} | outcome.absent
        details["reason"] = reason or "; ".join(f"{name}: {text.rstrip('.')}" for name, text in why.items()) or None
    written = people_scored * sum(name in NIGHTLY for name in outcome.served) if outcome else 0
    return JobReport(
        job=PREDICTIONS.job, read=people_scored, written=written, seconds=time.monotonic() - started, details=details
    )
