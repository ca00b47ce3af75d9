"""`nextclick recommend`: the answer as serving gives it, and with `--explain` what the model says of it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click
import msgspec

from cli.parts.console_table import show
from nextclick.command import common_options, json_option, print_json
from nextclick.errors import UsageError
from nextclick.settings import Settings
from nextclick.visible import visible
from serving.recommend import ListAnswer

if TYPE_CHECKING:
    from ml.lists.explain import Reason


@click.command("recommend")
@common_options
@click.argument("person", required=False)
@click.option("-n", "n", type=click.IntRange(min=1), default=10, show_default=True, help="Length of the list.")
@click.option("--similar", metavar="ITEM", help="What resembles this item, instead of what suits a person.")
@click.option("--explain", is_flag=True, help="Say of each item which used ones speak for it.")
@json_option
def recommend(
    settings: Settings, person: str | None, n: int, similar: str | None, explain: bool, as_json: bool
) -> None:
    """What to show PERSON next, by the rules of conf/; people without a list of their own get the popular one, and are told so.

    \b
    nextclick recommend 42 -n 10 --json
    nextclick recommend 42 --explain
    nextclick recommend --similar sku-7
    """
    if (person is None) == (similar is None):
        raise UsageError(
            "Name a PERSON, or an item with --similar: one of the two. `nextclick recommend --help` has examples."
        )
    if explain and person is None:
        raise UsageError("--explain is for a PERSON's list: `nextclick recommend 42 --explain`.")
    from serving import ruled_lists

    of_item, of_person = ruled_lists.similar_to, ruled_lists.of_person
    answer = of_item(settings, similar, n) if similar is not None else of_person(settings, str(person), n)
    reasons = _reasons(settings, answer) if explain else None
    if as_json:
        print_json(_builtins(answer, reasons))
    else:
        _show(answer, reasons)


Reasons = Mapping[str, Sequence["Reason"]]
"""Item id → used items that speak for it, the strongest first; an item of a popular list has none."""


def _reasons(settings: Settings, answer: ListAnswer) -> Reasons:
    from ml.lists import explain

    listed = [item.item_id for item in answer.items]
    return explain.reasons(settings, str(answer.person_id), listed) if answer.source == "model" else {}


def _builtins(answer: ListAnswer, reasons: Reasons | None) -> dict[str, object]:
    plain: dict[str, object] = msgspec.to_builtins(answer)
    if reasons is not None:
        plain["items"] = [
            msgspec.to_builtins(item) | {"because": msgspec.to_builtins(reasons.get(item.item_id, []))}
            for item in answer.items
        ]
    return plain


def _show(answer: ListAnswer, reasons: Reasons | None) -> None:
    if answer.source == "popular":
        subject = answer.person_id if answer.person_id is not None else answer.item_id
        click.echo(f"There is no list for {visible(subject)} yet: this is what everybody likes.")
    columns = ["rank", "item", "score"]
    rows = [[str(item.rank), item.item_id, f"{item.score:.4f}"] for item in answer.items]
    if reasons is not None:
        columns.append("because of")
        for row in rows:
            row.append(", ".join(f"{reason.item_id} {reason.share:.0%}" for reason in reasons.get(row[1], ())))
    show(columns, rows)
    click.echo(f"source {answer.source}, model {visible(answer.model_version)}")
