"""Every call of `nextclick` that a page or a help text shows is one that nextclick takes."""

import re
import shlex
from collections.abc import Iterator
from typing import NamedTuple

import click
import pytest

from cli.main import VERBS, cli, verb
from nextclick.settings import CHECKOUT
from tests.architecture.test_documents import PAGES


class Call(NamedTuple):
    where: str
    text: str


def _of_pages() -> Iterator[Call]:
    """Lines of fenced blocks that begin with it, and what stands between back quotes."""
    for page in PAGES:
        fenced = False
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
            fenced ^= line.startswith("```")
            where = f"{page.relative_to(CHECKOUT)}:{number}"
            if fenced:
                if re.match(r"(\$ )?nextclick ", line):
                    yield Call(where, line.removeprefix("$ "))
            else:
                yield from (Call(where, text) for text in re.findall(r"`(nextclick [^`]+)`", line))


def _of_help(command: click.Command, path: str) -> Iterator[Call]:
    """Examples of a verb and of all that is below it; two blanks part a call from what it does."""
    for line in (command.help or "").splitlines():
        if line.strip().startswith("nextclick "):
            yield Call(f"{path} --help", re.split(r"\s{2,}", line.strip())[0])
    for name, below in getattr(command, "commands", {}).items():
        yield from _of_help(below, f"{path} {name}")


def _words(text: str) -> list[str]:
    """The words of a call up to a comment, a pipe, a redirection or what comes after it."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in lexer:
        if set(word) <= set("|&;<>"):
            break
        words.append(word)
    return words


def problem(text: str) -> str | None:
    """What nextclick would say of the words of a call before it does anything; None where it takes them."""
    command: click.Command = cli
    ctx, left = click.Context(cli, info_name="nextclick"), _words(text)[1:]
    try:
        while True:
            _, left, _ = command.make_parser(ctx).parse_args(left)
            if not (isinstance(command, click.Group) and left):
                return f"{left} is too much" if left else None
            name, *left = left
            below = command.get_command(ctx, name)
            if below is None and (below := command.get_command(ctx, "copy")):  # what `share` does with another word
                left = [name, *left]
            if below is None:
                return f"there is no {name!r}"
            command, ctx = below, click.Context(below, parent=ctx, info_name=name)
    except click.UsageError as error:
        return error.format_message()


def test_calls_of_pages_are_taken() -> None:
    calls = [*_of_pages()]
    assert len(calls) > 300
    wrong = [f"{call.where}: {call.text}: {said}" for call in calls if (said := problem(call.text))]
    assert not wrong


@pytest.mark.parametrize("name", VERBS)
def test_examples_of_help_are_taken(name: str) -> None:
    calls = [*_of_help(verb(name), name)]
    assert calls
    wrong = [f"{call.where}: {call.text}: {said}" for call in calls if (said := problem(call.text))]
    assert not wrong


def test_calls_that_nextclick_refuses_are_seen() -> None:
    assert problem("nextclick run --nope") == "No such option '--nope'."
    assert problem("nextclick share recipient ad acme") == "there is no 'ad'"
    assert problem("nextclick export a | jq .") == "['a'] is too much"
    assert problem("nextclick --lake shop export --json > export.json  # by a script") is None
