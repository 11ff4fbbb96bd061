"""Difference of each metric between the run's test set and an external one, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.external_test.external_tables import as_test
from benchmarks.io.columns import EXTERNAL, OPERATING_POINTS, TABLE_COLUMNS
from benchmarks.io.results import Results
from benchmarks.metrics.arrays import Floats
from benchmarks.metrics.bootstrap import (
    CONFIDENCE,
    DRAWS,
    SEED,
    percentile_interval,
    seed_error,
    with_seed_error,
)
from benchmarks.metrics.calibration import brier_score, calibration_slope_intercept
from benchmarks.metrics.ranking import ranking_metrics
from benchmarks.metrics.rates import confusion_in_draws, precision_at_prevalence
from benchmarks.statistics.calibration import SLOPE_DRAWS
from benchmarks.statistics.method_rows import Estimate, Row, finished
from benchmarks.statistics.split_scores import SplitScores, read_split, thresholds_with_draws

EXTERNAL_SEED = 2  # of the draws of external patients: independent of those of the test patients
INTERNAL_PREVALENCE = "precision_internal_prevalence"
FREE = ("auc", "average_precision", "brier", "slope", "intercept")
RATES = ("recall", "specificity", "precision", INTERNAL_PREVALENCE)
_OWN_INTERVAL = ("slope", "intercept", INTERNAL_PREVALENCE)  # not in scores.csv
_COUNTED = ("recall", "specificity")

Key = tuple[str, str, str]  # cell, metric, operating point; the last is empty for FREE
METRICS = [
    *((metric, "") for metric in FREE),
    *((metric, point) for point in OPERATING_POINTS for metric in RATES),
]


def tabulate_differences(results: Results, name: str) -> pd.DataFrame:
    """Tabulate internal and external test side by side, with the difference.

    Parameters
    ----------
    results : Results
        With ``external_predictions``, ``external_manifest`` and ``external_scores``.
    name : str
        Of the external set.

    Returns
    -------
    DataFrame
        ``external_differences``: one row per method, metric and operating point; ``cell`` is the
        first seed. ``difference`` is external minus internal.

        Its interval is a percentile interval over pairs of draws: internal and external patients
        are different people, so they are drawn independently. A threshold chosen on the validation
        set is chosen again in each pair, once for both. The fitted models are held fixed. With
        several seeds, values are means, each draw is averaged over the seeds, and the interval
        includes the variance of the difference between seeds.

        Where recall or specificity is 0 or 1 in one set, its draws do not vary; the interval then
        reaches at least to the bounds that follow from the interval of each set [1]_.

    References
    ----------
    .. [1] Newcombe RG. Interval estimation for the difference between independent proportions:
       comparison of eleven methods. Stat Med 1998;17:873-890.
       doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I
    """
    view = as_test(results, name)
    cells = set(view.scores["cell"])
    every = replace(results, scores=pd.concat([results.scores, results.table("external_scores")]))
    own = [
        replace(row, scores=row.scores[row.scores["cell"].isin(cells)]) for row in finished(every)
    ]
    table = [row for row in own if row.ok]
    scored = [cell for row in table for cell in row.cells()]
    internal, external = read_split(results, "test", scored), read_split(view, "test", scored)
    prevalence = float(internal.label.mean())
    cuts = {
        point: thresholds_with_draws(results, point, scored, DRAWS) for point in OPERATING_POINTS
    }
    draws = [
        draws_of(split, cuts, seed, prevalence)
        for split, seed in ((internal, SEED), (external, EXTERNAL_SEED))
    ]
    lines = [
        _line(row, metric, point, draws[0], draws[1], name)
        for row in table for metric, point in METRICS
        if (row.cells()[0], metric, point) in draws[0]
    ]  # fmt: skip
    return pd.DataFrame(lines, columns=TABLE_COLUMNS["external_differences"])


def draws_of(
    split: SplitScores,
    thresholds: Mapping[str, Mapping[str, Floats]],
    seed: int,
    prevalence: float,
) -> dict[Key, Floats]:
    """Compute the metrics of all cells on a split and in every draw of its patients.

    Parameters
    ----------
    split : SplitScores
    thresholds : mapping of str to mapping of str to ndarray of shape (1 + draws,)
        By operating point and cell: of the run, then chosen again in draws of validation patients.
        The same for all splits.
    seed : int
        Of the draws.
    prevalence : float
        At which precision is also computed, from recall and specificity.

    Returns
    -------
    dict of ndarray of shape (1 + draws,)
        By cell, metric and operating point: the value on the split, then in each draw. Slope and
        intercept are in the first 500 draws only.
    """
    label, weights = split.label, split.bootstrap(seed).with_original()
    draws: dict[Key, Floats] = {}
    for cell, score in split.scores.items():
        slope = calibration_slope_intercept(label, score, weights[: 1 + SLOPE_DRAWS])
        values = (*ranking_metrics(label, score, weights), brier_score(label, score, weights))
        draws |= {(cell, name, ""): v for name, v in zip(FREE, (*values, *slope), strict=True)}
        for point, cuts in thresholds.items():
            if np.isnan(cuts[cell][0]):
                continue
            cut = cuts[cell][: len(weights), None]  # no draws of a split that lacks a class
            counts = confusion_in_draws(label, score >= cut, weights)
            rates = {rate: getattr(counts, rate) for rate in RATES[:3]}
            rates[INTERNAL_PREVALENCE] = precision_at_prevalence(
                counts.recall, counts.specificity, prevalence
            )
            draws |= {(cell, rate, point): value for rate, value in rates.items()}
    return draws


def difference_interval(
    internal: Floats, external: Floats, sides: Sequence[Estimate] = (), error: float = 0.0
) -> tuple[float, float]:
    """Compute the interval of external minus internal from independent draws of both.

    Parameters
    ----------
    internal, external : ndarray of shape (1 + draws,)
        Values of a metric on each set, then in each draw.
    sides : sequence of two Estimate, optional
        Of recall or specificity on each set: where one is 0 or 1, the interval is at least as wide
        as the one that combines their bounds.
    error : float
        Standard error of the difference between seeds, by which the interval of the draws is
        widened. The bounds of the sides include their own.

    Returns
    -------
    low : float
    high : float
        NaN if the difference is undefined in more than 2.5 % of the draws.

    Examples
    --------
    >>> drawn = np.array([0.5, 0.4, 0.5, 0.6])
    >>> [round(bound, 3) for bound in difference_interval(drawn, drawn[::-1] + 0.25)]
    [0.15, 0.34]
    """
    n = min(len(internal), len(external))
    drawn = external[1:n] - internal[1:n]
    if not len(drawn) or np.isnan(drawn).mean() > (1 - CONFIDENCE) / 2:
        return np.nan, np.nan
    low, high = percentile_interval(drawn)
    if error:
        middle = external[0] - internal[0]
        low, high = map(float, with_seed_error(middle, low, high, error))
    if any(one.value in (0.0, 1.0) for one in sides):
        one, other = sides
        value = other.value - one.value
        low = min(low, value - np.hypot(other.value - other.low, one.high - one.value))
        high = max(high, value + np.hypot(other.high - other.value, one.value - one.low))
    return float(low), float(high)


def _line(
    row: Row, metric: str, point: str, internal: Mapping[Key, Floats],
    external: Mapping[Key, Floats], name: str,
) -> dict[str, Any]:  # fmt: skip
    """Row of the table, from the draws of each seed."""
    cells = row.cells()
    sets = [np.array([of[cell, metric, point] for cell in cells]) for of in (internal, external)]
    splits = ("test", EXTERNAL + name)
    sides = [
        _own_interval(values) if metric in _OWN_INTERVAL
        else row.estimate(split, point or OPERATING_POINTS[0], metric)
        for split, values in zip(splits, sets, strict=True)
    ]  # fmt: skip
    means = [values.mean(axis=0) for values in sets]
    error = float(seed_error(sets[1][:, 0] - sets[0][:, 0]))
    low, high = difference_interval(means[0], means[1], sides if metric in _COUNTED else (), error)
    value = sides[1].value - sides[0].value
    return {
        "data": name, "cell": cells[0], "metric": metric, "operating_point": point,
        **_ends("internal", sides[0]), **_ends("external", sides[1]),
        "difference": value, "difference_lo": low, "difference_hi": high,
    }  # fmt: skip


def _own_interval(values: Floats) -> Estimate:
    """Mean over seeds of a metric, with a percentile interval that includes the seeds' variance."""
    mean = values.mean(axis=0)
    value, drawn = float(mean[0]), mean[1:]
    if not len(drawn) or np.isnan(drawn).mean() > (1 - CONFIDENCE) / 2:
        return Estimate(value, np.nan, np.nan, np.nan)
    low, high = percentile_interval(drawn)
    if len(values) > 1:
        low, high = map(float, with_seed_error(value, low, high, seed_error(values[:, 0])))
    return Estimate(value, low, high, np.nan)


def _ends(name: str, one: Estimate) -> dict[str, float]:
    return {name: one.value, f"{name}_lo": one.low, f"{name}_hi": one.high}
