"""DeLong's covariance of AUCs on the same images, plain and clustered, and the test from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr
from scipy.stats import rankdata

from benchmarks.metrics.arrays import Floats, Labels
from benchmarks.metrics.bootstrap import QUANTILE

_ROUNDING = 1e-12  # relative to the variances; anything smaller is rounding error


@dataclass(frozen=True)
class AucCovariance:
    """AUCs of several methods on the same images, and the covariance of these estimates.

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
        """Interval of one AUC (95 %, normal approximation); it may exceed 1.

        Parameters
        ----------
        i : int
            Position of the method.

        Returns
        -------
        low : float
        high : float
        """
        half = QUANTILE * float(np.sqrt(self.covariance[i, i]))
        return float(self.auc[i]) - half, float(self.auc[i]) + half


def placements(label: Labels, scores: Floats) -> tuple[Floats, Floats]:
    """Compute the structural components of the AUC from midranks.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive
    scores : ndarray of shape (methods, n)

    Returns
    -------
    above : ndarray of shape (methods, positives)
        For each positive image, the fraction of negatives with a lower score.
    below : ndarray of shape (methods, negatives)
        For each negative image, the fraction of positives with a higher score. A tie counts one
        half in both. The mean of either is the AUC.

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
    """AUCs of several methods and their covariance, assuming independent images.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive
    scores : ndarray of shape (methods, n)

    Returns
    -------
    AucCovariance

    Raises
    ------
    ValueError
        If a class has no image.

    Notes
    -----
    Several images of one patient are not independent. :func:`clustered_delong` accounts for that
    and equals this function if each patient has one image.

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
    """AUCs of several methods and their covariance, assuming independent patients.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive
    scores : ndarray of shape (methods, n)
    group : array of shape (n,)
        Patient of each image; a patient may have images of both classes.

    Returns
    -------
    AucCovariance

    Raises
    ------
    ValueError
        If a class has no image.

    Notes
    -----
    Let a_i and b_i be the components of :func:`placements` minus the AUC, summed over the
    positive and the negative images of patient i. With M positive and N negative images and I
    patients, I10 of them with a positive and I01 with a negative image, the covariance of methods
    r and s is S10/M + S01/N + (S11(r, s) + S11(s, r)) / (M N), where
    S10 = I10 / ((I10 - 1) M) sum a_i a_i, S01 = I01 / ((I01 - 1) N) sum b_i b_i and
    S11 = I / (I - 1) sum a_i b_i. With one image per patient I10 = M, I01 = N and S11 = 0, which
    is DeLong's covariance.

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


class Difference(NamedTuple):
    """A difference with its 95 % interval and two-sided p value; NaN where not estimable."""

    difference: float
    lo: float
    hi: float
    p: float


def auc_difference(areas: AucCovariance, i: int, j: int) -> Difference:
    """Test the difference of two AUCs, of method ``i`` minus method ``j``, as normal.

    Parameters
    ----------
    areas : AucCovariance
    i, j : int
        Positions of the methods.

    Returns
    -------
    Difference
        If the variance of the difference is zero, equal AUCs (the same ranking of the images, or
        two perfect rankings) give the interval (0, 0) and p = 1. Unequal AUCs without variance
        (a perfect and a constant score) and an unknown covariance give NaN.

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


def _sum_by(member: NDArray[np.integer], values: Floats, count: int) -> Floats:
    return np.stack([np.bincount(member, weights=row, minlength=count) for row in values])


def _correction(count: int) -> float:
    return count / (count - 1) if count > 1 else float("nan")
