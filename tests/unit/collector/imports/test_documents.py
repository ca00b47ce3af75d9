"""docs/mappings.md keeps its word: its example works, and its lists are those of the code."""

import re
from pathlib import Path

import msgspec
import pytest

from collector.imports.chunks import chunks
from collector.imports.mapping import EVENT_FIELDS, UNITS, load
from collector.imports.opening import open_source
from collector.imports.rows import RowMapper
from nextclick.contracts.events import Event
from nextclick.settings import CHECKOUT
from nextclick.settings import load as load_settings

PAGE = (CHECKOUT / "docs" / "mappings.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)


def test_the_example_is_imported_as_it_stands(tmp_path: Path) -> None:
    history, mapping = tmp_path / "history.csv", tmp_path / "my-shop.toml"
    history.write_text(next(text for kind, text in BLOCKS if not kind and text.startswith("when,")))
    mapping.write_text(next(text for kind, text in BLOCKS if kind == "toml" and text.startswith("[events]")))
    example = load(str(mapping), tmp_path)
    to_payload = RowMapper(load_settings(environ={}), example, "events", "shop", 0)
    (chunk,) = chunks(open_source(history, example), to_payload, 0, 65_536)
    events = [msgspec.json.decode(payload, type=Event) for payload in chunk.accepted]
    assert [(event.event, event.visitor_id, event.item_id) for event in events] == [
        ("view_item", "c-17", "P100"), ("purchase", "c-17", "P100"),
    ]  # fmt: skip
    assert events[0].client_time == 1767358800000, "10:00 in Recife is 13:00 UTC"
    assert events[0].properties == {"city": "Recife"}


def test_every_toml_block_is_a_mapping_or_part_of_one(tmp_path: Path) -> None:
    needed = (
        '[events]\nevent = { value = "view_item" }\ntime = { column = "at" }\n[events.fields]\nvisitor_id = "who"\n'
    )
    for kind, text in BLOCKS:
        if kind == "toml":
            path = tmp_path / "block.toml"
            path.write_text(text if re.match(r"\[|decimal", text) else needed + text)
            load(str(path), tmp_path)


@pytest.mark.parametrize(
    "field", [field for field in EVENT_FIELDS if field not in ("event", "client_time", "properties")]
)
def test_every_canonical_field_is_listed(field: str) -> None:
    assert f"`{field}`" in PAGE


def test_every_unit_and_every_reason_is_listed() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (CHECKOUT / "collector" / "imports").rglob("*.py"))
    reasons = set(re.findall(r'Unmappable\(\s*"(\w+)"', sources))
    assert {"bad_time", "cut_short", "malformed_row"} <= reasons
    assert [word for word in (*UNITS, *reasons) if f"`{word}`" not in PAGE] == []
