"""The benchmark: data sets, splits, cells, metrics and the report."""
