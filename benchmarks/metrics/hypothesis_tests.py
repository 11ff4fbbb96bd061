"""Tests of two methods on the same images, and Holm's correction for many tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, ndtr
from scipy.stats import binom

from benchmarks.metrics.arrays import Floats, divide


def mcnemar(only_a: int, only_b: int) -> float:
    """Two-sided p value of McNemar's exact test that two methods are equally often right.

    Parameters
    ----------
    only_a, only_b : int
        Number of images that only the first method predicts correctly, and only the second.

    Returns
    -------
    float
        1 if the methods never disagree.

    Notes
    -----
    The test assumes independent images. With several images per patient the p value is too small
    if a method tends to be right or wrong on all images of a patient.

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


def sign_flip_test(difference: NDArray[np.integer]) -> float:
    """Two-sided p value of McNemar's test with several images per patient.

    Under the hypothesis that the methods are equally often right, each patient's difference has
    either sign with equal probability. The distribution of their sum is computed exactly.

    Parameters
    ----------
    difference : ndarray of shape (patients,), int
        Number of a patient's images that only the first method predicts correctly, minus the
        number that only the second does.

    Returns
    -------
    float
        1 if the methods never disagree. With one image per patient, McNemar's exact p value.

    References
    ----------
    Durkalski VL, Palesch YY, Lipsitz SR, Rust PF. Analysis of clustered matched-pair data. Stat Med
    2003;22:2417-2428. doi:10.1002/sim.1438 (a large-sample form of this test)
    Winkler AM, Webster MA, Vidaurre D, Nichols TE, Smith SM. Multi-level block permutation.
    NeuroImage 2015;123:253-268. doi:10.1016/j.neuroimage.2015.05.092

    Examples
    --------
    >>> round(sign_flip_test(np.array([1, -1, -1, -1, -1, -1])), 5)
    0.21875
    >>> round(sign_flip_test(np.array([3, 2])), 5)
    0.5
    """
    sizes, counts = np.unique(np.abs(difference[difference != 0]), return_counts=True)
    distribution = np.ones(1)  # of (sum + largest sum) / 2: a binomial for each size
    for size, count in zip(sizes, counts, strict=True):
        spread = np.zeros(int(size * count) + 1)
        spread[:: int(size)] = binom.pmf(np.arange(count + 1), count, 0.5)
        distribution = np.convolve(distribution, spread)
    largest = int(sizes @ counts)
    sums = 2 * np.arange(len(distribution)) - largest
    return min(1.0, float(distribution[np.abs(sums) >= abs(int(difference.sum()))].sum()))


def wald_p(difference: Floats, error: Floats) -> Floats:
    """Two-sided p values of differences from their standard errors.

    Parameters
    ----------
    difference, error : ndarray of shape (pairs,)

    Returns
    -------
    ndarray of shape (pairs,)
        1 where both are 0.

    Examples
    --------
    >>> wald_p(np.array([0.0, 1.96]), np.array([0.0, 1.0])).round(3).tolist()
    [1.0, 0.05]
    """
    ratio = divide(np.abs(difference), error, np.inf)
    return 2 * ndtr(-np.where(difference == 0, 0, ratio))


def holm(p: ArrayLike) -> Floats:
    """Adjust the p values of a family of tests by Holm's step-down method.

    Parameters
    ----------
    p : array of shape (tests,), in [0, 1]
        NaN, for a test that could not be made, stays NaN and does not count.

    Returns
    -------
    ndarray of shape (tests,)
        Rejecting where an adjusted p value is at most a level keeps the family-wise error rate
        at that level, whatever the dependence between the tests.

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
