"""Profiles in Redis below a prefix, for several machines.

    P:v… P:u…       a profile each; expires when its newest action is too old
    P:sv… P:su…     what is kept beside a profile; expires as long after it was written
    P:segments      set of the segments of the landing log that are merged       P:upto   all up to this name are
    P:began         when it was first written
    P:offsets       hash: up to where each partition of Kafka is merged

A merge reads, merges here, and writes only if the value is still the one that was read; a
profile that another process changed meanwhile is read again. So nothing is lost, and the
rule of merging is in one place.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import msgspec
import redis

from nextclick.errors import ModelError
from nextclick.kv.profiles.protocol import NONE_MERGED
from nextclick.kv.redis_client import open_client
from nextclick.profile import profile
from nextclick.profile.profile import Action, Profile

_REPLACE: Final = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PXAT', ARGV[3])
return 1
"""
_STAND: Final = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1
"""
_RAISE: Final = """
if ARGV[1] > (redis.call('GET', KEYS[1]) or '') then redis.call('SET', KEYS[1], ARGV[1]) end
"""
_TOGETHER: Final = 500
"""Profiles that are merged in one round trip: bounds what both sides buffer (8 KB each, at most)."""


class RedisProfiles:
    """The profiles below `prefix`; each is gone `keep_ms` after its newest action."""

    def __init__(self, url: str, prefix: str, timeout: float, keep_ms: int) -> None:
        self._redis: Any = open_client(url, timeout)
        self._prefix = prefix.encode()
        self._keep_ms = keep_ms
        self._replace = self._redis.register_script(_REPLACE)
        self._stand = self._redis.register_script(_STAND)
        self._raise = self._redis.register_script(_RAISE)

    @property
    def place(self) -> str:
        """The server, the database and the prefix."""
        return f"redis://{self._server}/{self._redis.connection_pool.connection_kwargs.get('db', 0)}/{self._prefix.decode()}"

    @property
    def _server(self) -> str:
        where = self._redis.connection_pool.connection_kwargs
        return str(where.get("path") or f"{where.get('host', 'localhost')}:{where.get('port', 6379)}")

    def get_many(self, keys: Sequence[bytes]) -> list[Profile]:
        if not keys:
            return []
        with self._translated():
            return [_decoded(value) for value in self._redis.mget([self._name(key) for key in keys])]

    def merge(
        self,
        updates: Mapping[bytes, Sequence[Action]],
        segments: Sequence[str] = (),
        offsets: Mapping[str, int] = NONE_MERGED,
    ) -> dict[bytes, Profile]:
        keys, merged = list(updates), dict[bytes, Profile]()
        with self._translated():
            for start in range(0, len(keys), _TOGETHER):
                left = keys[start : start + _TOGETHER]
                while left:
                    left = self._merge_unchanged(left, updates, merged)
            if segments:
                self._redis.sadd(self._prefix + b":segments", *segments)
            if offsets:
                self._redis.hset(self._prefix + b":offsets", mapping=offsets)
        return merged

    def _merge_unchanged(
        self, keys: Sequence[bytes], updates: Mapping[bytes, Sequence[Action]], merged: dict[bytes, Profile]
    ) -> list[bytes]:
        """One try; the keys whose profiles another process changed in between."""
        tried: list[bytes] = []
        with self._redis.pipeline(transaction=False) as pipe:
            for key, value in zip(keys, self._redis.mget([self._name(key) for key in keys]), strict=True):
                before = _decoded(value)
                after = merged[key] = profile.merge(before, updates[key])
                if after is not before:
                    gone_at = after.actions[0].at + self._keep_ms
                    self._replace([self._name(key)], [value or b"", profile.encode(after), gone_at], client=pipe)
                    tried.append(key)
            written = pipe.execute()
        return [key for key, done in zip(tried, written, strict=True) if not done]

    def began(self) -> int:
        with self._translated():
            self._redis.set(self._prefix + b":began", time.time_ns() // 1_000_000, nx=True)
            return int(self._redis.get(self._prefix + b":began"))

    def standings(self, keys: Sequence[bytes]) -> list[bytes]:
        if not keys:
            return []
        with self._translated():
            return [value or b"" for value in self._redis.mget([self._name(b"s" + key) for key in keys])]

    def replace_standings(self, changes: Mapping[bytes, tuple[bytes, bytes]]) -> list[bytes]:
        with self._translated(), self._redis.pipeline(transaction=False) as pipe:
            for key, (before, after) in changes.items():
                self._stand([self._name(b"s" + key)], [before, after, self._keep_ms], client=pipe)
            return [key for key, done in zip(changes, pipe.execute(), strict=True) if not done]

    def merged_offsets(self) -> dict[str, int]:
        with self._translated():
            return {
                name.decode(): int(offset) for name, offset in self._redis.hgetall(self._prefix + b":offsets").items()
            }

    def merged_segments(self) -> tuple[str, set[str]]:
        with self._translated(), self._redis.pipeline(transaction=True) as together:
            together.get(self._prefix + b":upto")
            together.smembers(self._prefix + b":segments")
            upto, names = together.execute()
        return (upto or b"").decode(), {name.decode() for name in names}

    def settle_segments(self, upto: str) -> None:
        with self._translated():
            self._raise([self._prefix + b":upto"], [upto])
            settled = [name for name in self._redis.smembers(self._prefix + b":segments") if name.decode() <= upto]
            if settled:
                self._redis.srem(self._prefix + b":segments", *settled)

    def expire(self, before: int, most: int) -> int:
        """Nothing to do: Redis itself removes a profile at the time that it was written with."""
        return 0

    def _name(self, key: bytes) -> bytes:
        return self._prefix + b":" + key

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (redis.RedisError, msgspec.MsgspecError) as error:
            raise ModelError(
                f"The live profiles in Redis at {self._server} cannot be used: {error}. Mend the server or kv.redis_url; "
                "the collector catches up from the landing log or Kafka."
            ) from error


def _decoded(value: bytes | None) -> Profile:
    return profile.decode(value) if value else profile.EMPTY
