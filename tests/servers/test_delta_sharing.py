"""Delta Sharing with its real client: `nextclick share serve` as a process, read into pandas by the profile file alone."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from nextclick.settings import CHECKOUT
from tests.shared_lake import SECRET, fill, settings_of

delta_sharing = pytest.importorskip("delta_sharing", reason="`make extras clients` brings the client")
requests = pytest.importorskip("requests")
pytestmark = pytest.mark.servers


class SharedLake:
    """A lake with a server in front of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.settings = folder, settings_of(folder)
        fill(self.settings.lake)

    def nextclick(self, *words: str) -> list[str]:
        lake, conf = str(self.settings.lake.root), str(self.settings.conf_dir)
        return [
            sys.executable,
            "-c",
            "from cli.main import main; main()",
            "--lake",
            lake,
            "--conf-dir",
            conf,
            "--profile",
            "test",
            *words,
        ]

    def call(self, *words: str) -> dict[str, Any]:
        done = subprocess.run(
            self.nextclick(*words, "--json"), cwd=CHECKOUT, capture_output=True, text=True, check=True
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    @contextmanager
    def served(self) -> Iterator[str]:
        """The endpoint, while it is served."""
        command = self.nextclick("share", "serve", "--port", "0", "--json")
        with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout
                yield json.loads(process.stdout.readline())["endpoint"]
            finally:
                process.terminate()

    def recipient(self, name: str, endpoint: str, days: str = "1") -> str:
        """A profile file."""
        file = str(self.folder / f"{name}-{os.urandom(4).hex()}.share")
        self.call("share", "recipient", "add", name, "--days", days, "--to", file, "--endpoint", endpoint)
        return file


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> SharedLake:
    return SharedLake(tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="module")
def endpoint(shared: SharedLake) -> Iterator[str]:
    with shared.served() as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def profile(shared: SharedLake, endpoint: str) -> str:
    return shared.recipient("acme", endpoint)


def test_the_client_lists_what_its_recipient_may_see(profile: str) -> None:
    client = delta_sharing.SharingClient(profile)
    assert [share.name for share in client.list_shares()] == ["acme", "all"]
    assert {(table.share, table.schema, table.name) for table in client.list_all_tables()} == {
        ("acme", "gold", "visits"),
        ("acme", "report", "traffic"),
        ("all", "gold", "item_daily"),
    }


@pytest.mark.parametrize("use_delta_format", [None, True])
def test_pandas_reads_a_table_in_both_formats(profile: str, use_delta_format: bool | None) -> None:
    rows = delta_sharing.load_as_pandas(f"{profile}#acme.gold.visits", use_delta_format=use_delta_format)
    assert [*rows.columns] == ["date", "session_id", "channel"]
    assert sorted(rows.itertuples(index=False, name=None)) == [
        (date(2026, 1, day), f"{day}-{n}", "email") for day, number in ((1, 2), (2, 3)) for n in range(number)
    ]
    assert SECRET not in rows.to_csv()


def test_pandas_reads_a_report_and_money_as_it_is(profile: str) -> None:
    traffic = delta_sharing.load_as_pandas(f"{profile}#acme.report.traffic")
    assert sorted(traffic.itertuples(index=False, name=None)) == [
        (date(2026, 1, 1), "email", 2),
        (date(2026, 1, 2), "email", 3),
    ]
    items = delta_sharing.load_as_pandas(f"{profile}#all.gold.item_daily")
    assert {item: dict(revenue) for item, revenue in zip(items["item_id"], items["revenue"], strict=True)} == {
        "a": {"EUR": Decimal(5)},
        "b": {"EUR": Decimal(7)},
        "c": {"EUR": Decimal(1)},
    }


def test_pandas_reads_some_rows_and_an_older_version(profile: str) -> None:
    table = f"{profile}#all.gold.item_daily"
    assert len(delta_sharing.load_as_pandas(table, limit=2)) == 2
    assert sorted(delta_sharing.load_as_pandas(table, version=0)["item_id"]) == ["a", "b"]
    assert delta_sharing.get_table_version(table) == 1
    with pytest.raises(requests.HTTPError, match="NO_SUCH_VERSION"):
        delta_sharing.load_as_pandas(f"{profile}#acme.gold.visits", version=0)


def test_the_client_is_told_when_its_token_has_ended(shared: SharedLake, endpoint: str) -> None:
    profile = shared.recipient("own", endpoint)
    assert delta_sharing.SharingClient(profile).list_shares()
    shared.call("share", "recipient", "end", "own")
    with pytest.raises(requests.HTTPError, match="UNAUTHENTICATED"):
        delta_sharing.SharingClient(profile).list_shares()


def test_the_profile_of_another_recipient_opens_its_own_shares_alone(shared: SharedLake, endpoint: str) -> None:
    other = shared.recipient("other", endpoint)
    assert len(delta_sharing.load_as_pandas(f"{other}#other.gold.visits")) == 7
    with pytest.raises(requests.HTTPError, match="404"):
        delta_sharing.load_as_pandas(f"{other}#acme.gold.visits")
