"""Metrics for more than two classes: each class against the rest, and their means."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.arrays import Floats, Labels
from benchmarks.metrics.bootstrap import PatientBootstrap, with_interval
from benchmarks.metrics.proportions import clustered_wilson
from benchmarks.metrics.ranking import Ranking, ranking_metrics
from benchmarks.metrics.rates import Confusion

RATES = ("precision", "recall", "specificity", "f1")
METRICS = (*RATES, *Ranking._fields)


def decide(proba: Floats) -> NDArray[np.int64]:
    """Predict the class with the largest probability; the first in case of a tie.

    Parameters
    ----------
    proba : ndarray of shape (n, k)

    Returns
    -------
    ndarray of shape (n,)

    Examples
    --------
    >>> decide(np.array([[0.2, 0.5, 0.3], [0.4, 0.4, 0.2]])).tolist()
    [1, 0]
    """
    return proba.argmax(axis=1).astype(np.int64)


def confusion_counts(
    label: Labels, predicted: Labels, classes: int, weights: Floats | None = None
) -> Floats:
    """Count images by true and predicted class, in each draw.

    Parameters
    ----------
    label, predicted : ndarray of shape (n,), int in [0, classes)
    classes : int
        Number of classes.
    weights : ndarray of shape (draws, n), optional
        How often each image is in each draw; by default one draw with each image once.

    Returns
    -------
    ndarray of shape (draws, classes, classes)
        The second axis is the true class, the third the predicted class.

    Examples
    --------
    >>> confusion_counts(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1]), 3)[0].tolist()
    [[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]
    """
    weights = np.ones((1, len(label))) if weights is None else weights
    square = np.eye(classes**2)[np.asarray(label) * classes + predicted]
    return (weights @ square).reshape(len(weights), classes, classes)


def rates(counts: Floats) -> dict[str, Floats]:
    """Compute precision, recall, specificity and F1 of each class against the rest, and accuracy.

    Parameters
    ----------
    counts : ndarray of shape (draws, k, k)
        From :func:`confusion_counts`.

    Returns
    -------
    dict of ndarray
        Each of shape (draws, k), accuracy of shape (draws,). Precision is 0 for a class that is
        never predicted, as in scikit-learn; recall and F1 are NaN for a class without images.

    References
    ----------
    Sokolova M, Lapalme G. A systematic analysis of performance measures for classification tasks.
    Information Processing & Management 2009;45:427-437. doi:10.1016/j.ipm.2009.03.002

    Examples
    --------
    >>> values = rates(np.array([[[6.0, 2.0], [1.0, 1.0]]]))
    >>> values["recall"].tolist(), values["accuracy"].tolist()
    ([[0.75, 0.5]], [0.7])
    """
    n = counts.sum(axis=(1, 2))[:, None]
    tp = np.diagonal(counts, axis1=1, axis2=2)
    fp, fn = counts.sum(axis=1) - tp, counts.sum(axis=2) - tp
    one_against_rest = Confusion(tp, fp, n - tp - fp - fn, fn)
    return {
        **{name: getattr(one_against_rest, name) for name in RATES},
        "accuracy": tp.sum(axis=1) / n[:, 0],
    }


def evaluate(
    label: Labels,
    proba: Floats,
    bootstrap: PatientBootstrap,
    fold: NDArray[np.integer] | None = None,
) -> list[dict[str, float]]:
    """Compute every metric of each class and its macro average, with intervals.

    Parameters
    ----------
    label : ndarray of shape (n,), 0 to k - 1
    proba : ndarray of shape (n, k)
        Probability of each class; the class with the largest is predicted.
    bootstrap : PatientBootstrap
        Draws of these images' patients.
    fold : ndarray of shape (n,), optional
        Which model scored the image: AUC and average precision, of each class against the rest,
        are then means over the folds, as scores of several models have no common ranking.

    Returns
    -------
    list of dict
        One row per class, then one of the macro averages (unweighted means over the classes).
        Each has ``n`` and all of ``METRICS`` with ``_lo`` and ``_hi``; the last row also has
        ``accuracy``. Macro-averaged recall is also called balanced accuracy. Recall and
        specificity of a class have clustered Wilson intervals, AUCs those of
        :func:`~benchmarks.metrics.bootstrap.logit_interval`, all others percentile intervals.
    """
    values = _values(label, proba, bootstrap.with_original(), fold)
    k, predicted = proba.shape[1], decide(proba)
    sizes = [*np.bincount(label, minlength=k).tolist(), len(label)]
    table = []
    for position, n in enumerate(sizes):
        row: dict[str, float] = {"n": n}
        for name in (*METRICS, *(("accuracy",) if position == k else ())):
            at = 0 if name == "accuracy" else position
            row |= with_interval(name, values[name][:, at])
        if position < k:
            own = label == position
            right = (predicted == position) == own
            for name, member in (("recall", own), ("specificity", ~own)):
                bounds = clustered_wilson(right, member, bootstrap.patient)
                row |= dict(zip((f"{name}_lo", f"{name}_hi"), bounds, strict=True))
        table.append(row)
    return table


def _values(
    label: Labels, proba: Floats, weights: Floats, fold: NDArray[np.integer] | None
) -> dict[str, Floats]:
    """Metrics of each draw: one column per class, then their mean; accuracy has one column."""
    k = proba.shape[1]
    values = rates(confusion_counts(label, decide(proba), k, weights))
    accuracy = values.pop("accuracy")[:, None]
    ranking = [
        ranking_metrics((label == c).astype(np.int64), proba[:, c], weights, fold) for c in range(k)
    ]
    values["auc"], values["average_precision"] = (
        np.column_stack(v) for v in zip(*ranking, strict=True)
    )
    with_mean = {name: np.column_stack([v, v.mean(axis=1)]) for name, v in values.items()}
    return {**with_mean, "accuracy": accuracy}
