"""Servers that are not ours answer as ours do: MLflow's own, as SageMaker asks it, and as Vertex AI does."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import numpy as np
import pytest
from click.testing import CliRunner

from cli.model import model
from ml.jobs import predict
from ml.predictions import nightly, people
from ml.predictions.frames import frame
from ml.predictions.history import open_history
from nextclick import ports
from nextclick.command import CommandContext
from nextclick.contracts.events import Event
from nextclick.lake import delta, duck
from nextclick.profile import predictions, profile
from nextclick.profile.predict_features import TERMS, SessionRules, session_terms
from nextclick.settings import CHECKOUT, load
from serving.export import export
from tests import table_rows
from tests.api_process import answering
from tests.integration.test_predict import DAYS, START, events
from tests.wait import wait_until

pytestmark = [pytest.mark.servers, pytest.mark.slow]

PEOPLE = [f"p{n}" for n in range(60)]
ALONE = {f"NEXTCLICK_RANKING__WEIGHT_{term}": "0" for term in ("CTR", "RECENCY", "CATEGORY_MATCH")}
"""The API's order is then that of the person's own list."""


class Reply(NamedTuple):
    status: int
    body: bytes

    @property
    def predictions(self) -> Any:
        assert self.status == 200, self.body
        return json.loads(self.body)["predictions"]


class ModelServer:
    """deploy/model-server/serve.sh."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"

    def ask(self, path: str, body: Any = None) -> Reply:
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = Request(self.address + path, data, {"Content-Type": "application/json"})
        try:
            with urlopen(request, timeout=60) as reply:
                return Reply(reply.status, reply.read())
        except HTTPError as error:
            return Reply(error.code, error.read())

    def is_up(self, path: str) -> bool:
        try:
            return self.ask(path).status == 200
        except (URLError, OSError):
            return False


@contextmanager
def serving(folder: Path, health: str = "/ping", port_name: str = "PORT", **variables: str) -> Iterator[ModelServer]:
    """The start script on a free port, until it answers."""
    port = ports.free("127.0.0.1", 0)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(folder.parent), "MODEL": str(folder), port_name: str(port), **variables}
    log = (folder.parent / f"{folder.name}.log").open("wb")
    with log, subprocess.Popen(
        [CHECKOUT / "deploy" / "model-server" / "serve.sh", "serve"], env=environment, stdout=log, stderr=log,
        cwd=folder.parent, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            server = ModelServer(port)
            wait_until(lambda: process.poll() is not None or server.is_up(health), 240, 0.2)
            assert process.poll() is None, Path(log.name).read_text()[-2000:]
            yield server
        finally:
            os.killpg(process.pid, 15)
            process.wait(30)


def copied(lake: Path, name: str, folder: Path) -> Mapping[str, str]:
    done = CliRunner().invoke(model, [name, str(folder), "--json"], obj=CommandContext(lake=str(lake), profile="test"))
    assert done.exit_code == 0, (done.output, done.exception)
    said: Mapping[str, str] = json.loads(done.stdout)
    return said


@pytest.fixture(scope="module")
def recommender(trained_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The champion's folder, made by `nextclick model`; nothing of the lake is beside it."""
    folder = tmp_path_factory.mktemp("served") / "recommender"
    assert copied(trained_template, "recommender", folder)["version"] == "1"
    return folder


def test_the_champion_answers_the_lists_of_the_api(recommender: Path, trained: Path) -> None:
    export.run(load(trained, profile="test", environ={}))
    with serving(recommender) as server:
        asked = {"dataframe_records": [{"person_id": person} for person in PEOPLE], "params": {"n": 10}}
        answers = server.ask("/invocations", asked).predictions
        few = server.ask("/invocations", {"instances": [{"person_id": "nobody"}], "params": {"n": 3}}).predictions
        wrong = server.ask("/invocations", {"dataframe_records": [{"person": "p1"}]})
    assert [answer["person_id"] for answer in answers] == PEOPLE
    assert {answer["source"] for answer in answers} == {"model"}
    with answering(trained, "--profile", "test", **ALONE) as api:  # type: ignore[arg-type]
        ours = [api.ask(f"/v1/recommendations?user_id={person}&n=10").json["items"] for person in PEOPLE]
        popular = api.ask("/v1/popular?n=3").json["items"]
    assert [answer["items"] for answer in answers] == [[item["item_id"] for item in list_] for list_ in ours]
    assert (few[0]["source"], len(few[0]["items"])) == ("popular", 3)
    assert few[0]["items"] == [item["item_id"] for item in popular]
    assert wrong.status == 400


def test_vertex_ai_asks_at_its_own_routes_with_its_own_words(recommender: Path) -> None:
    routes = {"AIP_HEALTH_ROUTE": "/v1/health", "AIP_PREDICT_ROUTE": "/v1/endpoints/7/deployedModels/9:predict"}
    with serving(recommender, "/v1/health", "AIP_HTTP_PORT", **routes) as server:
        asked = {"instances": [{"person_id": "p7"}, {"person_id": "nobody"}], "parameters": {"n": 2}}
        own, stranger = server.ask(routes["AIP_PREDICT_ROUTE"], asked).predictions
        same = server.ask("/invocations", {"dataframe_records": [{"person_id": "p7"}], "params": {"n": 2}}).predictions
        assert server.ask(routes["AIP_PREDICT_ROUTE"], b"{").status == 400
        assert server.ask(routes["AIP_PREDICT_ROUTE"], b" " * 2_000_000).status == 413
    assert (len(own["items"]), own["source"], len(stranger["items"]), stranger["source"]) == (2, "model", 2, "popular")
    assert [own] == same


def test_a_prediction_answers_what_is_in_gold_predictions(tmp_path: Path) -> None:
    settings = load(
        tmp_path / "lake",
        profile="test",
        environ={f"NEXTCLICK_PREDICTIONS__{key}": value for key, value in DAYS.items()},
    )
    settings.lake.prepare()
    table_rows.write(settings.lake, "silver.events", events(400, 12))
    table_rows.write(settings.lake, "silver.user_agents", [])
    assert predict.run(settings).details["churn"] == "version 1"
    rows = delta.require(settings.lake, "gold.predictions").to_pyarrow_table().to_pylist()
    known = predictions.read(settings.lake)
    assert known is not None
    with duck.answering(settings.lake, "a test") as database:
        history = open_history(database, settings)
        assert history is not None
        now = frame(database, settings.site, history.newest + 1, nightly.window(settings, {}))
    learned = predictions.model(settings.lake, "churn", known.served["churn"])
    terms = people.terms(now, people.named(learned))
    records = [
        {name: terms[name][at] for name in learned.coefficients} | {"person": person}
        for at, person in enumerate(now.people.to_pylist())
    ]
    chance = {row["subject_id"]: row["calibrated"] for row in rows}
    copied(tmp_path / "lake", "churn", tmp_path / "churn")
    with serving(tmp_path / "churn") as server:
        asked = [{name: value for name, value in record.items() if name != "person"} for record in records]
        answers = server.ask("/invocations", {"dataframe_records": asked}).predictions
    assert len(answers) == len(chance) > 300
    ours = [chance[str(record["person"])] for record in records]
    assert [answer["probability"] for answer in answers] == pytest.approx(ours, abs=1e-12)


def shopping(visitors: int) -> list[dict[str, Any]]:
    """One session each, of a view and, in the first half of the day mostly, a purchase some minutes later."""
    rng = np.random.default_rng(3)
    rows: list[dict[str, Any]] = []
    for number in range(visitors):
        hour = int(rng.integers(24))
        at = START + timedelta(days=int(rng.integers(20)), hours=hour, seconds=int(rng.integers(3000)))
        did = ["view_item", "purchase"][: 1 + int(rng.random() < (0.85 if hour < 12 else 0.1))]
        for event, moment in zip(did, (at, at + timedelta(minutes=10)), strict=False):
            times = {"occurred_at": moment, "received_at": moment, "client_time": moment}
            who = {"site": "default", "visitor_id": f"v{number:04}", "event_id": f"e{number} {event}"}
            rows.append(who | times | {"event": event, "item_id": "lamp", "channel": "direct"})
    return rows


def test_conversion_of_an_open_session_is_what_the_api_makes_of_its_terms(tmp_path: Path) -> None:
    settings = load(tmp_path / "lake", profile="test", environ={"NEXTCLICK_PREDICTIONS__MAX_ECE": "0.1"})
    settings.lake.prepare()
    table_rows.write(settings.lake, "silver.events", shopping(3000))
    table_rows.write(settings.lake, "silver.user_agents", [])
    report = predict.run(settings)
    assert report.details["conversion_session"] == "version 1", report.details["reason"]
    known = predictions.read(settings.lake)
    assert known is not None
    learned = predictions.model(settings.lake, "conversion_session", known.served["conversion_session"])
    rules, asked = SessionRules.of(settings, settings.site), []
    for hour in (3, 9, 15, 21):
        viewed = round((START + timedelta(days=30, hours=hour)).timestamp() * 1000)
        action = profile.action_of(Event(event="view_item", event_id="e", item_id="lamp", client_time=viewed), viewed)
        terms = session_terms(profile.merge(profile.EMPTY, [action] if action else []), viewed + 5_000, rules)
        assert terms is not None
        asked.append(dict(zip(TERMS, terms, strict=True)))
    copied(tmp_path / "lake", "conversion_session", tmp_path / "session")
    with serving(tmp_path / "session") as server:
        answers = server.ask("/invocations", {"dataframe_records": asked}).predictions
    ours = [learned.of(terms) for terms in asked]
    assert [answer["probability"] for answer in answers] == pytest.approx(ours, abs=1e-12)
    assert min(ours[:2]) > max(ours[2:])
