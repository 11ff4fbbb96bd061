"""Wilson intervals of proportions with several images per patient."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from benchmarks.metrics.arrays import Floats, divide
from benchmarks.metrics.bootstrap import CONFIDENCE

_SEED = 0  # of the order in which thresholds and quantiles are combined


class _Proportion(NamedTuple):
    """Proportions, the number of independent images worth as much, and the number of patients."""

    value: Floats
    effective: Floats
    patients: int


def clustered_wilson(
    predicted: NDArray[np.bool_], member: NDArray[np.bool_], patient: NDArray[np.intp]
) -> tuple[float, float]:
    """Wilson interval (95 %) of the fraction of a group's images that is predicted positive.

    Parameters
    ----------
    predicted : ndarray of shape (n,), bool
        Whether each image is predicted positive.
    member : ndarray of shape (n,), bool
        Whether each image is in the group.
    patient : ndarray of shape (n,), int
        Patient of each image, numbered from 0.

    Returns
    -------
    low : float
    high : float
        NaN if the group has fewer than two patients.

    Notes
    -----
    The number of images is divided by the design effect: the variance of a ratio estimator over
    patients, relative to that of independent images, and at least 1. Where all images are
    predicted alike, it can't be estimated, and each patient counts as one image. The quantile is of
    Student's t with one degree of freedom less than there are patients.

    References
    ----------
    Wilson EB. Probable inference, the law of succession, and statistical inference. J Am Stat
    Assoc 1927;22:209-212. doi:10.1080/01621459.1927.10502953
    Korn EL, Graubard BI. Confidence intervals for proportions with small expected number of
    positive counts estimated from survey data. Surv Methodol 1998;24:193-201.
    Rao JNK, Scott AJ. A simple method for the analysis of clustered binary data. Biometrics
    1992;48:577-585. doi:10.2307/2532311

    Examples
    --------
    >>> hit = np.arange(50) < 48
    >>> low, high = clustered_wilson(hit, np.ones(50, dtype=bool), np.arange(50))
    >>> round(low, 3), round(high, 3)
    (0.861, 0.989)
    """
    found = _proportion(predicted[None, :], member, patient)
    if found.patients < 2:
        return float("nan"), float("nan")
    quantile = student.ppf((1 + CONFIDENCE) / 2, found.patients - 1)
    low, high = (_bound(found, sign * quantile) for sign in (-1, 1))
    return float(low[0]), float(high[0])


def wilson_over_thresholds(
    predicted: NDArray[np.bool_], member: NDArray[np.bool_], patient: NDArray[np.intp]
) -> tuple[float, float]:
    """Interval (95 %) of a fraction predicted positive at a threshold chosen on other patients.

    Parameters
    ----------
    predicted : ndarray of shape (draws, n), bool
        Whether each image is predicted positive at the threshold of each bootstrap draw of the
        patients on whom the threshold is chosen.
    member, patient : ndarray of shape (n,)
        As for :func:`clustered_wilson`.

    Returns
    -------
    low : float
    high : float
        NaN if there is no draw, or if the group has fewer than two patients.

    Notes
    -----
    At each threshold, the bounds of :func:`clustered_wilson` at all levels form a confidence
    distribution. The interval is the central 95 % of the mixture of these distributions. If all
    draws have the same threshold, it is that function's interval.

    References
    ----------
    Xie M, Singh K. Confidence distribution, the frequentist distribution estimator of a parameter:
    a review. Int Stat Rev 2013;81:3-39. doi:10.1111/insr.12000
    """
    found = _proportion(predicted, member, patient)
    draws = len(predicted)
    if found.patients < 2 or draws == 0:
        return float("nan"), float("nan")
    levels = (np.random.default_rng(_SEED).permutation(draws) + 0.5) / draws
    mixture = _bound(found, student.ppf(levels, found.patients - 1))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(mixture, [tail, 1 - tail])
    return float(low), float(high)


def _proportion(
    predicted: NDArray[np.bool_], member: NDArray[np.bool_], patient: NDArray[np.intp]
) -> _Proportion:
    """Fraction predicted positive in each row of ``predicted``."""
    own = np.flatnonzero(member)
    own = own[np.argsort(patient[own], kind="stable")]
    first = np.flatnonzero(np.diff(patient[own], prepend=-1))
    size = np.diff(np.append(first, len(own))).astype(float)
    images, patients = size.sum(), len(first)
    if patients < 2:
        return _Proportion(np.full(len(predicted), np.nan), np.zeros(len(predicted)), patients)
    hits = np.add.reduceat(predicted[:, own], first, axis=1, dtype=float)
    value = hits.sum(axis=1) / images
    squares = (hits**2).sum(axis=1) - 2 * value * (hits @ size) + value**2 * (size**2).sum()
    variance = patients / (patients - 1) * np.maximum(squares, 0) / images**2
    binomial = value * (1 - value) / images
    design_effect = np.maximum(divide(variance, binomial), 1)
    mixed = (hits.sum(axis=1) > 0) & (hits.sum(axis=1) < images)
    return _Proportion(value, np.where(mixed, images / design_effect, patients), patients)


def _bound(of: _Proportion, quantile: Floats | float) -> Floats:
    """Wilson's bound at a normal or Student quantile; lower bounds have negative quantiles."""
    p, n, z = of.value, of.effective, np.asarray(quantile)
    root = np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return np.clip((p + z**2 / (2 * n) + z * root) / (1 + z**2 / n), 0, 1)
