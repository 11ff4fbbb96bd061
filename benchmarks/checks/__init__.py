"""Checks of the statistical methods, run by hand; the results are in docs/checks."""
