"""A page is made once for all who ask within two seconds."""

import threading
from itertools import count

import pytest

from dashboard.recent import RecentPages


def test_it_is_made_once_in_two_seconds() -> None:
    now, made = [0.0], count()
    pages = RecentPages(lambda: now[0])
    make = lambda: str(next(made))  # noqa: E731
    assert [pages.get("a", make), pages.get("a", make), pages.get("b", make)] == ["0", "0", "1"]
    now[0] = 2.1
    assert pages.get("a", make) == "2"


def test_who_asks_while_it_is_made_waits_for_it() -> None:
    pages, made, goes_on = RecentPages(), [], threading.Event()

    def make() -> str:
        made.append(goes_on.wait(5))
        return "page"

    askers = [threading.Thread(target=pages.get, args=("a", make)) for _ in range(5)]
    for asker in askers:
        asker.start()
    goes_on.set()
    for asker in askers:
        asker.join()
    assert made == [True]


def test_an_error_is_not_kept() -> None:
    pages = RecentPages()
    with pytest.raises(ZeroDivisionError):
        pages.get("a", lambda: str(1 // 0))
    assert pages.get("a", lambda: "page") == "page"
