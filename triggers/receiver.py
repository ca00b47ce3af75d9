"""Who takes the webhooks, and how one is sent: by the convention of Standard Webhooks (https://www.standardwebhooks.com).

`webhook-id` is the trigger id, the same in every try; `webhook-timestamp` is the try's own; `webhook-signature` is HMAC-SHA256 over both
and the body. Nothing that an event said decides where a webhook goes: the address is a setting, of this machine or a listed host.
Redirects are not followed. Neither the address nor the secret is ever logged.
"""

import asyncio
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import httpx
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from nextclick import __version__
from nextclick.errors import SettingsError
from nextclick.settings import TriggersSettings
from nextclick.web.local import is_local

_AGAIN: Final = (408, 425, 429)
"""Of the refusals that are the request's fault those that may pass; those of the server's (5xx) may, too."""


class Undelivered(Exception):
    """A try that failed and may succeed later; the message has no address."""

    def __init__(self, reason: str, wait_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds
        """How long the receiver asks to be left alone."""


class Refusal(Exception):
    """The receiver will not take this webhook, however often it is sent."""


class Receiver:
    """The receiver that the settings name; SettingsError where it may not be one. Open while it is entered."""

    def __init__(self, settings: TriggersSettings) -> None:
        host = urlsplit(settings.url).hostname or ""
        if not settings.url:
            raise SettingsError(
                "triggers.url is empty, so nobody takes webhooks: set NEXTCLICK_TRIGGERS__URL to an http(s) address, "
                "and NEXTCLICK_TRIGGERS__SECRET to the secret that they are signed with."
            )
        if not is_local(settings.url) and host not in settings.hosts:
            raise SettingsError(
                f"triggers.url names the host {host}, which triggers.hosts does not list: add it there if it is meant."
            )
        try:
            self._webhook = Webhook(settings.secret)
        except (EmptyWebhookSecretError, binascii.Error, ValueError):
            raise SettingsError(
                "triggers.secret is no secret of Standard Webhooks: set NEXTCLICK_TRIGGERS__SECRET to whsec_ and base64, "
                'such as `echo "whsec_$(openssl rand -base64 32)"` prints; the receiver checks signatures with it.'
            ) from None
        self._url, self._seconds = settings.url, settings.timeout_seconds
        # On loopback without TLS there is no certificate to check, and to read the authorities takes 60 ms.
        is_plain = is_local(settings.url) and settings.url.startswith("http:")
        self._client = httpx.AsyncClient(
            timeout=self._seconds,
            limits=httpx.Limits(max_connections=settings.in_flight),
            trust_env=not is_local(settings.url),
            follow_redirects=False,
            verify=not is_plain,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def deliver(self, id: str, body: bytes) -> None:
        """One try, at most timeout_seconds long, however slowly the receiver answers. Undelivered or Refusal where it did not say yes."""
        try:
            async with asyncio.timeout(self._seconds):
                async with self._client.stream(
                    "POST", self._url, content=body, headers=self._headers(id, body)
                ) as answer:
                    _judge(answer.status_code, answer.headers)  # what it says beside the status is not even read
        except (TimeoutError, httpx.TimeoutException) as error:
            raise Undelivered(f"no answer within {self._seconds:g} seconds") from error
        except httpx.TransportError as error:
            raise Undelivered(type(error).__name__) from error

    def _headers(self, id: str, body: bytes) -> dict[str, str]:
        now = datetime.now(UTC).replace(microsecond=0)
        return {
            "content-type": "application/json",
            "user-agent": f"nextclick/{__version__}",
            "webhook-id": id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._webhook.sign(id, now, body.decode()),
        }


def _judge(status: int, headers: Mapping[str, str]) -> None:
    if 200 <= status < 300:
        return
    if status in _AGAIN or status >= 500:
        raise Undelivered(f"HTTP {status}", retry_after(headers.get("retry-after", "")))
    raise Refusal(f"HTTP {status}")


def retry_after(text: str) -> float:
    """Seconds of a Retry-After header, which says them or a date; 0 where it is neither."""
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return 0.0
