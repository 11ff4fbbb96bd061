"""Performance inflation from leakage: cross-validation with folds by image, not by patient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from benchmarks.datasets import splits
from benchmarks.fitting.cell import Cell
from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.cross_validation import (
    cross_fitted_thresholds_in_draws,
    fold_rows,
    in_training_order,
)
from benchmarks.fitting.selection import best_cells
from benchmarks.fitting.study_context import StudyContext
from benchmarks.io.columns import MORE_TABLES
from benchmarks.metrics.arrays import Floats
from benchmarks.metrics.bootstrap import PatientBootstrap, with_interval
from benchmarks.metrics.ranking import ranking_metrics
from benchmarks.metrics.rates import confusion_in_draws
from benchmarks.studies.cell_fits import fit_cells, held_out_scores, status_of
from benchmarks.studies.repeats import mean_over_repeats

SEED = 0  # of the first leaky folds and of the bootstrap draws
ASSIGNMENTS = 3  # random assignments to folds of each kind
_Assignment = tuple[str, int]  # kind (patient or image) and number, from 1


def run(context: StudyContext) -> dict[str, pd.DataFrame]:
    """Compare cross-validation with folds by image and with folds by patient.

    It uses one cell per feature set: the classifier with the best average precision on the
    validation set. Each kind of folds is assigned three times at random; the first assignment by
    patient is that of the run.

    Parameters
    ----------
    context : StudyContext

    Returns
    -------
    dict of DataFrame
        ``leaky``: one row per cell and metric (AUC, average precision, and specificity at the
        cross-fitted threshold for a recall of 0.95). ``grouped`` and ``leaky`` are means over the
        assignments. ``worth`` is the performance inflation: the leaky value minus the grouped
        value. All intervals are from the same bootstrap draws of patients, in which the thresholds
        are selected again, and include the spread between assignments. ``mixed`` is the fraction
        of training images with an image of the same patient in another leaky fold.
        ``leaky_assignments``: the value of each assignment.
    """
    rows, folds = context.rows, fold_assignments(context)
    selected = list(best_cells(context.finished, rows).values())
    scores = _scores(context, selected, folds)
    group = rows.group[rows.train]
    shared = [
        shared_patient_fraction(group, fold) for (kind, _), fold in folds.items() if kind == "image"
    ]
    about = {
        "folds": len(np.unique(context.fold)), "images": len(group), "patients": len(set(group)),
        "mixed": float(np.mean(shared)),
    }  # fmt: skip
    weights = PatientBootstrap.draw(group, rows.label[rows.train], SEED).with_original()
    lines: list[dict[str, Any]] = []
    values: list[dict[str, Any]] = []
    for cell in (result.cell for result in selected):
        known = {"cell": cell.name, **about}
        own = {key: scores[key][cell] for key in folds}
        reason = next((one for one in own.values() if isinstance(one, str)), None)
        if reason is not None:
            lines.append({**known, "metric": "", "status": "failed", "reason": reason})
            continue
        draws = {
            key: _draws(context, score, folds[key], weights)
            for key, score in own.items() if not isinstance(score, str)
        }  # fmt: skip
        lines += [{**known, "status": "ok", "reason": "", **line} for line in inflation(draws)]
        values += _values(cell, draws)
    made = {"leaky": lines, "leaky_assignments": values}
    return {
        name: pd.DataFrame(own).reindex(columns=MORE_TABLES[name]) for name, own in made.items()
    }


def _values(
    cell: Cell, draws: Mapping[_Assignment, Mapping[str, Floats]]
) -> Iterator[dict[str, Any]]:
    """Rows of ``leaky_assignments``."""
    for (kind, number), metrics in draws.items():
        for metric, one in metrics.items():
            yield {"cell": cell.name, "kind": kind, "assignment": number, "metric": metric,
                   "value": float(one[0])}  # fmt: skip


def fold_assignments(context: StudyContext) -> dict[_Assignment, NDArray[np.integer]]:
    """Assign the training images to folds several times, by patient and by image.

    Parameters
    ----------
    context : StudyContext

    Returns
    -------
    dict of ndarray of shape (n_train,)
        Folds by kind (``patient``, ``image``) and number; ``("patient", 1)`` is that of the run.
    """
    train, count = context.rows.train, len(np.unique(context.fold))
    manifest, label = context.manifest.iloc[train], context.rows.label[train]
    made: dict[_Assignment, NDArray[np.integer]] = {("patient", 1): context.fold}
    for number in range(2, ASSIGNMENTS + 1):
        made["patient", number] = splits.folds(manifest, count, splits.SEED + number - 1)
    for number in range(1, ASSIGNMENTS + 1):
        made["image", number] = image_folds(label, count, SEED + number - 1)
    return made


def inflation(draws: Mapping[_Assignment, Mapping[str, Floats]]) -> Iterator[dict[str, Any]]:
    """Compute the mean of each kind of folds over its assignments, and their difference.

    Parameters
    ----------
    draws : dict of dict of ndarray of shape (1 + draws,)
        By kind and number of the assignment, then by metric: the value, then that in each draw.

    Yields
    ------
    dict
        Metric, and ``grouped``, ``leaky`` and ``worth`` with bounds that include the spread
        between assignments.
    """
    rng = np.random.default_rng(SEED)
    for metric in next(iter(draws.values())):
        grouped, leaky = (
            mean_over_repeats(
                np.array([one[metric] for (own, _), one in draws.items() if own == kind]), rng
            )
            for kind in ("patient", "image")
        )
        yield {
            "metric": metric,
            **with_interval("grouped", grouped.clip(0, 1), metric),
            **with_interval("leaky", leaky.clip(0, 1), metric),
            **with_interval("worth", leaky - grouped),
        }


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


def _scores(
    context: StudyContext,
    selected: Sequence[CellResult],
    folds: Mapping[_Assignment, NDArray[np.integer]],
) -> dict[_Assignment, dict[Cell, Floats | str]]:
    """Held-out scores by assignment and cell; those that the run has are not computed again."""
    n_folds = len(np.unique(context.fold))
    known = {
        result.cell: in_training_order(context.fold, result.folds)
        for result in selected if len(result.folds) == n_folds
    }  # fmt: skip
    scores: dict[_Assignment, dict[Cell, Floats | str]] = {}
    for assignment, fold in folds.items():
        given: dict[Cell, Floats | str] = {**known} if assignment == ("patient", 1) else {}
        missing = [result.cell for result in selected if result.cell not in given]
        scores[assignment] = {**_cross_validate(context, missing, fold), **given}
    return scores


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
    threshold = cross_fitted_thresholds_in_draws(label, score, fold, weights)
    return {
        **ranking_metrics(label, score, weights, fold)._asdict(),
        "specificity": confusion_in_draws(label, score >= threshold, weights).specificity,
    }
