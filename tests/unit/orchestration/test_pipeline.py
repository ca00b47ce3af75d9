"""The order of the steps, without Spark."""

from nextclick.contracts.catalog import TABLES
from nextclick.settings import CHECKOUT
from orchestration.pipeline import IMPORTED, NAMES, STEPS, StepKind, side_by_side


def test_every_station_reads_what_an_earlier_one_wrote() -> None:
    written = {*IMPORTED}
    for step in STEPS:
        assert set(step.reads) <= written, step.name
        written |= set(step.writes)


def test_every_table_has_a_station_that_writes_it_and_a_check_that_looks_at_it() -> None:
    tables = {table.name for table in TABLES}
    assert {table for step in STEPS for table in step.writes} == tables - {*IMPORTED}
    checked = {table for step in STEPS if step.kind is StepKind.CHECK for table in step.reads}
    assert checked == tables - {"gold.data_quality"}


def test_work_names_a_function_of_this_project() -> None:
    packages = {"analytics", "ml", "serving", "triggers", "orchestration"}
    assert all(
        step.target.partition(".")[0] in packages and ":" in step.target for step in STEPS if step.kind is StepKind.WORK
    )


def test_jobs_that_need_nothing_of_each_other_are_one_step() -> None:
    together = [[step.name for step in group] for group in side_by_side(STEPS) if len(group) > 1]
    silver = ["build_identities", "build_items", "build_user_agents", "build_sessions", "build_served_items"]
    gold = [
        "build_interactions",
        "build_traffic_daily",
        "build_item_daily",
        "build_recommendation_performance",
        "build_visits",
    ]
    assert silver in together
    assert gold in together
    assert [step for group in side_by_side(STEPS) for step in group] == list(STEPS)


def test_no_step_holds_a_job_and_what_it_needs() -> None:
    for group in side_by_side(STEPS):
        for step in group:
            written = [table for other in group if other is not step for table in other.writes]
            assert not {*step.reads, *step.writes} & {*written}, step.name


def test_the_page_of_run_names_every_step() -> None:
    page = (CHECKOUT / "docs" / "jobs" / "run.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"`{name}`" not in page] == []
