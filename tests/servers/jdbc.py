"""A small JVM of the tests' own with JDBC drivers, asked by java.sql.DriverManager as any tool asks it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyspark
from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway  # type: ignore[import-untyped]
from py4j.protocol import Py4JJavaError  # type: ignore[import-untyped]

SPARK_JARS = Path(pyspark.__file__).parent / "jars"


class Jdbc:
    """Connections of one JVM."""

    def __init__(self, gateway: JavaGateway) -> None:
        self._jvm = gateway.jvm

    @contextmanager
    def connected(self, address: str, user: str, password: str) -> Iterator[Any]:
        """A java.sql.Connection."""
        try:
            connection = self._jvm.java.sql.DriverManager.getConnection(address, user, password)
        except Py4JJavaError as error:
            raise ConnectionError(str(error)) from None  # now: it can only be read while the JVM lives
        try:
            yield connection
        finally:
            connection.close()


def rows(results: Any, *columns: str | int) -> list[tuple[str | None, ...]]:
    """What a java.sql.ResultSet holds in these columns, as text."""
    read = []
    while results.next():
        read.append(tuple(results.getString(column) for column in columns))
    return read


@contextmanager
def jvm(jars: Sequence[Path]) -> Iterator[Jdbc]:
    """A JVM with these jars, beside py4j's."""
    [py4j] = SPARK_JARS.glob("py4j-*.jar")
    port, token = launch_gateway(
        jarpath=str(py4j), classpath=":".join(map(str, jars)), javaopts=["-Xmx256m"], die_on_exit=True, enable_auth=True
    )
    gateway = JavaGateway(gateway_parameters=GatewayParameters(port=port, auth_token=token))
    try:
        yield Jdbc(gateway)
    finally:
        gateway.shutdown()
