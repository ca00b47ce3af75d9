"""A real API over real lists: routes, keys, fall-backs, what it puts on record, and exports beneath it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from nextclick import kv
from nextclick.contracts.events import Event
from nextclick.kv.backends import BACKENDS
from nextclick.profile.profile import action_of, person_key
from nextclick.settings import Settings, load
from nextclick.web.signatures import sign
from serving.export import export
from tests import table_rows
from tests.api_process import answering
from tests.collector_process import Collector, collecting
from tests.integration.conftest import Gold, with_kv
from tests.wait import wait_until

SECRET = "Bearer a secret key of tests"
SEEN = datetime(2026, 1, 1, tzinfo=UTC)
CATALOGUE = [
    ("lamp", "Amber lamp", "light", "20.00", True),
    ("bulb", "Amber bulb", "light", "5.00", True),
    ("cord", "Long cord", "light", "3.00", None),
    ("sofa", "Soft sofa", "seats", "900.00", False),
    ("stool", "Low stool", "seats", "40.00", True),
]
POPULAR = [("lamp", 8.0), ("bulb", 4.0), ("sofa", 2.0), ("stool", 1.0)]
SIMILAR = {"lamp": [("cord", 0.9), ("bulb", 0.5)]}
VECTORS = {"lamp": [1.0, 0.0], "bulb": [0.6, 0.8], "stool": [0.0, 1.0]}


def write_items(settings: Settings, goods: Iterable[tuple[str, str, str, str, bool | None]]) -> None:
    """silver.items: id, name, category, price in euro, available."""
    seen = {"site": "default", "currency": "EUR", "in_catalogue": True, "first_seen": SEEN, "last_seen": SEEN}
    names = ("item_id", "name", "category", "price", "available")
    rows = [
        seen | dict(zip(names, good, strict=True)) | {"price": Decimal(good[3]), "attributes": [("look", good[1])]}
        for good in goods
    ]
    table_rows.write(settings.lake, "silver.items", rows, mode="overwrite")


def furnished(settings: Settings) -> Settings:
    """A lake with five items, a popular list, ann's own list, and what resembles the lamp."""
    settings.lake.prepare()
    write_items(settings, CATALOGUE)
    Gold(settings).full({"visitor:ann": [("stool", 0.9), ("lamp", 0.1)]}, POPULAR, SIMILAR, vectors=VECTORS)
    export.run(settings)
    return settings


@pytest.fixture
def shop(settings: Settings) -> Settings:
    return furnished(settings)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """An API that the tests of this file share."""
    lake = furnished(load(lake=tmp_path_factory.mktemp("api") / "lake", environ={})).lake.root
    with answering(lake, NEXTCLICK_SERVING__SECRET_KEY="a secret key of tests") as running:
        yield running


def items(answer: Any) -> list[str]:
    return [item["item_id"] for item in answer["items"]]


def test_every_route_answers_with_what_its_page_promises(api: Collector) -> None:
    document = api.ask("/openapi.json").json
    assert len(document["paths"]) == 11
    for path, operations in document["paths"].items():
        for method in operations:
            body = b'{"items": ["lamp", "unheard of"]}' if method == "post" else None
            url = path.replace("{item_id}", "lamp").replace("{visitor_id}", "ann") + "?q=l" * (path == "/v1/suggest")
            reply = api.ask(url, body, method.upper(), authorization=SECRET)
            assert reply.status == 200, (path, reply.body)
            named = operations[method]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
            promised = document["components"]["schemas"][named.rpartition("/")[2]]
            assert set(promised.get("required", [])) <= set(reply.json) <= set(promised["properties"])
    page = api.ask("/docs").body.decode()
    assert all(path in page for path in document["paths"])
    assert not re.search(r'(src|href)=["\']?(https?:)?//', page), "the page fetches nothing from elsewhere"
    assert b"nextclick_serving_answers_total" in api.ask("/metrics").body


def test_lists_feed_and_banner_come_in_one_answer_with_the_facts_of_the_catalogue(api: Collector) -> None:
    answer = api.ask("/v1/personalize?visitor_id=ann&n=2&feed=3&explain=true").json
    assert answer["recommendations"] == [item["item_id"] for item in answer["ranked_feed"]][:2]
    assert (answer["source"], answer["degraded"], answer["model_version"]) == ("personal", False, "1")
    stool = next(item for item in answer["ranked_feed"] if item["item_id"] == "stool")
    assert (stool["name"], stool["category"], stool["price"], stool["currency"]) == ("Low stool", "seats", 40.0, "EUR")
    assert stool["terms"]["personal"] == 1.0
    assert set(answer["personalized_banner"]) == {"id", "text", "link"}
    assert "sofa" not in str(answer), "it is sold out"


def test_similar_items_come_first_and_the_rest_is_popular(api: Collector) -> None:
    answer = api.ask("/v1/similar/lamp?n=3").json
    assert (items(answer)[:2], answer["source"]) == (["cord", "bulb"], "similar")
    assert "lamp" not in items(answer)
    unheard = api.ask("/v1/similar/un/heard%20of?n=2").json
    assert (items(unheard), unheard["source"]) == (["lamp", "bulb"], "popular")


def test_given_items_are_ranked_and_what_is_said_of_them_wins(api: Collector) -> None:
    body = {"items": ["unheard", {"item_id": "sofa", "available": True}, "lamp", {"item_id": "bulb", "price": 99}]}
    assert items(api.post("/v1/rank", body).json) == ["lamp", "bulb", "sofa", "unheard"]
    assert items(api.post("/v1/rank", body | {"price_max": 50}).json) == ["lamp"]
    assert items(api.post("/v1/rank", body | {"deny": ["unheard", "lamp"], "n": 1}).json) == ["bulb"]
    assert items(api.post("/v1/rank", body | {"allow": ["unheard"]}).json) == ["unheard"]


def test_suggestions_complete_and_forgive(api: Collector) -> None:
    suggestions = api.ask("/v1/suggest?q=ambr&explain=true").json["suggestions"]
    assert [(each["text"], each["item_id"]) for each in suggestions] == [("Amber lamp", "lamp"), ("Amber bulb", "bulb")]
    assert suggestions[0]["terms"]["corrected"] == 1.0


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/personalize?n=0", "n"),
        ("/v1/personalize?n=many", "n"),
        ("/v1/personalize?price_min=nan", "price_min"),
        ("/v1/personalize?price_max=inf", "price_max"),
        ("/v1/recommendations?visitor_id=" + "v" * 257, "visitor_id"),
        ("/v1/recommendations?visitor_id=%00", "visitor_id"),
        ("/v1/popular?price_max=3&currency=euro", "currency"),
        ("/v1/popular?colour=red", "colour"),
        ("/v1/popular?n=1&n=2", "n"),
        ("/v1/popular?boost=lamp", "boost"),
        ("/v1/suggest", "q"),
    ],
)
def test_a_wrong_field_is_refused_and_named(api: Collector, path: str, field: str) -> None:
    reply = api.ask(path)
    assert (reply.status, field in reply.json["message"]) == (400, True), reply.body


@pytest.mark.parametrize("item", ["a/b", "ключ", "👟🏽", " a", "%", "x" * 256])
def test_an_item_id_is_what_an_event_has_for_one(api: Collector, item: str) -> None:
    assert api.ask(f"/v1/similar/{quote(item, safe='')}").status == 200
    rules = {"allow": [item], "deny": [item], "items": [item, {"item_id": "lamp", "category": "a\tcategory"}]}
    assert api.post("/v1/rank", rules).status == 200


def test_wrong_bodies_methods_and_paths_are_refused(api: Collector) -> None:
    assert api.post("/v1/rank", "{").status == 400
    assert "items" in api.post("/v1/rank", {"visitor_id": "v"}).json["message"]
    assert api.post("/v1/rank", b'{"items":' + b"[" * 10_000).status == 400
    assert api.post("/v1/rank", {"items": ["x" * 200] * 2_000}).status == 413
    for encoding, status in (("gzip", 415), ("br", 415), ("identity", 200), ("utf-8", 200)):
        assert api.post("/v1/rank", {"items": ["lamp"]}, content_encoding=encoding).status == status
    assert api.post("/v1/popular", {}).status == 405
    assert api.ask("/v2").status == 404


def test_without_keys_pages_of_this_machine_alone_may_ask(api: Collector) -> None:
    page = api.ask("/v1/popular", origin="http://127.0.0.1:3000")
    assert (page.status, page.headers["access-control-allow-origin"]) == (200, "http://127.0.0.1:3000")
    foreign = api.ask("/v1/popular", origin="https://a.example")
    assert (foreign.status, "access-control-allow-origin" in foreign.headers) == (403, False)
    assert api.ask("/v1/popular", host="rebound.example").status == 403


def test_a_profile_wants_the_secret_key(api: Collector) -> None:
    assert api.ask("/v1/profile/ann").status == 401
    assert api.ask("/v1/profile/ann", authorization="Bearer wrong").status == 401
    assert api.ask("/v1/profile/ann", authorization=SECRET).json["actions"] == []


def test_a_click_changes_the_next_answer(shop: Settings) -> None:
    with (
        answering(shop.lake.root, NEXTCLICK_SERVING__SECRET_KEY="a secret key of tests") as api,
        collecting(shop.lake.root) as door,
    ):
        assert api.ask("/v1/personalize?visitor_id=v1").json["source"] == "popular"
        event = {"event": "view_item", "visitor_id": "v1", "item_id": "lamp", "timestamp": int(time.time() * 1000)}
        assert door.post("/v1/events", event).status == 200
        answer = wait_until(
            lambda: (reply := api.ask("/v1/personalize?visitor_id=v1").json)["source"] == "session" and reply
        )
        assert "cord" in answer["recommendations"][:2], "it resembles the lamp most"
        profile = api.ask("/v1/profile/v1", authorization=SECRET).json
        assert [action["item_id"] for action in profile["actions"]] == ["lamp"]
        assert (profile["features"]["session_category"], profile["degraded"]) == ("light", False)
        assert list(profile["features"]["attributes"]) == ["look: Amber lamp"]
        assert (profile["embedding"]["method"], profile["embedding"]["mean"]) == ("als", [1.0, 0.0])
        ranked = api.ask("/v1/recommendations?visitor_id=v1&explain=true").json["items"]
        near = {item["item_id"]: item["terms"]["affinity"] for item in ranked}
        # ([[1.36, .48], [.48, 1.64]] + 1 · lamp lamp' + I)^−1 · 2 lamp = [.611, −.111], for a view that has not faded
        assert (near["lamp"], round(near["bulb"], 2), near["stool"], near["cord"]) == (0, 0.45, 0, 0)
        bought = event | {"event": "purchase", "item_id": "cord"}
        assert door.post("/v1/events", bought).status == 200
        wait_until(lambda: "cord" not in api.ask("/v1/personalize?visitor_id=v1").json["recommendations"])


def test_every_list_for_somebody_is_on_record_with_what_it_was_made_of(api: Collector) -> None:
    answer = api.ask("/v1/recommendations?visitor_id=ann&n=2&surface=home").json
    api.ask("/v1/popular")  # for nobody: no record
    api.ask("/v1/recommendations?visitor_id=bob")
    events = api.wait_for(lambda events: any(event["visitor_id"] == "bob" for event in events))
    assert all(event["visitor_id"] in ("ann", "bob") for event in events)
    event = next(event for event in events if event["request_id"] == answer["request_id"])
    assert (event["event"], event["source"], event["visitor_id"]) == ("served", "server", "ann")
    assert event["event_id"] == event["request_id"] == answer["request_id"]
    assert (event["surface"], event["model_version"], event["site"]) == ("home", "1", "default")
    properties = event["properties"]
    assert properties["items"] == str(items(answer)).replace("'", '"').replace(" ", "")
    assert (properties["propensities"], properties["source"]) == ("[1.0,1.0]", "personal")
    assert '"personal":[' in properties["features"]


def test_visitors_users_and_nobody_have_each_their_own(api: Collector) -> None:
    assert api.ask("/v1/recommendations?visitor_id=ann").json["source"] == "personal"
    for who in ("user_id=ann", "visitor_id=visitor:ann", "user_id=visitor:ann", "visitor_id=undefined&user_id=NULL"):
        assert api.ask(f"/v1/recommendations?{who}").json["source"] == "popular", who


def test_what_was_served_before_a_stop_is_published(shop: Settings) -> None:
    with answering(shop.lake.root, NEXTCLICK_SERVING__PUBLISH_SECONDS="3600") as api:
        request_ids = [api.ask("/v1/recommendations?visitor_id=ann").json["request_id"] for _ in range(20)]
        assert api.stop() == 0
        assert [event["request_id"] for event in api.landed()] == request_ids


def test_keys_say_whose_pages_may_ask_and_how_often(shop: Settings) -> None:
    keys: Any = {
        "NEXTCLICK_CONF_DIR": str(_conf(shop, '[serving.read_keys]\nk = { site = "default", origins = ["https://a.example"] }\n')),
        "NEXTCLICK_SERVING__REQUESTS_PER_SECOND": "5",
    }  # fmt: skip
    with answering(shop.lake.root, **keys) as api:
        assert api.ask("/v1/popular").status == 401
        assert api.ask("/v1/popular?key=k").status == 200
        assert api.ask("/v1/popular", x_read_key="k", origin="https://a.example").status == 200
        assert api.ask("/v1/popular?key=k", origin="https://b.example").status == 403
        assert 429 in {api.ask("/v1/popular?key=k").status for _ in range(20)}
        preflight = api.ask(
            "/v1/popular", None, "OPTIONS", origin="https://a.example", access_control_request_method="GET"
        )
        assert (preflight.status, preflight.headers["access-control-allow-methods"]) == (204, "GET, HEAD, POST")


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """An API with a read key of its own site, one of another, and a secret key; a user bought the bulb and then searched."""
    settings = furnished(load(lake=tmp_path_factory.mktemp("keyed") / "lake", environ={}))
    now = int(time.time() * 1000)
    bought = Event(event="purchase", event_id="1", client_time=now - 2_000, item_id="bulb")
    searched = Event(event="search", event_id="2", client_time=now - 1_000, query="cord")
    actions = [action for event in (bought, searched) if (action := action_of(event, now))]
    kv.open_profiles(settings).merge({person_key("default", "ann@example.org"): actions})
    keys = {"page": {"site": "default"}, "foreign key": {"site": "other"}}
    env: Any = {
        "NEXTCLICK_SERVING__READ_KEYS": json.dumps(keys),
        "NEXTCLICK_SERVING__SECRET_KEY": SECRET.removeprefix("Bearer "),
    }
    with answering(settings.lake.root, **env) as running:
        yield running


ANN = sign("a secret key of tests", "default", "ann@example.org")
VICTIM = {"user_id": "ann@example.org", "items": ["bulb", "lamp"], "hide_bought": True}


@pytest.mark.parametrize(
    ("headers", "more", "knows_ann"),
    [
        ({"x_read_key": "page"}, {}, False),
        ({"x_read_key": "page"}, {"user_signature": "0" * 64}, False),
        ({"x_read_key": "page"}, {"user_signature": sign("a secret key of tests", "default", "bob")}, False),
        ({"x_read_key": "page"}, {"user_signature": ANN}, True),
        ({"x_read_key": "page", "x_user_signature": ANN}, {}, True),
        ({"x_read_key": "page", "authorization": SECRET}, {}, True),
        ({"authorization": SECRET.replace("Bearer", "bearer")}, {}, True),
    ],
)
def test_what_a_user_bought_or_did_is_shown_to_who_proves_that_they_are_asked_for(
    keyed: Collector, headers: dict[str, Any], more: dict[str, str], knows_ann: bool
) -> None:
    ranked = keyed.post("/v1/rank", VICTIM | more, **headers)
    assert items(ranked.json) == (["lamp"] if knows_ann else ["lamp", "bulb"])
    query = "user_id=ann@example.org" + "".join(f"&{name}={value}" for name, value in more.items())
    assert keyed.ask(f"/v1/next-action?{query}", **headers).json["acts"] == (["buy", "search"] if knows_ann else [])
    listed = keyed.ask(f"/v1/recommendations?{query}&hide_bought=true&explain=true", **headers).json
    assert ("bulb" in items(listed)) != knows_ann


def test_nobody_is_a_user_by_naming_their_id_as_a_visitors(keyed: Collector) -> None:
    as_visitor = {"visitor_id": "ann@example.org", "items": ["bulb", "lamp"], "hide_bought": True}
    assert items(keyed.post("/v1/rank", as_visitor, x_read_key="page").json) == ["lamp", "bulb"]
    assert keyed.ask("/v1/next-action?visitor_id=ann@example.org", x_read_key="page").json["acts"] == []


def test_what_actions_earn_is_shown_to_who_brings_the_secret_key_alone(keyed: Collector) -> None:
    path = "/v1/next-best-action?visitor_id=ann&explain=true"
    for more in ("", "&brief=false", "&brief=true"):
        page = keyed.ask(path + more, x_read_key="page").json
        assert (page["action"], page["actions"], page["reason"]) == ("none", [], "")
    server = keyed.ask(path, x_read_key="page", authorization=SECRET).json
    assert [one["action"] for one in server["actions"]] == ["none"]
    assert "nothing was learned yet" in server["reason"]


def test_a_key_of_another_site_gets_nothing_of_this_one(keyed: Collector) -> None:
    reply = keyed.ask("/v1/personalize?visitor_id=ann", x_read_key="foreign key")
    assert (reply.status, reply.json["error"]) == (403, "other_site")
    assert "'default'" in reply.json["message"]


def test_keys_close_what_operators_alone_need_and_answers_are_kept_by_nobody(keyed: Collector) -> None:
    for path in ("/metrics", "/docs", "/openapi.json"):
        assert keyed.ask(path).status == 401
        assert keyed.ask(path, authorization=SECRET).status == 200
    assert keyed.ask("/ready").status == 200
    reply = keyed.ask("/v1/popular", x_read_key="page")
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"
    page = keyed.ask("/docs", authorization=SECRET)
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert page.headers["referrer-policy"] == "no-referrer"


def _conf(settings: Settings, more: str) -> Path:
    """A folder of settings with more of them in default.toml."""
    folder = settings.lake.root.parent / "conf"
    folder.mkdir()
    text = (settings.conf_dir / "default.toml").read_text()
    (folder / "default.toml").write_text(
        text.replace("[serving.read_keys]", f"{more.splitlines()[0]}\n{more.splitlines()[1]}")
    )
    return folder


def test_before_the_first_export_answers_are_empty_and_say_so(settings: Settings, gold: Gold) -> None:
    settings.lake.prepare()
    with answering(settings.lake.root) as api:
        assert api.ask("/ready").status == 503
        answer = api.ask("/v1/personalize?visitor_id=ann").json
        assert (answer["recommendations"], answer["source"], answer["degraded"]) == ([], "none", True)
        assert api.post("/v1/rank", {"items": ["a"]}).json["items"] == []
        assert api.ask("/v1/suggest?q=a").json["suggestions"] == []
        assert api.ask("/v1/next-action").json["actions"] == []
        gold.full({}, [("lamp", 1.0)])
        export.run(settings)
        wait_until(lambda: api.ask("/ready").status == 200)
        assert api.ask("/v1/personalize?visitor_id=ann").json["recommendations"] == ["lamp"]


def publish(settings: Settings, gold: Gold, version: int) -> None:
    """An export of which each item tells its version, by id, name and category."""
    names = [f"{version}-{number}" for number in range(30)]
    write_items(settings, [(name, f"of {version}", f"category {version}", "1.00", True) for name in names])
    lists = [(name, 30.0 - place) for place, name in enumerate(names)]
    gold.full({"visitor:ann": lists}, lists, {names[0]: lists[1:]}, model=str(version))
    export.run(settings)


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_answer_mixes_two_exports(
    backend: str, settings: Settings, gold: Gold, request: pytest.FixtureRequest
) -> None:
    env = {}
    if backend == "redis":
        url = request.getfixturevalue("redis_url")
        settings = with_kv(settings, backend="redis", redis_url=url)
        env = {"NEXTCLICK_KV__BACKEND": "redis", "NEXTCLICK_KV__REDIS_URL": url}
        env["NEXTCLICK_SERVING__BUDGET_MILLISECONDS"] = "5000"  # a busy machine is no slow store

    settings.lake.prepare()
    publish(settings, gold, 1)
    with answering(settings.lake.root, **env) as api:
        ended = threading.Event()
        answers: list[Any] = []

        def ask() -> None:
            while not ended.is_set():
                answers.append(api.ask("/v1/personalize?visitor_id=ann&n=30&feed=30"))
                time.sleep(0.002)  # a turn for the exports

        def served(version: str) -> bool:
            return bool(answers) and answers[-1].json["model_version"] == version

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for version in range(2, 6):
            publish(settings, gold, version)
            wait_until(partial(served, str(version)))
        ended.set()
        for thread in threads:
            thread.join()
    assert {reply.status for reply in answers} == {200}
    seen = set()
    for reply in answers:
        answer = reply.json
        version = answer["model_version"]
        seen.add(version)
        assert not answer["degraded"]
        assert all(item["item_id"].startswith(f"{version}-") for item in answer["ranked_feed"])
        assert {(item["name"], item["category"]) for item in answer["ranked_feed"]} == {
            (f"of {version}", f"category {version}")
        }
    assert seen == {"1", "2", "3", "4", "5"}


WRK = """
local watched
setup = function(thread) watched = thread end
init = function() mixed, failed, versions, seen = 0, 0, 0, {} end
request = function() return wrk.format("GET", "/v1/personalize?visitor_id=ann&n=30&feed=30") end
response = function(status, headers, body)
  local version = body:match('"model_version":"(%d+)"')
  if status ~= 200 or not version then failed = failed + 1 return end
  if not seen[version] then seen[version] = true versions = versions + 1 end
  for named in body:gmatch('"item_id":"(%d+)%-') do
    if named ~= version then mixed = mixed + 1 end
  end
end
done = function(summary)
  local errors = summary.errors
  io.write(string.format('{"rate": %d, "errors": %d, "mixed": %d, "failed": %d, "versions": %d}',
    summary.requests / summary.duration * 1e6, errors.status + errors.timeout + errors.read + errors.connect,
    watched:get("mixed"), watched:get("failed"), watched:get("versions")))
end
"""


@pytest.mark.stress
@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed")
def test_exports_under_a_thousand_requests_a_second_fail_no_answer_and_mix_none(
    settings: Settings, gold: Gold, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    settings.lake.prepare()
    publish(settings, gold, 1)
    (tmp_path / "load.lua").write_text(WRK)
    with answering(settings.lake.root, "--workers", "2") as api:
        command = ["wrk", "-t1", "-c16", "-d20", "-s", str(tmp_path / "load.lua"), api.address]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as load:
            for version in count(2):
                publish(settings, gold, version)
                if load.poll() is not None:
                    break
            out, _ = load.communicate()
    figures = json.loads(out[out.index("{") :])
    record_property("load", figures)
    assert (figures["errors"], figures["mixed"], figures["failed"]) == (0, 0, 0)
    assert figures["versions"] > 5


def test_a_stalled_or_dead_store_costs_what_is_known_of_the_visitor_and_no_answer(
    settings: Settings, gold: Gold, tmp_path: Path
) -> None:
    from tests.integration.conftest import redis_process

    with redis_process(tmp_path) as (server, port):
        url = f"redis://127.0.0.1:{port}/0"
        in_redis = with_kv(settings, backend="redis", redis_url=url)
        in_redis.lake.prepare()
        gold.full({"visitor:ann": [("stool", 1.0)]}, POPULAR)
        export.run(in_redis)
        with answering(
            settings.lake.root,
            NEXTCLICK_KV__BACKEND="redis",
            NEXTCLICK_KV__REDIS_URL=url,
            NEXTCLICK_SERVING__RETRY_SECONDS="0.1",
            NEXTCLICK_SERVING__BUDGET_MILLISECONDS="2000",  # a busy machine is no slow store
            NEXTCLICK_KV__REDIS_TIMEOUT_SECONDS="1",
        ) as api:
            healthy = api.ask("/v1/personalize?visitor_id=ann").json
            assert (healthy["source"], healthy["degraded"]) == ("personal", False)
            os.kill(server.pid, signal.SIGSTOP)
            for path in ("personalize?visitor_id=ann", "recommendations?visitor_id=ann", "similar/lamp"):
                reply = api.ask(f"/v1/{path}&deny=bulb".replace("lamp&", "lamp?"))
                assert (reply.status, reply.json["degraded"], reply.json["source"]) == (200, True, "popular"), path
                assert "bulb" not in reply.body.decode(), "the rules hold"
            os.kill(server.pid, signal.SIGCONT)
            wait_until(lambda: not api.ask("/v1/personalize?visitor_id=ann").json["degraded"])
            server.kill()
            server.wait()
            reply = api.ask("/v1/personalize?visitor_id=ann")
            assert (reply.status, reply.json["degraded"]) == (200, True)
            assert reply.json["recommendations"][0] == "lamp"


def test_the_answering_process_starts_nothing_heavy() -> None:
    heavy = {"pyspark", "mlflow", "dagster", "great_expectations", "deltalake", "duckdb", "pyarrow", "pandas", "scipy"}
    heavy |= {"lightgbm", "sklearn"}
    script = "import sys, serving.api.server\nprint(*{name.partition('.')[0] for name in sys.modules})"
    said = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert not heavy & set(said.split())
