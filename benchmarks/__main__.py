"""`python -m benchmarks` lists what can be measured; `python -m benchmarks NAME [OPTION…]` measures it."""

import ast
import os
import runpy
import sys
from pathlib import Path

FILES = {
    path.stem: path
    for path in sorted(Path(__file__).parent.glob("*/[a-z]*.py"))
    if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
}


def claim(path: Path) -> str:
    """The first line of a benchmark's docstring: what is measured, against what."""
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]


def main() -> None:
    """List, or run the one that is named as if it were called itself."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name in FILES:
        sys.argv = sys.argv[1:]
        os.environ.setdefault("RUST_LOG", "error")  # deltalake warns of each text of each file that DuckDB wrote
        runpy.run_module(f"benchmarks.{FILES[name].parent.name}.{name}", run_name="__main__")
        return
    print("\n".join(f"  {stem:<16} {claim(path)}" for stem, path in FILES.items()))
    print('\nmake bench ARGS="NAME --help"')
    if name:
        sys.exit(f"There is no benchmark {name!r}.")


if __name__ == "__main__":
    main()
