"""What all statistics read: one cell a method, and its scores side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.io.results import Results
from benchmarks.metrics.arrays import Floats
from benchmarks.metrics.bootstrap import PatientBootstrap


@dataclass(frozen=True, eq=False)
class SplitScores:
    """Images of one split with the scores of several cells.

    Attributes
    ----------
    image, group, subtype : ndarrays of shape (n,), object
    label : ndarray of shape (n,), int64
    fold : ndarray of shape (n,), int64
        0 outside a cross-validation.
    scores : dict of ndarray of shape (n,)
        By cell.
    """

    image: NDArray[np.object_]
    group: NDArray[np.object_]
    subtype: NDArray[np.object_]
    label: NDArray[np.int64]
    fold: NDArray[np.int64]
    scores: dict[str, Floats]

    def bootstrap(self) -> PatientBootstrap:
        """Draws of patients, the same that the intervals of ``scores.csv`` come from."""
        return _draws(tuple(self.group), tuple(self.label.tolist()))


@lru_cache(maxsize=3)
def _draws(group: tuple[str, ...], label: tuple[int, ...]) -> PatientBootstrap:
    return PatientBootstrap.draw(np.array(group, dtype=object), np.array(label), seed=0)


def methods(results: Results) -> list[str]:
    """Name the first finished cell of each method (features × model), in the order of the run."""
    done = results.scores[results.scores["status"] == "ok"]
    first = done.drop_duplicates(["features", "model"])
    return [str(name) for name in first["cell"]]


def read_split(results: Results, split: str, cells: Sequence[str]) -> SplitScores:
    """Put the scores of some cells on one split side by side.

    Parameters
    ----------
    results : Results
    split : str
        ``validation``, ``test`` or ``cv``.
    cells : sequence of str
        Those without scores on the split are left out; all must have scored the same images.

    Raises
    ------
    ValueError
        If they have not.
    """
    table = results.predictions
    table = table[(table["split"] == split) & table["cell"].isin(list(cells))]
    parts = {str(name): part for name, part in table.groupby("cell", sort=False)}
    first = next(iter(parts.values()), table)
    images = first["image"].to_numpy(dtype=object)
    for name, part in parts.items():
        if not np.array_equal(part["image"].to_numpy(dtype=object), images):
            raise ValueError(f"Got other {split} images from {name} than from {next(iter(parts))}.")
    return SplitScores(
        image=images,
        group=first["group"].to_numpy(dtype=object),
        subtype=first["subtype"].to_numpy(dtype=object),
        label=first["label"].to_numpy(dtype=np.int64),
        fold=first["fold"].to_numpy(dtype=np.int64),
        scores={
            name: parts[name]["score"].to_numpy(dtype=float) for name in cells if name in parts
        },
    )


def thresholds(results: Results, point: str) -> dict[str, float]:
    """Threshold of each finished cell at an operating point, as it was used on test."""
    table = results.scores
    table = table[
        (table["split"] == "test") & (table["operating_point"] == point) & (table["status"] == "ok")
    ]
    return dict(zip(table["cell"].astype(str), table["threshold"].astype(float), strict=True))
