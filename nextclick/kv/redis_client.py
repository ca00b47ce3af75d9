"""A client of the Redis that kv.redis_url names."""

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from nextclick.errors import SettingsError


def open_client(url: str, timeout: float) -> "redis.Redis":
    """Connects at its first use; a reply that takes longer than `timeout` seconds is an error. SettingsError for a wrong address.

    It retries nothing: a command that the server did before its reply was lost must not be done again unseen.
    """
    once = Retry(NoBackoff(), 0)
    try:
        client = redis.Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=once)
        pool = client.connection_pool
        pool.connection_class(
            **pool.connection_kwargs
        )  # connects to nothing, and does not take a parameter that it does not know
    except (ValueError, TypeError) as error:
        raise SettingsError(f"kv.redis_url is not the address of a Redis: {error}") from error
    return client
