"""Confusion matrix and the rates that follow from it, at thresholds and in bootstrap draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.arrays import Floats, Labels, divide, weights_or_ones

MAIN_RATES = ("precision", "recall", "specificity")


@dataclass(frozen=True)
class Confusion:
    """Counts of true and false positives and negatives, and the rates that follow from them.

    Attributes
    ----------
    tp, fp, tn, fn : ndarray of shape (...)
        True positives, false positives, true negatives, false negatives.

    Notes
    -----
    As in scikit-learn, precision is 0 where nothing is predicted positive, and Matthews'
    correlation is 0 where it is undefined. Rates of a class without images are NaN.

    Examples
    --------
    >>> counts = Confusion(*(np.array(n) for n in (3.0, 1.0, 4.0, 2.0)))
    >>> float(counts.precision), float(counts.recall), float(counts.specificity)
    (0.75, 0.6, 0.8)
    """

    tp: Floats
    fp: Floats
    tn: Floats
    fn: Floats

    @property
    def n(self) -> Floats:
        """Number of images."""
        return self.tp + self.fp + self.tn + self.fn

    @property
    def precision(self) -> Floats:
        """Fraction of positive predictions that are right (positive predictive value)."""
        return divide(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> Floats:
        """Fraction of positive images that are predicted positive (sensitivity)."""
        return divide(self.tp, self.tp + self.fn, np.nan)

    @property
    def specificity(self) -> Floats:
        """Fraction of negative images that are predicted negative."""
        return divide(self.tn, self.tn + self.fp, np.nan)

    @property
    def f1(self) -> Floats:
        """Harmonic mean of precision and recall."""
        f1 = divide(2 * self.tp, 2 * self.tp + self.fp + self.fn)
        return np.where(self.tp + self.fn > 0, f1, np.nan)

    @property
    def accuracy(self) -> Floats:
        """Fraction of predictions that are right."""
        return (self.tp + self.tn) / self.n

    @property
    def balanced_accuracy(self) -> Floats:
        """Mean of recall and specificity."""
        return (self.recall + self.specificity) / 2

    @property
    def mcc(self) -> Floats:
        """Matthews' correlation coefficient."""
        tp, fp, tn, fn = self.tp, self.fp, self.tn, self.fn
        spread = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
        return divide(tp * tn - fp * fn, spread)


def confusion(
    label: Labels, predicted: NDArray[np.bool_], weights: Floats | None = None
) -> Confusion:
    """Count true and false positives and negatives.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive
    predicted : ndarray of shape (n,) or (n, t), bool
        Whether each image is predicted positive; t columns of predictions, for example at t
        thresholds: ``score[:, None] >= thresholds``.
    weights : ndarray of shape (..., n), optional
        How often each image is in each bootstrap draw; once by default.

    Returns
    -------
    Confusion
        Of arrays of shape ``(...)``, or ``(..., t)`` for columns of predictions.

    Examples
    --------
    >>> label, score = np.array([0, 0, 1, 1]), np.array([0.1, 0.7, 0.6, 0.8])
    >>> counts = confusion(label, score[:, None] >= np.array([0.5, 0.75, 0.9]))
    >>> counts.recall, counts.specificity
    (array([1. , 0.5, 0. ]), array([0.5, 1. , 1. ]))
    >>> confusion(label, score >= 0.5, np.array([[1, 1, 1, 1], [2, 0, 1, 1]])).specificity
    array([0.5, 1. ])
    """
    positive = (label == 1)[:, None]
    columns = predicted.reshape(len(label), -1)
    sums = weights_or_ones(weights, len(label)) @ np.concatenate(
        [positive, ~positive, positive & columns, ~positive & columns], axis=1
    ).astype(float)
    tp, fp = np.split(sums[..., 2:], 2, axis=-1)
    tn, fn = sums[..., 1:2] - fp, sums[..., :1] - tp
    if predicted.ndim == 1:
        tp, fp, tn, fn = (count[..., 0] for count in (tp, fp, tn, fn))
    return Confusion(tp, fp, tn, fn)


def confusion_in_draws(label: Labels, predicted: NDArray[np.bool_], weights: Floats) -> Confusion:
    """Count true and false positives and negatives where predictions differ between draws.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive
    predicted : ndarray of shape (draws, n), bool
        Whether each image is predicted positive in each draw.
    weights : ndarray of shape (draws, n)
        How often each image is in each draw.

    Returns
    -------
    Confusion
        Of arrays of shape (draws,).

    Examples
    --------
    >>> label, score = np.array([0, 1, 1]), np.array([0.4, 0.3, 0.6])
    >>> predicted = score >= np.array([[0.5], [0.2]])
    >>> confusion_in_draws(label, predicted, np.array([[1.0, 1, 1], [1, 0, 2]])).recall
    array([0.5, 1. ])
    """
    positive = (label == 1).astype(float)
    hits = weights * predicted
    tp, total = hits @ positive, weights @ positive
    fp, negatives = hits.sum(axis=1) - tp, weights.sum(axis=1) - total
    return Confusion(tp, fp, negatives - fp, total - tp)


def fraction_predicted_positive(
    predicted: NDArray[np.bool_], member: NDArray[np.bool_], weights: Floats | None = None
) -> Floats:
    """Fraction of a subgroup's images that is predicted positive.

    It is the recall in a subgroup of positive images, and the false positive rate in one of
    negative images.

    Parameters
    ----------
    predicted : ndarray of shape (n,) or (draws, n), bool
        Whether each image is predicted positive, in all draws or in each.
    member : ndarray of shape (n,), bool
        Whether each image is in the subgroup.
    weights : ndarray of shape (draws, n), optional
        How often each image is in each bootstrap draw; once by default.

    Returns
    -------
    ndarray of shape () or (draws,)
        NaN where a draw has no image of the subgroup.

    Examples
    --------
    >>> predicted, member = np.array([True, False, True]), np.array([True, True, False])
    >>> fraction_predicted_positive(predicted, member, np.array([[1, 1, 1], [3, 1, 0]]))
    array([0.5 , 0.75])
    """
    own = weights_or_ones(weights, len(member)) * member
    return divide((own * predicted).sum(axis=-1), own.sum(axis=-1), np.nan)


def precision_at_prevalence(
    recall: Floats | float, specificity: Floats | float, prevalence: Floats | float
) -> Floats:
    """Precision that follows from recall and specificity at a given prevalence.

    Parameters
    ----------
    recall, specificity : float or ndarray, in [0, 1]
    prevalence : float or ndarray, in [0, 1]

    Returns
    -------
    ndarray, in [0, 1]
        By Bayes' theorem, in the common shape of the three. 0 where nothing is predicted positive.

    Notes
    -----
    Recall and specificity must not depend on the prevalence: patients with and without the
    disease look the same as here, and only their numbers differ.

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
    return divide(true, true + false)
