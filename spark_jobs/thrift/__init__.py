"""Spark's Thrift server over the lake, for BI tools that speak Hive's protocol: `nextclick bi` (docs/bi.md)."""
