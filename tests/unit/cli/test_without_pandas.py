"""A process whose pyarrow does without pandas, which who wants it has all the same."""

import subprocess
import sys

_PROGRAM = """
import sys
from cli.parts.without_pandas import leave_pandas_out

leave_pandas_out()
import pyarrow as pa

rows = pa.table({"n": [1, None]})
print("pandas" in sys.modules, rows.to_pandas()["n"].sum(), "pandas" in sys.modules)
"""


def test_pandas_is_imported_by_who_wants_it_alone() -> None:
    run = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "1.0", "True"]
