"""Formulas on arrays: rates, bootstrap, DeLong, Holm, McNemar, calibration."""
