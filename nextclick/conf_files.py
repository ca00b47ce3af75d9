"""Files that a site writes into conf/: experiments, triggers, audiences, banners, actions, shares, mappings.

They are TOML, bounded before they are parsed. A mistake is the error of its `Form`: which file, what is wrong in it (of TOML
the line, of a value its key), and the page that shows how it is written.
"""

import copy
import tomllib
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import msgspec

from nextclick.errors import UsageError

MOST_CHARS: Final = 1 << 20
"""Of one file."""
MOST_FILES: Final = 500
"""Of one folder."""


class _Named(Protocol):
    @property
    def name(self) -> str: ...


T = TypeVar("T")
N = TypeVar("N", bound=_Named)


def toml(path: Path) -> dict[str, Any]:
    """What the file says. OSError where it cannot be read, ValueError where it is no TOML or far too much of it."""
    with path.open(encoding="utf-8") as file:
        text = file.read(MOST_CHARS + 1)
    if len(text) > MOST_CHARS:
        raise ValueError(f"it has more than {MOST_CHARS:,} characters")
    try:
        return copy.deepcopy(_parsed(text))
    except RecursionError as error:
        raise ValueError("its values lie too deep within each other") from error


@lru_cache(maxsize=16)
def _parsed(text: str) -> dict[str, Any]:
    """The same files are read again and again, for each lake and whenever they may have changed; never handed out itself."""
    return tomllib.loads(text)


def _no_faults(_: object) -> Iterable[str]:
    return ()


class Form(NamedTuple):
    """How one kind of file is called and explained, and the error that refuses one."""

    noun: str
    """Such as `trigger`: its files lie in conf/triggers/. Empty where conf/ has one file of the kind."""
    page: str
    error: type[UsageError]

    def wrong(self, path: Path, problem: object) -> UsageError:
        """What refuses the file."""
        subject = f"The {self.noun} {path}" if self.noun else str(path)
        return self.error(f"{subject} is wrong: {problem}. {self.page} shows the form.")

    def file(self, path: Path, kind: type[T], faults: Callable[[T], Iterable[str]] = _no_faults) -> T:
        """The one file of its kind; where it is not there, what an empty one says."""
        try:
            tree = toml(path)
        except FileNotFoundError:
            tree = {}
        except (OSError, ValueError) as error:
            raise self.wrong(path, error) from error
        return self._value(path, tree, kind, faults)

    def paths(self, folder: Path) -> list[Path]:
        """The folder's files, by name; none where it is not there."""
        paths = sorted(folder.glob("*.toml"))
        if len(paths) > MOST_FILES:
            raise self.error(f"{folder} has {len(paths)} {self.noun}s; {MOST_FILES} may be there.")
        return paths

    def folder(self, folder: Path, kind: type[N], faults: Callable[[N], Iterable[str]] = _no_faults) -> tuple[N, ...]:
        """A value a file, by name: that of the file, which may stand in it, too."""
        return tuple(self._named(path, kind, faults) for path in self.paths(folder))

    def pick(self, values: Sequence[N], name: str) -> N:
        """The one of that name."""
        for value in values:
            if value.name == name:
                return value
        known = ", ".join(value.name for value in values) or "none"
        raise self.error(f"There is no {self.noun} {name!r}. There are: {known} (conf/{self.noun}s/NAME.toml).")

    def _named(self, path: Path, kind: type[N], faults: Callable[[N], Iterable[str]]) -> N:
        def all_faults(value: N) -> Iterable[str]:
            if value.name != path.stem:
                yield f"name is {value.name!r} in a file called {path.name}: let them be the same"
            yield from faults(value)

        try:
            tree = {"name": path.stem, **toml(path)}
        except (OSError, ValueError) as error:
            raise self.wrong(path, error) from error
        return self._value(path, tree, kind, all_faults)

    def _value(self, path: Path, tree: dict[str, Any], kind: type[T], faults: Callable[[T], Iterable[str]]) -> T:
        try:
            value = msgspec.convert(tree, kind)
        except msgspec.ValidationError as error:
            raise self.wrong(path, error) from error
        if problems := list(faults(value)):
            raise self.wrong(path, "; ".join(problems))
        return value
