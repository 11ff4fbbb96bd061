"""Which methods the validation set cannot tell apart from the best, and what they reach on test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.io.columns import MORE_TABLES, OPERATING_POINTS
from benchmarks.io.results import Results
from benchmarks.metrics.arrays import Floats
from benchmarks.metrics.bootstrap import CONFIDENCE, paired_intervals, with_interval
from benchmarks.metrics.ranking import ranking_metrics
from benchmarks.statistics.method_rows import Row, classical, finished
from benchmarks.statistics.split_scores import read_split

COLUMNS = MORE_TABLES["leading"]
_SELECTED = OPERATING_POINTS[1]
_TEST = {"auc": OPERATING_POINTS[0], "precision": _SELECTED, "recall": _SELECTED}
_ROUNDING = 1e-12  # differences below it are rounding error


def tabulate(results: Results) -> dict[str, pd.DataFrame]:
    """Compare the average precision of all classical methods on the validation set.

    Parameters
    ----------
    results : Results

    Returns
    -------
    dict of DataFrame
        ``leading``: one row per method, in descending order of average precision on the validation
        set, which is averaged over seeds. ``difference`` is to the highest one, with a paired
        interval; ``upper`` and ``in_set`` are from :func:`best_set`; ``chosen`` is the fraction of
        bootstrap draws of the validation patients in which the method has the highest value
        (ties are shared). The metrics on the test set are those of ``scores.csv``. The CNN and
        external models have no row: the CNN's epoch was selected on the same images.
    """
    methods = classical(finished(results))
    split = read_split(results, "validation", [cell for row in methods for cell in row.cells()])
    methods = [row for row in methods if set(row.cells()) <= set(split.scores)]
    if not methods or len(set(split.label.tolist())) < 2:
        return {"leading": pd.DataFrame(columns=COLUMNS)}
    weights = split.bootstrap().with_original()
    draws = np.stack([
        np.mean([
            ranking_metrics(split.label, split.scores[cell], weights).average_precision
            for cell in row.cells()
        ], axis=0)
        for row in methods
    ])  # fmt: skip
    order = np.argsort(-draws[:, 0], kind="stable")
    lines = _lines([methods[k] for k in order], draws[order])
    return {"leading": pd.DataFrame(lines, columns=COLUMNS)}


def best_set(draws: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Find the methods that may be the best, allowing for the choice of the maximum.

    Parameters
    ----------
    draws : ndarray of shape (methods, 1 + draws)
        A metric of each method on the original images, then in each shared bootstrap draw. Larger
        is better.

    Returns
    -------
    upper : ndarray of shape (methods,)
        Upper bound (95 %) of a method's metric minus the largest metric of the others; NaN if
        there are no others.
    member : ndarray of shape (methods,), bool
        Whether this bound is at least 0. The method that is truly the best is among these in
        95 % of samples.

    Notes
    -----
    This is Hsu's multiple comparison with the best. A method is left out if some other is better
    by more than c standard errors of their difference. c is the 95 % quantile, over the draws, of
    the largest difference from the method in units of its standard error, each centred at its
    value on the original images. So it allows for the largest of many differences being looked at
    and for their correlation. Two methods without any variance of their difference are compared
    by its value.

    References
    ----------
    Hsu JC. Simultaneous confidence intervals for all distances from the "best". Ann Stat
    1981;9:1026-1034. doi:10.1214/aos/1176345523

    Examples
    --------
    >>> shifts = np.array([0.0, -1.0, 1.0])
    >>> draws = np.stack([5 + shifts, 5 - shifts, 0 + shifts])
    >>> best_set(draws)[1].tolist()
    [True, True, False]
    """
    bounds = [_upper_bound(np.delete(draws, k, axis=0) - draws[k]) for k in range(len(draws))]
    upper = np.array(bounds)
    return upper, ~(upper < -_ROUNDING)


def _upper_bound(others: Floats) -> float:
    """Upper bound of a method minus the best of the others, from the others minus the method."""
    if len(others) == 0:
        return float("nan")
    error = others[:, 1:].std(axis=1)
    fixed = error <= _ROUNDING
    scale = np.where(fixed, np.inf, error)  # a difference without variance never exceeds its value
    largest = ((others[:, 1:] - others[:, :1]) / scale[:, None]).max(axis=0)
    half = max(float(np.quantile(largest, CONFIDENCE)), 0.0)
    return float((np.where(fixed, 0.0, error) * half - others[:, 0]).min())


def _lines(methods: Sequence[Row], draws: Floats) -> list[dict[str, object]]:
    """One row per method; the first has the largest value."""
    upper, member = best_set(draws)
    low, high = paired_intervals(draws[:, 1:], np.arange(len(draws)), np.zeros(len(draws), int))
    ties = draws[:, 1:] >= draws[:, 1:].max(axis=0) - _ROUNDING
    chosen = (ties / ties.sum(axis=0)).mean(axis=1)
    return [
        {
            "cell": row.cells()[0], **with_interval("validation", draws[k]),
            "difference": draws[k, 0] - draws[0, 0], "lo": low[k], "hi": high[k],
            "upper": upper[k], "in_set": int(member[k]), "chosen": chosen[k], **_on_test(row),
        }
        for k, row in enumerate(methods)
    ]  # fmt: skip


def _on_test(row: Row) -> dict[str, float]:
    found: dict[str, float] = {}
    for metric, point in _TEST.items():
        one = row.estimate("test", point, metric)
        found |= {metric: one.value, f"{metric}_lo": one.low, f"{metric}_hi": one.high}
    return found
