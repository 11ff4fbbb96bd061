"""Checks of the statistics themselves, to be run by hand; their results are in docs/checks."""
