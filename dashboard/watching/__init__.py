"""What Prometheus is told of a lake: how fresh its tables are, what waits, what checks say, how old the lists are."""
