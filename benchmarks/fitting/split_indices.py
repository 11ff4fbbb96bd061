"""Row numbers of the images that a cell is fitted on and of those that it scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SCORED_SPLITS = ("validation", "test")


@dataclass(frozen=True)
class SplitIndices:
    """Row numbers of the images to fit on and of the images to score.

    Attributes
    ----------
    label : ndarray of shape (n,), int
        Label of every image.
    group : ndarray of shape (n,), object
        Patient of every image.
    train : ndarray of int
        Images to fit on.
    parts : dict of ndarray of int
        Images to score, by name: ``validation`` and ``test``, or ``cv`` for a held-out fold.
    """

    label: NDArray[np.integer]
    group: NDArray[np.object_]
    train: NDArray[np.intp]
    parts: dict[str, NDArray[np.intp]]

    @classmethod
    def of_manifest(cls, manifest: pd.DataFrame) -> SplitIndices:
        """Take the split from the ``split`` column of a manifest.

        Parameters
        ----------
        manifest : DataFrame
            With the columns ``label``, ``group`` and ``split``.

        Returns
        -------
        SplitIndices
        """
        split = manifest["split"].to_numpy()
        return cls(
            label=manifest["label"].to_numpy(dtype=np.int64),
            group=manifest["group"].to_numpy(dtype=object),
            train=np.flatnonzero(split == "train"),
            parts={name: np.flatnonzero(split == name) for name in SCORED_SPLITS},
        )
