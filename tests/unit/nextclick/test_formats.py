"""What is stored says its format; what a newer nextclick wrote is refused in words, and other settings name their rebuild."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from ml.jobs import publish_lists
from ml.registry import artifact
from nextclick import formats
from nextclick.contracts import catalog, gold, gold_lists, silver
from nextclick.contracts.gold import COUNTED
from nextclick.contracts.table import Table
from nextclick.errors import LakeError, ModelError
from nextclick.kv.lists import protocol
from nextclick.lake import commits, delta
from nextclick.lake.paths import lake_at
from nextclick.profile import profile
from nextclick.settings import load
from nextclick.settings.reference import Effect, effects, keys
from tests.table_rows import write

REBUILD = {"silver": Effect.SILVER, "gold": Effect.GOLD}


def of(gap: int, **gaps: int) -> dict[str, str]:
    """The properties of silver.sessions with this gap, and the gaps of sites."""
    settings = load("lake", environ={})
    sessions = msgspec.structs.replace(settings.sessions, gap_minutes=gap, gaps=gaps)
    return formats.properties(msgspec.structs.replace(settings, sessions=sessions), silver.SESSIONS)


def test_the_same_settings_are_no_mixture() -> None:
    formats.refuse_mixture(silver.SESSIONS, of(30), of(30))


def test_other_settings_name_what_changed_and_the_rebuild() -> None:
    with pytest.raises(LakeError, match=r"'gap_minutes': 30.*'gap_minutes': 45.*`nextclick rebuild silver`"):
        formats.refuse_mixture(silver.SESSIONS, of(30), of(45))
    with pytest.raises(LakeError, match="nextclick rebuild silver"):
        formats.refuse_mixture(silver.SESSIONS, of(30), of(30, shop=45))


def test_a_table_of_before_formats_names_the_rebuild() -> None:
    with pytest.raises(LakeError, match=r"format none, now 2.*`nextclick rebuild gold`"):
        formats.refuse_mixture(gold.INTERACTIONS, {}, formats.properties(load("lake", environ={}), gold.INTERACTIONS))


@pytest.mark.parametrize("table", [table for table in catalog.TABLES if table.made_with], ids=lambda table: table.name)
def test_settings_that_a_table_is_made_with_are_said_to_want_its_rebuild(table: Table) -> None:
    """docs/settings.md says what the job will ask for."""
    listed = [key for key in keys() for prefix in table.made_with if key == prefix or key.startswith(f"{prefix}.")]
    assert listed
    assert all(REBUILD[table.layer] in effects(key) for key in listed)


def test_settings_that_lists_are_made_with_are_said_to_want_a_training() -> None:
    listed = [
        key for key in keys() for prefix in publish_lists.MADE_WITH if key == prefix or key.startswith(f"{prefix}.")
    ]
    assert len(listed) > len(publish_lists.MADE_WITH)
    assert all(Effect.TRAIN in effects(key) for key in listed)


def test_every_table_of_a_windowed_or_weighted_job_is_made_with_its_settings() -> None:
    assert {table.name: table.made_with for table in catalog.TABLES if table.made_with} == {
        "silver.sessions": ("sessions",),
        "silver.served_items": ("attribution",),
        "gold.interactions": ("interactions", "consent", "anomalies.leave_out_suspects"),
        "gold.traffic_daily": COUNTED,
        "gold.item_daily": COUNTED,
        "gold.recommendation_performance": COUNTED,
        "gold.visits": (*COUNTED, "analytics.engaged_seconds", "analytics.goals"),
        "gold.visitor_days": (*COUNTED, "analytics.goals"),
        "gold.page_daily": (*COUNTED, "analytics.pages_max"),
        "gold.event_daily": COUNTED,
        "gold.campaign_daily": COUNTED,
        "gold.conversions": (*COUNTED, "analytics.goals", "analytics.lookback_days"),
    }


def test_days_of_before_zones_were_set_are_those_of_utc() -> None:
    def wanted(zone: str) -> dict[str, str]:
        return formats.properties(load("lake", environ={"NEXTCLICK_ANALYTICS__TIMEZONE": zone}), gold.ITEM_DAILY)

    stored = {formats.FORMAT_PROPERTY: "1", formats.MADE_WITH_PROPERTY: "{}"}
    formats.refuse_mixture(gold.ITEM_DAILY, stored, wanted("UTC"))
    with pytest.raises(LakeError, match=r"analytics.timezone was UTC and is Asia/Kolkata.*`nextclick rebuild gold`"):
        formats.refuse_mixture(gold.ITEM_DAILY, stored, wanted("Asia/Kolkata"))


def test_a_newer_table_is_refused(tmp_path: Path) -> None:
    lake = lake_at(tmp_path)
    write(lake, "gold.popular_items", [{"item_id": "lamp"}])
    table = delta.require(lake, "gold.popular_items")
    table.alter.set_table_properties({formats.FORMAT_PROPERTY: "99"}, raise_if_not_exists=False)
    with pytest.raises(LakeError, match=r"gold.popular_items has format 99.*reads formats up to 1"):
        delta.open_table(lake, "gold.popular_items")


def test_what_is_written_without_spark_says_its_format(tmp_path: Path) -> None:
    lake = lake_at(tmp_path)
    commits.create(lake, gold_lists.POPULAR_ITEMS)
    assert delta.require(lake, "gold.popular_items").metadata().configuration[formats.FORMAT_PROPERTY] == "1"


def test_a_newer_profile_is_refused_and_what_is_none_is_no_profile() -> None:
    stored = profile.encode(profile.Profile((profile.Action(1, 2, 2, "lamp"),)))
    assert stored[0] == formats.PROFILE
    assert profile.decode(stored).actions[0].item == "lamp"
    with pytest.raises(LakeError, match="live profile has format 99"):
        profile.decode(bytes([99]) + stored[1:])
    with pytest.raises(msgspec.MsgspecError):
        profile.decode(b"")


def test_a_newer_version_of_the_key_value_table_is_refused_whatever_its_fields_are() -> None:
    with pytest.raises(ModelError, match="here has format 99"):
        protocol.decode_manifest(b'{"format": 99, "version": "seven"}', "here")


def test_a_newer_model_is_refused_whatever_its_recipe_is(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_bytes(msgspec.json.encode({"format": 99, "recipe": {"model": "unheard of"}}))
    with pytest.raises(ModelError, match=r"card.json has format 99"):
        artifact.read_card(str(tmp_path))


@pytest.mark.parametrize("stored", [b"[]", b"no json", b'{"format": "one"}'])
def test_what_has_no_format_is_left_to_its_reader(stored: Any) -> None:
    formats.refuse_newer_json("it", stored, 1)
