"""All metrics of a two-class score at one threshold, with intervals."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as sk

from benchmarks.metrics.arrays import Floats, Labels
from benchmarks.metrics.bootstrap import PatientBootstrap, percentile_interval
from benchmarks.metrics.calibration import brier_score
from benchmarks.metrics.ranking import Ranking, fold_positions, ranking_metrics
from benchmarks.metrics.rates import confusion, fraction_predicted_positive

RATES = ("precision", "recall", "specificity", "f1", "accuracy", "balanced_accuracy", "mcc")


def point_metrics(
    label: Labels, score: Floats, threshold: float | Floats, fold: NDArray[np.integer] | None = None
) -> dict[str, float]:
    """Compute every metric at one operating point by scikit-learn.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive
        Both classes must be present.
    score : ndarray of shape (n,), in [0, 1]
    threshold : float or ndarray of shape (n,)
        An image is predicted positive if ``score >= threshold``.
    fold : ndarray of shape (n,), optional
        Which model scored the image. Scores of several models have no common ranking: AUC and
        average precision are then means over the folds.

    Returns
    -------
    dict
        Keys ``precision`` … ``brier`` as in ``benchmarks.io.columns.METRICS``. Precision is 0 where
        nothing is predicted positive, as in scikit-learn.
    """
    decision = (score >= threshold).astype(int)
    parts = fold_positions(len(label), fold)
    return {
        "precision": float(sk.precision_score(label, decision, zero_division=0)),
        "recall": float(sk.recall_score(label, decision)),
        "specificity": float(sk.recall_score(label, decision, pos_label=0)),
        "f1": float(sk.f1_score(label, decision, zero_division=0)),
        "accuracy": float(sk.accuracy_score(label, decision)),
        "balanced_accuracy": float(sk.balanced_accuracy_score(label, decision)),
        "mcc": float(sk.matthews_corrcoef(label, decision)),
        "auc": float(np.mean([sk.roc_auc_score(label[part], score[part]) for part in parts])),
        "average_precision": float(
            np.mean([sk.average_precision_score(label[part], score[part]) for part in parts])
        ),
        "brier": float(sk.brier_score_loss(label, score)),
    }


def bootstrap_metrics(
    label: Labels,
    score: Floats,
    threshold: float | Floats,
    weights: Floats,
    ranking: Ranking | None = None,
) -> dict[str, Floats]:
    """Compute every metric of :func:`point_metrics` in all draws at once.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive
    score : ndarray of shape (n,), in [0, 1]
    threshold : float or ndarray of shape (n,)
    weights : ndarray of shape (draws, n)
        How often each image is in each draw.
    ranking : Ranking, optional
        From :func:`benchmarks.metrics.ranking.ranking_metrics`, which needs no threshold;
        computed if not given.

    Returns
    -------
    dict of ndarray of shape (draws,)
    """
    counts = confusion(label, score >= threshold, weights)
    ranking = ranking or ranking_metrics(label, score, weights)
    return {
        **{name: getattr(counts, name) for name in RATES},
        **ranking._asdict(),
        "brier": brier_score(label, score, weights),
    }


def evaluate(
    label: Labels, score: Floats, threshold: float | Floats, subtype: NDArray[np.object_],
    bootstrap: PatientBootstrap, ranking: Ranking | None = None,
    fold: NDArray[np.integer] | None = None,
) -> dict[str, float]:  # fmt: skip
    """Compute the metrics, intervals and counts of one row of ``scores.csv``.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive
    score : ndarray of shape (n,), in [0, 1]
    threshold : float or ndarray of shape (n,)
    subtype : ndarray of shape (n,), str
        Kind of pneumonia; empty where it is unknown or there is none.
    bootstrap : PatientBootstrap
        Draws of these images' patients.
    ranking : Ranking, optional
        AUC and average precision in each draw; computed if not given.
    fold : ndarray of shape (n,), optional
        As in :func:`point_metrics`.

    Returns
    -------
    dict
        Each metric with its ``_lo`` and ``_hi``, then the counts ``tp``, ``fp``, ``tn`` and
        ``fn``. The recall of a subtype without images is NaN.
    """
    predicted = score >= threshold
    values = point_metrics(label, score, threshold, fold)
    ranking = ranking or ranking_metrics(label, score, bootstrap.weights, fold)
    draws = bootstrap_metrics(label, score, threshold, bootstrap.weights, ranking)
    for name in ("bacteria", "virus"):
        member = (label == 1) & (subtype == name)
        key = f"recall_{name}"
        values[key] = float(fraction_predicted_positive(predicted, member))
        draws[key] = fraction_predicted_positive(predicted, member, bootstrap.weights)
    row: dict[str, float] = {}
    for key, value in values.items():
        row[key] = value
        row[f"{key}_lo"], row[f"{key}_hi"] = percentile_interval(draws[key])
    return row | {name: int(count) for name, count in asdict(confusion(label, predicted)).items()}
