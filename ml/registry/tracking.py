"""MLflow, and nothing but MLflow: runs, the registered model `recommender`, the alias `champion`.

The only importer of mlflow, and only inside functions: it takes seconds. Where it keeps
them is known to `store`.
"""

import os
import platform
import shutil
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from ml.data.interactions import TableVersion
from ml.registry import pinned
from ml.registry.champion import NAME, Model
from ml.registry.store import OWNER, connected
from nextclick.errors import ModelError
from nextclick.lake import files
from nextclick.lake.paths import Lake

CHAMPION, PREVIOUS, CHALLENGER = "champion", "previous", "challenger"
"""Aliases of the registered model: what is served, what was served before it, the last that was trained."""

_FACTS = "nextclick.model"
_PACKAGES = ("implicit", "numpy", "scipy", "pyarrow", "deltalake", "mlflow")


class Run(NamedTuple):
    """What one run leaves in MLflow."""

    name: str
    source: TableVersion
    digest: str
    """Of the id maps: people and items, in order."""
    started: float
    """Seconds since 1970-01-01 UTC."""
    params: Mapping[str, object]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    pages: Mapping[str, str] = {}
    """Texts that are kept with it, by file name."""


def champion(lake: Lake, alias: str = CHAMPION) -> Model | None:
    """The facts of the version that has the alias, as the registry knows them."""
    with connected(lake) as client:
        version = _by_alias(client, alias)
        return _facts(version) if version else None


def log(lake: Lake, run: Run) -> str:
    """Log a run without a model; returns its id."""
    with connected(lake) as client:
        run_id = begin(client, lake, run)
        _measure(client, run_id, run)
        client.set_terminated(run_id)
        return run_id


def register(lake: Lake, run: Run, folder: Path, facts: Model) -> Model:
    """Log a run with its model, and register it as the next version; returns its facts, completed."""
    with connected(lake) as client:
        run_id = begin(client, lake, run)
        info = log_model(
            client,
            run_id,
            run,
            name="model",
            python_model=str(Path(__file__).with_name("pyfunc.py")),
            artifacts={"model": str(folder)},
            signature=_signature(),
            pip_requirements=[f"{name}=={installed(name)}" for name in ("numpy", "pandas", "scipy")],
        )
        if not client.search_registered_models(f"name = '{NAME}'"):
            client.create_registered_model(NAME)
        version = client.create_model_version(NAME, info.model_uri, run_id, model_id=info.model_id).version
        with pinned.folder(client, info.model_id) as kept:
            pinned.pin(client, NAME, version, kept)
            place = _place(lake, info.model_id, kept / "artifacts" / folder.name)
        facts = msgspec.structs.replace(facts, version=str(version), run_id=run_id, artifact=place)
        client.set_model_version_tag(NAME, version, _FACTS, msgspec.json.encode(facts).decode())
        client.set_registered_model_alias(NAME, CHALLENGER, version)
        return facts


def _place(lake: Lake, model_id: str, registered: Path) -> str:
    """Where the model's files are, below `Lake.shared`: as MLflow keeps them, or a copy of what it keeps elsewhere."""
    if registered.is_relative_to(lake.shared):
        return str(registered.relative_to(lake.shared))
    place = f"model/registered/{model_id}"
    with files.new_folder(f"{lake.shared}/{place}") as copy:
        shutil.copytree(registered, copy, dirs_exist_ok=True)
    return place


def load(lake: Lake, name: str = NAME, alias: str = CHAMPION) -> Any:
    """The version with the alias as MLflow's pyfunc model; ModelError where its files are not those registered, before any is run.

    `load(settings.lake).predict(pandas.DataFrame({"person_id": ["42"]}))`
    """
    import mlflow.pyfunc

    with connected(lake) as client:
        version = client.get_model_version_by_alias(name, alias)
        with pinned.checked(client, version) as folder, pinned.only_source():
            return mlflow.pyfunc.load_model(str(folder))


def copy(lake: Lake, name: str, goal: Path) -> str:
    """Put the champion of a name, checked, into a new folder of MLflow's own form, which needs no registry; returns its version."""
    with connected(lake) as client:
        version = _by_alias(client, CHAMPION, name)
        if version is None:
            there = ", ".join(_champions(client)) or "none"
            raise ModelError(
                f"No version of {name} is champion. There are: {there}. `nextclick train` says why one did not pass."
            )
        with pinned.checked(client, version) as kept, files.new_folder(str(goal)) as draft:
            shutil.copytree(
                kept, draft, dirs_exist_ok=True, ignore=shutil.ignore_patterns(pinned.NOTE, pinned.BYTECODE)
            )
        return str(version.version)


def champions(lake: Lake) -> dict[str, str]:
    """Name → version of the registered models that passed."""
    with connected(lake) as client:
        return _champions(client)


def _champions(client: Any) -> dict[str, str]:
    registered = client.search_registered_models(order_by=["name"])
    return {model.name: str(model.aliases[CHAMPION]) for model in registered if CHAMPION in model.aliases}


def promote(lake: Lake, version: str | None) -> tuple[Model | None, Model | None]:
    """Make `version` champion (None: nobody); who was champion is `previous` from now on. Returns both."""
    with connected(lake) as client:
        before = _by_alias(client, CHAMPION)
        if before is not None and str(before.version) != version:
            client.set_registered_model_alias(NAME, PREVIOUS, before.version)
        if version is not None:
            client.set_registered_model_alias(NAME, CHAMPION, version)
        elif before is not None:
            client.delete_registered_model_alias(NAME, CHAMPION)
        now, then = (_by_alias(client, alias) for alias in (CHAMPION, PREVIOUS))
        return _facts(now) if now else None, _facts(then) if then else None


def begin(client: Any, lake: Lake, run: Run) -> str:
    """A run with all but its figures, still running; returns its id."""
    from mlflow.entities import Param

    created = client.create_run(_experiment(client, lake), _milliseconds(run), dict(run.tags), run.name)
    run_id: str = created.info.run_id
    client.log_batch(run_id, params=[Param(name, str(value)) for name, value in run.params.items()])
    client.log_inputs(run_id, [_dataset(run)])
    client.log_dict(run_id, _environment(), "environment.json")
    for name, page in run.pages.items():
        client.log_text(run_id, page, name)
    return run_id


def log_model(client: Any, run_id: str, run: Run, **model: Any) -> Any:
    """Log the model of a run that began, and end the run; `model` are the arguments of MLflow's `log_model`, whose facts are returned.

    The figures follow the model, whose they are too: MLflow would ask for the history of each that it found, one by one.
    """
    import mlflow.pyfunc

    with mlflow.start_run(run_id), _without_advice():
        info = mlflow.pyfunc.log_model(**model)
        _measure(client, run_id, run, info.model_id)
    return info


def _measure(client: Any, run_id: str, run: Run, model_id: str | None = None) -> None:
    from mlflow.entities import Metric

    at = _milliseconds(run)
    figures = [Metric(_metric(name), value, at, 0, model_id, run_id=run_id) for name, value in run.metrics.items()]
    client.log_batch(run_id, metrics=figures)


def _milliseconds(run: Run) -> int:
    return int(run.started * 1000)


def _experiment(client: Any, lake: Lake) -> str:
    """The lake's experiment; of a lake that was moved another one, since an experiment cannot change its place."""
    place = lake.mlflow_artifacts
    for name in (NAME, f"{NAME} in {lake.root}"):
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            return str(client.create_experiment(name, place or None, {OWNER: lake.data}))
        if not place or experiment.artifact_location == place:
            break
    return str(experiment.experiment_id)


def _dataset(run: Run) -> Any:
    from mlflow.data.delta_dataset_source import DeltaDatasetSource
    from mlflow.data.meta_dataset import MetaDataset
    from mlflow.entities import DatasetInput, InputTag

    source = DeltaDatasetSource(path=run.source.path, delta_table_version=run.source.version)
    name = ".".join(Path(run.source.path).parts[-2:])  # LAYER.TABLE
    dataset = MetaDataset(source, name=name, digest=run.digest[:36])  # type: ignore[abstract]
    tags = {"mlflow.data.context": run.name, "delta_table_version": str(run.source.version)}  # the source omits a 0
    return DatasetInput(dataset._to_mlflow_entity(), tags=[InputTag(*tag) for tag in tags.items()])


def _environment() -> dict[str, Any]:
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "packages": {name: installed(name) for name in _PACKAGES},
    }


def _signature() -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import Array

    person = ColSpec(DataType.string, "person_id")
    lists = [ColSpec(Array(DataType.string), "items"), ColSpec(Array(DataType.double), "scores")]
    outputs = Schema([person, *lists, ColSpec(DataType.string, "source")])
    return ModelSignature(Schema([person]), outputs, ParamSchema([ParamSpec("n", DataType.long, 10)]))


def _by_alias(client: Any, alias: str, name: str = NAME) -> Any:
    """The version that has the alias; None without the model or the alias."""
    from mlflow import MlflowException
    from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST, ErrorCode

    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        if error.error_code in (ErrorCode.Name(INVALID_PARAMETER_VALUE), ErrorCode.Name(RESOURCE_DOES_NOT_EXIST)):
            return None
        raise


def _facts(version: Any) -> Model:
    text = version.tags.get(_FACTS)
    if text is None:
        raise ModelError(
            f"Version {version.version} of {NAME} was not registered by nextclick: it lacks the tag {_FACTS}. "
            f"Give the alias {CHAMPION} to one that has it, or call `nextclick train`."
        )
    return msgspec.json.decode(text, type=Model)


def _metric(name: str) -> str:
    """MLflow allows no @ in a name."""
    return name.replace("@", "_at_")


@contextmanager
def _without_advice() -> Iterator[None]:
    """MLflow advises on type hints and examples; the signature is given here by hand."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
