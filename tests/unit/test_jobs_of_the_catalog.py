"""A table is named in its contract, the catalog and its job; whatever runs jobs knows it from there."""

import pkgutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dagster import AssetsDefinition, ResourceDefinition, load_assets_from_modules, materialize

from nextclick.contracts import catalog
from nextclick.report import JobReport
from nextclick.settings import Settings, load
from orchestration.definitions import _MODULES
from orchestration.pipeline import IMPORTED, STEPS, StepKind
from spark_jobs import jobs
from spark_jobs.run_jobs import REBUILDS

NAMES = [job.name for job in catalog.JOBS]


def test_the_modules_of_jobs_are_the_jobs_of_the_catalog() -> None:
    assert sorted(module.name for module in pkgutil.iter_modules(jobs.__path__)) == sorted(NAMES)
    assert list(jobs.ALL) == NAMES


@pytest.mark.parametrize("table", [table for table in catalog.TABLES if table.spark], ids=lambda table: table.name)
def test_the_job_of_a_table_is_a_station_and_rebuilt_with_its_layer_and_those_below(table: Any) -> None:
    assert table.job in [step.name for step in STEPS if step.kind is StepKind.JOB]
    layers = ["bronze", "silver", "gold"]
    for layer in layers[: layers.index(table.layer) + 1]:
        assert table.job in REBUILDS[layer]


def test_a_job_says_what_it_does_and_reads_tables_that_are_made_before() -> None:
    written = {*IMPORTED}
    for job in catalog.JOBS:
        assert job.does, job.name
        assert written.issuperset(job.reads)
        assert not job.waits_for or job.waits_for[1] in catalog.table(job.waits_for[0]).column_names
        written.update(job.writes)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load(tmp_path, environ={})
    settings.lake.prepare()
    return settings


def test_dagster_runs_every_station_that_writes_a_table(settings: Settings) -> None:
    done: list[str] = []

    def perform(*names: str) -> list[JobReport]:
        done.extend(names)
        return [JobReport(job=name) for name in names]

    loaded = load_assets_from_modules(_MODULES)
    steps = ResourceDefinition.hardcoded_resource(SimpleNamespace(settings=settings, perform=perform))
    assets = [asset for asset in loaded if isinstance(asset, AssetsDefinition)]
    assert materialize(assets, resources={"steps": steps}).success
    assert {table.job for table in catalog.TABLES} - {*done} == {"import", "check"}
    assert len(done) == len({*done})
