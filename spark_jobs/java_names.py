"""What Java's names mean, asked once.

py4j asks the JVM for each part of `jvm.org.apache.spark…` each time, and where no class has that name the JVM looks through
all jars. It was a quarter of the calls of a small batch, whose plans take hundreds to thousands.
"""

from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from py4j.java_gateway import JavaClass, JavaMember, JavaPackage, JVMView  # type: ignore[import-untyped]


@cache
def remember() -> None:
    """Let py4j keep the packages, classes and static methods that it found, each where it was looked up."""
    for kind in (JVMView, JavaPackage, JavaClass):
        kind.__getattr__ = _once(kind.__getattr__)


def _once(ask: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    @wraps(ask)
    def look(self: Any, name: str) -> Any:
        meaning = ask(self, name)
        # A name in capitals that is no class may be one when a further jar has come; a static field may change.
        if isinstance(meaning, (JavaClass, JavaMember)) or (isinstance(meaning, JavaPackage) and name.islower()):
            self.__dict__[name] = meaning
        return meaning

    return look
