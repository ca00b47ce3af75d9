"""`nextclick recommend`: the answer as serving gives it, and with `--explain` what the model says of it."""

from typing import Any

import click
import msgspec

from nextclick.cli import common_options, print_json
from nextclick.errors import UsageError
from nextclick.settings import Settings
from serving import cli
from serving.console_table import show

_plain = cli.recommend
_explain = click.Option(["--explain"], is_flag=True, help="Say of each item which used ones speak for it.")


def _answer(explain: bool, **words: Any) -> None:
    called: Any = _explained if explain else _plain.callback
    called(**words)


@common_options
def _explained(settings: Settings, person: str | None, n: int, similar: str | None, as_json: bool) -> None:
    from ml.lists import explain
    from serving.recommend import lookup

    if person is None or similar is not None:
        raise UsageError("--explain is for a PERSON's list: `nextclick recommend 42 --explain`.")
    answer = lookup(settings, person, n)
    listed = [item.item_id for item in answer.items]
    why = explain.reasons(settings, person, listed) if answer.source == "model" else {}
    if as_json:
        items = [
            msgspec.to_builtins(item) | {"because": msgspec.to_builtins(why.get(item.item_id, []))}
            for item in answer.items
        ]
        print_json(msgspec.to_builtins(answer) | {"items": items})
        return
    words = {name: ", ".join(f"{one.item_id} {one.share:.0%}" for one in found) for name, found in why.items()}
    rows = [[str(item.rank), item.item_id, f"{item.score:.4f}", words.get(item.item_id, "")] for item in answer.items]
    show(("rank", "item", "score", "because of"), rows)
    click.echo(f"source {answer.source}, model {answer.model_version}")


recommend = click.Command(
    "recommend",
    params=[*_plain.params, _explain],
    callback=_answer,
    help=_plain.help,
    epilog=f"{_plain.epilog} · nextclick recommend 42 --explain",
)
