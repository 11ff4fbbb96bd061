"""Numbers that several studies tell of a set of scores, with intervals over patients."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.cross_validation import CV, cross_fitted_thresholds
from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.metrics.bootstrap import (
    Floats,
    Labels,
    PatientBootstrap,
    bootstrap_ranking,
    confusion,
    threshold_at_recall,
)
from benchmarks.run.result_tables import TARGET_RECALL

RANKING = ("auc", "average_precision")


def with_interval(name: str, draws: Floats, bootstrap: PatientBootstrap) -> dict[str, float]:
    """Value and bounds of one metric under the names that tables give them.

    Parameters
    ----------
    name : str
    draws : ndarray of shape (1 + draws,)
        The value on the images as they are, then its value in every draw.
    bootstrap : PatientBootstrap

    Examples
    --------
    >>> nothing = PatientBootstrap(np.ones((2, 1)))
    >>> with_interval("auc", np.array([0.75, 0.5, 0.5]), nothing)
    {'auc': 0.75, 'auc_lo': 0.5, 'auc_hi': 0.5}
    """
    low, high = bootstrap.interval(draws[1:])
    return {name: float(draws[0]), f"{name}_lo": low, f"{name}_hi": high}


def ranking_draws(
    label: Labels,
    score: Floats,
    bootstrap: PatientBootstrap,
    fold: NDArray[np.integer] | None = None,
) -> dict[str, Floats]:
    """AUC and average precision as they are and in every draw; means over folds if there are any.

    Parameters
    ----------
    label, score, fold : ndarrays of shape (n,)
    bootstrap : PatientBootstrap
        Of the same n images.

    Returns
    -------
    dict of ndarray of shape (1 + draws,)
        The first entry is the value on the images as they are.
    """
    weights = np.concatenate([np.ones((1, len(label))), bootstrap.weights])
    return dict(zip(RANKING, bootstrap_ranking(label, score, weights, fold), strict=True))


def specificity_draws(
    label: Labels, score: Floats, threshold: float | Floats, bootstrap: PatientBootstrap
) -> Floats:
    """Specificity as it is and in every draw, at thresholds that stay the same in all draws.

    Examples
    --------
    >>> draws = PatientBootstrap(np.array([[2.0, 1.0, 0.0], [0.0, 3.0, 0.0]]))
    >>> specificity_draws(np.array([0, 0, 1]), np.array([0.2, 0.6, 0.9]), 0.5, draws).round(3)
    array([0.5  , 0.667, 0.   ])
    """
    weights = np.concatenate([np.ones((1, len(label))), bootstrap.weights])
    negative = (label == 0).astype(float)
    return np.asarray((weights @ (negative * (score < threshold))) / (weights @ negative))


def brier_draws(label: Labels, score: Floats, bootstrap: PatientBootstrap) -> Floats:
    """Brier score as it is and in every draw.

    Examples
    --------
    >>> draws = PatientBootstrap(np.array([[3.0, 1.0]]))
    >>> brier_draws(np.array([0, 1]), np.array([0.5, 1.0]), draws)
    array([0.125 , 0.1875])
    """
    weights = np.concatenate([np.ones((1, len(label))), bootstrap.weights])
    return np.asarray(weights @ (score - label) ** 2 / weights.sum(axis=1))


def operating_point(
    label: Labels, score: Floats, threshold: float | Floats, end: str = ""
) -> dict[str, float]:
    """Precision (0 where nothing is called positive), recall and specificity at a threshold.

    Examples
    --------
    >>> operating_point(np.array([0, 0, 1, 1]), np.array([0.1, 0.7, 0.8, 0.3]), 0.5)
    {'precision': 0.5, 'recall': 0.5, 'specificity': 0.5}
    """
    n = confusion(label, score >= threshold)
    called = n["tp"] + n["fp"]
    values = {
        "precision": n["tp"] / called if called else 0.0,
        "recall": n["tp"] / (n["tp"] + n["fn"]),
        "specificity": n["tn"] / (n["tn"] + n["fp"]),
    }
    return {name + end: value for name, value in values.items()}


def recall_threshold(
    rows: SplitIndices, fold: NDArray[np.integer], split: str, scores: Mapping[str, Floats]
) -> float | Floats:
    """Threshold for a recall of 0.95, chosen as in the comparison itself.

    Parameters
    ----------
    rows : SplitIndices
    fold : ndarray of shape (len(rows.train),)
    split : str
        ``test``: chosen on validation; ``cv``: for each fold on the others.
    scores : dict of ndarray
        By split; has ``validation`` and, for ``cv``, that.
    """
    if split == CV:
        return cross_fitted_thresholds(rows.label[rows.train], scores[CV], fold, TARGET_RECALL)
    label = rows.label[rows.parts["validation"]]
    return threshold_at_recall(label, scores["validation"], TARGET_RECALL)


def in_order(fold: NDArray[np.integer], by_fold: Mapping[int, Floats]) -> Floats:
    """Held-out scores of all folds in the order of the training images.

    Examples
    --------
    >>> in_order(np.array([2, 1, 2]), {1: np.array([0.5]), 2: np.array([0.1, 0.9])})
    array([0.1, 0.5, 0.9])
    """
    score = np.full(len(fold), np.nan)
    for k, held_out in by_fold.items():
        score[fold == k] = held_out
    return score


def leaders(finished: Mapping[str, CellResult], rows: SplitIndices) -> dict[str, CellResult]:
    """First finished seed of the classifier of best average precision on validation.

    Parameters
    ----------
    finished : dict of CellResult
        Cells on features that are done, in the order of the run.
    rows : SplitIndices

    Returns
    -------
    dict of CellResult
        By feature set, in the order of the run. Nothing is chosen by its test score.
    """
    label = rows.label[rows.parts["validation"]]
    first: dict[tuple[str, str], CellResult] = {}
    for outcome in finished.values():
        first.setdefault((outcome.cell.features, outcome.cell.model), outcome)
    best: dict[str, tuple[float, CellResult]] = {}
    for (features, _), outcome in first.items():
        precision = float(average_precision_score(label, outcome.scores["validation"]))
        if features not in best or precision > best[features][0]:
            best[features] = precision, outcome
    return {features: outcome for features, (_, outcome) in best.items()}
