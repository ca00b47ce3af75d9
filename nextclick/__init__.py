"""The kernel: the words and the stores that every station shares. No Spark, no HTTP."""

__version__ = "0.2.0"
