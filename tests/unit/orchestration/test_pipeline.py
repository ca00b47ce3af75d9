"""The order of the stations, without Spark."""

from nextclick.contracts.catalog import TABLES
from orchestration.pipeline import STATIONS, Kind, steps


def test_every_station_reads_what_an_earlier_one_wrote() -> None:
    written: set[str] = set()
    for station in STATIONS:
        assert set(station.reads) <= written, station.name
        written |= set(station.writes)


def test_every_table_has_a_station_that_writes_it_and_a_check_that_looks_at_it() -> None:
    tables = {table.name for table in TABLES}
    assert {table for station in STATIONS for table in station.writes} == tables
    checked = {table for station in STATIONS if station.kind is Kind.CHECK for table in station.reads}
    assert checked == tables - {"gold.data_quality"}


def test_work_names_a_function_of_this_project() -> None:
    packages = {"ml", "serving", "orchestration"}
    assert all(
        station.target.partition(".")[0] in packages and ":" in station.target
        for station in STATIONS
        if station.kind is Kind.WORK
    )


def test_jobs_that_need_nothing_of_each_other_are_one_step() -> None:
    together = [[station.name for station in step] for step in steps(STATIONS) if len(step) > 1]
    silver = ["build_identities", "build_items", "build_user_agents", "build_sessions", "build_impressions"]
    gold = ["build_interactions", "build_traffic_daily", "build_item_daily", "build_recommendation_performance"]
    assert silver in together
    assert gold in together
    assert [station for step in steps(STATIONS) for station in step] == list(STATIONS)


def test_no_step_holds_a_job_and_what_it_needs() -> None:
    for step in steps(STATIONS):
        for station in step:
            written = [table for other in step if other is not station for table in other.writes]
            assert not {*station.reads, *station.writes} & {*written}, station.name
