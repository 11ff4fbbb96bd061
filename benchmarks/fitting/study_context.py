"""What a study receives: the finished cells, features and images of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.config import RunConfig
from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.fit import Matrix
from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.io.image_stack import ImageStack


@dataclass(frozen=True)
class StudyContext:
    """Finished cells, features and images of a run.

    Attributes
    ----------
    config : RunConfig
    manifest : DataFrame of n rows
        With ``split`` as assigned and ``bytes``, the size of the file.
    rows : SplitIndices
        The official split: fit on ``train``, score ``validation`` and ``test``.
    fold : ndarray of shape (len(rows.train),)
        Fold of each training image: the folds of the run, or 5 if it has none.
    images : ImageStack of shape (n, size, size)
        Prepared images.
    matrices : dict of matrices of shape (n, d), float32
        By feature family, without the families that could not be computed.
    finished : dict of CellResult
        Results of the finished cells on features, by cell name, in the order of the run.
    folder : Path
        The run folder, with the fitted models.
    """

    config: RunConfig
    manifest: pd.DataFrame
    rows: SplitIndices
    fold: NDArray[np.integer]
    images: ImageStack
    matrices: Mapping[str, Matrix]
    finished: Mapping[str, CellResult]
    folder: Path
