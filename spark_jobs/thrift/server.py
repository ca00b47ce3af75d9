"""Spark's Thrift server in this process, until it is stopped: HiveServer2's protocol, queries alone, behind one password.

pip's pyspark has the server's classes, but not the script that starts it. Two small classes of ours are compiled at the start, by the
compiler that Spark itself makes its code with (Janino).
"""

import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from nextclick.lake.sql import View
from nextclick.settings import Settings
from spark_jobs.session import open_session, options
from spark_jobs.thrift import views

USER: Final = "nextclick"
_CALLING: Final = ("reflect", "java_method", "try_reflect")
"""Functions of Spark's SQL that call any method of Java."""


class ThriftServer:
    """The server of one lake; it listens from `start` to `stop`."""

    def __init__(self, settings: Settings, tables: Sequence[str], reports: Sequence[View]) -> None:
        self._classes = tempfile.TemporaryDirectory(prefix="nextclick-bi-")
        self._spark = open_session(_with_class_path(settings, self._classes.name), "nextclick bi")
        self._jvm: Any = self._spark._jvm
        self._schemas = views.create(self._spark, settings.lake, tables, reports)

    def start(self, host: str, port: int, password: str) -> None:
        """Listen. The session of this process may do anything; each connection opens one of its own, which may query."""
        self._guard()
        provider = self._compiled("OnePassword")
        provider.getField("digest").set(None, hashlib.sha256(password.encode()).digest())
        system = self._jvm.java.lang.System
        # The provider is looked for in a configuration of its own, which knows the system's properties alone.
        system.setProperty("hive.server2.custom.authentication.class", provider.getName())
        system.setProperty("derby.stream.error.file", f"{self._classes.name}/derby.log")  # else in the current folder
        hadoop = self._spark._jsc.hadoopConfiguration()
        for key, value in {
            "hive.server2.authentication": "CUSTOM",
            "hive.server2.custom.authentication.class": provider.getName(),
            "hive.server2.thrift.bind.host": host,
            "hive.server2.thrift.port": str(port),
            "hive.server2.enable.doAs": "false",
        }.items():
            hadoop.set(key, value)
        thrift = self._jvm.org.apache.spark.sql.hive.thriftserver.HiveThriftServer2
        self._server = thrift.startWithContext(self._spark._jsparkSession.sqlContext())

    def stop(self) -> None:
        self._server.stop()
        self._spark.stop()
        self._classes.cleanup()

    def _guard(self) -> None:
        """From now on sessions that are opened may query what is shown."""
        guard = self._compiled("ReadOnly")
        schemas = self._jvm.java.util.HashSet()
        for schema in self._schemas:
            schemas.add(schema)
        guard.getField("schemas").set(None, schemas)
        self._spark._jsparkSession.extensions().injectParser(guard.newInstance())
        catalyst = self._jvm.org.apache.spark.sql.catalyst
        functions = getattr(getattr(catalyst.analysis, "FunctionRegistry$"), "MODULE$").builtin()
        for name in _CALLING:
            functions.dropFunction(catalyst.FunctionIdentifier(name))
        defaults = self._spark._jsc.sc().conf()
        defaults.set("spark.sql.variable.substitute", "false")
        defaults.set(
            "spark.sql.thriftServer.incrementalCollect", "true"
        )  # a large answer passes through, it is not held

    def _compiled(self, name: str) -> Any:
        """A class of ours, for all threads of the JVM."""
        compiler = self._jvm.org.codehaus.janino.SimpleCompiler()
        loader = self._jvm.java.lang.ClassLoader.getSystemClassLoader()
        compiler.setParentClassLoader(loader)
        compiler.cook((Path(__file__).parent / f"{name}.java").read_text(encoding="utf-8"))
        for class_name, content in dict(compiler.getBytecodes()).items():
            file = Path(self._classes.name) / f"{class_name.replace('.', '/')}.class"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(content)
        return loader.loadClass(f"nextclick.{name}")


def _with_class_path(settings: Settings, folder: str) -> Settings:
    """With our classes and spark.jars on the JVM's own class path: the server's threads look nowhere else, for Delta's catalog neither."""
    path = os.pathsep.join((folder, *options(settings)["spark.jars"].split(",")))
    more = settings.spark.properties | {"spark.driver.extraClassPath": path}
    return msgspec.structs.replace(settings, spark=msgspec.structs.replace(settings.spark, properties=more))
