"""`nextclick model`: registered models, and one as a folder for servers that are not ours."""

from pathlib import Path

import click

from ml.registry import tracking
from nextclick.command import common_options, json_option, print_json
from nextclick.errors import UsageError
from nextclick.settings import Settings


@click.command("model")
@click.argument("name", required=False)
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@json_option
@common_options
def model(settings: Settings, name: str | None, folder: Path | None, as_json: bool) -> None:
    """Which models are champions; or the champion of a NAME in a new FOLDER, which MLflow, SageMaker and Vertex AI serve.

    \b
    nextclick model                                   each name and its version
    nextclick model recommender served/recommender
    nextclick model churn served/churn --json
    mlflow models serve -m served/recommender --env-manager local     then POST /invocations

    Its files, code among them, are those that were registered, or nothing is written. docs/model-servers.md says what they answer.
    """
    if name is None:
        _list(settings, as_json)
        return
    if folder is None:
        raise UsageError(f"Name a new folder for it: `nextclick model {name} FOLDER`.")
    if folder.exists():
        raise UsageError(f"{folder} is there already: name a new folder, or remove it first.")
    version = tracking.copy(settings.lake, name, folder.resolve())
    if as_json:
        print_json({"name": name, "version": version, "folder": str(folder)})
    else:
        click.echo(f"{name} version {version} is in {folder}.")


def _list(settings: Settings, as_json: bool) -> None:
    champions = tracking.champions(settings.lake)
    if as_json:
        print_json(champions)
        return
    for name, version in champions.items():
        click.echo(f"{name:<20} version {version}")
    if not champions:
        click.echo("No model is champion yet: `nextclick train`.")
