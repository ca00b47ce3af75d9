"""What spark-submit is called with, and the asset graph, as committed in tests/golden/.

After a change that is meant: `python tests/unit/orchestration/test_golden.py` writes the files anew; read their diff.
"""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from nextclick.settings import CHECKOUT, load
from orchestration.definitions import definitions
from orchestration.job_runner import SparkSubmit
from orchestration.pipeline import STEPS, StepKind
from spark_jobs import class_archive

GOLDEN: Final = CHECKOUT / "tests" / "golden"


def spark_submit_commands() -> str:
    """One command a job, an option a line; the checkout's and the lake's places by name; without what the set-up may have left out."""
    runner = SparkSubmit(load("/lake", environ={}))
    jobs = [step.name for step in STEPS if step.kind is StepKind.JOB]
    archive = "".join(f" {option}" for option in class_archive.java_options())
    text = "\n".join(_shell(runner.command(job)) for job in jobs)
    return text.replace(archive, "").replace(str(CHECKOUT), "CHECKOUT")


def _shell(words: list[str]) -> str:
    def place(word: str) -> str:
        return ("\\\n    " if word.startswith("--") or word.endswith(".py") else "") + shlex.quote(word)

    return " ".join(map(place, words)) + "\n"


def asset_graph() -> str:
    """One asset a line: group, asset ← what it depends on; then the jobs with their steps in order."""
    here = definitions(load("/lake", environ={}))
    graph = here.resolve_asset_graph()
    nodes = [graph.get(key) for key in graph.toposorted_asset_keys]
    lines = [
        f"{node.group_name:<8} {node.key.to_user_string()} <- {', '.join(sorted(key.to_user_string() for key in node.parent_keys))}"
        for node in sorted(nodes, key=lambda node: (node.group_name, node.key))
    ]
    for name in ("nightly", "incremental"):
        steps = here.resolve_job_def(name).all_node_defs
        lines += ["", f"{name}:", *sorted(f"    {step.name}" for step in steps)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


FILES: Final[dict[str, Callable[[], str]]] = {
    "spark_submit_commands.txt": spark_submit_commands,
    "asset_graph.txt": asset_graph,
}


@pytest.mark.parametrize("name", FILES)
def test_what_is_rendered_equals_the_golden_file(name: str) -> None:
    assert FILES[name]() == (GOLDEN / name).read_text(encoding="utf-8")


if __name__ == "__main__":
    for name, render in FILES.items():
        Path(GOLDEN, name).write_text(render(), encoding="utf-8")
