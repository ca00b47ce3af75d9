"""Collectors whose segments go into a real object store: killed anywhere, each acknowledged event is there once."""

import json
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import cli
from nextclick.lake import files
from nextclick.landing.reader import check_segment, read_segment, segments
from nextclick.settings import Settings, load
from tests import object_store
from tests.collector_process import Collector, collecting
from tests.object_store import LosingProxy, Store
from tests.wait import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(object_store.missing()), reason=object_store.missing()),
]


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with object_store.running() as store:
        yield store


class Machine:
    """A collector's machine: a folder of its own beside the bucket."""

    def __init__(self, store: Store, lake: str, folder: Path, **more: str) -> None:
        self.address = store.lake(lake)
        self.environment = {**store.environment(folder), "NEXTCLICK_STREAMING__SOURCE": "bucket", **more}

    @property
    def settings(self) -> Settings:
        return load(self.address, environ=self.environment)

    def published(self) -> Counter[str]:
        """Ids of the events in the bucket; each segment there is whole."""
        there = segments(self.settings.lake.log("landing"))
        return Counter(json.loads(line.payload)["event_id"] for one in there for line in read_segment(one.address))


def post(collector: Collector, who: str, acknowledged: set[str], stopped: threading.Event) -> None:
    for number in range(10_000):
        if stopped.is_set():
            return
        id = f"{who}{number}"
        try:
            if collector.post("/v1/events", {"event": "page_view", "event_id": id, "visitor_id": who}).status == 200:
                acknowledged.add(id)
        except OSError:  # it was killed
            return


def test_two_collectors_of_which_one_is_killed_and_replies_are_lost(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, acknowledged, stopped = LosingProxy(store, "/landing/"), set[str](), threading.Event()
    machines = [Machine(store, "ships", tmp_path / name) for name in "ab"]
    machines[1].environment["NEXTCLICK_STORAGE__ENDPOINT"] = proxy.endpoint
    for name, value in machines[0].environment.items():
        monkeypatch.setenv(name, value)
    with ExitStack() as stack:
        collectors = [stack.enter_context(collecting(one.address, **one.environment)) for one in machines]  # type: ignore[arg-type]
        threads = [
            threading.Thread(target=post, args=(collector, who, acknowledged, stopped))
            for collector, who in zip(collectors, "ab", strict=True)
        ]
        for thread in threads:
            thread.start()
        wait_until(lambda: len({id[0] for id in machines[0].published()}) == 2, 60)
        collectors[1].stop(signal.SIGKILL)
        wait_until(lambda: sum(id[0] == "a" for id in machines[0].published()) > 20, 60)
        stopped.set()
        for thread in threads:
            thread.join()
        with collecting(machines[1].address, **machines[1].environment):  # type: ignore[arg-type]
            wait_until(lambda: acknowledged <= machines[0].published().keys(), 60)
    assert proxy.end(), "a reply was lost"
    there = machines[0].published()
    assert acknowledged <= there.keys()
    assert set(there.values()) == {1}


def test_an_import_ships_at_its_end_and_the_verb_what_a_killed_one_left(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(store, "imports", tmp_path / "beside", NEXTCLICK_LIVE__ENABLED="false")
    for name, value in machine.environment.items():
        monkeypatch.setenv(name, value)
    log = tmp_path / "access.log"
    log.write_text('203.0.113.9 - - [27/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "Mozilla/5.0"\n')
    done = CliRunner().invoke(cli, ["--lake", machine.address, "import", "--format", "auto", str(log), "--json"])
    assert done.exit_code == 0, done.output
    assert sum(machine.published().values()) == 1
    lake = machine.settings.lake
    assert segments(lake.landing) == []
    [shipped] = segments(lake.log("landing"))
    copy = lake.landing / shipped.name  # as if the import had been killed between the reply and the removal
    copy.write_bytes(files.read(shipped.address) or b"")
    assert check_segment(copy).sound
    again = CliRunner().invoke(cli, ["--lake", machine.address, "ship", "--json"])
    assert json.loads(again.stdout)["segments"] == 1
    assert segments(lake.landing) == []
    assert sum(machine.published().values()) == 1
