"""A lake that the account may read alone: on a mirror, in a container with a read-only mount."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from nextclick.settings import load
from serving.export import export
from tests.api_process import answering
from tests.integration.conftest import Gold

UNDER = (
    "setpriv",
    "--bounding-set=-dac_override,-dac_read_search",
    "--inh-caps=-dac_override,-dac_read_search",
)
"""Root, to whom modes do not apply, without the capabilities by which they do not."""


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A lake with a popular list, whose files and folders nobody may write."""
    settings = load(lake=tmp_path / "lake", environ={})
    settings.lake.prepare()
    Gold(settings).full({}, [("lamp", 2.0), ("bulb", 1.0)])
    export.run(settings)
    places = [settings.lake.root, *settings.lake.root.rglob("*")]
    for place in places:
        place.chmod(0o500 if place.is_dir() else 0o400)
    yield settings.lake.root
    for place in places:
        place.chmod(0o700)


def test_it_is_served_without_a_record(read_only: Path) -> None:
    under = UNDER if os.geteuid() == 0 else ()
    if under and not shutil.which(under[0]):
        pytest.skip("root may write everywhere, and setpriv, which takes that away, is not there")
    before = sorted(read_only.rglob("*"))
    with answering(read_only, under=under) as api:
        answer = api.ask("/v1/personalize?visitor_id=ann").json
        assert (answer["recommendations"], answer["degraded"]) == (["lamp", "bulb"], False)
        assert b"nextclick_serving_answers_total" in api.ask("/metrics").body
    assert sorted(read_only.rglob("*")) == before
