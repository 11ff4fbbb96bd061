"""What comes of acting on a score: rates at thresholds, net benefit, precision elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.bootstrap import Floats, Labels, threshold_at_recall


@dataclass(frozen=True)
class Rates:
    """Recall, specificity and precision at some thresholds.

    Attributes
    ----------
    recall, specificity, precision : ndarray of shape (..., t), in [0, 1]
        Precision is 0 where nothing is called positive, as in scikit-learn.
    """

    recall: Floats
    specificity: Floats
    precision: Floats


def thresholds_at_recalls(label: Labels, score: Floats, recalls: tuple[float, ...]) -> Floats:
    """Largest thresholds that find at least these shares of the positives.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive; at least one
    score : ndarray of shape (n,)
        Of validation images: a threshold must not be chosen on the images that it is judged by.
    recalls : tuple of t float in (0, 1]

    Returns
    -------
    ndarray of shape (t,)
        See :func:`benchmarks.metrics.bootstrap.threshold_at_recall`.

    Examples
    --------
    >>> thresholds_at_recalls(np.array([0, 1, 1]), np.array([0.9, 0.4, 0.6]), (0.5, 0.9))
    array([0.6, 0.4])
    """
    return np.array([threshold_at_recall(label, score, recall) for recall in recalls])


def rates(label: Labels, score: Floats, thresholds: Floats, weights: Floats | None = None) -> Rates:
    """Recall, specificity and precision at several thresholds, in each draw.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive; both classes present in every draw
    score : ndarray of shape (n,)
    thresholds : ndarray of shape (t,)
        ``score >= threshold`` is called positive.
    weights : ndarray of shape (..., n), optional
        How often each image is in each draw; once if left out.

    Returns
    -------
    Rates
        Of arrays of shape ``(..., t)``.

    Examples
    --------
    >>> label, score = np.array([0, 0, 1, 1]), np.array([0.1, 0.7, 0.6, 0.8])
    >>> found = rates(label, score, np.array([0.5, 0.75, 0.9]))
    >>> found.recall, found.specificity
    (array([1. , 0.5, 0. ]), array([0.5, 1. , 1. ]))
    >>> found.precision.round(3)
    array([0.667, 1.   , 0.   ])
    """
    weights = np.ones(len(label)) if weights is None else weights
    positive = (label == 1).astype(float)[:, None]
    everyone = np.ones((len(label), 1))
    called = np.concatenate([_called(score, thresholds), everyone], axis=1)
    sums = weights @ np.concatenate([called * positive, called * (1 - positive)], axis=1)
    true, false = np.split(sums, 2, axis=-1)
    return Rates(
        recall=true[..., :-1] / true[..., -1:],
        specificity=1 - false[..., :-1] / false[..., -1:],
        precision=_ratio(true, true + false)[..., :-1],
    )


def net_benefit(
    label: Labels, score: Floats, thresholds: Floats, weights: Floats | None = None
) -> Floats:
    """Net benefit of treating where the score reaches a threshold probability.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive
    score : ndarray of shape (n,), in [0, 1]
        Read as probabilities. All ones is the policy to treat all.
    thresholds : ndarray of shape (t,), in (0, 1)
        Probability of disease at which one would just treat: its odds are the harm of treating a
        healthy patient over the benefit of treating an ill one.
    weights : ndarray of shape (..., n), optional
        How often each image is in each draw; once if left out.

    Returns
    -------
    ndarray of shape (..., t)
        True positives less false positives times the odds of the threshold, both as shares of
        all images. To treat none has net benefit 0; prevalence is the most there can be.

    Raises
    ------
    ValueError
        If a threshold is not between 0 and 1.

    References
    ----------
    Vickers AJ, Elkin EB. Decision curve analysis: a novel method for evaluating prediction
    models. Med Decis Making 2006;26:565-574. doi:10.1177/0272989X06295361

    Examples
    --------
    Of ten patients three are ill; at a threshold of 0.2 a false alarm counts a quarter.

    >>> label = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0])
    >>> treat_all = net_benefit(label, np.ones(10), np.array([0.2, 0.5]))
    >>> treat_all.round(3)  # 0.3 - 0.7 × 0.25, 0.3 - 0.7
    array([ 0.125, -0.4  ])
    """
    if not ((thresholds > 0) & (thresholds < 1)).all():
        raise ValueError(f"Got thresholds {thresholds}, but expected probabilities in (0, 1).")
    weights = np.ones(len(label)) if weights is None else weights
    worth = np.where((label == 1)[:, None], 1.0, -thresholds / (1 - thresholds))
    total = weights.sum(axis=-1)[..., None]
    return np.asarray(weights @ (_called(score, thresholds) * worth) / total)


def precision_at_prevalence(
    recall: Floats | float, specificity: Floats | float, prevalence: Floats | float
) -> Floats:
    """Precision that a recall and a specificity give where the disease is this frequent.

    Parameters
    ----------
    recall, specificity : float or ndarray, in [0, 1]
    prevalence : float or ndarray, in [0, 1]

    Returns
    -------
    ndarray, in [0, 1]
        By Bayes' theorem, of the shape that the three make together. 0 where nothing is called
        positive.

    Notes
    -----
    It holds where recall and specificity stay the same, that is where ill and healthy patients
    look as they do here and only their numbers differ.

    References
    ----------
    Altman DG, Bland JM. Diagnostic tests 2: predictive values. BMJ 1994;309:102.
    doi:10.1136/bmj.309.6947.102

    Examples
    --------
    >>> precision_at_prevalence(0.9, 0.9, np.array([0.1, 0.5])).round(3)
    array([0.5, 0.9])
    """
    true = np.asarray(np.multiply(recall, prevalence), dtype=float)
    false = (1 - np.asarray(specificity)) * (1 - np.asarray(prevalence))
    return _ratio(true, true + false)


def _called(score: Floats, thresholds: Floats) -> NDArray[np.bool_]:
    return np.asarray(score[:, None] >= thresholds)


def _ratio(top: Floats, bottom: Floats) -> Floats:
    return np.divide(top, bottom, out=np.zeros(np.shape(bottom)), where=bottom > 0)
