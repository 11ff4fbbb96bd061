"""Tests of the difference between two methods on the same images. Pure functions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, ndtr

from benchmarks.metrics.bootstrap import CONFIDENCE, Floats
from benchmarks.metrics.delong import QUANTILE, AucCovariance

# Relative to the variances themselves: what is below comes from rounding.
_ROUNDING = 1e-12


class Difference(NamedTuple):
    """A difference with its 95 % interval and two-sided p value; NaN: not to be estimated."""

    difference: float
    lo: float
    hi: float
    p: float


def auc_difference(areas: AucCovariance, i: int, j: int) -> Difference:
    """Difference of two AUC, of method ``i`` less method ``j``, by the normal approximation.

    Parameters
    ----------
    areas : AucCovariance
    i, j : int
        Positions of the methods.

    Returns
    -------
    Difference
        Where the variance of the difference is zero there is nothing to test by: equal AUC
        (the same ranking of the images, or two perfect ones) give the interval (0, 0) and
        p = 1; unequal ones, as of a perfect and a constant score, and those whose covariance is
        not known give NaN.

    Examples
    --------
    >>> areas = AucCovariance(np.array([0.9, 0.8]), np.array([[0.002, 0.001], [0.001, 0.004]]))
    >>> [round(value, 4) for value in auc_difference(areas, 0, 1)]
    [0.1, -0.024, 0.224, 0.1138]
    """
    covariance = areas.covariance
    alone = covariance[i, i] + covariance[j, j]
    variance = alone - 2 * covariance[i, j]
    difference = float(areas.auc[i] - areas.auc[j])
    if np.isnan(variance):
        return Difference(difference, np.nan, np.nan, np.nan)
    if variance <= _ROUNDING * max(alone, _ROUNDING):
        if abs(difference) < _ROUNDING:
            return Difference(0.0, 0.0, 0.0, 1.0)
        return Difference(difference, np.nan, np.nan, np.nan)
    error = float(np.sqrt(variance))
    half = QUANTILE * error
    p = 2 * float(ndtr(-abs(difference) / error))
    return Difference(difference, difference - half, difference + half, p)


def paired_intervals(
    draws: Floats, i: NDArray[np.integer], j: NDArray[np.integer]
) -> tuple[Floats, Floats]:
    """Percentile intervals (95 %) of differences between methods from shared bootstrap draws.

    Parameters
    ----------
    draws : ndarray of shape (methods, draws)
        A metric of each method in each draw; column k is the same draw of patients for all.
    i, j : ndarray of int, shape (pairs,)
        Positions of the methods of each pair.

    Returns
    -------
    (ndarray of shape (pairs,), ndarray of shape (pairs,))
        Bounds of method i less method j.

    Examples
    --------
    >>> draws = np.array([np.arange(101.0), np.zeros(101)])
    >>> low, high = paired_intervals(draws, np.array([0]), np.array([1]))
    >>> low.round(9).tolist(), high.round(9).tolist()
    ([2.5], [97.5])
    """
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(draws[i] - draws[j], [tail, 1 - tail], axis=1)
    return low, high


def mcnemar(only_a: int, only_b: int) -> float:
    """McNemar's exact test: two-sided p value of two methods being right equally often.

    Parameters
    ----------
    only_a, only_b : int
        Images that only the first method gets right, and only the second.

    Returns
    -------
    float
        1 if they never disagree.

    Notes
    -----
    The test takes images as independent, several of one patient too: with them its p value is
    too small if a method is right or wrong on a patient as a whole.

    References
    ----------
    McNemar Q. Note on the sampling error of the difference between correlated proportions or
    percentages. Psychometrika 1947;12:153-157. doi:10.1007/BF02295996

    Examples
    --------
    >>> round(mcnemar(1, 5), 5)
    0.21875
    """
    count = only_a + only_b
    return min(1.0, 2 * float(bdtr(min(only_a, only_b), count, 0.5)))


def holm(p: ArrayLike) -> Floats:
    """Adjust the p values of a family of tests by Holm's step-down method.

    Parameters
    ----------
    p : array of shape (tests,), in [0, 1]
        NaN, a test that could not be made, stays NaN and does not count.

    Returns
    -------
    ndarray of shape (tests,)
        The chance that any true null hypothesis has one at or below a level is at most that
        level, however the tests depend on each other.

    References
    ----------
    Holm S. A simple sequentially rejective multiple test procedure. Scand J Stat
    1979;6:65-70. https://www.jstor.org/stable/4615733

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03, 0.005]).round(4).tolist()
    [0.03, 0.06, 0.06, 0.02]
    """
    values = np.asarray(p, dtype=float)
    adjusted = np.full(values.shape, np.nan)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    steps = values[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted
