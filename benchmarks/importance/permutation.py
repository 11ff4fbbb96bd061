"""Grouped permutation: what a fitted cell loses when a whole group of columns is dealt anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.importance.scorers import Scorer
from benchmarks.metrics.arrays import Floats, Labels
from benchmarks.metrics.bootstrap import PatientBootstrap, percentile_interval
from benchmarks.metrics.ranking import ranking_metrics
from benchmarks.metrics.rates import confusion

METRICS = ("auc", "average_precision", "precision")
REPEATS = 5
Folds = NDArray[np.integer]
DRAWS = 400


def deal(n: int, repeats: int, seed: int, fold: Folds | None = None) -> NDArray[np.intp]:
    """Random orders of n rows, the same for every group: shape (repeats, n).

    Parameters
    ----------
    n, repeats, seed : int
    fold : ndarray of shape (n,), optional
        Rows change places within their fold only.

    Examples
    --------
    >>> deal(4, 2, seed=0).shape, sorted(deal(4, 2, seed=0)[1].tolist())
    ((2, 4), [0, 1, 2, 3])
    >>> sorted(deal(4, 1, seed=0, fold=np.array([1, 2, 1, 2]))[0, [0, 2]].tolist())
    [0, 2]
    """
    rng = np.random.default_rng(seed)
    orders = np.tile(np.arange(n), (repeats, 1))
    for order in orders:
        for rows in _rows_of(n, fold):
            order[rows] = rng.permutation(rows)
    return orders


def _rows_of(n: int, fold: Folds | None) -> list[NDArray[np.intp]]:
    return [np.arange(n)] if fold is None else [np.flatnonzero(fold == k) for k in np.unique(fold)]


def permutation_importance(
    scorer: Scorer,
    groups: Mapping[str, NDArray[np.intp]],
    label: Labels,
    patient: NDArray[np.object_],
    threshold: float | Floats,
    seed: int,
    repeats: int = REPEATS,
    fold: Folds | None = None,
) -> pd.DataFrame:
    """Drop of three metrics when all columns of a group are exchanged between images together.

    Parameters
    ----------
    scorer : Scorer
        Of the n images; the model stays as fitted.
    groups : dict of ndarray of int
        Columns of each group.
    label : ndarray of shape (n,), 1 = positive
    patient : ndarray of shape (n,)
    threshold : float or ndarray of shape (n,)
        Operating point of precision.
    seed : int
    repeats : int
        Random orders; the value is the mean over them.
    fold : ndarray of shape (n,), optional
        Which model scores an image: images change columns within a fold only, and AUC and average
        precision are means over the folds.

    Returns
    -------
    DataFrame
        group, metric (auc, average_precision, precision), value (metric as it is less metric
        after the exchange; near 0, or below, where the group does not matter), lo, hi: 95 %
        interval, each draw taking patients and orders with replacement.

    References
    ----------
    Breiman L. Random forests. Machine Learning 2001;45:5-32. doi:10.1023/A:1010933404324

    Strobl C, Boulesteix AL, Kneib T, Augustin T, Zeileis A. Conditional variable importance for
    random forests. BMC Bioinformatics 2008;9:307. doi:10.1186/1471-2105-9-307
    """
    orders = deal(len(label), repeats, seed, fold)
    bootstrap = PatientBootstrap.draw(patient, label, seed, DRAWS)
    weights = bootstrap.with_original()
    picks = _pick_orders(repeats, len(bootstrap.weights), seed)
    before = _metrics(label, scorer.score, threshold, weights, fold)
    rows: list[dict[str, Any]] = []
    for name, columns in groups.items():
        after = [
            _metrics(label, score, threshold, weights, fold)
            for score in scorer.permuted(columns, orders)
        ]
        for metric in METRICS:
            drops = np.stack([before[metric] - one[metric] for one in after])
            mean = (picks * drops).sum(axis=0)
            low, high = percentile_interval(mean[1:])
            rows.append({"group": name, "metric": metric, "value": float(mean[0]), "lo": low,
                         "hi": high})  # fmt: skip
    return pd.DataFrame(rows, columns=["group", "metric", "value", "lo", "hi"])


def _pick_orders(repeats: int, draws: int, seed: int) -> Floats:
    """Share of each order in each draw, of shape (repeats, 1 + draws); first all alike."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, repeats]))
    drawn = rng.multinomial(repeats, np.full(repeats, 1 / repeats), size=draws).T
    return np.hstack([np.ones((repeats, 1)), drawn]) / repeats


def _metrics(
    label: Labels,
    score: Floats,
    threshold: float | Floats,
    weights: Floats,
    fold: Folds | None,
) -> dict[str, Floats]:
    auc, average_precision = ranking_metrics(label, score, weights, fold)
    precision = confusion(label, score >= threshold, weights).precision
    return dict(zip(METRICS, (auc, average_precision, precision), strict=True))
