"""The protocol: data sets, splits, cells, metrics and the report."""
