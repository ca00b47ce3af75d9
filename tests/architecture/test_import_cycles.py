"""No module needs itself by way of others: whoever reads one reads what is below it, and is done."""

import tomllib

import grimp

from nextclick.settings import CHECKOUT


def cycles(graph: grimp.ImportGraph) -> list[str]:
    """A chain of imports for each module that leads back to itself, the shortest; empty where there is none."""
    chains = (
        graph.find_shortest_chain(other, module)
        for module in sorted(graph.modules)
        for other in sorted(graph.find_modules_directly_imported_by(module))
    )
    return [" imports ".join((chain[-1], *chain)) for chain in chains if chain]


def test_no_import_leads_back_to_where_it_began() -> None:
    config = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    roots = config["tool"]["importlinter"]["root_packages"]
    graph = grimp.build_graph(*roots, cache_dir=None)
    assert not cycles(graph)


def test_a_cycle_of_three_is_seen() -> None:
    graph = grimp.ImportGraph()
    for importer, imported in (("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")):
        graph.add_import(importer=importer, imported=imported)
    assert sorted(cycles(graph)) == [
        "a imports b imports c imports a",
        "b imports c imports a imports b",
        "c imports a imports b imports c",
    ]
