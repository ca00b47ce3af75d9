"""MLflow's server under the routes that Vertex AI names, with its `parameters` as MLflow's `params`.

Vertex AI puts `{"instances": […], "parameters": {…}}` to AIP_PREDICT_ROUTE and looks at AIP_HEALTH_ROUTE; the answer,
`{"predictions": […]}`, is MLflow's own. MLflow would leave out `parameters` without a word. Nothing here is of nextclick: the
image of a model has MLflow and what its requirements.txt names.
https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements
"""

import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from mlflow.pyfunc import load_model, scoring_server

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_MOST_BYTES = 1_572_864
"""Of a request: Vertex AI's own limit, 1.5 MB."""
_ROUTES = {
    os.environ.get("AIP_HEALTH_ROUTE", "/ping"): "/ping",
    os.environ.get("AIP_PREDICT_ROUTE", "/invocations"): "/invocations",
}
_inner = scoring_server.init(load_model(os.environ["MODEL"]))


async def app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    """As ASGI calls it."""
    if scope["type"] != "http" or (route := _ROUTES.get(scope["path"])) is None:
        await _inner(scope, receive, send)
        return
    scope = {**scope, "path": route, "raw_path": route.encode()}
    if route == "/invocations":
        body = await _body(receive)
        if body is None:
            await send({"type": "http.response.start", "status": 413, "headers": []})
            await send({"type": "http.response.body", "body": b"A request has at most 1.5 MB."})
            return
        body = _as_mlflow_reads_it(body)
        headers = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
        scope["headers"] = [*headers, (b"content-length", str(len(body)).encode())]
        receive = _once(body, receive)
    await _inner(scope, receive, send)


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None of one that is too large."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > _MOST_BYTES:
            return None
        more = message.get("more_body", False)
    return body


def _once(body: bytes, receive: Receive) -> Receive:
    """The body as one message, and after it whatever comes."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return left.pop() if left else await receive()

    return next_message


def _as_mlflow_reads_it(body: bytes) -> bytes:
    try:
        asked = json.loads(body)
    except ValueError:
        return body  # MLflow says what is wrong with it
    if not isinstance(asked, dict) or "parameters" not in asked:
        return body
    if parameters := asked.pop("parameters"):
        asked["params"] = parameters
    return json.dumps(asked).encode()
