"""Scores of several cells on one split, as the input of all statistics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.io.results import Results, RunError
from benchmarks.metrics.arrays import Floats
from benchmarks.metrics.bootstrap import PatientBootstrap


@dataclass(frozen=True, eq=False)
class SplitScores:
    """Images of one split, with the scores of several cells.

    Attributes
    ----------
    image, group, subtype : ndarray of shape (n,), object
        Name, patient and kind of pneumonia.
    label : ndarray of shape (n,), int64
    fold : ndarray of shape (n,), int64
        0 outside cross-validation.
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
        """Draw patients, in the same way as for the intervals of ``scores.csv``.

        Returns
        -------
        PatientBootstrap
        """
        return _draws(tuple(self.group), tuple(self.label.tolist()))


@lru_cache(maxsize=3)
def _draws(group: tuple[str, ...], label: tuple[int, ...]) -> PatientBootstrap:
    return PatientBootstrap.draw(np.array(group, dtype=object), np.array(label), seed=0)


def methods(results: Results) -> list[str]:
    """List the first finished cell of each method (features × model), in the order of the run.

    Parameters
    ----------
    results : Results

    Returns
    -------
    list of str
    """
    done = results.scores[results.scores["status"] == "ok"]
    first = done.drop_duplicates(["features", "model"])
    return [str(name) for name in first["cell"]]


def read_split(results: Results, split: str, cells: Sequence[str]) -> SplitScores:
    """Read the scores of some cells on one split.

    Parameters
    ----------
    results : Results
    split : str
        ``validation``, ``test`` or ``cv``.
    cells : sequence of str
        Cells without scores on the split are left out.

    Returns
    -------
    SplitScores

    Raises
    ------
    RunError
        If the cells did not score the same images in the same order.
    """
    table = results.predictions
    table = table[(table["split"] == split) & table["cell"].isin(list(cells))]
    parts = {str(name): part for name, part in table.groupby("cell", sort=False)}
    first = next(iter(parts.values()), table)
    images = first["image"].to_numpy(dtype=object)
    for name, part in parts.items():
        if not np.array_equal(part["image"].to_numpy(dtype=object), images):
            raise RunError(
                f"{results.folder / 'predictions.csv'}: got different {split} images for {name} "
                f"and {next(iter(parts))}, but expected the same. Run the benchmark again."
            )
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
    """Read the threshold of each finished cell at an operating point of the test set.

    Parameters
    ----------
    results : Results
    point : str
        One of ``benchmarks.io.columns.OPERATING_POINTS``.

    Returns
    -------
    dict of float
        By cell.
    """
    table = results.scores
    table = table[
        (table["split"] == "test") & (table["operating_point"] == point) & (table["status"] == "ok")
    ]
    return dict(zip(table["cell"].astype(str), table["threshold"].astype(float), strict=True))
