"""Parameters by trial: an Optuna study a recipe, on the validation part of what was learned from.

The test part is never asked (ml/selection/select.py draws the parts), so the figures of a model
that was tuned are as honest as those of one that was not. Studies lie in a SQLite store
of their own below the lake's state folder and go on where they stopped; each belongs to
one version of gold.interactions, and one of newer data begins with what the one before
it had found. What is found is used from the next training on (ml/selection/model_candidates.py).
"""

import hashlib
import time
import warnings
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from ml.data import interactions, split
from ml.data.interactions import Interactions, Rows, TableVersion
from ml.data.split import Split
from ml.evaluation import evaluate
from ml.models import registry
from ml.models.protocol import Progress, Stages, quiet
from ml.models.registry import Range, Space
from ml.models.user_item.blend import Member
from ml.registry import tracking
from ml.registry.artifact import AnyRecipe
from ml.selection import model_candidates, select
from ml.selection.model_candidates import TunedRecipe
from nextclick.errors import ModelError
from nextclick.lake import locks
from nextclick.report import JobReport
from nextclick.settings import Settings

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

_FIRST = 8
"""Trials drawn at random before the sampler (TPE; Bergstra et al., NIPS 2011) has something to go by."""


@dataclass(frozen=True)
class Bench:
    """What every trial is tried on."""

    settings: Settings
    source: TableVersion
    part: Split
    people: Rows

    @property
    def key(self) -> str:
        """Digest of what decides a trial's value besides its parameters."""
        decides = (self.source.table_id, self.source.version, self.settings.site, self.settings.evaluation)
        return hashlib.sha256(msgspec.json.encode(decides)).hexdigest()[:12]

    def value(self, recipe: AnyRecipe) -> float:
        """recall@k on the validation part."""
        k = self.settings.evaluation.k
        model = recipe.fit(self.part.train, self.settings.als.threads)
        return evaluate.judge(evaluate.listed(model, self.part, self.people, k), self.part, self.people)[f"recall@{k}"]


def run(settings: Settings, minutes: float, trials: int | None = None, progress: Stages = quiet) -> JobReport:
    """Try parameters for at most `minutes`, and `trials` of each recipe; called again, it goes on.

    A trial that has begun is ended. Raises ModelError where there is too little to judge by.
    """
    started = time.time()
    with locks.hold(settings.lake.locks, "tuning", purpose="tune"):
        bench, pairs = _bench(settings)
        before, results = model_candidates.tuned(settings.lake), {}
        recipes = _recipes(settings, pairs)
        spaces = {name: registry.of(recipe).space(recipe) for name, recipe in recipes.items()}
        tunable = {name: space for name, space in spaces.items() if space.ranges}
        for place, (name, space) in enumerate(tunable.items()):
            seconds = (minutes * 60 - (time.time() - started)) / (len(tunable) - place)
            study = _study(settings, name, bench)
            begin = [recipes[name], *([before[name].recipe] if name in before else [])]
            _optimize(study, bench, begin, space, seconds, trials, partial(progress, name))
            if _complete(study):
                results[name] = _best(study, bench, recipes[name])
                model_candidates.keep(settings.lake, {**before, **results})  # an interruption keeps what is done
        run_id = _log(bench, pairs, results, started)
    return JobReport(
        job="tune",
        read=len(pairs),
        written=sum(one.before is None or one.value > one.before for one in results.values()),
        seconds=time.time() - started,
        details=_details(results, settings.evaluation.k) | {"mlflow": run_id},
    )


def _recipes(settings: Settings, pairs: Interactions) -> dict[str, Member]:
    """What the candidates are made of, as the settings have it."""
    candidates = select.affordable(settings, pairs)[0].values()
    kinds = {type(member) for recipe in candidates for member in model_candidates.members(recipe)}
    personal = {name: one for name, one in model_candidates.default_personal(settings).items() if type(one) in kinds}
    return {**registry.default_popular(settings), **personal}


def _bench(settings: Settings) -> tuple[Bench, Interactions]:
    pairs, source = interactions.read(settings)
    part = select.before(settings, pairs, split.by_time(pairs, settings.evaluation.test_share))
    people = part.people(settings.evaluation.max_people, settings.als.seed)
    if len(people) < evaluate.MIN_PEOPLE:
        raise ModelError(
            f"{source.path} holds too little to tune by: {len(people)} people can be judged on the validation part, "
            f"of {evaluate.MIN_PEOPLE} needed. Call `nextclick tune` again when more has come in."
        )
    return Bench(settings, source, part, people), pairs


def _study(settings: Settings, name: str, bench: Bench) -> "Study":
    """The study of this recipe on these data, as far as it has come."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=settings.lake.database("tuning"),
        study_name=f"{name} {bench.key}",
        direction="maximize",
        load_if_exists=True,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # multivariate sampling is called experimental
        study.sampler = optuna.samplers.TPESampler(  # seeded by how far it has come: a call goes on, it does not repeat
            seed=settings.als.seed + len(study.trials), multivariate=True, n_startup_trials=_FIRST
        )
    return study


def _optimize(
    study: "Study",
    bench: Bench,
    begin: list[AnyRecipe],
    space: Space,
    seconds: float,
    trials: int | None,
    progress: Progress,
) -> None:
    """Trials until the time is over or there were enough; the recipes of `begin` come first."""
    for recipe in begin:
        study.enqueue_trial(_parameters(recipe, space), skip_if_exists=True)
    done = len(_complete(study))
    more = max(space.enough - done, 0) if trials is None else trials

    def objective(trial: "Trial") -> float:
        parameters = {name: _suggest(trial, name, range_) for name, range_ in space.ranges.items()}
        return bench.value(msgspec.structs.replace(begin[0], **parameters))

    study.optimize(
        objective,
        n_trials=more,
        timeout=max(seconds, 0.0),
        catch=(ModelError, MemoryError),
        callbacks=[lambda study, _: progress(len(_complete(study)) - done, more)],
    )


def _suggest(trial: "Trial", name: str, range_: Range) -> float:
    if isinstance(range_.low, int):
        return trial.suggest_int(name, range_.low, int(range_.high), log=True)
    return trial.suggest_float(name, range_.low, range_.high, log=True)


def _parameters(recipe: AnyRecipe, space: Space) -> dict[str, float]:
    return {name: getattr(recipe, name) for name in space.ranges}


def _complete(study: "Study") -> list["FrozenTrial"]:
    return [trial for trial in study.trials if trial.value is not None]


def _best(study: "Study", bench: Bench, default: AnyRecipe) -> TunedRecipe:
    done = _complete(study)
    same = [trial for trial in done if all(getattr(default, name) == one for name, one in trial.params.items())]
    best = study.best_trial
    return TunedRecipe(
        recipe=msgspec.structs.replace(default, **best.params),
        value=study.best_value,
        before=same[0].value if same else None,
        trials=len(done),
        interactions_version=bench.source.version,
    )


def _details(results: dict[str, TunedRecipe], k: int) -> dict[str, str | int | float | None]:
    facts: dict[str, str | int | float | None] = {}
    for name, one in results.items():
        facts |= {f"{name}.recall@{k}": one.value, f"{name}.before": one.before, f"{name}.trials": one.trials}
        facts |= {f"{name}.{key}": value for key, value in msgspec.to_builtins(one.recipe).items() if key != "model"}
    return facts


def _log(bench: Bench, pairs: Interactions, results: dict[str, TunedRecipe], started: float) -> str:
    """One run in MLflow: the best parameters and what they are worth."""
    settings, facts = bench.settings, _details(results, bench.settings.evaluation.k)
    ids = msgspec.json.encode([pairs.people.ids.to_pylist(), pairs.items.ids.to_pylist()])
    measured = {
        key: float(value) for key, value in facts.items() if isinstance(value, float | int) and _is_measured(key)
    }
    run = tracking.Run(
        name="tune",
        source=bench.source,
        digest=hashlib.sha256(ids).hexdigest(),
        started=started,
        params={key: value for key, value in facts.items() if not _is_measured(key)},
        metrics=measured | {"seconds": time.time() - started},
        tags={"study": bench.key, "store": "tuning.db"},
    )
    return tracking.log(settings.lake, run)


def _is_measured(key: str) -> bool:
    return key.partition(".")[2].partition("@")[0] in {"recall", "before", "trials"}
