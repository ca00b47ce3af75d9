"""docs/dataflow.md from the catalog: `python -m nextclick.dataflow` writes it, a test compares it."""

from collections.abc import Iterable, Iterator

from nextclick.contracts.catalog import TABLES
from nextclick.contracts.table import Column, Layer, Table
from nextclick.settings import CHECKOUT

PAGE = CHECKOUT / "docs" / "dataflow.md"
_HEAD = """\
# The flow of the data

Generated from `nextclick/contracts/` by `make docs`; change it there. An arrow carries the name of the job that
writes the table it points to.
"""


def render(tables: Iterable[Table] = TABLES) -> str:
    """The page as Markdown: the picture first, then what each table promises."""
    tables = tuple(tables)
    return "\n".join([_HEAD, *_picture(tables), "", *(line for table in tables for line in _section(table))])


def _picture(tables: tuple[Table, ...]) -> Iterator[str]:
    yield "```mermaid"
    yield "flowchart LR"
    yield "    landing[(landing log)]"
    for layer in Layer:
        yield f"    subgraph {layer}"
        yield from (f"        {table.name}" for table in tables if table.layer is layer)
        yield "    end"
    for table in tables:
        yield from (f"    {source} -- {table.job} --> {table.name}" for source in _sources(table))
    yield "```"


def _sources(table: Table) -> tuple[str, ...]:
    return ("landing",) if table.layer is Layer.BRONZE else table.reads


def _section(table: Table) -> Iterator[str]:
    yield f"## {table.name}\n"
    yield f"{table.doc}\n"
    yield f"- key: {_names(table.key)}"
    yield f"- written by: `{table.job}`" + (f", from {_names(table.reads)}" if table.reads else "")
    if table.made_with:
        yield f"- made with {_names(table.made_with)};\n  a change: `nextclick rebuild {table.layer}`"
    if table.partitioned_by:
        yield f"- partitioned by: {_names(table.partitioned_by)}"
    if table.change_feed:
        yield "- keeps a change data feed"
    yield "\n| column | type | meaning |\n| --- | --- | --- |"
    yield from (f"| `{column.name}` | `{column.type}` | {_meaning(column)} |" for column in table.columns)
    yield ""


def _meaning(column: Column) -> str:
    limits = [] if column.nullable else ["never null"]
    limits += [f"one of {_names(column.one_of)}"] if column.one_of else []
    limits += [f"≥ {column.minimum:g}"] if column.minimum is not None else []
    limits += [f"≤ {column.maximum:g}"] if column.maximum is not None else []
    return " ".join([column.doc, f"*{', '.join(limits)}*" if limits else ""]).strip().replace("|", "\\|")


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
