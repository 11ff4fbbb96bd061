"""Performance inflation from leakage: cross-validation with folds by image, not by patient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from benchmarks.fitting.cell import Cell
from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.cross_validation import (
    cross_fitted_thresholds,
    fold_rows,
    in_training_order,
)
from benchmarks.fitting.selection import best_cells
from benchmarks.fitting.study_context import StudyContext
from benchmarks.io.columns import MORE_TABLES
from benchmarks.metrics.arrays import Floats
from benchmarks.metrics.bootstrap import PatientBootstrap, with_interval
from benchmarks.metrics.ranking import ranking_metrics
from benchmarks.metrics.rates import confusion
from benchmarks.studies.cell_fits import fit_cells, held_out_scores, status_of

SEED = 0  # of the leaky folds and of the bootstrap draws


def run(context: StudyContext) -> dict[str, pd.DataFrame]:
    """Compare cross-validation with folds by image and with folds by patient.

    It uses one cell per feature set: the classifier with the best average precision on the
    validation set.

    Parameters
    ----------
    context : StudyContext

    Returns
    -------
    dict of DataFrame
        ``leaky``: one row per cell and metric (AUC, average precision, and specificity at the
        cross-fitted threshold for a recall of 0.95). ``worth`` is the performance inflation: the
        leaky value minus the grouped value, with an interval from the same bootstrap draws of
        patients. ``mixed`` is the fraction of training images with an image of the same patient
        in another leaky fold.
    """
    rows, fold = context.rows, context.fold
    selected = list(best_cells(context.finished, rows).values())
    n_folds = len(np.unique(fold))
    fold_by_image = image_folds(rows.label[rows.train], n_folds)
    leaky = _cross_validate(context, [result.cell for result in selected], fold_by_image)
    grouped = _grouped_scores(context, selected, n_folds)
    group = rows.group[rows.train]
    about = {
        "folds": n_folds, "images": len(group), "patients": len(set(group)),
        "mixed": shared_patient_fraction(group, fold_by_image),
    }  # fmt: skip
    weights = PatientBootstrap.draw(group, rows.label[rows.train], SEED).with_original()
    lines: list[dict[str, Any]] = []
    for cell in (result.cell for result in selected):
        known = {"cell": cell.name, **about}
        draws: list[dict[str, Floats]] = []
        for score, folds in ((grouped[cell], fold), (leaky[cell], fold_by_image)):
            if isinstance(score, str):
                lines.append({**known, "metric": "", "status": "failed", "reason": score})
                break
            draws.append(_draws(context, score, folds, weights))
        else:
            for metric, own in draws[0].items():
                line = {**known, "metric": metric, "status": "ok", "reason": ""}
                line |= with_interval("grouped", own)
                line |= with_interval("leaky", draws[1][metric])
                inflation = draws[1][metric] - own
                lines.append(line | with_interval("worth", inflation))
    return {"leaky": pd.DataFrame(lines).reindex(columns=MORE_TABLES["leaky"])}


def image_folds(label: NDArray[np.integer], n_folds: int, seed: int = SEED) -> NDArray[np.int64]:
    """Assign images to folds at random, stratified by label, ignoring patients.

    Parameters
    ----------
    label : ndarray of shape (n,)
    n_folds : int
    seed : int

    Returns
    -------
    ndarray of shape (n,)
        Fold of each image, from 1 to ``n_folds``.
    """
    fold = np.zeros(len(label), dtype=np.int64)
    splitter = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    for k, (_, held_out) in enumerate(splitter.split(label, label), start=1):
        fold[held_out] = k
    return fold


def shared_patient_fraction(group: NDArray[np.object_], fold: NDArray[np.integer]) -> float:
    """Return the fraction of images with an image of the same patient in another fold.

    Parameters
    ----------
    group : ndarray of shape (n,)
        Patient of each image.
    fold : ndarray of shape (n,)

    Returns
    -------
    float in [0, 1]

    Examples
    --------
    >>> patient, fold = np.array(["a", "a", "b", "b", "c"]), np.array([1, 2, 1, 1, 2])
    >>> shared_patient_fraction(patient, fold)
    0.4
    """
    folds = pd.Series(fold).groupby(np.asarray(group)).transform("nunique")
    return float((folds > 1).mean())


def _grouped_scores(
    context: StudyContext, selected: Sequence[CellResult], n_folds: int
) -> dict[Cell, Floats | str]:
    """Scores from the folds by patient: those of the run, or computed where it has none."""
    missing = [result.cell for result in selected if len(result.folds) < n_folds]
    scores = _cross_validate(context, missing, context.fold)
    known = {
        result.cell: in_training_order(context.fold, result.folds)
        for result in selected if result.cell not in scores
    }  # fmt: skip
    return {**scores, **known}


def _cross_validate(
    context: StudyContext, cells: Sequence[Cell], fold: NDArray[np.integer]
) -> dict[Cell, Floats | str]:
    """Held-out scores of every training image by cell, or the reason if a fit failed."""
    fits = fit_cells(context, cells, list(fold_rows(context.rows, fold).values()), "leaky")
    scores: dict[Cell, Floats | str] = {}
    for cell, results in fits.items():
        status, reason = status_of(results)
        scores[cell] = held_out_scores(fold, results) if status == "ok" else reason
    return scores


def _draws(
    context: StudyContext, score: Floats, fold: NDArray[np.integer], weights: Floats
) -> dict[str, Floats]:
    label = context.rows.label[context.rows.train]
    threshold = cross_fitted_thresholds(label, score, fold)
    return {
        **ranking_metrics(label, score, weights, fold)._asdict(),
        "specificity": confusion(label, score >= threshold, weights).specificity,
    }
