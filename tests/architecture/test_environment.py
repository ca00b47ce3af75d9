"""Only nextclick/settings/ reads the environment; everybody else is handed a `Settings`."""

import ast
from pathlib import Path

from nextclick.settings import CHECKOUT
from tests.architecture.packages import PACKAGES

SOURCES = [path for package in PACKAGES for path in sorted((CHECKOUT / package).rglob("*.py"))]
WORDS = {"environ", "environb", "getenv", "getenvb"}


def environment_reads(path: Path) -> list[int]:
    """Line numbers where the module asks the environment. Telling a library something by `setdefault` is not asking."""
    text = path.read_text(encoding="utf-8")
    if not any(word in text for word in WORDS):
        return []
    nodes = list(ast.walk(ast.parse(text)))
    defaults = {
        node.value.func.value
        for node in nodes
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Attribute)
        and node.value.func.attr == "setdefault"
    }
    reads = (
        node.lineno for node in nodes if isinstance(node, ast.Attribute) and node.attr in WORDS and node not in defaults
    )
    imported = (
        node.lineno
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module == "os" and WORDS & {name.name for name in node.names}
    )
    return sorted([*reads, *imported])


def test_the_environment_is_read_in_settings_alone() -> None:
    readers = {str(path.relative_to(CHECKOUT)): lines for path in SOURCES if (lines := environment_reads(path))}
    assert list(readers) == ["nextclick/settings/reader.py"], readers
