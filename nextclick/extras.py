"""Packages that few need are extras of the project. A call that needs one that is not installed says how to get it."""

from collections.abc import Iterator
from contextlib import contextmanager

from nextclick.errors import SetupError


@contextmanager
def importing_kafka(why: str) -> Iterator[None]:
    """Around an import of the Kafka client, or of a module that needs it: SetupError, which says why, if it is not there."""
    try:
        yield
    except ImportError as error:
        raise SetupError(
            f"{why}, but the package confluent-kafka is not installed. "
            "Run `make extras` in a checkout, or `pip install 'nextclick[kafka]'` elsewhere, then call again."
        ) from error
