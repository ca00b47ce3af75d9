"""One meaning a word: docs/glossary.md says which, and code has no second one."""

import ast
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from nextclick.settings import CHECKOUT
from tests.architecture.packages import PACKAGES

PAGE: Final = (CHECKOUT / "docs" / "glossary.md").read_text(encoding="utf-8")
_ROWS: Final = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
WORDS: Final = [word.strip() for row, _ in _ROWS[: _ROWS.index(("instead of", "say"))] for word in row.split(",")][2:]
REPLACED: Final = dict(_ROWS[_ROWS.index(("instead of", "say")) + 2 :])
VAGUE: Final = frozenset({"asked", "found", "given", "made", "told"})
"""Names that say how a value came about, not what it is."""


def _modules() -> Iterator[Path]:
    return (path for package in PACKAGES for path in (CHECKOUT / package).rglob("*.py"))


def test_the_glossary_explains_each_word_once() -> None:
    assert len(WORDS) > 40
    assert sorted(WORDS) == sorted(set(WORDS))
    assert not {*WORDS} & {*REPLACED}


def test_no_two_public_classes_have_one_name() -> None:
    homes = defaultdict(list)
    for path in _modules():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(str(path.relative_to(CHECKOUT)))
    assert homes
    assert not {name: places for name, places in homes.items() if len(places) > 1}


def test_no_name_in_code_has_a_word_that_the_glossary_replaced() -> None:
    assert REPLACED
    replaced = {
        f"{path.relative_to(CHECKOUT)}:{token.start[0]} {token.string}"
        for path in _modules()
        for text in [path.read_text(encoding="utf-8")]
        if any(word in text.lower() for word in REPLACED)  # to cut a text into tokens takes long
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.NAME and {*_parts(token.string)} & {*REPLACED}
    }
    assert not replaced


def test_names_in_code_say_what_a_value_is() -> None:
    vague = [
        f"{path.relative_to(CHECKOUT)}:{line} {name}"
        for path in (*_modules(), CHECKOUT / "bootstrap.py")
        for line, name in _named(ast.parse(path.read_text(encoding="utf-8")))
        if name.strip("_") in VAGUE
    ]
    assert not vague


def _named(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Parameters, functions and assigned variables, each with its line."""
    for node in ast.walk(tree):
        match node:
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield node.lineno, name


def _parts(name: str) -> list[str]:
    """`AnonymousIds` and `anonymous_ids` → anonymous, ids."""
    return [part.lower() for part in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)]
