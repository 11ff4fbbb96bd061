"""Calibration slope and intercept, and the repair of scores on validation images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.special import logit as log_odds

from benchmarks.metrics.bootstrap import Floats, Labels
from benchmarks.metrics.newton import fit

RECALIBRATIONS = ("none", "sigmoid", "isotonic")
EPSILON = 1e-6


def logit(score: Floats, margin: float = EPSILON) -> Floats:
    """Log odds of scores; those within ``margin`` of 0 or 1, which may be infinite, are clipped.

    Examples
    --------
    >>> logit(np.array([0.0, 0.5, 1.0])).round(2)
    array([-13.82,   0.  ,  13.82])
    """
    return np.asarray(log_odds(np.clip(score, margin, 1 - margin)))


def calibration_slope_intercept(
    label: Labels, score: Floats, weights: Floats | None = None
) -> tuple[Floats, Floats]:
    """Slope and intercept of the logistic regression of the label on the scores' log odds.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive; both classes present in every draw
    score : ndarray of shape (n,), in [0, 1]
        Clipped to [1e-6, 1 - 1e-6].
    weights : ndarray of shape (..., n), optional
        How often each image is in each draw; once if left out.

    Returns
    -------
    slope : float or ndarray of shape (...)
        1 is right, below 1 the scores are too extreme, above 1 too timid. NaN where no finite
        slope is the best: if all scores are equal, or if one threshold parts the classes.
    intercept : float or ndarray of shape (...)
        Calibration in the large, with the slope held at 1: 0 is right, below 0 the scores are
        too high. It is finite even where the slope is not.

    References
    ----------
    .. [1] Cox DR. Two further applications of a model for binary regression. Biometrika
       1958;45:562-565. doi:10.1093/biomet/45.3-4.562
    .. [2] Van Calster B, et al. A calibration hierarchy for risk models was defined: from utopia
       to empirical data. J Clin Epidemiol 2016;74:167-176. doi:10.1016/j.jclinepi.2015.12.005

    Examples
    --------
    Of the images scored 0.2 a quarter is positive, of those scored 0.8 three quarters.

    >>> label, score = np.array([0, 0, 0, 1, 0, 1, 1, 1]), np.repeat([0.2, 0.8], 4)
    >>> slope, intercept = calibration_slope_intercept(label, score)
    >>> round(float(slope), 4), abs(round(float(intercept), 4))  # log 3 / log 4
    (0.7925, 0.0)
    """
    drawn = np.ones((1, len(label))) if weights is None else weights.reshape(-1, len(label))
    shape = () if weights is None else weights.shape[:-1]
    x, positive, total = _grouped(label, logit(score), drawn)
    intercept = fit(x, positive, total, slope=1.0)[:, 0]
    slope = np.full(len(drawn), np.nan)
    mixed = _overlap(positive, total)
    slope[mixed] = fit(x, positive[mixed], total[mixed])[:, 1]
    return slope.reshape(shape), intercept.reshape(shape)


def recalibrate(
    label_validation: Labels, score_validation: Floats, score: Floats
) -> dict[str, Floats]:
    """Map scores by what validation images with such scores turned out to be.

    Parameters
    ----------
    label_validation : ndarray of shape (m,), 1 = positive; both classes present
    score_validation : ndarray of shape (m,), in [0, 1]
    score : ndarray of shape (n,), in [0, 1]
        Of other images. Their labels are never seen.

    Returns
    -------
    dict of ndarray of shape (n,), in [0, 1]
        ``none``: the scores as they are. ``sigmoid``: Platt's sigmoid of the log odds, fitted to
        his smoothed targets, which keep it finite where validation is told apart perfectly [1]_.
        ``isotonic``: the best rising step function, between its steps a line [2]_.

    References
    ----------
    .. [1] Platt J. Probabilistic outputs for support vector machines and comparisons to
       regularized likelihood methods. Advances in Large Margin Classifiers, MIT Press 1999,
       ISBN 9780262194488.
    .. [2] Zadrozny B, Elkan C. Transforming classifier scores into accurate multiclass
       probability estimates. KDD 2002:694-699. doi:10.1145/775047.775151

    Examples
    --------
    >>> label, score = np.array([0, 0, 0, 1, 0, 1, 1, 1]), np.repeat([0.2, 0.8], 4)
    >>> new = recalibrate(label, score, np.array([0.2, 0.5, 0.8]))
    >>> new["sigmoid"].round(3), new["isotonic"]
    (array([0.333, 0.5  , 0.667]), array([0.25, 0.5 , 0.75]))
    """
    from sklearn.isotonic import IsotonicRegression

    isotonic = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    isotonic.fit(score_validation, label_validation)
    return {
        "none": score,
        "sigmoid": _sigmoid(label_validation, logit(score_validation), logit(score)),
        "isotonic": np.asarray(isotonic.predict(score), dtype=np.float64),
    }


def _sigmoid(label: Labels, x_validation: Floats, x: Floats) -> Floats:
    n_positive, n = int((label == 1).sum()), len(label)
    target = np.where(label == 1, (n_positive + 1) / (n_positive + 2), 1 / (n - n_positive + 2))
    if np.ptp(x_validation) == 0:  # no slope can be learnt: the share of positives for all
        return np.full(len(x), target.mean())
    a, b = fit(x_validation, target[None], np.ones((1, n)))[0]
    return np.asarray(expit(a + b * x))


def _grouped(label: Labels, x: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Distinct values of x, ascending, with each draw's positives and images of that value."""
    order = np.argsort(x, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(x[order]) != 0])
    drawn = weights[:, order]
    positive = np.add.reduceat(drawn * (label[order] == 1), starts, axis=1)
    return x[order][starts], positive, np.add.reduceat(drawn, starts, axis=1)


def _overlap(positive: Floats, total: Floats) -> NDArray[np.bool_]:
    """Whether some negative lies above a positive and some positive above a negative."""
    one, other = positive > 0, total > positive
    last = one.shape[1] - 1
    highest = [last - found[:, ::-1].argmax(axis=1) for found in (one, other)]
    lowest = [found.argmax(axis=1) for found in (one, other)]
    return (highest[0] > lowest[1]) & (highest[1] > lowest[0])
