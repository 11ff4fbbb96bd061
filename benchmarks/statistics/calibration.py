"""Calibration of each method, before and after recalibration on the validation set."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.io.columns import MORE_TABLES
from benchmarks.io.results import Results
from benchmarks.metrics.arrays import Floats, Labels
from benchmarks.metrics.bootstrap import CONFIDENCE, percentile_interval, with_interval
from benchmarks.metrics.calibration import (
    ReliabilityCurve,
    brier_decomposition,
    brier_score,
    calibration_slope_intercept,
    reliability_curve,
)
from benchmarks.metrics.recalibration import RECALIBRATIONS, recalibrate
from benchmarks.statistics.split_scores import methods, read_split

COLUMNS = MORE_TABLES["calibration"]
CURVE_COLUMNS = MORE_TABLES["reliability"]
SLOPE_DRAWS = 500
ORIGINAL = RECALIBRATIONS[0]


def tabulate(results: Results) -> dict[str, pd.DataFrame]:
    """Tabulate the calibration of every method on the test set.

    Parameters
    ----------
    results : Results

    Returns
    -------
    dict of DataFrame
        ``calibration``: one row per method and recalibration. ``reliability``: one row per bin of
        each of these. A recalibration fitted on the validation set is not fitted again in the
        bootstrap draws. Slope and intercept are, in the first 500 draws.
    """
    cells = methods(results)
    validation, test = (read_split(results, name, cells) for name in ("validation", "test"))
    lines: list[dict[str, Any]] = []
    curves: list[pd.DataFrame] = []
    changes: list[dict[str, Any]] = []
    for cell in validation.scores:
        new = recalibrate(validation.label, validation.scores[cell], test.scores[cell])
        drawn: dict[str, dict[str, Floats]] = {}
        for name, score in new.items():
            line, curve, drawn[name] = _measure(test.label, score, test.bootstrap().weights)
            lines.append({"cell": cell, "recalibration": name, **line})
            curves.append(curve.assign(cell=cell, recalibration=name))
        for name in (one for one in drawn if one != ORIGINAL):
            line = {"cell": cell, "recalibration": name}
            for metric, draws in drawn[name].items():
                line |= with_interval(f"{metric}_change", draws - drawn[ORIGINAL][metric])
            changes.append(line)
    curve = pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=CURVE_COLUMNS)
    return {
        "calibration": pd.DataFrame(lines, columns=COLUMNS),
        "reliability": curve[CURVE_COLUMNS],
        "recalibration": pd.DataFrame(changes, columns=MORE_TABLES["recalibration"]),
    }


def _measure(
    label: Labels, score: Floats, weights: Floats
) -> tuple[dict[str, Any], pd.DataFrame, dict[str, Floats]]:
    """One row of ``calibration``, its bins, and Brier score and calibration error with draws."""
    parts = brier_decomposition(label, score)
    value, drawn = (reliability_curve(label, score, weights=w) for w in (None, weights))
    slope, intercept = calibration_slope_intercept(label, score)
    slopes, intercepts = calibration_slope_intercept(label, score, weights[:SLOPE_DRAWS])
    line: dict[str, Any] = {
        "n": len(label), "reliability": float(parts.reliability),
        "resolution": float(parts.resolution), "uncertainty": float(parts.uncertainty),
    }  # fmt: skip
    draws = {
        "brier": np.append(parts.brier, brier_score(label, score, weights)),
        "ece": np.append(value.error(), drawn.error()),
    }
    for name, own in (
        *draws.items(),
        ("slope", np.append(slope, slopes)), ("intercept", np.append(intercept, intercepts)),
    ):  # fmt: skip
        low, high = _interval(own[1:])
        line |= {name: float(own[0]), f"{name}_lo": low, f"{name}_hi": high}
    return line, _curve(value, drawn), draws


def _interval(draws: Floats) -> tuple[float, float]:
    """Percentile interval; NaN if the value is undefined in more than 2.5 % of the draws."""
    if np.isnan(draws).mean() > (1 - CONFIDENCE) / 2:
        return np.nan, np.nan
    return percentile_interval(draws)


def _curve(value: ReliabilityCurve, drawn: ReliabilityCurve) -> pd.DataFrame:
    bounds = np.array([percentile_interval(column) for column in drawn.observed.T])
    return pd.DataFrame({
        "bin": np.arange(1, len(value.n) + 1), "n": value.n.astype(int),
        "mean_score": value.mean_score, "observed": value.observed,
        "lo": bounds[:, 0], "hi": bounds[:, 1],
    })  # fmt: skip
