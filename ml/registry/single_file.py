"""Models that are one file (coefficients as JSON, trees as text) in MLflow: a run and a registered version each, pinned by digests."""

import tempfile
from collections.abc import Callable
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any, NamedTuple

from ml.registry import pinned
from ml.registry.store import connected
from ml.registry.tracking import CHALLENGER, CHAMPION, Run, begin, log_model
from nextclick.lake.paths import Lake


class SingleFile(NamedTuple):
    """What is registered."""

    name: str
    stored: bytes
    code: str
    """The file beside this one that MLflow runs: it reads the artifact `model`."""
    columns: tuple[str, ...]
    output: str
    packages: tuple[str, ...]
    """What the code needs."""


def register(
    lake: Lake, run: Run, model: SingleFile, champion: bool, also: Callable[[Any, str], None] = lambda *_: None
) -> str:
    """Log a run with its model, and register it, as `champion` if it passed; returns its version.

    `also` is called with the client and the id of the run.
    """
    with connected(lake) as client, tempfile.TemporaryDirectory() as folder:
        run_id = begin(client, lake, run)
        also(client, run_id)
        if not client.search_registered_models(f"name = '{model.name}'"):
            client.create_registered_model(model.name)
        stored = Path(folder) / "model"
        stored.write_bytes(model.stored)
        info = log_model(
            client,
            run_id,
            run,
            name=model.name,
            python_model=str(Path(__file__).with_name(model.code)),
            artifacts={"model": str(stored)},
            signature=_signature(model.columns, model.output),
            pip_requirements=[f"{name}=={installed(name)}" for name in model.packages],
        )
        version = str(client.create_model_version(model.name, info.model_uri, run_id, model_id=info.model_id).version)
        with pinned.folder(client, info.model_id) as kept:
            pinned.pin(client, model.name, version, kept)
        for alias in (CHALLENGER, *((CHAMPION,) if champion else ())):
            client.set_registered_model_alias(model.name, alias, version)
        return version


def _signature(names: tuple[str, ...], output: str) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    columns = Schema([ColSpec(DataType.double, name) for name in names])
    return ModelSignature(columns, Schema([ColSpec(DataType.double, output)]))
