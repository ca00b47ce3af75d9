"""What the API answers those who belong to an audience: as of the question, by the live profile and by what the night wrote."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nextclick.audiences.facts import Night
from nextclick.audiences.standing import AudienceStanding, decode_standing, encode_standing
from nextclick.errors import AudienceError
from nextclick.kv import open_profiles
from nextclick.profile import profile
from nextclick.profile.profile import Action
from nextclick.settings import AudienceRules, Settings
from serving.answers import lists, visitors
from serving.engine import Engine
from serving.export import export
from serving.schema.requests import PersonalizeRequest, ProfileRequest
from tests.audience_files import BUYERS
from tests.integration.conftest import Gold
from tests.wait import now

BANNERS = """
[[banners]]
id = "thanks"
text = "Thank you"
link = "/thanks"
audience = "buyers"

[[banners]]
id = "regular"
text = "Always you"
link = "/you"
audience = "regulars"
"""
EXPERIMENT = """
audience = "buyers"
start = 2026-01-01T00:00:00Z
stop = 2099-01-01T00:00:00Z
[[variants]]
name = "one"
[[variants]]
name = "two"
"""
AUDIENCES = {
    "buyers": BUYERS,
    "regulars": 'fact = "orders"\nleast = 2',
    "far": 'event = "view_item"\nwithin = "90d"\nleast = 3',
    "off": f"off = true\n{BUYERS}",
}


@pytest.fixture
def shop(settings: Settings, gold: Gold, tmp_path: Path) -> Settings:
    conf = tmp_path / "conf"
    for name, text in AUDIENCES.items():
        (conf / "audiences").mkdir(parents=True, exist_ok=True)
        (conf / "audiences" / f"{name}.toml").write_text(f'meaning = "{name}"\n{text}')
    (conf / "banners.toml").write_text(BANNERS)
    (conf / "experiments").mkdir()
    (conf / "experiments" / "thanks.toml").write_text(EXPERIMENT)
    shutil.copy(settings.conf_dir / "default.toml", conf)
    gold.full({}, [(f"i{n:02}", 1 - n / 100) for n in range(30)])
    ranking = msgspec.structs.replace(settings.ranking, audience_rules={"buyers": AudienceRules(deny=("i00",))})
    settings = msgspec.structs.replace(settings, conf_dir=conf, ranking=ranking)
    export.run(settings)
    return settings


@pytest.fixture
def engine(shop: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    (tmp_path / "metrics").mkdir()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "metrics"))
    from serving.metrics import ServingMetrics

    running = Engine(shop, ServingMetrics())
    running.start()
    yield running
    running.close()


def belongs(engine: Engine, visitor: str, user: str | None = None) -> dict[str, int]:
    answer = asyncio.run(visitors.profile(engine, "default", ProfileRequest(visitor_id=visitor, user_id=user)))
    return {one.name: one.since for one in answer.audiences}


def personalized(engine: Engine, visitor: str) -> Any:
    request = PersonalizeRequest(visitor_id=visitor, surface="home", feed=5)
    return asyncio.run(lists.personalize(engine, "default", request))


def bought(shop: Settings, *keys: bytes, ago: int = 1000) -> None:
    open_profiles(shop).merge({key: [Action(at=now() - ago, id=1, code=6, item="i05")] for key in keys})


def test_who_belongs_gets_its_banner_its_rules_and_its_experiment_and_nobody_else(
    shop: Settings, engine: Engine
) -> None:
    bought(shop, profile.visitor_key("default", "v1"))
    theirs, others = personalized(engine, "v1"), personalized(engine, "v2")
    assert theirs.personalized_banner["id"] == "thanks"
    assert others.personalized_banner is None
    assert theirs.variant in ("one", "two")
    assert others.variant is None
    assert "i00" not in [item.item_id for item in theirs.ranked_feed]
    assert others.ranked_feed[0].item_id == "i00"
    assert list(belongs(engine, "v1")) == ["buyers"]
    assert belongs(engine, "v2") == {}


def test_a_window_that_has_ended_is_seen_at_the_question(shop: Settings, engine: Engine) -> None:
    key = profile.visitor_key("default", "v1")
    bought(shop, key, ago=7 * 3_600_000)
    open_profiles(shop).replace_standings({key: (b"", encode_standing(AudienceStanding({"buyers": 5})))})
    assert belongs(engine, "v1") == {}


def test_since_when_and_what_the_night_alone_knows_come_from_the_standing(shop: Settings, engine: Engine) -> None:
    key = profile.visitor_key("default", "v1")
    bought(shop, key)
    standing = AudienceStanding({"buyers": 5, "far": 6, "off": 7, "gone": 8}, Night(as_of=1, visits=9, orders=2))
    open_profiles(shop).replace_standings({key: (b"", encode_standing(standing))})
    asked_at = now()
    since = belongs(engine, "v1")
    assert since == {"buyers": 5, "far": 6, "regulars": since["regulars"]}
    assert since["regulars"] >= asked_at, "seen at this question"
    assert decode_standing(open_profiles(shop).standings([key])[0]) == standing, "a question changes nothing"


def test_who_asks_is_the_user_where_it_is_known(shop: Settings, engine: Engine) -> None:
    bought(shop, profile.visitor_key("default", "v1"))
    assert list(belongs(engine, "v1")) == ["buyers"]
    assert belongs(engine, "v1", "u1") == {}
    bought(shop, profile.person_key("default", "u1"))
    assert list(belongs(engine, "v1", "u1")) == ["buyers"]


def test_an_audience_that_is_not_there_is_named_when_the_api_starts(shop: Settings) -> None:
    (shop.conf_dir / "audiences" / "buyers.toml").unlink()
    with pytest.raises(
        AudienceError, match=r"The banner thanks is for the audience 'buyers'.*There are: far, off, regulars"
    ):
        Engine(shop, None)  # type: ignore[arg-type]
