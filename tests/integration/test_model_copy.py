"""`nextclick model`: a registered model as a folder of its own, or nothing."""

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from cli.model import model
from ml.jobs import train
from nextclick.command import CommandContext
from nextclick.errors import ModelError, UsageError
from nextclick.settings import load


def call(lake: Path, *words: str) -> Result:
    return CliRunner().invoke(model, words, obj=CommandContext(lake=str(lake), profile="test"))


def test_the_folder_needs_nothing_of_the_lake(trained_template: Path, tmp_path: Path) -> None:
    import mlflow.pyfunc

    folder = tmp_path / "copies" / "recommender"
    done = call(trained_template, "recommender", str(folder), "--json")
    assert json.loads(done.stdout) == {"name": "recommender", "version": "1", "folder": str(folder)}
    assert {"MLmodel", "pyfunc.py", "requirements.txt", "artifacts"} <= {path.name for path in folder.iterdir()}
    assert not list(folder.rglob("*.pyc"))
    answers = mlflow.pyfunc.load_model(str(folder)).predict(pd.DataFrame({"person_id": ["p7"]}), params={"n": 3})
    assert len(answers["items"][0]) == 3


def test_what_is_there_is_not_written_over(trained_template: Path, tmp_path: Path) -> None:
    done = call(trained_template, "recommender", str(tmp_path))
    assert isinstance(done.exception, UsageError)
    assert "is there already" in str(done.exception)


def test_who_names_none_is_told_which_there_are(trained_template: Path, tmp_path: Path) -> None:
    assert json.loads(call(trained_template, "--json").stdout) == {"recommender": "1"}
    assert call(trained_template).stdout == "recommender          version 1\n"
    done = call(trained_template, "recommender")
    assert isinstance(done.exception, UsageError)
    assert str(done.exception) == "Name a new folder for it: `nextclick model recommender FOLDER`."


def test_a_model_that_never_passed_is_no_folder(trained_template: Path, tmp_path: Path) -> None:
    done = call(trained_template, "churn", str(tmp_path / "churn"))
    assert isinstance(done.exception, ModelError)
    assert str(done.exception).startswith("No version of churn is champion. There are: recommender. ")
    assert not (tmp_path / "churn").exists()


def test_a_file_that_was_changed_is_not_copied(trained: Path, tmp_path: Path) -> None:
    train.run(load(trained, profile="test", environ={}), force=True)  # the files of the first are the template's
    newest = max((trained / "_state" / "mlartifacts").rglob("pyfunc.py"), key=lambda path: path.stat().st_mtime)
    newest.write_text(newest.read_text() + "\n")
    with pytest.raises(ModelError, match="not the files that were registered"):
        raise call(trained, "recommender", str(tmp_path / "copy")).exception or AssertionError
    assert not (tmp_path / "copy").exists()
