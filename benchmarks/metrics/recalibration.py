"""Recalibration of scores on validation images: Platt's sigmoid and isotonic regression."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from benchmarks.metrics.arrays import Floats, Labels
from benchmarks.metrics.calibration import logit
from benchmarks.metrics.newton import fit_logistic
from models.platt import platt_targets

RECALIBRATIONS = ("none", "sigmoid", "isotonic")


def recalibrate(
    label_validation: Labels, score_validation: Floats, score: Floats
) -> dict[str, Floats]:
    """Recalibrate scores by fits to validation images.

    Parameters
    ----------
    label_validation : ndarray of shape (m,), 1 = positive
        Both classes must be present.
    score_validation : ndarray of shape (m,), in [0, 1]
    score : ndarray of shape (n,), in [0, 1]
        Scores of other images, whose labels are not used.

    Returns
    -------
    dict of ndarray of shape (n,), in [0, 1]
        ``none``: the scores unchanged. ``sigmoid``: Platt's sigmoid of the log odds, fitted to
        smoothed targets, which keep the slope finite where a threshold separates the classes
        [1]_. ``isotonic``: isotonic regression, with linear interpolation [2]_.

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
    target = platt_targets(label == 1)
    if np.ptp(x_validation) == 0:  # no slope can be fitted: the proportion of positives for all
        return np.full(len(x), target.mean())
    a, b = fit_logistic(x_validation, target[None], np.ones((1, len(label))))[0]
    return np.asarray(expit(a + b * x))
