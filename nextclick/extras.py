"""Packages that few need are extras of the project. A call that needs one that is not installed says how to get it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from nextclick.errors import SetupError


@contextmanager
def importing(package: str, extra: str, why: str) -> Iterator[None]:
    """Around an import of an extra's package, or of a module that needs it: SetupError, which says why, if it is not there."""
    try:
        yield
    except ImportError as error:
        raise SetupError(
            f"{why}, but the package {package} is not installed. "
            f"Run `make extras` in a checkout, or `pip install 'nextclick[{extra}]'` elsewhere, then call again."
        ) from error


importing_kafka = partial(importing, "confluent-kafka", "kafka")
"""Around an import of the Kafka client; it is told why."""

importing_s3 = partial(importing, "obstore", "s3")
"""Around an import of obstore."""
