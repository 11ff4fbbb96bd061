"""Bootstrap over patients: draws, intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit, ndtri

from benchmarks.metrics.arrays import Floats, Labels

DRAWS = 2000
CONFIDENCE = 0.95
AUC_INTERVAL = "logit"  # in run.json; runs without it have percentile intervals of the AUC
SEED = 0  # all methods are evaluated on the same draws of patients
THRESHOLD_SEED = 1  # of the draws in which thresholds are chosen again
_TAIL = (1 - CONFIDENCE) / 2
QUANTILE = float(ndtri(1 - _TAIL))


@dataclass(frozen=True)
class PatientBootstrap:
    """Draws of whole patients with replacement, made once and shared by all cells of a split.

    Attributes
    ----------
    weights : ndarray of shape (draws, n)
        How often each image is in each draw.
    patient : ndarray of shape (n,), int
        Patient of each image, numbered from 0.
    dropped : int
        Number of draws that lacked a class and were drawn again.

    References
    ----------
    Field CA, Welsh AH. Bootstrapping clustered data. J R Stat Soc B 2007;69:369-390.
    doi:10.1111/j.1467-9868.2007.00593.x
    """

    weights: Floats
    patient: NDArray[np.intp]
    dropped: int = 0

    @staticmethod
    def draw(
        groups: NDArray[np.object_], label: Labels, seed: int, draws: int = DRAWS
    ) -> PatientBootstrap:
        """Draw as many patients as there are, with replacement, and repeat.

        Parameters
        ----------
        groups : ndarray of shape (n,)
            Patient of each image.
        label : ndarray of shape (n,), 1 = positive
            0 to k - 1 for k > 2 classes.
        seed : int
        draws : int
            Number of draws. A draw that lacks a class is dropped, and another is drawn.

        Returns
        -------
        PatientBootstrap
            Without draws if the images themselves lack a class.
        """
        patients, member = np.unique(groups, return_inverse=True)
        n = len(patients)
        rng = np.random.default_rng(seed)
        classes = range(max(2, int(label.max(initial=0)) + 1))
        kept, dropped, missing = [np.empty((0, n), dtype=np.int64)], 0, draws
        while missing and all((label == k).any() for k in classes):
            picks = rng.multinomial(n, np.full(n, 1 / n), size=missing)
            present = [picks @ np.bincount(member[label == k], minlength=n) > 0 for k in classes]
            kept.append(picks[np.all(present, axis=0)])
            dropped += missing - len(kept[-1])
            missing -= len(kept[-1])
        weights = np.concatenate(kept)[:, member].astype(np.float64)
        return PatientBootstrap(weights, member, dropped)

    def with_original(self) -> Floats:
        """Return weights of the original images, then those of the draws.

        A metric computed with them has its value in entry 0 and its value in each draw after it,
        as :func:`with_interval` expects.

        Returns
        -------
        ndarray of shape (1 + draws, n)

        Examples
        --------
        >>> PatientBootstrap(np.array([[2.0, 0.0]]), np.array([0, 1])).with_original()
        array([[1., 1.],
               [2., 0.]])
        """
        return np.concatenate([np.ones((1, self.weights.shape[1])), self.weights])


def percentile_interval(values: Floats) -> tuple[float, float]:
    """Percentile interval (95 %) of a metric from its values in the draws.

    Parameters
    ----------
    values : ndarray of shape (draws,)
        NaN are left out.

    Returns
    -------
    low : float
    high : float
        Both NaN if no value is defined.

    Examples
    --------
    >>> percentile_interval(np.array([0.5, 0.5, np.nan]))
    (0.5, 0.5)
    """
    defined = values[~np.isnan(values)]
    if len(defined) == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [_TAIL, 1 - _TAIL])
    return float(low), float(high)


def logit_interval(values: Floats) -> tuple[float, float]:
    """Compute an interval (95 %) of an AUC that is symmetric about its logit.

    Parameters
    ----------
    values : ndarray of shape (1 + draws,)
        AUC of the original images, then in each draw. NaN among the draws are left out.

    Returns
    -------
    low : float
    high : float
        NaN if the AUC or all draws are not defined.

    Notes
    -----
    The standard error of the AUC is the standard deviation of its draws; divided by
    AUC (1 - AUC), it is that of the logit. The distribution of an AUC near 1 is skewed, so that
    percentile intervals cover the true value too rarely (``docs/checks``). Of an AUC of 0 or 1,
    both bounds are the AUC: the draws do not vary.

    References
    ----------
    Qin G, Hotilovac L. Comparison of non-parametric confidence intervals for the area under the
    ROC curve of a continuous-scale diagnostic test. Stat Methods Med Res 2008;17:207-221.
    doi:10.1177/0962280207087173

    Examples
    --------
    >>> low, high = logit_interval(np.array([0.9, 0.87, 0.93]))
    >>> round(low, 3), round(high, 3)
    (0.824, 0.945)
    """
    value, draws = float(values[0]), values[1:][~np.isnan(values[1:])]
    if np.isnan(value) or len(draws) == 0:
        return float("nan"), float("nan")
    if not 0 < value < 1:
        return value, value
    half = QUANTILE * float(draws.std()) / (value * (1 - value))
    low, high = expit(logit(value) + np.array([-half, half]))
    return float(low), float(high)


def metric_interval(metric: str, draws: Floats) -> tuple[float, float]:
    """Compute the interval (95 %) that tables show: of an AUC by its logit, else percentiles.

    Parameters
    ----------
    metric : str
        ``auc`` for an AUC; any other name, also of a difference of AUCs, for percentiles.
    draws : ndarray of shape (1 + draws,)
        Value on the original images, then its value in each draw.

    Returns
    -------
    low : float
    high : float
    """
    return logit_interval(draws) if metric == "auc" else percentile_interval(draws[1:])


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
    low : ndarray of shape (pairs,)
    high : ndarray of shape (pairs,)
        Bounds of method i minus method j.

    Examples
    --------
    >>> draws = np.array([np.arange(101.0), np.zeros(101)])
    >>> low, high = paired_intervals(draws, np.array([0]), np.array([1]))
    >>> low.round(9).tolist(), high.round(9).tolist()
    ([2.5], [97.5])
    """
    low, high = np.quantile(draws[i] - draws[j], [_TAIL, 1 - _TAIL], axis=1)
    return low, high


def with_interval(name: str, draws: Floats, metric: str = "") -> dict[str, float]:
    """Value and 95 % bounds of a metric under the column names that tables use.

    Parameters
    ----------
    name : str
    draws : ndarray of shape (1 + draws,)
        Value on the original images, then its value in each draw.
    metric : str, optional
        As for :func:`metric_interval`; the name itself if not given.

    Returns
    -------
    dict of float
        ``name``, ``name_lo`` and ``name_hi``.

    Examples
    --------
    >>> with_interval("recall", np.array([0.75, 0.5, 0.5]))
    {'recall': 0.75, 'recall_lo': 0.5, 'recall_hi': 0.5}
    """
    low, high = metric_interval(metric or name, draws)
    return {name: float(draws[0]), f"{name}_lo": low, f"{name}_hi": high}


def seed_error(by_seed: Floats) -> Floats:
    """Compute the standard error of a mean over seeds, from the variance between them.

    Parameters
    ----------
    by_seed : ndarray of shape (seeds, ...)
        A metric, or a difference of metrics, of each seed.

    Returns
    -------
    ndarray of shape (...)
        0 for one seed, whose variance is not known.

    Examples
    --------
    >>> seed_error(np.array([[0.7, 0.9], [0.9, 0.9]])).round(9).tolist()
    [0.1, 0.0]
    """
    if len(by_seed) < 2:
        return np.zeros(by_seed.shape[1:])
    return np.asarray(by_seed.std(axis=0, ddof=1) / np.sqrt(len(by_seed)))


def with_seed_error(
    value: ArrayLike, low: ArrayLike, high: ArrayLike, error: ArrayLike
) -> tuple[Floats, Floats]:
    """Widen a 95 % interval over patients by the error of the mean over seeds.

    Parameters
    ----------
    value : array of shape (...)
    low : array of shape (...)
    high : array of shape (...)
        Bounds of the interval over patients.
    error : array of shape (...)
        As from :func:`seed_error`. It is independent of the error from patients.

    Returns
    -------
    low : ndarray of shape (...)
    high : ndarray of shape (...)
        The distance of each bound from the value is the root of the sum of squares of the former
        distance and 1.96 standard errors of the seeds.

    Examples
    --------
    >>> low, high = with_seed_error(0.8, 0.77, 0.83, 0.04 / QUANTILE)
    >>> float(low.round(9)), float(high.round(9))
    (0.75, 0.85)
    """
    middle, lower, upper = (np.asarray(one, dtype=float) for one in (value, low, high))
    of_seed = QUANTILE * np.asarray(error)
    return (
        np.asarray(middle - np.hypot(middle - lower, of_seed)),
        np.asarray(middle + np.hypot(upper - middle, of_seed)),
    )
