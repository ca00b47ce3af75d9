"""What Great Expectations is asked of one frame holds of that frame alone."""

import pyarrow as pa

from expectations.ge_validator import Validation, Validator
from expectations.suites.expectation import rows

BETWEEN = rows("t", "a_in_range", "At most 9.", "ExpectColumnValuesToBeBetween", column="a", max_value=9)


def test_frames_of_one_table_are_judged_one_by_one() -> None:
    judge = Validator()
    verdicts = [judge.few_rows("t", pa.table({"a": values}), [BETWEEN]) for values in ([1, 2], [1, 30], [1, 2])]
    good, bad = Validation(True), Validation(False, "1 of 2 rows, such as 30")
    assert [verdict["a_in_range"] for verdict in verdicts] == [good, bad, good]
