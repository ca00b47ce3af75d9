"""One way to a file (docs/design.md, rule 18): what the lake shares is written whole by nextclick/lake/files.py."""

import ast
from pathlib import Path
from typing import Final

from nextclick.settings import CHECKOUT
from tests.architecture.packages import PACKAGES

RENAMES: Final = {
    "nextclick/lake/files.py",
    "nextclick/landing/segment.py",  # a segment and its journal come in an order that decides what a crash may leave
    "collector/imports/journal.py",
    "nextclick/shipping/to_bucket.py",
    "nextclick/kv/lists/lmdb.py",  # a version is a folder of this machine's own
    "spark_jobs/jars.py",  # below the checkout, not in a lake
    "spark_jobs/object_store/compiled.py",
    "spark_jobs/class_archive.py",
}


def _renames(path: Path) -> bool:
    """Whether a module puts a file in another's place: os.rename and its like, or Path's with one argument."""
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    return any(
        isinstance(call.func, ast.Attribute)
        and (
            (ast.unparse(call.func) in ("os.rename", "os.replace", "os.link", "shutil.move"))
            or (call.func.attr in ("rename", "replace", "hardlink_to") and len(call.args) == 1 and not call.keywords)
        )
        for call in calls
    )


def test_files_are_put_in_place_where_the_order_of_writes_is_known() -> None:
    modules = (path for name in PACKAGES for path in (CHECKOUT / name).rglob("*.py"))
    assert {str(path.relative_to(CHECKOUT)) for path in modules if _renames(path)} == RENAMES
