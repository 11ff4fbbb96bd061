"""Fit and score many cells in parallel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from joblib import delayed

from benchmarks.config import RunConfig
from benchmarks.fitting.cell import Cell
from benchmarks.fitting.cell_result import CellResult, failure
from benchmarks.fitting.fit import Matrix, fit_on_features
from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.io.progress import track
from benchmarks.io.workers import WORKER_KILLED, in_own_worker, parallel


class FitTask(NamedTuple):
    """A cell, the images to fit it on and to score, and the number of the held-out fold or 0."""

    cell: Cell
    rows: SplitIndices
    fold: int = 0


def fit_each(
    tasks: Sequence[FitTask | tuple[Cell, SplitIndices]],
    matrices: Mapping[str, Matrix],
    config: RunConfig,
    title: str,
    *,
    keep_model: bool = False,
    ordered: bool = True,
) -> Iterator[CellResult]:
    """Fit and score cells in worker processes, with one thread per cell.

    Parameters
    ----------
    tasks : sequence of FitTask or (Cell, SplitIndices)
    matrices : dict of matrices of shape (n, d), float32
        By feature family.
    config : RunConfig
        ``jobs`` and ``quiet`` apply.
    title : str
        Shown beside the progress.
    keep_model : bool
        Whether the results hold the fitted models; then each image is scored separately.
    ordered : bool
        Whether results come in the order of ``tasks``, or as soon as they are ready.

    Yields
    ------
    CellResult
        One per task.

    Notes
    -----
    If a worker process is killed, for example because memory ran out, the unfinished tasks are
    repeated one at a time, each in a worker process of its own. A task whose worker is killed again
    gets a result with the status ``failed``.
    """
    left = {k: FitTask(*task) for k, task in enumerate(tasks)}
    unit = "fits" if ordered or any(task.fold for task in left.values()) else "cells"
    work = parallel(config.jobs, return_as="generator" if ordered else "generator_unordered")(
        delayed(_fit)(k, task, {name: matrices[name] for name in task.cell.families}, keep_model)
        for k, task in left.copy().items()
    )
    try:
        for k, result in track(work, title, len(tasks), unit, config.quiet):
            del left[k]
            yield result
    except WORKER_KILLED:
        for k, task in left.items():
            own = {name: matrices[name] for name in task.cell.families}
            try:
                yield in_own_worker(_fit, k, task, own, keep_model)[1]
            except WORKER_KILLED as error:
                yield failure(task.cell, error, task.fold)


def _fit(
    k: int, task: FitTask, matrices: Mapping[str, Matrix], keep_model: bool
) -> tuple[int, CellResult]:
    return k, fit_on_features(task.cell, matrices, task.rows, keep_model, task.fold)
