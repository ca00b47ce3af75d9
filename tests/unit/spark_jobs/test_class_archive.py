"""The archive of Java classes: taken where it is, made anew for another Java, and nothing half-made is left."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nextclick.errors import SetupError
from spark_jobs import class_archive


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(class_archive, "FOLDER", tmp_path)
    monkeypatch.setattr(class_archive, "ARCHIVE", tmp_path / "classes.jsa")
    monkeypatch.setattr(class_archive, "_MADE_FOR", tmp_path / "classes.txt")
    return tmp_path


@pytest.fixture
def job(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """`job(script)`: a shell script instead of the Python that runs a job; its last argument is the file to write."""

    def says(script: str) -> None:
        program = folder / "python"
        program.write_text(f"#!/bin/sh\nfor file; do :; done\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))

    return says


def test_an_archive_is_made_once_for_a_java_and_then_mapped(folder: Path, job: Callable[[str], None]) -> None:
    assert class_archive.java_options() == ()
    assert class_archive.wanting("17.0.1")
    job('(sleep 0.2; echo classes > "$file") & exit 0')  # the JVM ends after the Python that started it
    assert class_archive.make("17.0.1")
    assert class_archive.java_options()[0] == f"-XX:SharedArchiveFile={folder}/classes.jsa"
    assert not class_archive.wanting("17.0.1")
    assert class_archive.wanting("17.0.2")


def test_a_java_that_makes_none_is_not_asked_again(folder: Path, job: Callable[[str], None]) -> None:
    job("exit 0")
    assert not class_archive.make("17.0.1")
    assert class_archive.java_options() == ()
    assert not class_archive.wanting("17.0.1")


def test_a_job_that_fails_is_told_and_tried_again(folder: Path, job: Callable[[str], None]) -> None:
    job("echo no memory >&2; exit 1")
    with pytest.raises(SetupError, match="no memory"):
        class_archive.make("17.0.1")
    assert class_archive.wanting("17.0.1")
    assert [path.name for path in folder.iterdir()] == ["python"]
