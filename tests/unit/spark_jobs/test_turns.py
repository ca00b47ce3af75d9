"""Batches that share a few cores: one at a time, what people wait for first, the others in the order in which they came."""

import threading
from collections.abc import Callable

import pytest

from spark_jobs.always_on.turns import BatchTurns, Stopped
from tests import wait


class Batches:
    """Threads that take a turn each, and end it when they are let go."""

    def __init__(self, turns: BatchTurns) -> None:
        self.turns, self.order, self.gone = turns, list[str](), list[str]()
        self.gates: dict[str, threading.Event] = {}

    def start(self, job: str, waiting: int) -> None:
        """Start a batch of `job`, and return when it works or when so many wait."""
        self.gates[job] = threading.Event()
        thread = threading.Thread(target=self._work, args=(job,), daemon=True)
        thread.start()
        self.until(lambda: job in self.order or len(self.turns._waiting) == waiting)

    def _work(self, job: str) -> None:
        try:
            with self.turns.turn(job):
                self.order.append(job)
                self.gates[job].wait(10)
            self.gone.append(job)
        except Stopped:
            self.order.append(f"no {job}")

    def end(self, job: str, then: list[str]) -> None:
        """End the batch of `job`; these have worked, or work, then."""
        self.gates[job].set()
        self.until(lambda: self.order == then)

    @staticmethod
    def until(holds: Callable[[], bool]) -> None:
        wait.wait_until(holds, seconds=10, every=0.005)


def test_what_goes_first_overtakes_those_that_wait_but_not_the_one_that_works() -> None:
    batches = Batches(BatchTurns(("sessions",)))
    batches.start("items", waiting=0)
    for number, job in enumerate(("agents", "identities", "sessions"), 1):
        batches.start(job, waiting=number)
    assert batches.order == ["items"]
    batches.end("items", ["items", "sessions"])
    batches.end("sessions", ["items", "sessions", "agents"])
    batches.end("agents", ["items", "sessions", "agents", "identities"])
    batches.end("identities", ["items", "sessions", "agents", "identities"])


def test_so_many_work_at_once_and_one_that_fails_ends_its_turn() -> None:
    turns = BatchTurns((), at_once=2)
    batches = Batches(turns)
    batches.start("a", waiting=0)
    batches.start("b", waiting=0)
    batches.start("c", waiting=1)
    assert batches.order == ["a", "b"]
    batches.end("b", ["a", "b", "c"])
    batches.end("a", ["a", "b", "c"])
    with pytest.raises(ZeroDivisionError), turns.turn("d"):
        batches.order.append(str(1 / 0))
    batches.start("e", waiting=0)
    assert batches.order == ["a", "b", "c", "e"]
    for job in ("c", "e"):
        batches.end(job, batches.order)


def test_a_stop_lets_the_one_that_works_end_and_nobody_begin() -> None:
    batches = Batches(BatchTurns(()))
    batches.start("a", waiting=0)
    batches.start("b", waiting=1)
    batches.turns.stop(seconds=0.01)  # it works on
    batches.until(lambda: batches.order == ["a", "no b"])
    with pytest.raises(Stopped), batches.turns.turn("c"):
        batches.order.append("c")
    batches.gates["a"].set()
    batches.turns.stop(seconds=10)
    assert not batches.turns._working


def test_who_has_had_a_turn_goes_on_when_the_next_has_had_one() -> None:
    """So that its next batch has what the other brought."""
    batches = Batches(BatchTurns(("events",)))
    batches.start("events", waiting=0)
    batches.start("ingest", waiting=1)
    batches.start("rejects", waiting=2)
    batches.end("events", ["events", "ingest"])
    assert not batches.gone
    batches.end("ingest", ["events", "ingest", "rejects"])
    batches.until(lambda: batches.gone == ["events"])
    batches.end("rejects", ["events", "ingest", "rejects"])
    batches.until(lambda: sorted(batches.gone) == ["events", "ingest", "rejects"])
