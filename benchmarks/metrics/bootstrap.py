"""Metrics of scores against labels, with intervals by bootstrap over patients. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as sk

from features.compiled import compiled

Floats = NDArray[np.float64]
Ranking = tuple[Floats, Floats]
Labels = NDArray[np.integer]

DRAWS = 2000
CONFIDENCE = 0.95


def threshold_at_recall(label: Labels, score: Floats, recall: float = 0.95) -> float:
    """Largest threshold at which ``score >= threshold`` finds at least ``recall`` of positives.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive
    score : ndarray of shape (n,)
    recall : float in (0, 1]

    Returns
    -------
    float
        One of the positives' scores.

    Raises
    ------
    ValueError
        If there is no positive.

    Examples
    --------
    >>> threshold_at_recall(np.array([0, 1, 1, 1, 1]), np.array([.9, .1, .3, .5, .7]), recall=0.75)
    0.3
    """
    positives = np.sort(score[label == 1])[::-1]
    if len(positives) == 0:
        raise ValueError("Got no positive image, but a threshold at a recall needs at least one.")
    needed = int(np.ceil(round(recall * len(positives), 9)))
    return float(positives[needed - 1])


def confusion(label: Labels, decision: NDArray[np.bool_]) -> dict[str, int]:
    """Count true and false positives and negatives.

    Examples
    --------
    >>> confusion(np.array([0, 0, 1, 1, 1]), np.array([True, False, True, True, False]))
    {'tp': 2, 'fp': 1, 'tn': 1, 'fn': 1}
    """
    positive = label == 1
    return {
        "tp": int((positive & decision).sum()),
        "fp": int((~positive & decision).sum()),
        "tn": int((~positive & ~decision).sum()),
        "fn": int((positive & ~decision).sum()),
    }


def point_metrics(
    label: Labels, score: Floats, threshold: float | Floats, fold: NDArray[np.integer] | None = None
) -> dict[str, float]:
    """Every metric of one cell at one operating point, by scikit-learn.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive; both classes present
    score : ndarray of shape (n,), in [0, 1]
    threshold : float or ndarray of shape (n,)
        ``score >= threshold`` is called positive.
    fold : ndarray of shape (n,), optional
        Which model gave the score. Scores of several models have no common ranking: AUC and
        average precision are then means over the folds.

    Returns
    -------
    dict
        Keys ``precision`` … ``brier`` as in ``benchmarks.io.columns.METRICS``. Precision is 0 where
        nothing is called positive, as in scikit-learn.
    """
    decision = (score >= threshold).astype(int)
    parts = _parts(label, fold)
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


@dataclass(frozen=True)
class PatientBootstrap:
    """Draws of whole patients with replacement, made once and shared by all cells of a split.

    Attributes
    ----------
    weights : ndarray of shape (draws, n)
        How often each image is in each draw.

    References
    ----------
    Field CA, Welsh AH. Bootstrapping clustered data. J R Stat Soc B 2007;69:369-390.
    doi:10.1111/j.1467-9868.2007.00593.x
    """

    weights: Floats

    @staticmethod
    def draw(
        groups: NDArray[np.object_], label: Labels, seed: int, draws: int = DRAWS
    ) -> PatientBootstrap:
        """Draw as many patients as there are, ``draws`` times; keep draws with all classes.

        Parameters
        ----------
        groups : ndarray of shape (n,)
            Patient of each image.
        label : ndarray of shape (n,), 1 = positive; 0, 1, … where there are more than two
        seed : int
        draws : int
        """
        patients, member = np.unique(groups, return_inverse=True)
        n = len(patients)
        picks = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=draws)
        weights = picks[:, member].astype(np.float64)
        present = [weights @ (label == k) > 0 for k in range(max(2, int(label.max()) + 1))]
        return PatientBootstrap(weights[np.all(present, axis=0)])

    def interval(self, values: Floats) -> tuple[float, float]:
        """Percentile interval (95 %) of one metric's values over the draws; NaN are left out."""
        defined = values[~np.isnan(values)]
        if len(defined) == 0:
            return float("nan"), float("nan")
        tail = (1 - CONFIDENCE) / 2
        low, high = np.quantile(defined, [tail, 1 - tail])
        return float(low), float(high)


def bootstrap_metrics(
    label: Labels,
    score: Floats,
    threshold: float | Floats,
    weights: Floats,
    ranking: Ranking | None = None,
) -> dict[str, Floats]:
    """Every metric of ``point_metrics`` for every draw at once.

    Parameters
    ----------
    label, score, threshold
        As in ``point_metrics``.
    weights : ndarray of shape (draws, n)
        How often each image is in each draw.
    ranking : pair of ndarrays of shape (draws,), optional
        From :func:`bootstrap_ranking`, which knows no threshold; computed if not given.

    Returns
    -------
    dict of ndarray of shape (draws,)
    """
    positive = (label == 1).astype(float)
    called = (score >= threshold).astype(float)
    squares = (score - positive) ** 2
    tp, fp, tn, fn, error = np.ascontiguousarray(
        (weights @ np.column_stack([
            positive * called, (1 - positive) * called,
            (1 - positive) * (1 - called), positive * (1 - called), squares,
        ])).T
    )  # fmt: skip
    auc, average_precision = ranking or bootstrap_ranking(label, score, weights)
    recall, specificity = tp / (tp + fn), tn / (tn + fp)
    spread = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return {
        "precision": _ratio(tp, tp + fp),
        "recall": recall,
        "specificity": specificity,
        "f1": _ratio(2 * tp, 2 * tp + fp + fn),
        "accuracy": (tp + tn) / (tp + fp + tn + fn),
        "balanced_accuracy": (recall + specificity) / 2,
        "mcc": _ratio(tp * tn - fp * fn, spread),
        "auc": auc,
        "average_precision": average_precision,
        "brier": error / (tp + fp + tn + fn),
    }


def subgroup_recall(
    label: Labels, score: Floats, threshold: float | Floats, subtype: NDArray[np.object_],
    name: str, weights: Floats,
) -> tuple[float, Floats]:  # fmt: skip
    """Recall among the positives of one subtype: its value and its value in every draw (NaN: none).

    Returns
    -------
    float, ndarray of shape (draws,)
        NaN where the subtype has no image.
    """
    member = ((label == 1) & (subtype == name)).astype(float)
    found = member * (score >= threshold)
    total, hits = weights @ member, weights @ found
    draws = np.divide(hits, total, out=np.full(len(total), np.nan), where=total > 0)
    value = found.sum() / member.sum() if member.any() else np.nan
    return float(value), draws


def evaluate(
    label: Labels, score: Floats, threshold: float | Floats, subtype: NDArray[np.object_],
    bootstrap: PatientBootstrap, ranking: Ranking | None = None,
    fold: NDArray[np.integer] | None = None,
) -> dict[str, float]:  # fmt: skip
    """Metrics with intervals and counts: the numbers of one row of ``scores.csv``."""
    values = dict(point_metrics(label, score, threshold, fold))
    ranking = ranking or bootstrap_ranking(label, score, bootstrap.weights, fold)
    draws = bootstrap_metrics(label, score, threshold, bootstrap.weights, ranking)
    for name in ("bacteria", "virus"):
        key = f"recall_{name}"
        values[key], draws[key] = subgroup_recall(
            label, score, threshold, subtype, name, bootstrap.weights
        )
    row: dict[str, float] = {}
    for key, value in values.items():
        row[key] = value
        row[f"{key}_lo"], row[f"{key}_hi"] = bootstrap.interval(draws[key])
    return {**row, **confusion(label, score >= threshold)}


def _ratio(top: Floats, bottom: Floats) -> Floats:
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)


def bootstrap_ranking(
    label: Labels, score: Floats, weights: Floats, fold: NDArray[np.integer] | None = None
) -> Ranking:
    """AUC and average precision of each draw; images with equal scores count as one block.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive
    score : ndarray of shape (n,)
    weights : ndarray of shape (draws, n)
        How often each image is in each draw.
    fold : ndarray of shape (n,), optional
        As in :func:`point_metrics`: means over the folds, NaN where one of them lacks a class.

    Returns
    -------
    pair of ndarrays of shape (draws,)
    """
    sums = np.zeros((2, len(weights)))
    parts = _parts(label, fold)
    for part in parts:
        order = part[np.argsort(-score[part], kind="stable")]
        ends = np.flatnonzero(np.r_[np.diff(score[order]) != 0, True]) + 1
        sums += _rank(weights, order, label[order] == 1, ends)
    auc, average_precision = sums / len(parts)
    return auc, average_precision


def _parts(label: Labels, fold: NDArray[np.integer] | None) -> list[NDArray[np.intp]]:
    """Positions of the images of each fold; all images where there are no folds."""
    if fold is None:
        return [np.arange(len(label))]
    return [np.flatnonzero(fold == k) for k in np.unique(fold)]


@compiled
def _rank(
    weights: Floats, order: NDArray[np.intp], positive: NDArray[np.bool_], ends: NDArray[np.intp]
) -> Floats:
    """AUC and average precision of each draw; ``ends`` close the blocks of equal scores."""
    result = np.empty((2, len(weights)))
    for draw in range(len(weights)):
        drawn = weights[draw]
        true = false = lost = precision = 0.0
        start = 0
        for end in ends:
            hits = misses = 0.0
            for k in range(start, end):
                if positive[k]:
                    hits += drawn[order[k]]
                else:
                    misses += drawn[order[k]]
            lost += hits * (false + misses / 2)
            true += hits
            false += misses
            if hits > 0:
                precision += hits * (true / (true + false))
            start = end
        result[0, draw] = 1 - lost / (true * false) if true * false > 0 else np.nan
        result[1, draw] = precision / true if true > 0 else np.nan
    return result
