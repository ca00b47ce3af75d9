"""Lakes that earlier versions made, as they left them: a later one must go on with them, or refuse them in words.

`python -m tests.old_lakes.old_lake` makes the lake of the version that is checked out, once, with its last commit:
a made-up day of clicks through every step of `nextclick run`, and what it held as facts.json.
"""

import json
import lzma
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from nextclick import __version__, kv
from nextclick.contracts.catalog import TABLES
from nextclick.lake import delta
from nextclick.landing.writer import SegmentWriter
from nextclick.profile import profile
from nextclick.settings import Settings, load

FOLDER: Final = Path(__file__).parent
VERSIONS: Final = sorted(path.name.removesuffix(".tar.xz") for path in FOLDER.glob("*.tar.xz"))
RECEIVED: Final = 1_767_225_600_000
"""2026-01-01 00:00 UTC, in milliseconds."""
_MINUTE: Final = 60_000
_MACHINES_OWN: Final = (
    "locks",
    "mlflow.db",
    "mlartifacts",
    "dagster",
    "duckdb",
    "warehouse",
    "kv/profiles",
    "cookieless",
)
"""Below _state: what names its machine or folder, and is made anew where it is missing."""


def unpack(version: str, folder: Path) -> tuple[Path, dict[str, Any]]:
    """The lake of `version` in `folder`, where it was not made, and its facts."""
    with tarfile.open(FOLDER / f"{version}.tar.xz") as packed:
        packed.extractall(folder)  # our own; Python 3.11.2, which Debian has, knows no filter
    return folder / "lake", json.loads((folder / "facts.json").read_text())


def clicks() -> Iterator[dict[str, Any]]:
    """Twelve visitors of two tastes, a session each of four views and a purchase; one logs in; two events are rejects."""
    for visitor in range(12):
        own = [f"item{(visitor % 2) * 6 + (visitor + step) % 6}" for step in range(4)]
        for step, item in enumerate(own):
            yield _event(visitor, step, "view_item", item_id=item, price="2.50", currency="EUR")
        yield _event(visitor, 4, "purchase", item_id=own[0], price="2.50", currency="EUR", order_id=f"o{visitor}")
    yield _event(0, 5, "identify", user_id="ann")
    yield _event(1, 5, "view_item", item_id="item1", price="no price")
    yield _event(2, 5, "view_item", event_id="")


def _event(visitor: int, step: int, kind: str, **fields: Any) -> dict[str, Any]:
    time = RECEIVED - (24 * 60 - 30 * visitor - step) * _MINUTE
    event = {"event": kind, "event_id": f"v{visitor}-{step}", "client_time": time, "visitor_id": f"v{visitor}"}
    return event | {"user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"} | fields


def land(settings: Settings, events: list[dict[str, Any]]) -> None:
    """One segment of the landing log."""
    with SegmentWriter(settings.lake.landing, settings.landing) as writer:
        for event in events:
            writer.append(json.dumps(event).encode(), "plain", RECEIVED)


def facts(settings: Settings) -> dict[str, Any]:
    """Rows of each table, and the version and people of the key-value table."""
    tables = {table.name: delta.open_table(settings.lake, table.name) for table in TABLES}
    served = kv.current(settings)
    return {
        "rows": {name: table.to_pyarrow_table().num_rows for name, table in tables.items() if table},
        "people": served.people if served else None,
        "profile": profile.encode(profile.Profile((profile.Action(RECEIVED, 7, 2, "item1", "rugs"),))).hex(),
    }


def make() -> Path:
    """Pack the lake of this version."""
    from orchestration.pipeline import STEPS, side_by_side
    from orchestration.step_runner import step_runner

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        settings = load(folder / "lake", profile="test", environ={})
        settings.lake.prepare()
        land(settings, list(clicks()))
        runner = step_runner(settings)
        for group in side_by_side(STEPS):
            runner.perform(*(step.name for step in group))
        (folder / "facts.json").write_text(json.dumps(facts(settings), indent=1))
        for name in _MACHINES_OWN:
            path = settings.lake.state / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        target = FOLDER / f"{__version__}.tar.xz"
        with lzma.open(target, "wb", preset=9) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(folder / "lake", "lake")
            archive.add(folder / "facts.json", "facts.json")
    return target


if __name__ == "__main__":
    sys.stdout.write(f"{make()}\n")
