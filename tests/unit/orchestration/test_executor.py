"""Steps of Dagster side by side: small assets, no lake."""

import os
import signal
from collections.abc import Callable
from threading import Barrier, Event, Thread

import pytest
from dagster import (
    AssetsDefinition,
    DagsterInstance,
    Definitions,
    ExecuteInProcessResult,
    RetryPolicy,
    asset,
    define_asset_job,
)
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.execute_in_process import core_execute_in_process

from orchestration.executor import side_by_side

_LONG = 20.0
"""Seconds after which what should come soon counts as not coming."""


def _asset(
    name: str, work: Callable[[], object], *follows: AssetsDefinition, retries: int | None = None
) -> AssetsDefinition:
    @asset(name=name, deps=follows, retry_policy=RetryPolicy(retries) if retries else None)
    def one() -> None:
        work()

    return one


def _run(*assets: AssetsDefinition) -> ExecuteInProcessResult:
    jobs = [define_asset_job("all", "*")]
    job = Definitions(assets=assets, jobs=jobs, executor=side_by_side).resolve_job_def("all")
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with DagsterInstance.ephemeral() as instance:
        return core_execute_in_process(quiet, InMemoryJob(job), instance, False, raise_on_error=False)


def _ends(result: ExecuteInProcessResult) -> dict[str | None, str]:
    """How each step ended that was begun and came to its end."""
    ends = {"STEP_SUCCESS": "done", "STEP_FAILURE": "failed"}
    return {
        event.step_key: ends[event.event_type_value] for event in result.all_events if event.event_type_value in ends
    }


def test_steps_that_need_nothing_of_each_other_work_at_the_same_time() -> None:
    both = Barrier(2)  # neither passes it alone
    result = _run(*(_asset(name, lambda: both.wait(_LONG)) for name in ("left", "right")))
    assert result.success


def test_a_step_starts_when_what_it_follows_is_done_however_long_others_work() -> None:
    behind = Event()
    first = _asset("first", lambda: None)
    slow = _asset("slow", lambda: behind.wait(_LONG) or pytest.fail("what follows `first` waited for this, too"))
    result = _run(first, slow, _asset("second", behind.set, first))
    assert _ends(result) == {"first": "done", "slow": "done", "second": "done"}


def test_what_follows_a_failure_is_not_begun_and_the_rest_is_done() -> None:
    bad = _asset("bad", lambda: 1 / 0)
    good = _asset("good", lambda: None)
    result = _run(bad, good, _asset("after_bad", lambda: None, bad), _asset("after_good", lambda: None, good))
    assert not result.success
    assert _ends(result) == {"bad": "failed", "good": "done", "after_good": "done"}


def test_what_failed_is_tried_again() -> None:
    tries: list[float] = []

    def second_time() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("not yet")

    assert _run(_asset("flaky", second_time, retries=1)).success
    assert len(tries) == 2


@pytest.mark.timeout(60)
def test_an_interrupt_ends_the_run_at_once_though_a_step_still_works() -> None:
    working, never = Event(), Event()

    def long() -> None:
        working.set()
        never.wait()

    def interrupt() -> None:
        working.wait(_LONG)
        os.kill(os.getpid(), signal.SIGINT)

    Thread(target=interrupt).start()
    result = _run(_asset("long", long))
    assert not result.success
    assert _ends(result) == {}
