"""Grouped permutation importance: the loss when a group of columns is permuted between images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from joblib import delayed
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.fitting.cross_validation import CV, in_training_order, recall_threshold
from benchmarks.fitting.selection import best_cells
from benchmarks.fitting.study_context import StudyContext
from benchmarks.importance.groups import LEVELS
from benchmarks.importance.measured_cell import (
    SEED,
    SPLIT,
    MeasuredCell,
    Tables,
    ranked_rows,
)
from benchmarks.importance.measuring import (
    Columns,
    joined,
    refit,
    side_by_side,
    unfitted,
)
from benchmarks.importance.scorers import FoldScorer, Scorer, make_scorer
from benchmarks.metrics.arrays import Floats, Labels
from benchmarks.metrics.bootstrap import PatientBootstrap, percentile_interval
from benchmarks.metrics.ranking import ranking_metrics
from benchmarks.metrics.rates import confusion

METRICS = ("auc", "average_precision", "precision")
REPEATS, CV_REPEATS = 5, 2  # random permutations
DRAWS = 400  # bootstrap samples
Folds = NDArray[np.integer]


def measure(cell: MeasuredCell) -> Tables:
    """Permute the groups of every level in the test images.

    Parameters
    ----------
    cell : MeasuredCell

    Returns
    -------
    dict of DataFrame
        ``importance``.
    """
    scorer = make_scorer(cell.pipeline, cell.X)
    parts = []
    for level in LEVELS:
        if groups := cell.groups(level):
            table = permutation_importance(
                scorer, groups, cell.label, cell.patient, cell.threshold, SEED
            )
            parts.append(table.assign(level=level))
    return {"importance": ranked_rows(parts, "permutation", SPLIT)}


def measure_held_out(context: StudyContext, columns: Columns) -> Tables:
    """Permute the groups in the held-out images of each fold of the cross-validation.

    Parameters
    ----------
    context : StudyContext
        Each feature set's best cell on the validation set is fitted again without each fold, if
        the run has a cross-validation.
    columns : dict of DataFrame
        From :func:`benchmarks.importance.measuring.feature_columns`.

    Returns
    -------
    dict of DataFrame
        ``importance``, with split ``cv``.
    """
    results = [one for one in best_cells(context.finished, context.rows).values() if one.folds]
    work = []
    for one in results:
        scores = {CV: in_training_order(context.fold, one.folds)}
        threshold = recall_threshold(context.rows, context.fold, CV, scores)
        cell = unfitted(context, one, columns)
        work.append(delayed(_held_out)(cell, context.fold, threshold))
    done = side_by_side(context, "importance, cross-validation", work)
    tables = [table.assign(cell=one.cell.name) for one, table in zip(results, done, strict=True)]
    return {"importance": joined(tables, "importance")}


def _held_out(cell: MeasuredCell, fold: Folds, threshold: float | Floats) -> pd.DataFrame:
    """Rows of one cell: each held-out image is scored by the model of its own fold."""
    rows = cell.rows
    with threadpool_limits(1):
        scorers = {}
        for k in np.unique(fold).tolist():
            part = replace(rows, train=rows.train[fold != k], parts={})
            try:
                model = refit(cell.cell, cell.matrices, part)
            except RuntimeError as error:
                return pd.DataFrame([{"method": "permutation", "split": CV, "status": "failed",
                                      "reason": str(error)}])  # fmt: skip
            scorers[k] = make_scorer(model, cell.training[0][fold == k])
        scorer, parts = FoldScorer(scorers, fold), []
        label, patient = rows.label[rows.train], rows.group[rows.train]
        for level in LEVELS:
            if groups := cell.groups(level):
                table = permutation_importance(
                    scorer, groups, label, patient, threshold, SEED, CV_REPEATS, fold
                )
                parts.append(table.assign(level=level))
    return ranked_rows(parts, "permutation", CV)


def permutations(n: int, repeats: int, seed: int, fold: Folds | None = None) -> NDArray[np.intp]:
    """Draw random permutations of n rows.

    Parameters
    ----------
    n, repeats, seed : int
    fold : ndarray of shape (n,), optional
        If given, rows are permuted within their folds only.

    Returns
    -------
    ndarray of shape (repeats, n), int

    Examples
    --------
    >>> permutations(4, 2, seed=0).shape, sorted(permutations(4, 2, seed=0)[1].tolist())
    ((2, 4), [0, 1, 2, 3])
    >>> sorted(permutations(4, 1, seed=0, fold=np.array([1, 2, 1, 2]))[0, [0, 2]].tolist())
    [0, 2]
    """
    rng = np.random.default_rng(seed)
    orders = np.tile(np.arange(n), (repeats, 1))
    parts = [np.arange(n)]
    if fold is not None:
        parts = [np.flatnonzero(fold == k) for k in np.unique(fold)]
    for order in orders:
        for rows in parts:
            order[rows] = rng.permutation(rows)
    return orders


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
    """Compute the drop of three metrics when all columns of a group are permuted together.

    Parameters
    ----------
    scorer : Scorer
        Of the n images. The model is not fitted again.
    groups : dict of ndarray of int
        Columns of each group.
    label : ndarray of shape (n,), 1 = positive
    patient : ndarray of shape (n,)
    threshold : float or ndarray of shape (n,)
        Operating point at which precision is computed.
    seed : int
    repeats : int
        Number of random permutations, over which the value is averaged.
    fold : ndarray of shape (n,), optional
        Fold whose model scores the image. Columns are permuted within folds only, and AUC and
        average precision are means over the folds.

    Returns
    -------
    DataFrame
        Columns group, metric (auc, average_precision, precision), value (the metric minus the
        metric after permutation; negative where permuting the group raised the metric), lo, hi
        (95 % confidence interval, by bootstrap over patients and permutations).

    References
    ----------
    Breiman L. Random forests. Machine Learning 2001;45:5-32. doi:10.1023/A:1010933404324

    Strobl C, Boulesteix AL, Kneib T, Augustin T, Zeileis A. Conditional variable importance for
    random forests. BMC Bioinformatics 2008;9:307. doi:10.1186/1471-2105-9-307
    """
    orders = permutations(len(label), repeats, seed, fold)
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
    """Weights of the permutations in each bootstrap sample, of shape (repeats, 1 + draws)."""
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
