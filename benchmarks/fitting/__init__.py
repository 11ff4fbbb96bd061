"""A cell: fit, score, cross-validate; scores of external models."""
