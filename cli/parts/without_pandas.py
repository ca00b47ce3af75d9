"""pyarrow without pandas, which it looks for at its first conversion: 50 MB, and a third of a second, for verbs that have no use for it."""

import sys


class _Absent:
    """Stands in sys.meta_path for a moment."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


def leave_pandas_out() -> None:
    """Let pyarrow, which looks once, find none; who imports pandas later has it all the same."""
    if "pandas" in sys.modules:
        return
    sys.meta_path.insert(0, _Absent)
    try:
        import pyarrow as pa

        pa.array([])
    finally:
        sys.meta_path.remove(_Absent)
