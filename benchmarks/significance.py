"""Tests of the difference between two methods on the same images. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest, norm, rankdata

from benchmarks.metrics import CONFIDENCE, Floats, Labels

# Relative to the variances themselves: what is below comes from rounding.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class AucCovariance:
    """AUC of several methods on the same images, and the covariance of these estimates.

    Attributes
    ----------
    auc : ndarray of shape (methods,), in [0, 1]
    covariance : ndarray of shape (methods, methods)
        NaN where a class has too few images (:func:`delong`) or patients
        (:func:`clustered_delong`) to estimate it.
    """

    auc: Floats
    covariance: Floats

    def interval(self, i: int) -> tuple[float, float]:
        """Interval of one AUC (95 %, normal approximation); it may reach beyond 1."""
        half = _quantile() * float(np.sqrt(self.covariance[i, i]))
        return float(self.auc[i]) - half, float(self.auc[i]) + half


class Difference(NamedTuple):
    """A difference with its 95 % interval and two-sided p value; NaN: not to be estimated."""

    difference: float
    lo: float
    hi: float
    p: float


def placements(label: Labels, scores: Floats) -> tuple[Floats, Floats]:
    """Structural components of the AUC, by midranks.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive
    scores : ndarray of shape (methods, n)

    Returns
    -------
    (ndarray of shape (methods, positives), ndarray of shape (methods, negatives))
        For each positive the share of negatives that it exceeds, for each negative the share of
        positives that exceed it; a tie counts one half. The mean of either is the AUC.

    Raises
    ------
    ValueError
        If a class has no image.

    References
    ----------
    Sun X, Xu W. Fast implementation of DeLong's algorithm. IEEE Signal Process Lett
    2014;21:1389-1393. doi:10.1109/LSP.2014.2337313

    Examples
    --------
    >>> above, below = placements(np.array([1, 1, 0, 0]), np.array([[0.9, 0.4, 0.4, 0.1]]))
    >>> above.tolist(), below.tolist()
    ([[1.0, 0.75]], [[0.75, 1.0]])
    """
    positive = label == 1
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if not (n_positive and n_negative):
        raise ValueError(
            f"Got {n_positive} positive and {n_negative} negative images, but an AUC needs both."
        )
    ranks = rankdata(scores, axis=1)
    above = ranks[:, positive] - rankdata(scores[:, positive], axis=1)
    below = ranks[:, ~positive] - rankdata(scores[:, ~positive], axis=1)
    return above / n_negative, 1 - below / n_positive


def delong(label: Labels, scores: Floats) -> AucCovariance:
    """AUC of several methods and their covariance, images taken as independent.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive
    scores : ndarray of shape (methods, n)

    Raises
    ------
    ValueError
        If a class has no image.

    Notes
    -----
    Several images of one patient are not independent; :func:`clustered_delong` takes account
    of that and is equal to this where each patient has one image.

    References
    ----------
    DeLong ER, DeLong DM, Clarke-Pearson DL. Comparing the areas under two or more correlated
    receiver operating characteristic curves. Biometrics 1988;44:837-845. doi:10.2307/2531595

    Examples
    --------
    >>> label = np.array([1, 1, 0, 0, 0])
    >>> result = delong(label, np.array([[0.9, 0.4, 0.5, 0.3, 0.1]]))
    >>> result.auc.round(4).tolist(), result.covariance.round(4).tolist()
    ([0.8333], [[0.0556]])
    """
    return clustered_delong(label, scores, np.arange(len(label)))


def clustered_delong(label: Labels, scores: Floats, group: ArrayLike) -> AucCovariance:
    """AUC of several methods and their covariance, patients taken as independent.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive
    scores : ndarray of shape (methods, n)
    group : array of shape (n,)
        Patient of each image; a patient may have images of both classes.

    Raises
    ------
    ValueError
        If a class has no image.

    Notes
    -----
    With the components of :func:`placements` less their AUC, summed over the images of patient
    i to a_i (positives) and b_i (negatives), M positive and N negative images, I patients, I10
    of them with a positive and I01 with a negative image, the covariance of methods r and s is
    S10/M + S01/N + (S11(r, s) + S11(s, r)) / (M N), where S10 = I10 / ((I10 - 1) M) sum a_i a_i,
    S01 = I01 / ((I01 - 1) N) sum b_i b_i, S11 = I / (I - 1) sum a_i b_i. With one image a
    patient I10 = M, I01 = N, S11 = 0: DeLong's covariance.

    References
    ----------
    Obuchowski NA. Nonparametric analysis of clustered ROC curve data. Biometrics
    1997;53:567-578. doi:10.2307/2533958

    Examples
    --------
    Two patients with two images each:

    >>> label, group = np.array([1, 0, 1, 0]), np.array([0, 0, 1, 1])
    >>> result = clustered_delong(label, np.array([[0.9, 0.5, 0.4, 0.1]]), group)
    >>> result.auc.tolist(), result.covariance.tolist()
    ([0.75], [[0.0]])
    """
    positive = label == 1
    above, below = placements(label, scores)
    auc = above.mean(axis=1)
    patients, member = np.unique(np.asarray(group), return_inverse=True)
    count = len(patients)
    sums = [
        _sum_by(member[mask], parts - auc[:, None], count) / parts.shape[1]
        for mask, parts in ((positive, above), (~positive, below))
    ]
    s10, s01 = (
        _correction(len(np.unique(member[mask]))) * part @ part.T
        for mask, part in zip((positive, ~positive), sums, strict=True)
    )
    cross = _correction(count) * sums[0] @ sums[1].T
    return AucCovariance(auc, s10 + s01 + cross + cross.T)


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
    half = _quantile() * error
    p = 2 * float(norm.sf(abs(difference) / error))
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
    >>> mcnemar(1, 5)
    0.21875
    """
    count = only_a + only_b
    return float(binomtest(only_a, count, 0.5).pvalue) if count else 1.0


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


def _sum_by(member: NDArray[np.integer], values: Floats, count: int) -> Floats:
    return np.stack([np.bincount(member, weights=row, minlength=count) for row in values])


def _correction(count: int) -> float:
    return count / (count - 1) if count > 1 else float("nan")


def _quantile() -> float:
    return float(norm.ppf((1 + CONFIDENCE) / 2))
