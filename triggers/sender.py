"""Sends what waits in the outbox: at least once on the wire, once by key.

A try is counted on disk before it is made. Tries come by threes with seconds between, for what passes at once, and threes
with minutes between, for what does not; after triggers.tries of them, a refusal, or when it is too late, a webhook is a dead letter.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import uuid4

from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from nextclick.settings import TriggersSettings
from triggers.outbox.outbox import Outbox
from triggers.outbox.schema import TriggerDecision, ms
from triggers.receiver import Receiver, Refusal, Undelivered

AT_ONCE: Final = 3
"""Tries in a row."""
_FIRST_WAIT, _LONGEST_WAIT = 0.2, 5.0
"""Seconds between them."""
_LATEST: Final = 3600.0
"""Seconds after which a webhook is tried again, at the latest."""
_MARGIN_MS: Final = 5_000
TOO_LATE: Final = "it was too late to send it"
NO_END: Final = "the workers that tried it ended before an answer"
_log: Final = logging.getLogger(__name__)


class Sender:
    """One worker's sending. Several, in any processes of a machine, share an outbox."""

    def __init__(
        self, outbox: Outbox, receiver: Receiver, settings: TriggersSettings, clock: Callable[[], datetime]
    ) -> None:
        self._outbox, self._receiver, self._settings, self._clock = outbox, receiver, settings, clock
        self._owner = uuid4().hex
        self.draining = asyncio.Event()
        """Once it is set, what is on its way ends its try, and nothing is tried again."""

    async def send_due(self) -> int:
        """Try what may be tried now; returns how many webhooks."""
        claimed = self._outbox.claim(self._owner, self._now(), self._now() + self._lease_ms, self._settings.in_flight)
        await asyncio.gather(*map(self._send, claimed))
        return len(claimed)

    @property
    def _lease_ms(self) -> int:
        """A try, and what may lie between it and the next one."""
        return round((self._settings.timeout_seconds + 2 * _LONGEST_WAIT) * 1000) + _MARGIN_MS

    def _now(self) -> int:
        return ms(self._clock())

    async def _send(self, decision: TriggerDecision) -> None:
        if self._now() > decision.expires_at:
            return self._outbox.fail(decision.id, self._owner, self._now(), TOO_LATE)
        left = self._settings.tries - decision.tries
        if left <= 0:  # each worker that tried it died
            return self._outbox.fail(decision.id, self._owner, self._now(), decision.error or NO_END)
        retrying = AsyncRetrying(
            stop=stop_after_attempt(min(AT_ONCE, left)),
            wait=wait_exponential_jitter(_FIRST_WAIT, _LONGEST_WAIT),
            retry=retry_if_exception(lambda error: isinstance(error, Undelivered) and not self.draining.is_set()),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            await retrying(self._try, decision)
        except Refusal as refusal:
            self._outbox.fail(decision.id, self._owner, self._now(), str(refusal))
        except Undelivered as failure:
            self._put_back(decision, left, failure)
        return None

    async def _try(self, decision: TriggerDecision) -> None:
        if self.draining.is_set():
            raise Undelivered("the worker was stopped")
        if self._outbox.begin_try(decision.id, self._owner, self._now() + self._lease_ms):
            await self._receiver.deliver(decision.id, decision.payload or b"")
            self._outbox.sent(decision.id, self._now())

    def _put_back(self, decision: TriggerDecision, left: int, failure: Undelivered) -> None:
        if self.draining.is_set():
            self._outbox.put_back(decision.id, self._owner, self._now(), str(failure))
        elif left <= AT_ONCE:
            self._outbox.fail(decision.id, self._owner, self._now(), str(failure))
            _log.warning(
                "The webhook %s of the trigger %s is a dead letter: %s.", decision.id, decision.trigger, failure
            )
        else:
            doubled = self._settings.retry_seconds * 2.0 ** (decision.tries // AT_ONCE) * random.uniform(0.75, 1.25)
            seconds = min(_LATEST, max(doubled, failure.wait_seconds))
            self._outbox.put_back(decision.id, self._owner, self._now() + round(seconds * 1000), str(failure))

    async def _sleep(self, seconds: float) -> None:
        """Until the next try, or until the worker is to end."""
        try:
            await asyncio.wait_for(self.draining.wait(), seconds)
        except TimeoutError:
            return
