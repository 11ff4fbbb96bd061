"""Cross-validation that parts images, not patients, on purpose: what that leakage is worth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from benchmarks.fitting.cell import Cell
from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.cross_validation import (
    CV,
    cross_fitted_thresholds,
    fold_rows,
    in_training_order,
)
from benchmarks.fitting.fit_each import fit_each
from benchmarks.fitting.selection import best_cells
from benchmarks.fitting.study_context import StudyContext
from benchmarks.io.columns import MORE_TABLES
from benchmarks.metrics.arrays import Floats
from benchmarks.metrics.bootstrap import PatientBootstrap, with_interval
from benchmarks.metrics.ranking import ranking_metrics
from benchmarks.metrics.rates import confusion

SEED = 0  # of the leaky deal and of the draws of patients


def run(context: StudyContext) -> dict[str, pd.DataFrame]:
    """Cross-validate one cell of each feature set by image, beside the folds by patient.

    Of each feature set, the classifier with the best average precision on validation is taken.

    Parameters
    ----------
    context : StudyContext

    Returns
    -------
    dict of DataFrame
        ``leaky``: a row for each cell and metric (AUC, average precision, and specificity at a
        cross-fitted recall of 0.95). ``worth`` is leaky less grouped, with an interval over draws
        of patients that both share; ``mixed`` is the share of training images that had another
        image of the same patient among the images fitted on.
    """
    rows, fold = context.rows, context.fold
    chosen = list(best_cells(context.finished, rows).values())
    by_image = deal_images(rows.label[rows.train], len(np.unique(fold)))
    leaky = _held_out(context, [outcome.cell for outcome in chosen], by_image)
    missing = [o.cell for o in chosen if len(o.folds) < len(np.unique(fold))]
    grouped = _held_out(context, missing, fold)
    for outcome in chosen:
        if outcome.cell not in grouped:
            grouped[outcome.cell] = in_training_order(fold, outcome.folds)
    group = rows.group[rows.train]
    about = {
        "folds": len(np.unique(fold)), "images": len(group), "patients": len(set(group)),
        "mixed": mixed_share(group, by_image),
    }  # fmt: skip
    weights = PatientBootstrap.draw(group, rows.label[rows.train], SEED).with_original()
    lines: list[dict[str, Any]] = []
    for outcome in chosen:
        known = {"cell": outcome.cell.name, **about}
        both = [grouped[outcome.cell], leaky[outcome.cell]]
        reasons = [str(one) for one in both if isinstance(one, str)]
        if reasons:
            lines.append({**known, "metric": "", "status": "failed", "reason": reasons[0]})
            continue
        draws = [
            _draws(context, score, deal, weights)
            for score, deal in zip(both, (fold, by_image), strict=True)
            if not isinstance(score, str)
        ]
        for metric, own in draws[0].items():
            line = {**known, "metric": metric, "status": "ok", "reason": ""}
            line |= with_interval("grouped", own)
            line |= with_interval("leaky", draws[1][metric])
            lines.append(line | with_interval("worth", draws[1][metric] - own))
    return {"leaky": pd.DataFrame(lines).reindex(columns=MORE_TABLES["leaky"])}


def deal_images(label: NDArray[np.integer], count: int, seed: int = SEED) -> NDArray[np.int64]:
    """Deal images into folds, stratified by label, whoever's images they are.

    Parameters
    ----------
    label : ndarray of shape (n,)
    count : int
    seed : int

    Returns
    -------
    ndarray of shape (n,)
        1 to ``count``.
    """
    fold = np.zeros(len(label), dtype=np.int64)
    deal = StratifiedKFold(count, shuffle=True, random_state=seed)
    for k, (_, held_out) in enumerate(deal.split(label, label), start=1):
        fold[held_out] = k
    return fold


def mixed_share(group: NDArray[np.object_], fold: NDArray[np.integer]) -> float:
    """Share of images that have an image of the same patient in another fold.

    Examples
    --------
    >>> mixed_share(np.array(["a", "a", "b", "b", "c"]), np.array([1, 2, 1, 1, 2]))
    0.4
    """
    folds = pd.Series(fold).groupby(np.asarray(group)).transform("nunique")
    return float((folds > 1).mean())


def _held_out(
    context: StudyContext, cells: list[Cell], fold: NDArray[np.integer]
) -> dict[Cell, Floats | str]:
    """Held-out scores of every training image by cell, or why there are none."""
    rows_of = fold_rows(context.rows, fold)
    tasks = [(cell, rows_of[k]) for cell in cells for k in sorted(rows_of)]
    outcomes = list(fit_each(tasks, context.matrices, context.config, "leaky"))
    found: dict[Cell, Floats | str] = {}
    for j, cell in enumerate(cells):
        own: list[CellResult] = outcomes[j * len(rows_of) : (j + 1) * len(rows_of)]
        failed = [outcome.reason for outcome in own if outcome.status != "ok"]
        by_fold = {k: o.scores[CV] for k, o in zip(sorted(rows_of), own, strict=True) if not failed}
        found[cell] = failed[0] if failed else in_training_order(fold, by_fold)
    return found


def _draws(
    context: StudyContext, score: Floats, fold: NDArray[np.integer], weights: Floats
) -> dict[str, Floats]:
    label = context.rows.label[context.rows.train]
    threshold = cross_fitted_thresholds(label, score, fold)
    return {
        **ranking_metrics(label, score, weights, fold)._asdict(),
        "specificity": confusion(label, score >= threshold, weights).specificity,
    }
