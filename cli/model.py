"""`nextclick model`: a registered model as a folder for servers that are not ours."""

from pathlib import Path

import click

from ml.registry import tracking
from ml.registry.champion import NAME
from nextclick import ctr
from nextclick.command import common_options, json_option, print_json
from nextclick.errors import UsageError
from nextclick.profile.predictions import NIGHTLY, SESSION
from nextclick.settings import Settings

MODELS = (NAME, ctr.FORESEEN, *NIGHTLY, SESSION)


@click.command("model")
@click.argument("name", type=click.Choice(MODELS))
@click.argument("folder", type=click.Path(path_type=Path))
@json_option
@common_options
def model(settings: Settings, name: str, folder: Path, as_json: bool) -> None:
    """Put the champion of a name into a new folder that MLflow, SageMaker and Vertex AI serve.

    \b
    nextclick model recommender served/recommender
    nextclick model churn served/churn --json
    mlflow models serve -m served/recommender --env-manager local     then POST /invocations

    Its files, code among them, are those that were registered, or nothing is written. docs/model-servers.md says what they answer.
    """
    if folder.exists():
        raise UsageError(f"{folder} is there already: name a new folder, or remove it first.")
    version = tracking.copy(settings.lake, name, folder.resolve())
    if as_json:
        print_json({"name": name, "version": version, "folder": str(folder)})
        return
    click.echo(f"{name} version {version} is in {folder}.")
