"""What a few hundred questions are answered with everything on, and put on record, as committed in tests/golden/answers.txt.

So that work on how quickly answers are made changes none of them. After a change that is meant:
`python -m tests.integration.test_golden_answers` writes the file anew; read its diff.
"""

import asyncio
import json
import os
import random
import shutil
import tempfile
import time
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch
from urllib.parse import urlencode

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from ml.data.interactions import IdMap
from ml.data.sessions import from_clicks
from ml.lists import live_session
from ml.models.session.blend import HELD, SessionBlend
from ml.models.session.markov import MarkovTransitions
from ml.models.session.returns import SessionReturns
from nextclick import ctr, kv
from nextclick.lake import files
from nextclick.profile import profile
from nextclick.profile.profile import Action
from nextclick.settings import CHECKOUT, DEFAULT_CONF, AudienceRules, Settings, load
from serving.api.app import ApiApp
from serving.engine import Engine
from serving.export import export
from tests import table_rows
from tests.integration.conftest import Gold
from tests.serving_index import at

FILE: Final = CHECKOUT / "tests" / "golden" / "answers.txt"
NOW: Final = 1_780_000_000_000
ITEMS: Final = [f"i{number:02}" for number in range(60)]
VISITORS: Final = [f"v{number}" for number in range(20)]
QUESTIONS: Final = 300
AUDIENCE = 'meaning = "Looked lately"\nevent = "view_item"\nwithin = "6h"\nleast = 2'
BANNERS = """
[[banners]]
id = "all"
text = "For all"
link = "/all"
[[banners]]
id = "home"
text = "At home"
link = "/home"
surfaces = ["home"]
[[banners]]
id = "lookers"
text = "For lookers"
link = "/lookers"
audience = "lookers"
"""
EXPERIMENT = """
start = 2026-01-01T00:00:00Z
stop = 2099-01-01T00:00:00Z
[[variants]]
name = "as-is"
[[variants]]
name = "new"
params = { "ranking.weight_recency" = 0.5, "bandits.method" = "linear" }
"""
OPTIONS: Final[list[dict[str, Any]]] = [
    {}, {}, {"surface": "home"}, {"explain": "true"}, {"categories": ["lamps", "beds"]}, {"price_max": "40"},
    {"boost": ["item:i07=3", "category:beds=2"]}, {"deny": ["i00", "i01"]}, {"per_category": "2"}, {"hide_seen": "true"},
    {"allow": ["i03", "i05", "i08", "i13", "i21"]}, {"available": "false", "hide_bought": "false"},
]  # fmt: skip


def world(folder: Path) -> Settings:
    """A lake of 60 items with lists, vectors, a session model and a click model, and visitors with live profiles."""
    conf = folder / "conf"
    for name, text in {"audiences/lookers": AUDIENCE, "banners": BANNERS, "experiments/recency": EXPERIMENT}.items():
        (conf / name).parent.mkdir(parents=True, exist_ok=True)
        (conf / f"{name}.toml").write_text(text)
    shutil.copy(DEFAULT_CONF / "default.toml", conf)
    settings = load(folder / "lake", conf_dir=conf, environ={})
    rules = {"lookers": AudienceRules(deny=("i02",), boost={"category:rugs": 1.5})}
    settings = msgspec.structs.replace(
        settings,
        ranking=msgspec.structs.replace(settings.ranking, audience_rules=rules, candidates=40),
        bandits=msgspec.structs.replace(settings.bandits, positions=(3,)),
    )
    settings.lake.prepare()
    draw = random.Random(1)
    _items(settings, draw)
    _lists(settings, draw)
    _profiles(settings, draw)
    return settings


def _items(settings: Settings, draw: random.Random) -> None:
    rows = [
        {
            "site": "default", "item_id": item, "name": f"Item {item}", "price": Decimal(draw.randrange(100, 9000)) / 100,
            "category": draw.choice(["lamps", "beds", "rugs", "desks", None]), "currency": "EUR", "in_catalogue": True,
            "available": draw.choice([True, True, True, False, None]), "last_seen": at(NOW),
            "first_seen": at(NOW - draw.randrange(100 * 86_400_000)),
        }
        for item in ITEMS
    ]  # fmt: skip
    table_rows.write(settings.lake, "silver.items", rows)


def _lists(settings: Settings, draw: random.Random) -> None:
    def some(n: int) -> list[tuple[str, float]]:
        return [(item, 1.0 - place / 20) for place, item in enumerate(draw.sample(ITEMS, n))]

    walks = [draw.choices(range(60), k=4) for _ in range(100)]
    item, person = np.array(walks, np.int32).ravel(), np.repeat(np.arange(100, dtype=np.int32), 4)
    clicks = from_clicks(IdMap(pa.array(ITEMS)), person, item, np.arange(400) * 1_000_000, timedelta(minutes=30))
    parts: Any = {"returns": SessionReturns(), "follows": MarkovTransitions(half_life_hours=None)}
    blend = SessionBlend(parts=parts, weights={"returns": 1.0, "follows": 1.0, HELD: 1.0})
    recipe = live_session.LiveRecipe(name="blend", recipe=blend, repeats=True)
    choice = live_session.LiveChoice(recipe)
    vectors = np.random.default_rng(3).normal(size=(50, 8)).tolist()  # ten items have none
    Gold(settings).full(
        {f"visitor:{visitor}": some(12) for visitor in VISITORS[:12]},
        [(item, 60.0 - place) for place, item in enumerate(ITEMS[:45])],
        {item: some(6) for item in ITEMS[:30]},
        after={item: some(6) for item in ITEMS[20:50]},
        vectors=dict(zip(ITEMS, vectors, strict=False)),
        session=live_session.keep(settings.lake, "lists/1/session-0", choice, clicks),
    )
    learned = ctr.CtrModel(
        version="1", intercept=-2.0, coefficients={name: 0.5 + 0.1 * at for at, name in enumerate(ctr.FEATURES)}
    )
    files.write(ctr.address(settings.lake), ctr.encode(learned))
    export.run(settings)


def _profiles(settings: Settings, draw: random.Random) -> None:
    """Of fifteen visitors; the last five are strangers. Some actions are of the open session, some of weeks ago."""
    updates = {}
    for visitor in VISITORS[:15]:
        step = draw.choice([20_000, 600_000, 86_400_000])
        codes = draw.choices(range(13), weights=[1, 2, 9, 2, 3, 1, 2, 1, 1, 1, 1, 1, 1], k=draw.randrange(1, 50))
        updates[profile.visitor_key("default", visitor)] = [
            Action(
                NOW - place * step, place, code, "" if code == 3 else draw.choice([*ITEMS, "gone"]), value=10_000 * code
            )
            for place, code in enumerate(codes)
        ]
    kv.open_profiles(settings).merge(updates)


def questions() -> list[tuple[str, str, bytes]]:
    """Method, address and body."""
    draw, asked = random.Random(5), list[tuple[str, str, bytes]]()
    for _ in range(QUESTIONS):
        who = {"visitor_id": draw.choice(VISITORS)} | ({"user_id": "u"} if draw.random() < 0.1 else {})
        more, n = draw.choice(OPTIONS), {"n": str(draw.randrange(1, 6))}
        route = draw.choice(
            ["personalize"] * 3 + ["recommendations", "popular", f"similar/{draw.choice(ITEMS)}", "rank"]
        )
        if route == "rank":
            offered: list[Any] = [*draw.sample(ITEMS, 7), {"item_id": "own", "price": 3, "category": "beds"}]
            asked.append(("POST", "/v1/rank", json.dumps(who | {"items": offered}).encode()))
        else:
            query = who | n | more | ({"feed": "7"} if route == "personalize" else {})
            asked.append(("GET", f"/v1/{route}?{urlencode(query, doseq=True)}", b""))
    return asked + [("GET", f"/v1/next-action?visitor_id={visitor}", b"") for visitor in VISITORS]


def answered(settings: Settings) -> list[tuple[str, Any, Any]]:
    """Each question, its answer, and the properties of its record; by a clock that stands, and draws that are always the same."""
    from serving.metrics import ServingMetrics

    drawn, puts = np.random.default_rng(7), list[bytes]()

    def put(record: bytes) -> bool:
        puts.append(record)
        return True

    with (
        patch.object(np.random, "default_rng", return_value=drawn),
        patch.object(time, "time_ns", lambda: NOW * 1_000_000),
    ):
        metrics = ServingMetrics()
        engine = Engine(settings, metrics)
        app = ApiApp(settings, engine, metrics)
        engine.recorder.put = put  # type: ignore[method-assign]
        engine._refresher.look()
        try:
            return [
                (f"{method} {address} {body.decode()}".rstrip(), *_ask(app, puts, method, address, body))
                for method, address, body in questions()
            ]
        finally:
            engine.close()


def _ask(app: ApiApp, puts: list[bytes], method: str, address: str, body: bytes) -> tuple[Any, Any]:
    sent: list[Any] = []
    path, _, query = address.partition("?")
    headers = [(b"host", b"localhost"), (b"content-length", b"%d" % len(body))]

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": headers}
    puts.clear()
    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 200, (address, sent[1]["body"])
    record = json.loads(puts[0])["properties"] if puts else {}
    return json.loads(sent[1]["body"]), {name: _read(text) for name, text in record.items()}


def _read(text: str) -> Any:
    return json.loads(text) if text[:1] in "[{" else text


def lines(settings: Settings) -> str:
    """A line a question: where the list is from, banner and variant, items with their scores; then features of the first, and draws."""
    return "".join(f"{question}\n    {_short(answer, record)}\n" for question, answer, record in answered(settings))


def _short(answer: Any, record: Any) -> str:
    listed = answer.get("ranked_feed") or answer.get("items") or []
    words = [f"{one['item_id']} {one['score']:.4f}" for one in listed]
    words += [f"{one['action']} {one['probability']:.4f}" for one in answer.get("actions", ())]
    head = [str(answer.get(name)) for name in ("source", "variant")] + [answer.get("session", {}).get("by", "-")]
    head += [(answer.get("personalized_banner") or {}).get("id", "-")]
    first = [f"{name} {values[0]:.3f}" for name, values in record.get("features", {}).items()]
    draws = [f"{one['arm']} {one['propensity']:.3f}" for one in record.get("draws", ())]
    return " | ".join(map(", ".join, (head, words, first, draws)))


@pytest.fixture
def metrics_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "metrics").mkdir()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "metrics"))


@pytest.mark.usefixtures("metrics_folder")
def test_answers_and_their_records_are_those_of_the_golden_file(tmp_path: Path) -> None:
    """Scores may differ by what another processor rounds otherwise."""
    said, golden = (text.splitlines() for text in (lines(world(tmp_path)), FILE.read_text()))
    for question, ours, theirs in zip(golden[::2], said[1::2], golden[1::2], strict=True):
        (words, numbers), (golden_words, golden_numbers) = _parted(ours), _parted(theirs)
        assert words == golden_words, question
        assert numbers == pytest.approx(golden_numbers, abs=2e-3), question


def _parted(line: str) -> tuple[list[str], list[float]]:
    """The words of a line, and its numbers."""
    words = line.replace("|", "").replace(",", "").split()
    numbers = [word for word in words if word[-1].isdigit() and "." in word]
    return [word for word in words if word not in numbers], [*map(float, numbers)]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = name
        FILE.write_text(lines(world(Path(name))))
