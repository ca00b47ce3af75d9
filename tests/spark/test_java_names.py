"""What Java's names mean is asked once, and what may change each time."""

from typing import Any, cast

import pytest
from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


def test_packages_classes_and_static_methods_are_kept_and_unknown_classes_and_fields_are_not(
    spark: SparkSession,
) -> None:
    java = cast(Any, spark)._jvm
    assert java.java.util is java.java.util
    assert java.java.util.Collections is java.java.util.Collections
    assert java.functions.col is java.functions.col
    assert java.org.example.NotYet is not java.org.example.NotYet
    assert java.java.lang.Long.MAX_VALUE == (1 << 63) - 1
    assert java.java.util.Locale.ROOT is not java.java.util.Locale.ROOT
