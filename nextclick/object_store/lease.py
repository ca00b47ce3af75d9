"""A lock of an object store: an object that says who holds it, written on condition, and renewed while it is held.

Of many who write the object at once the store lets one win. Time decides nothing alone: a lease that looks forgotten is taken
only after it was watched and nobody renewed it, however two clocks differ. A holder that slept longer than its
lease finds that another has it, when it renews or before it writes; what it wrote meanwhile is refused by the conditions
of Delta's commits and of the checkpoints (docs/scale.md).
"""

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Final
from uuid import uuid4

import msgspec

from nextclick.errors import LakeError, StoreUnreachable, TableBusy
from nextclick.object_store import bucket

SECONDS: Final = 30.0
"""A lease that was not renewed for so long may be taken."""
_RENEWALS: Final = 3
"""So often a lease is renewed within that time."""
_FORGOTTEN: Final = 10
"""After so many times that time a lease is forgotten for sure: no clock is wrong by as much."""


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """What the object says."""

    pid: int
    host: str
    purpose: str
    since: str
    renewed: float
    """Seconds since 1970-01-01 UTC, by the holder's clock."""
    seconds: float
    """How long the lease lasts from there."""
    id: str
    """Another one for each time that the lease is taken."""
    free: bool = False
    """It was given back."""

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} ({self.purpose}, since {self.since})"


class Lease:
    """A lease that is held, and renewed by a thread until it is given back."""

    def __init__(self, address: str, who: Mapping[str, object], seconds: float | None = None) -> None:
        """Take the lease at `address`, or raise TableBusy, which names its holder."""
        self.address, self._seconds = address, seconds or SECONDS
        self._who = msgspec.convert(
            {**who, "renewed": time.time(), "seconds": self._seconds, "id": uuid4().hex}, Holder
        )
        self._etag = self._take()
        self._renewed = time.monotonic()
        self._lost = ""
        self._ended, self._writing = threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._keep, name=f"lease {address}", daemon=True)
        self._thread.start()

    def require(self) -> None:
        """LakeError where another has the lease by now, or may have it."""
        if not self._lost and time.monotonic() - self._renewed > self._seconds:
            try:  # this process slept, or the store was away
                self._renew()
            except StoreUnreachable as error:
                self._lost = f"could not be renewed ({error})"
        if self._lost:
            raise LakeError(
                f"The lease {self.address} {self._lost}, so this process stops writing. What it committed stands, and nothing "
                "else: call again once the other has ended."
            )

    def release(self) -> None:
        """Give it back, so that nobody waits for its end; one that was lost is left alone."""
        self._ended.set()
        self._thread.join()
        if not self._lost:
            with suppress(bucket.ConditionFailed, StoreUnreachable):  # then whoever wants it finds it unrenewed
                self._put(free=True)

    def _take(self) -> str:
        there = bucket.get(self.address)
        try:
            if there is None:
                return bucket.put_new(self.address, msgspec.json.encode(self._who))
            if who := _holder(there):
                self._watch(there.etag, who)
            return bucket.put_instead(self.address, msgspec.json.encode(self._who), there.etag)
        except bucket.ConditionFailed:
            etag, who = self._look()
            if etag is None:
                raise TableBusy(_busy(self.address, who)) from None
            return etag

    def _watch(self, etag: str, who: Holder) -> None:
        """TableBusy unless the lease is forgotten: nobody renews it for as long as two renewals take."""
        age = time.time() - who.renewed
        if age > _FORGOTTEN * who.seconds:
            return
        if abs(age) > who.seconds:
            time.sleep(2 * who.seconds / _RENEWALS)
            if (now := bucket.get(self.address)) and now.etag == etag:
                return
        raise TableBusy(_busy(self.address, who))

    def _look(self) -> tuple[str | None, Holder | None]:
        """After a refusal: the etag, where the lease is ours and only the reply was lost; and who took it last."""
        there = bucket.get(self.address)
        who = _last(there) if there else None
        return (there.etag if there and who and who.id == self._who.id else None), who

    def _keep(self) -> None:
        while not self._lost and not self._ended.wait(self._seconds / _RENEWALS):
            with suppress(StoreUnreachable):  # `require` counts the seconds
                self._renew()

    def _renew(self) -> None:
        before = time.monotonic()
        with self._writing:
            try:
                self._put()
            except bucket.ConditionFailed:
                etag, who = self._look()
                if etag is None:
                    self._lost = f"was taken by {who}" if who else "was taken by another, or removed"
                    return
                self._etag = etag
        self._renewed = before

    def _put(self, free: bool = False) -> None:
        self._who = msgspec.structs.replace(self._who, renewed=time.time(), free=free)
        self._etag = bucket.put_instead(self.address, msgspec.json.encode(self._who), self._etag)


def holder(address: str) -> str | None:
    """Who holds the lease now, in words; None if nobody does."""
    there = bucket.get(address)
    who = _holder(there) if there else None
    return str(who) if who and abs(time.time() - who.renewed) <= who.seconds else None


def _last(there: bucket.StoredObject) -> Holder | None:
    """Who took it last; None where that is no lease of ours."""
    try:
        return msgspec.json.decode(there.content, type=Holder)
    except msgspec.MsgspecError:
        return None


def _holder(there: bucket.StoredObject) -> Holder | None:
    """Who holds it, or held it and never gave it back; None where it is free."""
    who = _last(there)
    return who if who and not who.free else None


def _busy(address: str, who: Holder | None) -> str:
    name = address.rpartition("/")[2].removesuffix(".lock")
    return (
        f"{name} is being written by {who or 'another process'}. One process writes a table at a time: wait for it to end, or stop "
        f"it, then call again. If it is gone, its lease ends by itself {who.seconds if who else SECONDS:g} s after its last sign."
    )
