"""All metrics of a two-class score at one threshold, with intervals."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as sk

from benchmarks.io.columns import recall_column
from benchmarks.metrics.arrays import Floats, Labels
from benchmarks.metrics.bootstrap import PatientBootstrap, metric_interval, percentile_interval
from benchmarks.metrics.calibration import brier_score
from benchmarks.metrics.operating_points import RedrawnThreshold
from benchmarks.metrics.proportions import clustered_wilson, wilson_over_thresholds
from benchmarks.metrics.ranking import Ranking, fold_positions, ranking_metrics
from benchmarks.metrics.rates import confusion, confusion_in_draws, fraction_predicted_positive

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
    fold: NDArray[np.integer] | None = None, redrawn: RedrawnThreshold | None = None,
) -> dict[str, float]:  # fmt: skip
    """Compute the metrics, intervals and counts of one row of ``scores.csv``.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive
    score : ndarray of shape (n,), in [0, 1]
    threshold : float or ndarray of shape (n,)
    subtype : ndarray of shape (n,), str
        Of positive images; empty where it is unknown or there is none.
    bootstrap : PatientBootstrap
        Draws of these images' patients.
    ranking : Ranking, optional
        AUC and average precision in each draw; computed if not given.
    fold : ndarray of shape (n,), optional
        As in :func:`point_metrics`.
    redrawn : RedrawnThreshold, optional
        The threshold in each draw, if it was chosen on a sample of patients.

    Returns
    -------
    dict
        Each metric with its ``_lo`` and ``_hi`` at the given threshold, then the counts ``tp``,
        ``fp``, ``tn`` and ``fn``. A metric that depends on the threshold also has
        ``_lo_threshold`` and ``_hi_threshold``, which include the uncertainty of the threshold;
        they are the same bounds if ``redrawn`` is not given. Each subtype of the positive images
        has its recall, in :func:`benchmarks.io.columns.recall_column`.

    Notes
    -----
    Recall and specificity have clustered Wilson intervals, the AUC one that is symmetric about its
    logit (:func:`~benchmarks.metrics.bootstrap.logit_interval`), the other metrics percentile
    intervals over the draws. At a threshold chosen on the evaluated patients themselves, rates have
    percentile intervals.
    """
    values = point_metrics(label, score, threshold, fold)
    ranking = ranking or ranking_metrics(label, score, bootstrap.weights, fold)
    draws = bootstrap_metrics(label, score, threshold, bootstrap.weights, ranking)
    bounds = {
        name: metric_interval(name, np.append(values[name], drawn)) for name, drawn in draws.items()
    }
    predicted = score >= threshold
    groups = _groups(label, subtype)
    for name, member in groups.items():
        if name not in values:
            values[name] = float(fraction_predicted_positive(predicted, member))
        bounds[name] = _rate_interval(name, predicted, member, bootstrap.patient)
    row = _with_bounds(values, bounds)
    at_threshold = {name: bounds[name] for name in (*RATES, *groups)}
    if redrawn is not None:
        at_threshold = _redrawn_intervals(label, score, groups, bootstrap, redrawn)
    for name, (low, high) in at_threshold.items():
        row |= {f"{name}_lo_threshold": low, f"{name}_hi_threshold": high}
    return row | {name: int(count) for name, count in asdict(confusion(label, predicted)).items()}


def _groups(label: Labels, subtype: NDArray[np.object_]) -> dict[str, NDArray[np.bool_]]:
    """Members of the groups of which a fraction is predicted positive, or negative."""
    found = sorted({str(name) for name in subtype[label == 1]} - {""})
    subtypes = {recall_column(name): (label == 1) & (subtype == name) for name in found}
    return {"recall": label == 1, "specificity": label == 0, **subtypes}


def _rate_interval(
    name: str, predicted: NDArray[np.bool_], member: NDArray[np.bool_], patient: NDArray[np.intp]
) -> tuple[float, float]:
    """Wilson interval at one threshold, or over those of all draws."""
    hit = ~predicted if name == "specificity" else predicted
    return (clustered_wilson if hit.ndim == 1 else wilson_over_thresholds)(hit, member, patient)


def _redrawn_intervals(
    label: Labels, score: Floats, groups: dict[str, NDArray[np.bool_]],
    bootstrap: PatientBootstrap, redrawn: RedrawnThreshold,
) -> dict[str, tuple[float, float]]:  # fmt: skip
    """Intervals of the metrics that depend on a threshold, which each draw chooses again."""
    predicted = score >= redrawn.values
    counts = confusion_in_draws(label, predicted, bootstrap.weights)
    bounds = {name: percentile_interval(getattr(counts, name)) for name in RATES}
    for name, member in groups.items():
        if redrawn.other_patients:
            bounds[name] = _rate_interval(name, predicted, member, bootstrap.patient)
        elif name not in bounds:
            fraction = fraction_predicted_positive(predicted, member, bootstrap.weights)
            bounds[name] = percentile_interval(fraction)
    return bounds


def _with_bounds(
    values: dict[str, float], bounds: dict[str, tuple[float, float]]
) -> dict[str, float]:
    row: dict[str, float] = {}
    for name, value in values.items():
        low, high = bounds[name]
        row |= {name: value, f"{name}_lo": low, f"{name}_hi": high}
    return row
