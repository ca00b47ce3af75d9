"""Versions as Redis hashes below a prefix, and a pointer key.

    P:current        {"version": 7, "newest": 7}, one SET
    P:versions       set of the sealed versions          P:last   number of the newest begun
    P:unfinished     set of those under construction, or being removed
    P:7:manifest     the manifest; it goes first when the version goes
    P:7:0 … P:7:1023 the entries, by CRC-32 of their key

Hashes of a few hundred entries keep each command short, so that copying and removing a
version never blocks other clients for long, and need no SCAN of a keyspace that others
share. COPY needs Redis 6.2 or later. The store must not evict (`maxmemory-policy noeviction`): an evicted hash would
turn known people into unknown ones.
"""

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import redis

from nextclick.errors import ModelError, VersionGone
from nextclick.kv.lists.protocol import Entry, Pointer, Snapshot, VersionManifest, Writer, decode_manifest
from nextclick.kv.redis_client import open_client

BUCKETS = 1024
_PIPELINE = 2_000
"""Commands sent before the replies are read: bounds what both sides buffer."""
_TOGETHER = 16
"""Hashes that are read back at once."""


class RedisTable:
    """The versions below `prefix`; a reply that takes longer than `timeout` seconds is an error."""

    def __init__(self, url: str, prefix: str, timeout: float) -> None:
        self._redis = open_client(url, timeout)
        self._prefix = prefix
        self._seen: tuple[object, Snapshot] | None = None

    def pointer(self) -> Pointer | None:
        with _translated(self._redis):
            raw = self._redis.get(f"{self._prefix}:current")
        return msgspec.json.decode(raw, type=Pointer) if raw else None

    def current(self) -> VersionManifest | None:
        for _ in range(3):  # between the two reads, two exports may pass and drop the version
            pointer = self.pointer()
            if pointer is None:
                return None
            if manifest := self._manifest(pointer.version):
                return manifest
        raise ModelError(
            f"The current version {pointer} is not in {_where(self._redis)}. Run `nextclick export --full`."
        )

    def versions(self) -> list[VersionManifest]:
        with _translated(self._redis):
            numbers = sorted(map(int, self._redis.smembers(f"{self._prefix}:versions")), reverse=True)
        return [manifest for number in numbers if (manifest := self._manifest(number))]

    def snapshot(self, version: int | None = None) -> Snapshot:
        if version is not None:
            manifest = self._manifest(version)
            if not manifest:
                raise ModelError(f"There is no version {version} in {_where(self._redis)}.")
            return _RedisSnapshot(self._redis, self._prefix, manifest)
        with _translated(self._redis):
            mark = self._redis.get(f"{self._prefix}:current")
        if not self._seen or self._seen[0] != mark:
            self._seen = mark, self._open_current()
        return self._seen[1]

    def _open_current(self) -> Snapshot:
        manifest = self.current()
        if not manifest:
            raise ModelError(
                f"There are no lists in {_where(self._redis)} below {self._prefix} yet. `nextclick run` makes them, "
                "or `nextclick export` where gold.recommendations is there."
            )
        return _RedisSnapshot(self._redis, self._prefix, manifest)

    def begin(self, base: int | None = None) -> Writer:
        with _translated(self._redis):
            for debris in map(int, self._redis.smembers(f"{self._prefix}:unfinished")):
                self._remove(debris)
            version = int(self._redis.incr(f"{self._prefix}:last"))
            self._redis.sadd(f"{self._prefix}:unfinished", version)
            if base is not None:
                _pipelined(
                    self._redis,
                    (("COPY", old, new) for old, new in zip(self._buckets(base), self._buckets(version), strict=True)),
                )
        return _RedisWriter(self, self._redis, self._prefix, version)

    def point(self, pointer: Pointer) -> None:
        with _translated(self._redis):
            self._redis.set(f"{self._prefix}:current", msgspec.json.encode(pointer))

    def drop(self, version: int) -> None:
        with _translated(self._redis):
            with self._redis.pipeline(transaction=True) as together:
                together.delete(f"{self._prefix}:{version}:manifest")
                together.srem(f"{self._prefix}:versions", version)
                together.sadd(f"{self._prefix}:unfinished", version)
                together.execute()
            self._remove(version)

    def _remove(self, version: int) -> None:
        _pipelined(self._redis, (("UNLINK", bucket) for bucket in self._buckets(version)))
        self._redis.srem(f"{self._prefix}:unfinished", version)

    def _buckets(self, version: int) -> Iterator[str]:
        return (f"{self._prefix}:{version}:{number}" for number in range(BUCKETS))

    def _manifest(self, version: int) -> VersionManifest | None:
        with _translated(self._redis):
            raw: Any = self._redis.get(f"{self._prefix}:{version}:manifest")
        return decode_manifest(raw, f"Version {version} in {_where(self._redis)}") if raw else None


class _RedisSnapshot:
    def __init__(self, client: Any, prefix: str, manifest: VersionManifest) -> None:
        self.manifest = manifest
        self._redis = client
        self._version = f"{prefix}:{manifest.version}"

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        with _translated(self._redis), self._redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.hget(_bucket(self._version, key), key)
            # Asked last: as the manifest goes first, what was read before was read from a whole version.
            pipe.exists(f"{self._version}:manifest")
            values: list[bytes | None] = pipe.execute()
            there = values.pop()
        if not there:
            raise VersionGone(f"Version {self.manifest.version} was dropped while it was read.")
        return values


class _RedisWriter:
    def __init__(self, table: RedisTable, client: Any, prefix: str, version: int) -> None:
        self.version = version
        self._table = table
        self._redis = client
        self._prefix = prefix
        self._version = f"{prefix}:{version}"

    def put_many(self, entries: Sequence[Entry]) -> int:
        by_bucket: dict[str, list[bytes]] = {}
        for key, value in entries:
            by_bucket.setdefault(_bucket(self._version, key), []).extend((key, value))
        with _translated(self._redis):
            return sum(_pipelined(self._redis, (("HSET", name, *flat) for name, flat in by_bucket.items())))

    def delete_many(self, keys: Sequence[bytes]) -> None:
        with _translated(self._redis):
            _pipelined(self._redis, (("HDEL", _bucket(self._version, key), key) for key in keys))

    def entries(self) -> Iterator[Entry]:
        for start in range(0, BUCKETS, _TOGETHER):
            with _translated(self._redis), self._redis.pipeline(transaction=False) as pipe:
                for number in range(start, start + _TOGETHER):
                    pipe.hgetall(f"{self._version}:{number}")
                buckets: list[dict[bytes, bytes]] = pipe.execute()
            for bucket in buckets:
                yield from bucket.items()

    def seal(self, manifest: VersionManifest) -> None:
        with _translated(self._redis), self._redis.pipeline(transaction=True) as together:
            together.set(f"{self._version}:manifest", msgspec.json.encode(manifest))
            together.sadd(f"{self._prefix}:versions", self.version)
            together.srem(f"{self._prefix}:unfinished", self.version)
            together.execute()

    def abandon(self) -> None:
        with _translated(self._redis):
            self._table._remove(self.version)


def _bucket(version: str, key: bytes) -> str:
    return f"{version}:{zlib.crc32(key) % BUCKETS}"


def _pipelined(client: Any, commands: Iterator[tuple[Any, ...]]) -> list[int]:
    """Send commands in batches; an error of any of them is raised."""
    replies: list[int] = []
    with client.pipeline(transaction=False) as pipe:
        for command in commands:
            pipe.execute_command(*command)
            if len(pipe) >= _PIPELINE:
                replies += pipe.execute()
        replies += pipe.execute()
    return replies


def _where(client: Any) -> str:
    """The server without its password."""
    where = client.connection_pool.connection_kwargs
    return f"Redis at {where.get('host') or where.get('path')}:{where.get('port', '')}/{where.get('db', 0)}"


@contextmanager
def _translated(client: Any) -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise ModelError(
            f"{_where(client)} does not answer as it should: {error}. The version before is still served where it is "
            "reachable; mend the server or kv.redis_url, then run `nextclick export` again."
        ) from error
