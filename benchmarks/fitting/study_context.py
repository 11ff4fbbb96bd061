"""What a study is given, and how it fits many cells side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import delayed
from numpy.typing import NDArray

from benchmarks.config import RunConfig
from benchmarks.fitting.cell import Cell
from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.fit import Matrix, fit_on_features
from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.io.image_stack import ImageStack
from benchmarks.io.progress import track
from benchmarks.io.workers import parallel


@dataclass(frozen=True)
class StudyContext:
    """A run as its studies see it: finished cells, features, images.

    Attributes
    ----------
    config : RunConfig
    manifest : DataFrame of n rows
        With ``split`` as assigned and ``bytes``, the size of the file.
    rows : SplitIndices
        The official split: fit on ``train``, score ``validation`` and ``test``.
    fold : ndarray of shape (len(rows.train),)
        Fold of each training image; every study has the folds of the run (5 where it has none).
    images : ImageStack of shape (n, size, size)
        Prepared images.
    matrices : dict of matrices of shape (n, d), float32
        By feature family; families that could not be computed are missing.
    finished : dict of CellResult
        Of the cells on features that are done, by their names, in the order of the run.
    folder : Path
        The run folder, which keeps their fitted models.
    """

    config: RunConfig
    manifest: pd.DataFrame
    rows: SplitIndices
    fold: NDArray[np.integer]
    images: ImageStack
    matrices: Mapping[str, Matrix]
    finished: Mapping[str, CellResult]
    folder: Path


def fit_each(
    tasks: Sequence[tuple[Cell, SplitIndices]],
    matrices: Mapping[str, Matrix],
    config: RunConfig,
    name: str,
    keep_model: bool = False,
) -> Iterator[CellResult]:
    """Fit and score cells side by side, one thread each; yield outcomes in the order of tasks.

    Parameters
    ----------
    tasks : sequence of (Cell, SplitIndices)
        What to fit, on which rows.
    matrices : dict of matrices of shape (n, d), float32
        By feature family.
    config : RunConfig
        ``jobs`` and ``quiet`` apply.
    name : str
        Of the study, for the display.
    keep_model : bool
        Whether the outcomes hold the fitted models; then each image is scored by itself.
    """
    outcomes = parallel(config.jobs, return_as="generator")(
        delayed(fit_on_features)(
            cell, {name: matrices[name] for name in cell.families}, rows, keep_model=keep_model
        )
        for cell, rows in tasks
    )
    yield from track(outcomes, name, len(tasks), "fits", config.quiet)
