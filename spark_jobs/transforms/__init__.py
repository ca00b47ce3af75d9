"""Pure functions from DataFrame to DataFrame; parameters bind first: `events.transform(merge_intervals(sessions))`.

No session, no table, no clock: what a transform gives depends on its input rows alone.
"""

from collections.abc import Callable

from pyspark.sql import DataFrame

Transformer = Callable[[DataFrame], DataFrame]
