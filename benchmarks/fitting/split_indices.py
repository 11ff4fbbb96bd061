"""Which images a cell is fitted on and which it scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class SplitIndices:
    """Which images to fit on and which to score, given by position.

    Attributes
    ----------
    label, group : ndarrays of shape (n,)
        Of all images: label and patient.
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
        """Rows of the official split."""
        split = manifest["split"].to_numpy()
        return cls(
            label=manifest["label"].to_numpy(dtype=np.int64),
            group=manifest["group"].to_numpy(dtype=object),
            train=np.flatnonzero(split == "train"),
            parts={name: np.flatnonzero(split == name) for name in ("validation", "test")},
        )
