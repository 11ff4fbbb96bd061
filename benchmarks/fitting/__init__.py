"""A cell: fit, score, cross-validate, combine; scores of external models."""
