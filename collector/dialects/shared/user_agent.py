"""Whom the headers of a request speak for."""

from typing import Final

import msgspec

from collector.request.model import Request

_BROWSER: Final = "Mozilla/"


def of_visitor(request: Request) -> Request:
    """The request without a user agent that is a library's, not a browser's.

    Trackers on servers send with the agent of their HTTP library (`python-requests/2.34`), which the
    lists of crawlers name: every visitor would count as a robot.
    """
    if (request.user_agent or _BROWSER).startswith(_BROWSER):
        return request
    headers = {name: value for name, value in request.headers.items() if name != "user-agent"}
    return msgspec.structs.replace(request, headers=headers)
