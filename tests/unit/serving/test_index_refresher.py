"""The thread that follows the lists lives through mistakes of ours, and calls what goes with it once a look."""

import gc
import logging
import sys
import threading
import weakref
from types import SimpleNamespace
from typing import cast

import pytest

from nextclick.kv.lists.protocol import ListsTable
from serving.index.index import ServingIndex
from serving.index.refresh import IndexRefresher
from tests.serving_index import GOODS, Store

EMPTY = cast(ListsTable, SimpleNamespace(pointer=lambda: None))


class Clumsy:
    """Fails at its first call, and tells of its third."""

    def __init__(self) -> None:
        self.calls = 0
        self.third = threading.Event()

    def __call__(self) -> None:
        self.calls += 1
        if self.calls == 3:
            self.third.set()
        if self.calls == 1:
            raise ValueError("a mistake")


def test_a_mistake_in_what_goes_with_a_look_is_told_and_does_not_end_the_following(
    caplog: pytest.LogCaptureFixture,
) -> None:
    also = Clumsy()
    refresher = IndexRefresher(EMPTY, 0.01, also)
    with caplog.at_level(logging.ERROR):
        refresher.start()
        assert also.third.wait(10)
        refresher.stop()
    assert "a mistake" in caplog.text


def test_what_goes_with_a_look_is_called_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    store = cast(ListsTable, SimpleNamespace(pointer=lambda: calls.append("look")))
    refresher = IndexRefresher(store, 0.001, lambda: calls.append("also"))
    rounds = iter([False, False, True])
    monkeypatch.setattr(refresher, "_stopped", SimpleNamespace(wait=lambda _: next(rounds)))
    refresher._follow()
    assert calls == ["look", "also"] * 2


def test_threads_take_short_turns_as_long_as_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    usual, turns = sys.getswitchinterval(), list[float]()
    store = cast(ListsTable, SimpleNamespace(pointer=lambda: turns.append(sys.getswitchinterval())))
    refresher = IndexRefresher(store, 0.001)
    rounds = iter([False, True])
    monkeypatch.setattr(refresher, "_stopped", SimpleNamespace(wait=lambda _: next(rounds)))
    refresher._follow()
    assert turns == [pytest.approx(0.0005)]
    assert sys.getswitchinterval() == usual


def test_an_index_that_cannot_be_made_does_not_end_the_following() -> None:
    also = Clumsy()
    refresher = IndexRefresher(EMPTY, 0.01, also)
    refresher.current = cast(ServingIndex, SimpleNamespace(version=1, suggestions=SimpleNamespace(prepare=Clumsy())))
    refresher.start()
    assert also.third.wait(10)
    refresher.stop()


def test_no_collection_walks_through_an_index_and_the_one_before_goes_without_any() -> None:
    versions = iter((1, 2))
    pointers = iter((SimpleNamespace(version=1), SimpleNamespace(version=2)))
    store = SimpleNamespace(pointer=lambda: next(pointers), snapshot=lambda: Store(GOODS, version=next(versions)))
    refresher = IndexRefresher(cast(ListsTable, store), 1.0)
    gc.disable()
    try:
        refresher.look()
        refresher._prepare()
        assert refresher.current
        before = weakref.ref(refresher.current)
        assert not any(each is before() for each in gc.get_objects())
        refresher.look()
        refresher._prepare()
        assert before() is None
    finally:
        gc.enable()
        refresher.stop()
