"""Where workers count, the disk's room is taken before."""

import os
import subprocess
import sys
from pathlib import Path

from nextclick.settings import CHECKOUT
from nextclick.web.operators import COUNTS, ROOM

_WORKER = """
from nextclick.web.operators import metrics, take_room
take_room()
from prometheus_client import Counter, Gauge, Histogram
Counter("a", "-", ["b"], registry=None).labels("c").inc()
Histogram("d", "-", registry=None).observe(1)
for mode in ("livesum", "mostrecent"):
    Gauge(f"e_{mode}", "-", multiprocess_mode=mode, registry=None).set(1)
take_room()
print(metrics().body.decode())
"""


def test_nothing_is_counted_where_the_disk_has_no_room_yet(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WORKER],
        cwd=CHECKOUT,
        env=os.environ | {COUNTS: str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert 'a_total{b="c"} 1.0' in done.stdout
    files = [file.stat() for file in tmp_path.iterdir()]
    assert sum(file.st_size for file in files) == ROOM
    assert sum(file.st_blocks for file in files) * 512 >= ROOM, "no page without room"
