"""Do scores mean what they say: reliability curve, calibration error, the Brier score's parts.

All functions take the weights of bootstrap draws and then return one value a draw. The bins are
made once, from all images, and stay the same in every draw.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from benchmarks.metrics.bootstrap import Floats, Labels

BINS = 10


@dataclass(frozen=True)
class ReliabilityCurve:
    """What was predicted and what was seen, bin by bin.

    Attributes
    ----------
    n : ndarray of shape (..., k)
        Images in each bin, drawn ones as often as they were drawn.
    mean_score, observed : ndarray of shape (..., k), in [0, 1]
        Mean score, and the share of positives. NaN where a draw has no image in the bin.
    """

    n: Floats
    mean_score: Floats
    observed: Floats

    def error(self) -> Floats:
        """Mean distance of the two over images: see :func:`expected_calibration_error`."""
        distance = np.nan_to_num(np.abs(self.mean_score - self.observed))
        return np.asarray((self.n * distance).sum(axis=-1) / self.n.sum(axis=-1))


@dataclass(frozen=True)
class BrierParts:
    """A Brier score and its three parts: ``brier = reliability - resolution + uncertainty``.

    Attributes
    ----------
    brier : float or ndarray of shape (...)
        Mean squared difference between score and label.
    reliability : float or ndarray of shape (...)
        Mean squared difference between a bin's mean score and its share of positives; 0 is best.
    resolution : float or ndarray of shape (...)
        How far the scores tell images apart; large is good.
    uncertainty : float or ndarray of shape (...)
        Variance of the label; the same for every method.
    """

    brier: Floats
    reliability: Floats
    resolution: Floats
    uncertainty: Floats


def score_bins(score: Floats, bins: int = BINS) -> NDArray[np.intp]:
    """Sort images into bins of as equal a count as ties allow.

    Parameters
    ----------
    score : ndarray of shape (n,)
    bins : int
        At least 1.

    Returns
    -------
    ndarray of shape (n,), int in [0, bins)
        Bin of each image, ascending with the score. Images of one score share a bin, so some
        bins may have no image.

    Raises
    ------
    ValueError
        If ``bins`` is below 1.

    Notes
    -----
    Equal counts and not equal widths: most scores lie near 0 or 1, so that equal widths would
    put nearly all images into two bins and leave a handful, and chance, to the others. Bins of
    equal count also give the calibration error a smaller bias [1]_.

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
    """Mean score and share of positives in each bin that has an image.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive
    score : ndarray of shape (n,), in [0, 1]
    bins : int
        Of equal count: see :func:`score_bins`.
    weights : ndarray of shape (..., n), optional
        How often each image is in each draw; once if left out.

    Returns
    -------
    ReliabilityCurve
        Of arrays of shape ``(..., k)``: k is the number of bins that have an image.

    Examples
    --------
    >>> curve = reliability_curve(np.array([0, 0, 1, 1]), np.array([0.1, 0.3, 0.3, 0.9]), bins=2)
    >>> curve.mean_score, curve.observed
    (array([0.1, 0.5]), array([0.        , 0.66666667]))
    """
    count, total, positive = _bin_sums(label, score, bins, _weights(weights, label))
    return ReliabilityCurve(count, _share(total, count), _share(positive, count))


def expected_calibration_error(
    label: Labels, score: Floats, bins: int = BINS, weights: Floats | None = None
) -> Floats:
    """Mean distance between a bin's mean score and its share of positives, weighted by images.

    Parameters
    ----------
    label, score, bins, weights
        As in :func:`reliability_curve`.

    Returns
    -------
    float or ndarray of shape (...), in [0, 1]

    Notes
    -----
    The formula is that of [1]_ and [2]_, with bins of equal count instead of equal width. It is
    biased upwards: even a perfect method misses the share of a bin by chance. A bootstrap adds
    chance of its own, so that an interval of its draws lies rather high.

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


def brier_decomposition(
    label: Labels, score: Floats, bins: int = BINS, weights: Floats | None = None
) -> BrierParts:
    """Brier score and its parts, which add up to it exactly.

    Parameters
    ----------
    label, score, bins, weights
        As in :func:`reliability_curve`.

    Returns
    -------
    BrierParts

    Notes
    -----
    Murphy's three parts [1]_ add up only if all scores of a bin are equal. For scores that vary
    within bins, resolution is the generalised one of [2]_: Murphy's, less the variance of the
    scores within bins, plus twice their covariance with the label there.

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
    weights = _weights(weights, label)
    n = weights.sum(axis=-1)
    count, total, positive = _bin_sums(label, score, bins, weights)
    base = positive.sum(axis=-1) / n
    reliability = _over(total - positive, total - positive, count) / n
    murphy = _over(positive, positive, count) / n - base**2
    variance = (weights @ score**2 - _over(total, total, count)) / n
    covariance = (weights @ (score * label) - _over(total, positive, count)) / n
    return BrierParts(
        brier=np.asarray(weights @ (score - label) ** 2 / n),
        reliability=np.asarray(reliability),
        resolution=np.asarray(murphy - variance + 2 * covariance),
        uncertainty=np.asarray(base * (1 - base)),
    )


def _weights(weights: Floats | None, label: Labels) -> Floats:
    return np.ones(len(label)) if weights is None else weights


def _bin_sums(
    label: Labels, score: Floats, bins: int, weights: Floats
) -> tuple[Floats, Floats, Floats]:
    """Images, sum of scores and positives of each bin that has an image, shape (..., k)."""
    _, index = np.unique(score_bins(score, bins), return_inverse=True)
    member = np.eye(index.max() + 1)[index]
    columns = [member, member * score[:, None], member * label[:, None]]
    sums = weights @ np.concatenate(columns, axis=1)
    count, total, positive = np.split(sums, 3, axis=-1)
    return count, total, positive


def _share(part: Floats, count: Floats) -> Floats:
    return np.divide(part, count, out=np.full(count.shape, np.nan), where=count > 0)


def _over(one: Floats, other: Floats, count: Floats) -> Floats:
    """Sum over bins of ``one * other / count``; a bin without an image adds nothing."""
    return np.asarray(np.nan_to_num(_share(one * other, count)).sum(axis=-1))
