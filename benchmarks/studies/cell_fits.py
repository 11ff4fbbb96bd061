"""What studies share: cells fitted on several subsets of the images, their scores and rates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.fitting.cell import Cell
from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.cross_validation import CV, fold_rows, in_training_order
from benchmarks.fitting.fit import Matrix
from benchmarks.fitting.fit_each import fit_each
from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.fitting.study_context import StudyContext
from benchmarks.metrics.arrays import Floats, Labels
from benchmarks.metrics.rates import MAIN_RATES, confusion


def official_and_folds(context: StudyContext) -> list[SplitIndices]:
    """List the official split and then each fold of the cross-validation.

    Parameters
    ----------
    context : StudyContext

    Returns
    -------
    list of SplitIndices
        The official split scores ``validation`` and ``test``; a fold scores ``cv``.
    """
    return [context.rows, *fold_rows(context.rows, context.fold).values()]


def fit_cells(
    context: StudyContext,
    cells: Iterable[Cell],
    subsets: Sequence[SplitIndices],
    title: str,
    matrices: Mapping[str, Matrix] | None = None,
) -> dict[Cell, list[CellResult]]:
    """Fit every cell on every subset of the images.

    Parameters
    ----------
    context : StudyContext
    cells : iterable of Cell
    subsets : sequence of SplitIndices
        Images to fit on and to score.
    title : str
        Shown beside the progress.
    matrices : dict of matrices of shape (n, d), float32, optional
        By feature family; those of ``context`` by default.

    Returns
    -------
    dict of list of CellResult
        Results of each cell, in the order of ``subsets``.
    """
    cells, count = list(cells), len(subsets)
    tasks = [(cell, subset) for cell in cells for subset in subsets]
    given = context.matrices if matrices is None else matrices
    results = list(fit_each(tasks, given, context.config, title))
    return {cell: results[k * count : (k + 1) * count] for k, cell in enumerate(cells)}


def status_of(results: Iterable[CellResult]) -> tuple[str, str]:
    """Return status and reason of the first fit that failed.

    Parameters
    ----------
    results : iterable of CellResult

    Returns
    -------
    status : str
        ``ok`` if no fit failed.
    reason : str
        Empty if no fit failed.
    """
    failed = ((result.status, result.reason) for result in results if result.status != "ok")
    return next(failed, ("ok", ""))


def held_out_scores(fold: NDArray[np.integer], results: Sequence[CellResult]) -> Floats:
    """Join the held-out scores of all folds.

    Parameters
    ----------
    fold : ndarray of shape (n,)
        Fold of each training image.
    results : sequence of CellResult
        One per fold, in ascending order.

    Returns
    -------
    ndarray of shape (n,)
        Scores in the order of the training images.
    """
    by_fold = zip(np.unique(fold), results, strict=True)
    return in_training_order(fold, {int(k): result.scores[CV] for k, result in by_fold})


def scores_by_split(context: StudyContext, results: Sequence[CellResult]) -> dict[str, Floats]:
    """Collect the scores of one cell by split.

    Parameters
    ----------
    context : StudyContext
    results : sequence of CellResult
        Of the subsets of :func:`official_and_folds`, or of the official split only.

    Returns
    -------
    dict of ndarray
        ``validation`` and ``test``; ``cv``, in the order of the training images, if the folds
        are given.
    """
    official, *folds = results
    if not folds:
        return official.scores
    return {**official.scores, CV: held_out_scores(context.fold, folds)}


def rates_at(label: Labels, score: Floats, threshold: float | Floats) -> dict[str, float]:
    """Compute precision, recall and specificity at a threshold.

    Parameters
    ----------
    label : ndarray of shape (n,)
        1 = positive.
    score : ndarray of shape (n,)
    threshold : float or ndarray of shape (n,)
        Scores of at least the threshold are predicted positive.

    Returns
    -------
    dict of float
    """
    at = confusion(label, score >= threshold)
    return {name: float(getattr(at, name)) for name in MAIN_RATES}
