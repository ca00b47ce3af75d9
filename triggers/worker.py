"""The worker of `nextclick triggers`: looks, sends and logs in turn, until it is to end. triggers/outbox/turn.py says who may."""

import asyncio
import logging
import math
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import msgspec

from nextclick.errors import LakeError, TableBusy, TriggerError
from nextclick.settings import Settings
from triggers.decision_log import log_decisions
from triggers.definition import TriggerDefinition
from triggers.freshness import known_until
from triggers.look import look
from triggers.outbox.outbox import Outbox
from triggers.outbox.schema import ms
from triggers.outbox.turn import WorkerTurn
from triggers.receiver import Receiver
from triggers.sender import Sender

_log: Final = logging.getLogger(__name__)
Clock = Callable[[], datetime]


class TriggerReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker did."""

    as_of: datetime | None
    """Up to when silver knew what happened, at a look; None: there was none, or silver has no event."""
    decided: dict[str, int]
    """New decisions by outcome; `waiting` ones were then sent, or still wait."""
    tried: int
    """Webhooks that were tried."""
    logged: int
    """Decisions that came into the landing log."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class TriggerWorker:
    """The triggers of one lake, with one outbox and one receiver."""

    def __init__(
        self,
        settings: Settings,
        triggers: Sequence[TriggerDefinition],
        outbox: Outbox,
        receiver: Receiver,
        clock: Clock = utc_now,
    ) -> None:
        """TriggerError where an outbox forgets sooner than a cap counts."""
        for trigger in triggers:
            if trigger.cap.days > settings.triggers.remember_days:
                raise TriggerError(
                    f"The trigger {trigger.name} has a cap of {trigger.cap.days:g} days, and the outbox forgets after "
                    f"triggers.remember_days = {settings.triggers.remember_days}: make the cap shorter, or raise the setting."
                )
        self._settings, self._triggers, self._outbox, self._clock = settings, triggers, outbox, clock
        self._turn = WorkerTurn(settings.lake, outbox)
        self._sender = Sender(outbox, receiver, settings.triggers, clock)
        self._waits: dict[str, datetime] = {}
        self._look_at = 0.0
        """By the monotonic clock."""

    async def once(self, as_of: datetime | None = None) -> TriggerReport:
        """Look, send all that is due, log; `as_of` in place of what silver is taken to know."""
        async with self._turn.hold():
            self._stop_others()
            decided, known = await self._look(as_of)
            return await self._deliver(decided, known, math.inf)

    async def run(self, tell: Callable[[TriggerReport], None]) -> None:
        """Until SIGTERM or SIGINT; what is on its way then ends its try. `tell` hears of each round in which something happened."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._sender.draining.set)
        while not self._sender.draining.is_set():
            try:
                async with self._turn.hold():
                    self._stop_others()
                    await self._rounds(tell)
            except TableBusy as busy:
                _log.info("%s This worker stands by.", busy)
                await self._rest(self._settings.triggers.look_seconds)
            except LakeError as error:  # such as a full disk, or a table that is made anew: the next round tries again
                _log.warning("%s The next look is in %g seconds.", error, self._settings.triggers.look_seconds)
                await self._rest(self._pause())

    async def _rounds(self, tell: Callable[[TriggerReport], None]) -> None:
        while not self._sender.draining.is_set():
            report = await self._round()
            if report.decided or report.tried or report.logged:
                tell(report)
            await self._rest(self._pause())

    async def _rest(self, seconds: float) -> None:
        """So long, or until the worker is to end."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._sender.draining.wait(), seconds)

    def _stop_others(self) -> None:
        enabled = [trigger.name for trigger in self._triggers if trigger.enabled]
        self._outbox.stop_others(enabled, ms(self._clock()))

    async def _round(self) -> TriggerReport:
        """As `once`, but looked only when it is time, and sent only up to then: where nobody answers, triggers go on being decided."""
        decided, known = Counter[str](), None
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + self._settings.triggers.look_seconds
            decided, known = await self._look()
        return await self._deliver(decided, known, self._look_at)

    async def _deliver(self, decided: Counter[str], as_of: datetime | None, until: float) -> TriggerReport:
        """Send up to then, and log; what is decided is kept before it is sent, and what is logged after that."""
        await self._turn.take_requests()
        await self._turn.keep()
        tried = await self._send(until)
        logged = log_decisions(self._settings, self._outbox)
        await self._turn.keep()
        return TriggerReport(as_of=as_of, decided=dict(decided), tried=tried, logged=logged)

    async def _look(self, as_of: datetime | None = None) -> tuple[Counter[str], datetime | None]:
        now = self._clock()
        known = as_of or known_until(self._settings, now)
        if known is None:
            return Counter(), None
        decided = await asyncio.to_thread(look, self._settings, self._outbox, self._triggers, known, now, self._waits)
        return decided, known

    async def _send(self, until: float) -> int:
        """Until nothing may be tried, or this moment of the monotonic clock."""
        tried = 0
        while not self._sender.draining.is_set() and (count := await self._sender.send_due()):
            tried += count
            await self._turn.keep(at_once=False)
            if time.monotonic() >= until:
                break
        return tried

    def _pause(self) -> float:
        """Seconds to the next look, or to the next try where that is sooner."""
        next_at = self._outbox.next_at()
        until = self._look_at - time.monotonic()
        return max(0.05, until if next_at is None else min(until, (next_at - ms(self._clock())) / 1000))
