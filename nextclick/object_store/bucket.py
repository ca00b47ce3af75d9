"""Objects of an object store, by address (s3://BUCKET/KEY): the one importer of obstore. Files and leases are made of these.

Credentials are the surroundings' alone, as every client of S3 takes them (AWS_ACCESS_KEY_ID and its like, or the role of
the machine or pod): no setting, argument or message of ours holds one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from nextclick.errors import StoreUnreachable
from nextclick.extras import importing_s3

if TYPE_CHECKING:
    from obstore.store import S3Store

SCHEME: Final = "s3://"
_PATIENCE: Final = timedelta(seconds=20)
"""How long one call is tried again where the store does not answer."""


class Endpoint(msgspec.Struct, frozen=True):
    """Where a bucket is asked for."""

    url: str = ""
    """Empty: Amazon's own."""
    region: str = "us-east-1"


class StoredObject(NamedTuple):
    """An object as it was read."""

    content: bytes
    etag: str
    """Another one for each content."""


class ListedObject(NamedTuple):
    """An object as a listing tells it."""

    address: str
    bytes: int
    at: float
    """When it was written, in seconds since 1970-01-01 UTC."""


class Entry(NamedTuple):
    """What lies in a folder."""

    name: str
    size: int | None
    """Bytes of an object; None of a folder of them."""


class ConditionFailed(Exception):
    """A conditional write was not done: the object is not what the condition says."""


_endpoints: dict[str, Endpoint] = {}
"""Bucket → where it is asked for, said where a lake in it is named: of one process, a bucket has one place."""


def reach(address: str, endpoint: Endpoint) -> None:
    """Ask for the bucket of `address` at `endpoint` from now on."""
    _endpoints[_split(address)[0]] = endpoint


def holds(address: str) -> bool:
    """Whether this is the address of an object, or of a folder of them, and not of a file."""
    return address.startswith(SCHEME)


def options(address: str) -> dict[str, str] | None:
    """As `storage_options` of deltalake; None for a table on a disk."""
    if not holds(address):
        return None
    endpoint = _endpoints.get(_split(address)[0], Endpoint())
    chosen = {"AWS_REGION": endpoint.region}
    if endpoint.url:
        chosen |= {"AWS_ENDPOINT_URL": endpoint.url, "AWS_ALLOW_HTTP": str(_is_plain(endpoint)).lower()}
    return chosen


def get(address: str) -> StoredObject | None:
    """The object; None if there is none."""
    store, key = _at(address)
    with _said(address):
        try:
            result = store.get(key)
        except FileNotFoundError:
            return None
        return StoredObject(bytes(result.bytes()), str(result.meta["e_tag"]))


def put(address: str, content: bytes) -> str:
    """Write the object, whole; its etag."""
    return _put(address, content, "overwrite")


def put_new(address: str, content: bytes) -> str:
    """Write the object if there is none; its etag. ConditionFailed where there is one: of many who do so at once, one wins.

    Whose reply was lost is refused, too, and finds its own content.
    """
    return _put(address, content, "create")


def put_instead(address: str, content: bytes, etag: str) -> str:
    """Write the object in the place of the one that has `etag`; its own. ConditionFailed where another is there, or none."""
    return _put(address, content, {"e_tag": etag})


def _put(address: str, content: bytes, mode: Any) -> str:
    store, key = _at(address)
    from obstore.exceptions import AlreadyExistsError, PreconditionError

    with _said(address):
        try:
            return str(store.put(key, content, mode=mode, use_multipart=False)["e_tag"])
        except (AlreadyExistsError, PreconditionError) as error:
            raise ConditionFailed(address) from error
        except FileNotFoundError as error:
            if isinstance(mode, dict):  # it was removed
                raise ConditionFailed(address) from error
            raise


def modified(address: str) -> tuple[int, str] | None:
    """When the object was written, in seconds since 1970-01-01 UTC, and its etag; None if there is none."""
    store, key = _at(address)
    with _said(address):
        try:
            meta = store.head(key)
        except FileNotFoundError:
            return None
        return int(meta["last_modified"].timestamp()), str(meta["e_tag"])


def below(folder: str) -> Iterator[str]:
    """Addresses of all objects below a folder, in order."""
    return (one.address for one in listed(folder))


def listed(folder: str) -> list[ListedObject]:
    """All objects below a folder, in the order of their addresses."""
    store, key = _at(folder)
    place = f"{SCHEME}{_split(folder)[0]}"
    with _said(folder):
        metas = [meta for chunk in store.list(f"{key}/") for meta in chunk]
    return sorted(
        ListedObject(f"{place}/{meta['path']}", meta["size"], meta["last_modified"].timestamp()) for meta in metas
    )


def names(folder: str) -> list[str]:
    """Names of what lies in a folder, sorted."""
    return [entry.name for entry in entries(folder)]


def entries(folder: str) -> list[Entry]:
    """What lies in a folder, by name: objects, and folders of objects. S3A's object for the folder itself is none."""
    store, key = _at(folder)
    with _said(folder):
        listed = store.list_with_delimiter(f"{key}/")
    folders = [Entry(_last(path), None) for path in listed["common_prefixes"]]
    objects = [Entry(_last(meta["path"]), int(meta["size"])) for meta in listed["objects"] if meta["path"] != key]
    return sorted(folders + objects, key=lambda entry: entry.name)


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def remove(address: str) -> None:
    """Remove the object, and all that lie below the address."""
    store, key = _at(address)
    keys = [_split(other)[1] for other in below(address)]
    with _said(address):
        store.delete([*keys, key] if keys else key)


def copy(source: str, target: str) -> None:
    """Copy an object within its bucket; the store does it."""
    store, key = _at(source)
    with _said(target):
        store.copy(key, _split(target)[1])


def filesystem(address: str) -> Any:
    """Its store for those who take an fsspec file system: DuckDB and pyarrow."""
    with importing_s3("The lake lies in an object store"):
        from obstore.fsspec import FsspecStore

    bucket = _split(address)[0]
    return FsspecStore("s3", **_arguments(_endpoints.get(bucket, Endpoint())))


def _at(address: str) -> tuple["S3Store", str]:
    bucket, key = _split(address)
    return _store(bucket, _endpoints.get(bucket, Endpoint())), key


@lru_cache(64)
def _store(bucket: str, endpoint: Endpoint) -> "S3Store":
    with importing_s3("The lake lies in an object store"):
        from obstore.store import S3Store

    return S3Store(bucket, **_arguments(endpoint))


def _arguments(endpoint: Endpoint) -> dict[str, Any]:
    config = {"region": endpoint.region} | ({"endpoint": endpoint.url} if endpoint.url else {})
    return {
        "config": config,
        "client_options": {"allow_http": _is_plain(endpoint), "timeout": timedelta(seconds=60)},
        "retry_config": {"max_retries": 5, "retry_timeout": _PATIENCE},
    }


def _is_plain(endpoint: Endpoint) -> bool:
    return endpoint.url.startswith("http://")


def _split(address: str) -> tuple[str, str]:
    bucket, _, key = address.removeprefix(SCHEME).partition("/")
    return bucket, key


@contextmanager
def _said(address: str) -> Iterator[None]:
    """StoreUnreachable, with the store's own words, where it does not do what it is asked."""
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError) as error:
        words = " ".join(str(error).partition("Debug source")[0].split())
        raise StoreUnreachable(
            f"{address} cannot be reached: {words[:400]}. Look at storage.endpoint and storage.region, at the bucket, and at the "
            "credentials of the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) or of the machine's role."
        ) from error
