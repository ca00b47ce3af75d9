"""Nightly training: read, choose, judge, refit on everything, log, register and, through the gate, promote."""

import hashlib
import os
import resource
import time
from collections import ChainMap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import msgspec

from ml.data import interactions
from ml.data.interactions import Interactions, TableVersion
from ml.lists import similar_items
from ml.models.protocol import Stages, quiet
from ml.models.user_item.blend import Blend
from ml.models.user_item.popular import Popular
from ml.registry import artifact, champion, store, tracking
from ml.registry.artifact import AnyRecipe, Artifact, Card, SimilarSource
from ml.registry.champion import Attempt, Model, ModelStatus
from ml.report import figures, model_figures, report_page
from ml.selection import gate, model_candidates, select
from ml.selection.select import Selection
from nextclick.errors import ModelError
from nextclick.lake import files, locks
from nextclick.lake.lists_manifest import POPULAR
from nextclick.lake.paths import Lake
from nextclick.report import JobReport
from nextclick.settings import Settings

_CANDIDATE, _FALLBACK = "model/candidate/model", "model/popular"
"""Folders below the lake's state folder."""


@dataclass
class TrainingRun:
    """One training: what it reads, and how long each of its stages took."""

    settings: Settings
    pairs: Interactions
    source: TableVersion
    progress: Stages = quiet
    started: float = field(default_factory=time.time)
    seconds: dict[str, float] = field(default_factory=dict)
    likes: dict[str, float] = field(default_factory=dict)
    """HR@k of what could make similar items."""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start


def run(settings: Settings, progress: Stages = quiet, force: bool = False) -> JobReport:
    """Train on gold.interactions as it stands; the same data and settings are not trained on twice unless forced."""
    started = time.monotonic()
    with locks.hold(settings.lake.locks, "model", purpose="train"):
        _, source = interactions.open_table(settings)
        standing, key = champion.model_status(settings.lake), _key(settings, source)
        if not force and standing.attempt and standing.attempt.key == key and _is_there(settings, standing):
            return _report(standing, 0, started, reason="Nothing has changed since the last training.")
        reading = time.perf_counter()
        pairs, source = interactions.read(settings, version=source.version)
        if not len(pairs):
            return _report(
                standing, 0, started, reason=f"{source.path} holds no interaction of site {settings.site!r}."
            )
        store.check(settings.lake)  # before the minutes of a fit
        if model_candidates.fits_by_spark(settings, len(pairs)):
            from spark_jobs.session import open_session  # few need it, and it takes a second

            open_session(settings)
        training = TrainingRun(settings, pairs, source, progress, seconds={"read": time.perf_counter() - reading})
        standing = _train(training, key, standing)
        champion.write(settings.lake, standing)
    return _report(standing, len(pairs), started)


def fit(training: TrainingRun, personal: AnyRecipe, popular: Popular, similar: SimilarSource | None = None) -> Artifact:
    """Both recipes fitted on everything; `similar`: by what items are alike."""
    pairs = training.pairs
    card = Card(
        recipe=personal,
        popular=popular,
        similar=similar or SimilarSource(),
        site=training.settings.site,
        source=training.source,
        as_of=pairs.as_of,
        people=len(pairs.people),
        items=len(pairs.items),
    )
    model = personal.fit(pairs, training.settings.als.threads, partial(training.progress, "fit"))
    return Artifact(card, model, popular.fit(pairs), pairs.people, pairs.items, pairs.seen)


def _train(training: TrainingRun, key: str, standing: ModelStatus) -> ModelStatus:
    settings = training.settings
    reigning = _reigning(settings.lake, standing)
    with training.stage("evaluate"):
        chosen = select.choose(settings, training.pairs, reigning.recipe if reigning else None, training.progress)
    reasons = gate.judge(chosen.judged, chosen.name, chosen.champion, settings.gate, gate.is_personal(chosen.recipe))
    reasons += gate.leaks(chosen.test, chosen.validation, chosen.judged, chosen.name, settings.gate)
    with training.stage("similar items"):
        alike = similar_items.judge(settings, chosen.before, chosen.test, chosen.model)
    similar_source = alike.similar_source if alike else SimilarSource()
    with training.stage("fit"):
        fitted = fit(training, chosen.recipe, chosen.popular, similar_source)
    training.likes = similar_items.figures(alike, chosen.judged.k) if alike else {}
    model, broken = _enter(training, fitted, chosen, reigning, reasons)
    reasons += broken
    if not reasons:
        reigning, previous = tracking.promote(settings.lake, model.version)
    else:
        previous = tracking.champion(settings.lake, tracking.PREVIOUS)
    fallback = None if reigning else _fallback(training, chosen, similar_source)
    if not broken:
        compared = model_figures.of_training(settings, chosen.judged, chosen.name, model.version, chosen.popular_name)
        model_figures.add(settings, compared)
    attempt = Attempt(
        key=key,
        passed=not reasons,
        reasons=reasons,
        chosen=chosen.name,
        validation=chosen.recalls,
        skipped=chosen.skipped,
        doubt=chosen.doubt,
        metrics=model.metrics,
        seconds=training.seconds,
        run_id=model.run_id,
    )
    return ModelStatus(champion=reigning, previous=previous, fallback=fallback, attempt=attempt)


def _reigning(lake: Lake, standing: ModelStatus) -> Model | None:
    """The champion by MLflow, which first learns of a rollback that it missed."""
    if standing.owed:
        tracking.promote(lake, standing.champion.version if standing.champion else None)
    return tracking.champion(lake)


def _enter(
    training: TrainingRun, fitted: Artifact, chosen: Selection, reigning: Model | None, reasons: list[str]
) -> tuple[Model, list[str]]:
    """Save the model, read it back, inspect it, log and register it; returns its facts and what else is wrong with it."""
    settings, folder = training.settings, f"{training.settings.lake.shared}/{_CANDIDATE}"
    with training.stage("save"):
        digest = fitted.save(folder)
    model = _model(training, fitted, digest, _CANDIDATE, chosen.judged.flat(chosen.name))
    try:
        candidate = artifact.load(folder, digest)
    except ModelError as error:  # what cannot be read back is not registered
        broken = [str(error)]
        run_id = tracking.log(settings.lake, _run(training, chosen, model, reasons + broken))
        model = msgspec.structs.replace(model, run_id=run_id)
    else:
        broken = gate.inspect(candidate, training.pairs, reigning, settings.gate, chosen.judged.k, settings.als.seed)
        with training.stage("register"), files.folder(folder) as local:
            model = tracking.register(settings.lake, _run(training, chosen, model, reasons + broken), local, model)
    files.remove(os.path.dirname(folder))  # the registry has its own copy
    return model, broken


def _model(training: TrainingRun, fitted: Artifact, digest: str, folder: str, metrics: dict[str, float]) -> Model:
    return Model(
        version=POPULAR,
        run_id=None,
        recipe=fitted.card.recipe,
        metrics=metrics,
        interactions_version=training.source.version,
        interactions_id=training.source.table_id,
        as_of=fitted.card.as_of,
        artifact=folder,
        digest=digest,
    )


def _run(training: TrainingRun, chosen: Selection, model: Model, reasons: list[str]) -> tracking.Run:
    pages = _pages(training, chosen, reasons)
    skipped = {f"skipped.{name}": reason for name, reason in chosen.skipped.items()}
    card = artifact.read_card(f"{training.settings.lake.shared}/{model.artifact}")
    return tracking.Run(
        name="train",
        source=training.source,
        digest=card.ids_digest,
        started=training.started,
        params={
            **_parameters(model.recipe),
            "chosen": chosen.name,
            "popular": chosen.popular_name,
            "k": chosen.judged.k,
            "judged_people": chosen.judged.people,
            **similar_items.words(card.similar),
        },
        metrics={**model.metrics, **_validation(chosen.recalls, chosen.judged.k), **training.likes, **_costs(training)},
        tags={"gate": "failed" if reasons else "passed", "gate.reasons": "; ".join(reasons), "doubt": chosen.doubt}
        | skipped,
        pages=pages,
    )


def _pages(training: TrainingRun, chosen: Selection, reasons: list[str]) -> dict[str, str]:
    """The report, where it is wanted."""
    settings, source = training.settings, training.source
    if not settings.report.enabled:
        return {}
    with training.stage("report"):
        title = f"Training on version {source.version} of gold.interactions, site {settings.site}"
        shown = figures.facts(settings, title, chosen, reasons, training.seconds["fit"], training.progress)
        return {"report.html": report_page.page(shown)}


def _parameters(recipe: AnyRecipe, prefix: str = "") -> dict[str, object]:
    """Of a blend those of each member, by its number."""
    if not isinstance(recipe, Blend):
        return {f"{prefix}{name}": value for name, value in msgspec.to_builtins(recipe).items()}
    members = [_parameters(member, f"{at}.") for at, member in enumerate(recipe.members)]
    return {"model": "blend", "weights": recipe.weights, "depth": recipe.depth} | dict(ChainMap(*members))


def _validation(recalls: dict[str, float], k: int) -> dict[str, float]:
    return {f"validation.{name}.recall@{k}": recall for name, recall in recalls.items()}


def _costs(training: TrainingRun) -> dict[str, float]:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds = {f"seconds.{stage}": seconds for stage, seconds in training.seconds.items()}
    return {**seconds, "seconds": time.time() - training.started, "peak_memory_mb": peak}


def _fallback(training: TrainingRun, chosen: Selection, similar_source: SimilarSource) -> Model:
    """Popular lists, kept as a model that nobody registered."""
    fitted = fit(training, chosen.popular, chosen.popular, similar_source)
    digest = fitted.save(f"{training.settings.lake.shared}/{_FALLBACK}")
    return _model(training, fitted, digest, _FALLBACK, chosen.judged.flat(chosen.popular_name))


def _key(settings: Settings, source: TableVersion) -> str:
    decides = (
        source.table_id,
        source.version,
        settings.site,
        model_candidates.personal_recipes(settings),
        model_candidates.popular_recipes(settings),
        settings.evaluation,
        settings.gate,
        settings.spark.fit_from,
    )
    return hashlib.sha256(msgspec.json.encode(decides)).hexdigest()


def _is_there(settings: Settings, standing: ModelStatus) -> bool:
    return standing.served is not None and files.exists(f"{settings.lake.shared}/{standing.served.artifact}/card.json")


def _report(standing: ModelStatus, read: int, started: float, reason: str | None = None) -> JobReport:
    attempt = standing.attempt
    if reason is None and attempt and not attempt.passed:
        reason = "; ".join(attempt.reasons)
    return JobReport(
        job="train",
        read=read,
        written=int(bool(read and attempt and attempt.passed)),
        seconds=time.monotonic() - started,
        details={
            "champion": standing.champion.version if standing.champion else None,
            "passed": int(attempt.passed) if attempt else None,
            "reason": reason,
            "chosen": attempt.chosen if attempt else None,
            "doubt": (attempt.doubt or None) if attempt else None,
            **({f"validation.{name}": recall for name, recall in attempt.validation.items()} if attempt else {}),
            **({f"skipped.{name}": why for name, why in attempt.skipped.items()} if attempt else {}),
            **(attempt.metrics if attempt else {}),
            **({f"seconds.{stage}": seconds for stage, seconds in attempt.seconds.items()} if attempt and read else {}),
        },
    )
