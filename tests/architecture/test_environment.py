"""Only nextclick/settings.py reads the environment; everybody else is handed a `Settings`."""

import ast
from pathlib import Path

from nextclick.settings import CHECKOUT

PACKAGES = (
    "nextclick", "collector", "spark_jobs", "expectations", "ml", "serving", "dashboard", "orchestration", "demo",
)  # fmt: skip
SOURCES = [path for package in PACKAGES for path in sorted((CHECKOUT / package).rglob("*.py"))]
READERS = {"environ", "environb", "getenv", "getenvb"}


def environment_reads(path: Path) -> list[int]:
    """Line numbers where the module touches `os.environ` or `os.getenv`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    attributes = (
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in READERS and ast.unparse(node.value) == "os"
    )
    imports = (
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "os" and READERS & {name.name for name in node.names}
    )
    return sorted([*attributes, *imports])


def test_the_environment_is_read_in_settings_alone() -> None:
    readers = {str(path.relative_to(CHECKOUT)): lines for path in SOURCES if (lines := environment_reads(path))}
    assert list(readers) == ["nextclick/settings.py"], readers
