"""Metrics of several classes: each against all others, and their means. Pure functions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.bootstrap import Floats, Labels, PatientBootstrap, bootstrap_ranking

METRICS = ("precision", "recall", "specificity", "f1", "auc", "average_precision")


def decide(proba: Floats) -> NDArray[np.int64]:
    """Class of the largest probability; of equal ones the first.

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
    label: Labels, called: Labels, classes: int, weights: Floats | None = None
) -> Floats:
    """Count images by true class and called class, in each draw.

    Parameters
    ----------
    label, called : ndarrays of shape (n,), 0 to classes - 1
    classes : int
    weights : ndarray of shape (draws, n), optional
        How often each image is in each draw; one draw of each image once if left out.

    Returns
    -------
    ndarray of shape (draws, classes, classes)
        First the true class, then the called one.

    Examples
    --------
    >>> confusion_counts(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1]), 3)[0].tolist()
    [[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]
    """
    weights = np.ones((1, len(label))) if weights is None else weights
    square = np.eye(classes**2)[np.asarray(label) * classes + called]
    return (weights @ square).reshape(len(weights), classes, classes)


def rates(counts: Floats) -> dict[str, Floats]:
    """Precision, recall, specificity and F1 of each class against all others, and accuracy.

    Parameters
    ----------
    counts : ndarray of shape (draws, k, k)
        From :func:`confusion_counts`.

    Returns
    -------
    dict of ndarray of shape (draws, k), accuracy of shape (draws,)
        Precision is 0 for a class that is never called, as in scikit-learn; recall and F1 are NaN
        for a class without images.

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
    total = counts.sum(axis=(1, 2))[:, None]
    true, called = counts.sum(axis=2), counts.sum(axis=1)
    hits = np.diagonal(counts, axis1=1, axis2=2)
    return {
        "precision": _ratio(hits, called, 0.0),
        "recall": _ratio(hits, true, np.nan),
        "specificity": _ratio(total - true - called + hits, total - true, np.nan),
        "f1": np.where(true > 0, _ratio(2 * hits, true + called, 0.0), np.nan),
        "accuracy": (hits.sum(axis=1)[:, None] / total)[:, 0],
    }


def evaluate(
    label: Labels,
    proba: Floats,
    bootstrap: PatientBootstrap,
    fold: NDArray[np.integer] | None = None,
) -> list[dict[str, float]]:
    """Every metric of each class and their means, with intervals.

    Parameters
    ----------
    label : ndarray of shape (n,), 0 to k - 1
    proba : ndarray of shape (n, k)
        Probability of each class; the largest decides.
    bootstrap : PatientBootstrap
        Draws of these images' patients.
    fold : ndarray of shape (n,), optional
        Which model gave the probabilities: AUC and average precision, of each class against all
        others, are then means over the folds, as scores of several models have no common ranking.

    Returns
    -------
    list of dict
        A row a class, then one of the macro averages, the plain means over the classes: ``n``,
        every one of ``METRICS``, each with ``_lo`` and ``_hi``; in the last row ``accuracy``, too.
        Macro recall is what is also called balanced accuracy.
    """
    once = np.ones((1, len(label)))
    values = _values(label, proba, once, fold)
    draws = _values(label, proba, bootstrap.weights, fold)
    k = proba.shape[1]
    sizes = [*np.bincount(label, minlength=k).tolist(), len(label)]
    table = []
    for position, n in enumerate(sizes):
        row: dict[str, float] = {"n": n}
        for name in (*METRICS, *(("accuracy",) if position == k else ())):
            at = 0 if name == "accuracy" else position
            row[name] = float(values[name][0, at])
            row[f"{name}_lo"], row[f"{name}_hi"] = bootstrap.interval(draws[name][:, at])
        table.append(row)
    return table


def _values(
    label: Labels, proba: Floats, weights: Floats, fold: NDArray[np.integer] | None
) -> dict[str, Floats]:
    """Metrics of each draw: a column a class and their mean last; accuracy has one column."""
    k = proba.shape[1]
    values = rates(confusion_counts(label, decide(proba), k, weights))
    accuracy = values.pop("accuracy")[:, None]
    ranking = [
        bootstrap_ranking((label == c).astype(np.int64), proba[:, c], weights, fold)
        for c in range(k)
    ]
    values["auc"], values["average_precision"] = (
        np.column_stack(v) for v in zip(*ranking, strict=True)
    )
    with_mean = {name: np.column_stack([v, v.mean(axis=1)]) for name, v in values.items()}
    return {**with_mean, "accuracy": accuracy}


def _ratio(top: Floats, bottom: Floats, otherwise: float) -> Floats:
    return np.divide(top, bottom, out=np.full_like(top, otherwise), where=bottom > 0)
