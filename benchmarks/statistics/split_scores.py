"""Scores of several cells on one split, as the input of all statistics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.io.results import Results, RunError
from benchmarks.metrics.arrays import Floats
from benchmarks.metrics.bootstrap import SEED, THRESHOLD_SEED, PatientBootstrap
from benchmarks.metrics.operating_points import TARGET_RECALL, thresholds_in_draws

CHOSEN_POINT = "recall95"  # the operating point whose threshold is chosen on the validation set


@dataclass(frozen=True, eq=False)
class SplitScores:
    """Images of one split, with the scores of several cells.

    Attributes
    ----------
    image, group, subtype : ndarray of shape (n,), object
        Name, patient and subtype.
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

    def bootstrap(self, seed: int = SEED) -> PatientBootstrap:
        """Draw patients, in the same way as for the intervals of ``scores.csv``.

        Parameters
        ----------
        seed : int

        Returns
        -------
        PatientBootstrap
        """
        return _draws(tuple(self.group), tuple(self.label.tolist()), seed)

    def chosen_thresholds(self, cell: str, recall: float = TARGET_RECALL) -> Floats:
        """Choose a threshold on this split, and again in each draw of its patients.

        Parameters
        ----------
        cell : str
        recall : float in (0, 1]

        Returns
        -------
        ndarray of shape (1 + draws,)
            The draws are independent of those of :meth:`bootstrap` of another split.
        """
        weights = self.bootstrap(THRESHOLD_SEED).with_original()
        return thresholds_in_draws(self.label, self.scores[cell], weights, recall)


@lru_cache(maxsize=4)
def _draws(group: tuple[str, ...], label: tuple[int, ...], seed: int) -> PatientBootstrap:
    return PatientBootstrap.draw(np.array(group, dtype=object), np.array(label), seed)


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


def thresholds_with_draws(
    results: Results, point: str, cells: Sequence[str], draws: int
) -> dict[str, Floats]:
    """Read the thresholds of cells at an operating point, and choose them again in draws.

    Parameters
    ----------
    results : Results
    point : str
        One of ``benchmarks.io.columns.OPERATING_POINTS``.
    cells : sequence of str
    draws : int

    Returns
    -------
    dict of ndarray of shape (1 + draws,)
        By cell: the threshold of ``scores.csv``, then that of each draw of the validation patients;
        a given threshold is the same in all. All NaN for a cell without a threshold.
    """
    fixed = thresholds(results, point)
    found = {cell: np.full(1 + draws, fixed[cell]) for cell in cells if cell in fixed}
    if point == CHOSEN_POINT:
        validation = read_split(results, "validation", cells)
        for cell in validation.scores:
            if cell in found and np.isfinite(fixed[cell]):
                found[cell][1:] = validation.chosen_thresholds(cell)[1:]
    return found
