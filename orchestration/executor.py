"""Dagster's steps side by side in one process: each in a thread, as soon as what it needs is there.

Dagster's own executors do one step after the other, or start a process for each, which would start a Spark session
of its own. Here steps share what the run holds; which of them work at the same time, StepRunner says.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final

from dagster import DagsterEvent, Executor, InitExecutorContext, executor
from dagster._core.errors import raise_execution_interrupts
from dagster._core.execution.api import ExecuteRunWithPlanIterable
from dagster._core.execution.compute_logs import create_compute_log_file_key
from dagster._core.execution.context.system import PlanExecutionContext, PlanOrchestrationContext, StepExecutionContext
from dagster._core.execution.context_creation_job import PlanExecutionContextManager
from dagster._core.execution.plan.execute_plan import dagster_event_sequence_for_step
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode

_TURN: Final = 0.0005
"""Seconds after which a thread that waits for Python gets it. A plan is made by thousands of calls into the JVM, and each waits where
another thread works in Python: beside one that only counts 154 microseconds by Python's own 5 ms, and 49 by this (22 alone)."""

_LOOK: Final = 1.0
"""Seconds after which it is looked anew at who may start, and at an interrupt that came just before the wait."""

_Reported = SimpleQueue[DagsterEvent | BaseException]
"""What threads report of their steps: events, of which the last one ends a try, or an error that no event says."""


@executor(name="side_by_side")
def side_by_side(_: InitExecutorContext) -> Executor:
    """Every step as soon as those are done that it follows."""
    return _SideBySide()


class _SideBySide(Executor):
    @property
    def retries(self) -> RetryMode:
        return RetryMode.ENABLED

    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
        """The run's events. What the steps share is made once."""
        manager = PlanExecutionContextManager(
            job=plan_context.job,
            retry_mode=self.retries,
            execution_plan=execution_plan,
            run_config=plan_context.run_config,
            dagster_run=plan_context.dagster_run,
            instance=plan_context.instance,
            raise_on_error=plan_context.raise_on_error,
            output_capture=plan_context.output_capture,
        )
        with _short_turns():
            yield from ExecuteRunWithPlanIterable(execution_plan, _steps, manager)


@contextmanager
def _short_turns() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(_TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _steps(job_context: PlanExecutionContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
    """Start steps, and pass on what they report.

    An interrupt ends it at once; threads under way end with their process, as if it were killed.
    """
    reported: _Reported = SimpleQueue()
    working = 0
    logs = job_context.instance.compute_log_manager
    place = logs.build_log_key_for_run(job_context.run_id, create_compute_log_file_key())  # type: ignore[no-untyped-call]
    with (
        InstanceConcurrencyContext(job_context.instance, job_context.dagster_run) as pools,
        execution_plan.start(retry_mode=job_context.retry_mode, instance_concurrency_context=pools) as active,
        logs.capture_logs(place) as output,
    ):
        yield DagsterEvent.capture_logs(job_context, list(execution_plan.step_keys_to_execute), place, output)
        while not active.is_complete:
            for step in active.get_steps_to_execute():
                context = job_context.for_step(step, active.get_known_state())
                Thread(target=_perform, args=(context, reported), name=step.key, daemon=True).start()
                working += 1
            yield from active.concurrency_event_iterator(job_context)
            if not working:  # what is left waits for its next try
                active.sleep_til_ready()
                continue
            with raise_execution_interrupts():
                try:
                    word = reported.get(timeout=_LOOK)
                except Empty:
                    continue
            if isinstance(word, BaseException):
                raise word
            yield word
            active.handle_event(word)
            if _ends(word):
                working -= 1
                yield from active.plan_events_iterator(job_context)


def _ends(event: DagsterEvent) -> bool:
    return event.is_step_success or event.is_step_failure or event.is_step_up_for_retry


def _perform(step: StepExecutionContext, reported: _Reported) -> None:
    """One try of a step, in its thread."""
    event = None
    try:
        for event in dagster_event_sequence_for_step(step):
            reported.put(event)
        if not event or not _ends(event):
            raise RuntimeError(f"{step.step.key} neither succeeded nor failed.")
    except BaseException as error:
        reported.put(error)
