"""Calibration of scores: reliability curve, calibration error, Brier score, slope and intercept.

All functions take the weights of bootstrap draws and then return one value per draw. The bins are
made once, from all images, and stay the same in every draw.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit as log_odds
from scipy.stats import rankdata

from benchmarks.metrics.arrays import Floats, Labels, divide, weights_or_ones
from benchmarks.metrics.newton import fit_logistic

BINS = 10
EPSILON = 1e-6


@dataclass(frozen=True)
class ReliabilityCurve:
    """Predicted and observed frequency in each bin.

    Attributes
    ----------
    n : ndarray of shape (..., k)
        Number of images in each bin, weighted by the draw.
    mean_score, observed : ndarray of shape (..., k), in [0, 1]
        Mean score and proportion of positives. NaN where a draw has no image in the bin.
    """

    n: Floats
    mean_score: Floats
    observed: Floats

    def error(self) -> Floats:
        """Mean distance of the two over images: see :func:`expected_calibration_error`.

        Returns
        -------
        ndarray of shape (...)
        """
        distance = np.nan_to_num(np.abs(self.mean_score - self.observed))
        return np.asarray((self.n * distance).sum(axis=-1) / self.n.sum(axis=-1))


@dataclass(frozen=True)
class BrierParts:
    """A Brier score and its components: ``brier = reliability - resolution + uncertainty``.

    Attributes
    ----------
    brier : float or ndarray of shape (...)
        Mean squared difference between score and label.
    reliability : float or ndarray of shape (...)
        Mean squared difference between the mean score and the proportion of positives of a bin;
        0 is best.
    resolution : float or ndarray of shape (...)
        How well the scores separate the images; higher is better.
    uncertainty : float or ndarray of shape (...)
        Variance of the label, which does not depend on the method.
    """

    brier: Floats
    reliability: Floats
    resolution: Floats
    uncertainty: Floats


def score_bins(score: Floats, bins: int = BINS) -> NDArray[np.intp]:
    """Assign images to bins with equal counts, as far as ties allow.

    Parameters
    ----------
    score : ndarray of shape (n,)
    bins : int
        At least 1.

    Returns
    -------
    ndarray of shape (n,), int in [0, bins)
        Bin of each image, in ascending order of the score. Images with equal scores share a bin,
        so a bin may be empty.

    Raises
    ------
    ValueError
        If ``bins`` is below 1.

    Notes
    -----
    Most scores lie near 0 or 1, so bins of equal width would put nearly all images into two bins
    and leave the others to chance. With bins of equal count the calibration error also has a
    smaller bias [1]_.

    References
    ----------
    .. [1] Roelofs R, et al. Mitigating bias in calibration error estimation. AISTATS 2022;
       PMLR 151:4036-4054. doi:10.48550/arXiv.2012.08668

    Examples
    --------
    >>> score_bins(np.array([0.1, 0.9, 0.9, 0.9, 0.5, 0.2]), bins=3)
    array([0, 2, 2, 2, 1, 0])
    """
    if bins < 1:
        raise ValueError(f"Got bins={bins}, but expected a whole number of at least 1.")
    return ((rankdata(score) - 0.5) * bins / len(score)).astype(np.intp)


def reliability_curve(
    label: Labels, score: Floats, bins: int = BINS, weights: Floats | None = None
) -> ReliabilityCurve:
    """Compute mean score and proportion of positives in each bin that has an image.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive
    score : ndarray of shape (n,), in [0, 1]
    bins : int
        Number of bins of equal count; see :func:`score_bins`.
    weights : ndarray of shape (..., n), optional
        How often each image is in each bootstrap draw; once by default.

    Returns
    -------
    ReliabilityCurve
        Of arrays of shape ``(..., k)``, where k is the number of bins that have an image.

    Examples
    --------
    >>> curve = reliability_curve(np.array([0, 0, 1, 1]), np.array([0.1, 0.3, 0.3, 0.9]), bins=2)
    >>> curve.mean_score, curve.observed
    (array([0.1, 0.5]), array([0.        , 0.66666667]))
    """
    drawn = weights_or_ones(weights, len(label))
    count, total, positive = _bin_sums(label, score, bins, drawn)
    return ReliabilityCurve(count, divide(total, count, np.nan), divide(positive, count, np.nan))


def expected_calibration_error(
    label: Labels, score: Floats, bins: int = BINS, weights: Floats | None = None
) -> Floats:
    """Compute the mean distance between mean score and proportion of positives over the bins.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive
    score : ndarray of shape (n,), in [0, 1]
    bins : int
        Number of bins of equal count; see :func:`score_bins`.
    weights : ndarray of shape (..., n), optional
        How often each image is in each bootstrap draw; once by default.

    Returns
    -------
    ndarray of shape (...), in [0, 1]
        Bins are weighted by their number of images.

    Notes
    -----
    The formula is that of [1]_ and [2]_, with bins of equal count instead of equal width. It is
    biased upwards: even with perfect probabilities, the proportion of positives in a bin deviates
    by chance. Resampling adds to that, so a bootstrap interval lies too high.

    References
    ----------
    .. [1] Naeini MP, Cooper GF, Hauskrecht M. Obtaining well calibrated probabilities using
       Bayesian binning. AAAI 2015;29:2901-2907. doi:10.1609/aaai.v29i1.9602
    .. [2] Guo C, Pleiss G, Sun Y, Weinberger KQ. On calibration of modern neural networks.
       ICML 2017; PMLR 70:1321-1330. doi:10.48550/arXiv.1706.04599

    Examples
    --------
    >>> label, score = np.array([0, 0, 1, 1]), np.array([0.1, 0.3, 0.6, 0.8])
    >>> round(float(expected_calibration_error(label, score, bins=2)), 3)
    0.25
    """
    return reliability_curve(label, score, bins, weights).error()


def brier_score(label: Labels, score: Floats, weights: Floats | None = None) -> Floats:
    """Compute the Brier score, the mean squared difference between score and label.

    Parameters
    ----------
    label : ndarray of shape (n,), 0 or 1
    score : ndarray of shape (n,), in [0, 1]
    weights : ndarray of shape (..., n), optional
        How often each image is in each bootstrap draw; once by default.

    Returns
    -------
    ndarray of shape (...), in [0, 1]

    References
    ----------
    Brier GW. Verification of forecasts expressed in terms of probability. Mon Weather Rev
    1950;78:1-3. doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2

    Examples
    --------
    >>> brier_score(np.array([0, 1]), np.array([0.5, 1.0]), np.array([[1.0, 1.0], [3.0, 1.0]]))
    array([0.125 , 0.1875])
    """
    weights = weights_or_ones(weights, len(label))
    return np.asarray(weights @ (score - label) ** 2 / weights.sum(axis=-1))


def brier_decomposition(
    label: Labels, score: Floats, bins: int = BINS, weights: Floats | None = None
) -> BrierParts:
    """Decompose the Brier score into components that add up to it exactly.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive
    score : ndarray of shape (n,), in [0, 1]
    bins : int
        Number of bins of equal count; see :func:`score_bins`.
    weights : ndarray of shape (..., n), optional
        How often each image is in each bootstrap draw; once by default.

    Returns
    -------
    BrierParts

    Notes
    -----
    Murphy's three components [1]_ add up only if all scores in a bin are equal. For scores that
    vary within bins, resolution is the generalised one of [2]_: Murphy's resolution, minus the
    variance of the scores within bins, plus twice their covariance with the label.

    References
    ----------
    .. [1] Murphy AH. A new vector partition of the probability score. J Appl Meteorol
       1973;12:595-600. doi:10.1175/1520-0450(1973)012<0595:ANVPOT>2.0.CO;2
    .. [2] Stephenson DB, Coelho CAS, Jolliffe IT. Two extra components in the Brier score
       decomposition. Weather Forecast 2008;23:752-757. doi:10.1175/2007WAF2006116.1

    Examples
    --------
    >>> label, score = np.array([0, 0, 0, 1, 1, 1]), np.array([0.2, 0.2, 0.7, 0.7, 0.7, 0.7])
    >>> parts = brier_decomposition(label, score)
    >>> [round(float(v), 4) for v in (parts.reliability, parts.resolution, parts.uncertainty)]
    [0.015, 0.125, 0.25]
    >>> round(float(parts.brier), 4)
    0.14
    """
    weights = weights_or_ones(weights, len(label))
    n = weights.sum(axis=-1)
    count, total, positive = _bin_sums(label, score, bins, weights)
    base = positive.sum(axis=-1) / n
    reliability = _over(total - positive, total - positive, count) / n
    murphy = _over(positive, positive, count) / n - base**2
    variance = (weights @ score**2 - _over(total, total, count)) / n
    covariance = (weights @ (score * label) - _over(total, positive, count)) / n
    return BrierParts(
        brier=brier_score(label, score, weights),
        reliability=np.asarray(reliability),
        resolution=np.asarray(murphy - variance + 2 * covariance),
        uncertainty=np.asarray(base * (1 - base)),
    )


def logit(score: Floats, margin: float = EPSILON) -> Floats:
    """Compute the log odds of scores, clipped to keep them finite.

    Parameters
    ----------
    score : ndarray, in [0, 1]
    margin : float
        Scores are clipped to [margin, 1 - margin].

    Returns
    -------
    ndarray of the same shape

    Examples
    --------
    >>> logit(np.array([0.0, 0.5, 1.0])).round(2)
    array([-13.82,   0.  ,  13.82])
    """
    return np.asarray(log_odds(np.clip(score, margin, 1 - margin)))


def calibration_slope_intercept(
    label: Labels, score: Floats, weights: Floats | None = None
) -> tuple[Floats, Floats]:
    """Compute calibration slope and intercept by logistic regression on the scores' log odds.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive
        Both classes must be present in every draw.
    score : ndarray of shape (n,), in [0, 1]
        Clipped to [1e-6, 1 - 1e-6].
    weights : ndarray of shape (..., n), optional
        How often each image is in each bootstrap draw; once by default.

    Returns
    -------
    slope : float or ndarray of shape (...)
        1 is ideal; below 1 the scores are too extreme, above 1 too moderate. NaN where the
        maximum-likelihood slope is not finite: all scores are equal, or a threshold separates the
        classes.
    intercept : float or ndarray of shape (...)
        Calibration in the large, with the slope fixed at 1: 0 is ideal; below 0 the scores are
        too high. It is finite even where the slope is not.

    References
    ----------
    .. [1] Cox DR. Two further applications of a model for binary regression. Biometrika
       1958;45:562-565. doi:10.1093/biomet/45.3-4.562
    .. [2] Van Calster B, et al. A calibration hierarchy for risk models was defined: from utopia
       to empirical data. J Clin Epidemiol 2016;74:167-176. doi:10.1016/j.jclinepi.2015.12.005

    Examples
    --------
    A quarter of the images scored 0.2 is positive, and three quarters of those scored 0.8.

    >>> label, score = np.array([0, 0, 0, 1, 0, 1, 1, 1]), np.repeat([0.2, 0.8], 4)
    >>> slope, intercept = calibration_slope_intercept(label, score)
    >>> round(float(slope), 4), abs(round(float(intercept), 4))  # log 3 / log 4
    (0.7925, 0.0)
    """
    drawn = np.ones((1, len(label))) if weights is None else weights.reshape(-1, len(label))
    shape = () if weights is None else weights.shape[:-1]
    x, positive, total = _grouped(label, logit(score), drawn)
    intercept = fit_logistic(x, positive, total, slope=1.0)[:, 0]
    slope = np.full(len(drawn), np.nan)
    mixed = _overlap(positive, total)
    slope[mixed] = fit_logistic(x, positive[mixed], total[mixed])[:, 1]
    return slope.reshape(shape), intercept.reshape(shape)


def _bin_sums(
    label: Labels, score: Floats, bins: int, weights: Floats
) -> tuple[Floats, Floats, Floats]:
    """Count images and positives and sum the scores of each non-empty bin."""
    _, index = np.unique(score_bins(score, bins), return_inverse=True)
    member = np.eye(index.max() + 1)[index]
    columns = [member, member * score[:, None], member * label[:, None]]
    sums = weights @ np.concatenate(columns, axis=1)
    count, total, positive = np.split(sums, 3, axis=-1)
    return count, total, positive


def _over(one: Floats, other: Floats, count: Floats) -> Floats:
    """Sum over bins of ``one * other / count``; an empty bin adds nothing."""
    return np.asarray(divide(one * other, count).sum(axis=-1))


def _grouped(label: Labels, x: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Sorted distinct values of x, with the number of positives and of images at each."""
    order = np.argsort(x, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(x[order]) != 0])
    drawn = weights[:, order]
    positive = np.add.reduceat(drawn * (label[order] == 1), starts, axis=1)
    return x[order][starts], positive, np.add.reduceat(drawn, starts, axis=1)


def _overlap(positive: Floats, total: Floats) -> NDArray[np.bool_]:
    """Whether no threshold separates the classes, in either direction."""
    one, other = positive > 0, total > positive
    last = one.shape[1] - 1
    highest = [last - found[:, ::-1].argmax(axis=1) for found in (one, other)]
    lowest = [found.argmax(axis=1) for found in (one, other)]
    return (highest[0] > lowest[1]) & (highest[1] > lowest[0])
