"""What an export carries of predictions, and what is answered of them."""

import asyncio
import math
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec
import pytest

from nextclick.errors import ModelError
from nextclick.kv.lists.packing import PREDICTIONS
from nextclick.lake import files
from nextclick.profile import predictions
from nextclick.profile.predict_features import TERMS
from nextclick.settings import Settings
from serving import response
from serving.export import export
from serving.ranking.visitor import VisitorLookup, Who
from tests import table_rows
from tests.integration.conftest import POPULAR, Gold
from tests.serving_index import served, shop


@pytest.fixture
def lake(settings: Settings) -> Settings:
    settings.lake.prepare()
    return settings


def foreseen(lake: Settings, churn: Mapping[str, float], as_of: int = 7_000_000, session: str = "counted") -> None:
    """What a training of predictions leaves."""
    at = datetime.fromtimestamp(as_of / 1e6, UTC)
    row = {"site": "default", "model": "churn", "as_of": at, "decile": 1, "reasons": []}
    rows = [row | {"subject_id": person, "calibrated": value} for person, value in churn.items()]
    version = table_rows.write(lake.lake, "gold.predictions", rows, mode="overwrite")
    model = predictions.Predictor(
        name="conversion_session", version=session, horizon_s=0, intercept=0.0, coefficients={"in_cart": 1.0}
    )
    stored = predictions.encode(model)
    files.write(predictions.address(lake.lake, "conversion_session"), stored)
    standings = {
        name: predictions.Standing(version=version, digest=predictions.digest(stored), reasons=[], metrics={})
        for name, version in (("churn", "4"), ("conversion_session", session))
    }
    left = predictions.Predictions(key="", as_of=as_of, table_version=version, served=standings, absent={})  # type: ignore[arg-type]
    files.write(predictions.address(lake.lake, "status"), msgspec.json.encode(left))


def asked(lake: Settings, visitor: str | None, user: str | None = None) -> dict[str, float]:
    async def ask() -> dict[str, float]:
        return await VisitorLookup(lake).foreseen(served(lake), Who("default", visitor, user))

    return asyncio.run(ask())


def test_what_is_foreseen_goes_along_and_people_of_another_night_are_not_foreseen_any_more(
    lake: Settings, gold: Gold
) -> None:
    gold.full({}, POPULAR)
    foreseen(lake, {"ann": 0.25, "visitor:v": 0.5})
    export.run(lake)
    assert asked(lake, None, "ann") == asked(lake, "v", "ann") == {"churn": 0.25}
    assert asked(lake, "v") == {"churn": 0.5}
    assert asked(lake, "ann") == asked(lake, None, "v") == {}
    assert export.run(lake).details["kind"] == "nothing new"

    foreseen(lake, {"ann": 0.75}, as_of=8_000_000)
    assert export.run(lake).details["kind"] == "incremental", "it goes out though the lists are the same"
    assert asked(lake, "v", "ann") == {"churn": 0.75}
    assert asked(lake, "v") == {}


def test_the_model_of_sessions_goes_along_where_it_passed_and_is_refused_where_its_file_is_another(
    lake: Settings, gold: Gold
) -> None:
    gold.full({}, POPULAR)
    foreseen(lake, {"ann": 0.25})
    export.run(lake)
    said = served(lake)
    assert said.foreseeing is not None
    assert said.foreseeing.session is None, "the export counts its own rates"
    answer = response.foreseen(said, None, 0.125, {"churn": 0.25})
    assert (answer.conversion_session, answer.churn, answer.conversion_7d, answer.as_of) == (0.125, 0.25, None, 7_000)
    assert answer.model_version == {"conversion_session": "counted", "churn": "4"}

    foreseen(lake, {"ann": 0.25}, session="5")
    export.run(lake)
    terms = [float(name == "in_cart") for name in TERMS]
    answer = response.foreseen(served(lake), terms, 0.125, {})
    assert answer.conversion_session == pytest.approx(1 / (1 + math.exp(-1)))
    assert (answer.model_version["conversion_session"], answer.as_of) == ("5", None)
    assert response.foreseen(served(lake), None, 0.125, {}).conversion_session == 0.125, "no session is open"

    foreseen(lake, {"ann": 0.5}, session="6")
    files.write(predictions.address(lake.lake, "conversion_session"), b"{}")
    with pytest.raises(ModelError, match="not the file that was registered"):
        export.run(lake)
    assert response.foreseen(served(lake), terms, 0.125, {}).model_version["conversion_session"] == "5"


@pytest.mark.parametrize(
    "damaged", [b"", b"\xc1", msgspec.msgpack.encode({"as_of": 1, "versions": {}, "session": {"name": "x"}})]
)
def test_predictions_that_are_damaged_cost_no_list_and_nobody_is_foreseen(damaged: bytes) -> None:
    damaged_shop = shop(more={PREDICTIONS: damaged})
    assert damaged_shop.foreseeing is None
    assert response.foreseen(damaged_shop, [0.0] * len(TERMS), 0.125, {}).conversion_session == 0.125
