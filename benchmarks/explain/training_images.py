"""Training images of a finished run, read again with their features: neighbours, background."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.config import RunConfig
from benchmarks.datasets.dataset import DataError
from benchmarks.extraction.extract import extract
from benchmarks.extraction.prepare import prepared
from benchmarks.extraction.store import open_store
from benchmarks.io.image_stack import ImageStack
from benchmarks.io.matrix_file import StoredMatrix
from benchmarks.io.results import Results
from benchmarks.saved.reopened import same_data

BACKGROUND = 100  # training images; SHAP's time grows with their number
NEIGHBOURS = 6
SEED = 0  # of the background's draw


@dataclass(frozen=True)
class TrainingRows:
    """Training images of a run.

    Attributes
    ----------
    manifest : DataFrame of n rows
        Of the run.
    images : ImageStack of shape (n, size, size)
        Prepared, as every model sees them.
    matrices : dict of StoredMatrix of shape (n, d)
        By family.
    """

    manifest: pd.DataFrame
    images: ImageStack
    matrices: dict[str, StoredMatrix]

    def background(self, families: Collection[str]) -> NDArray[np.float32]:
        """Rows of some training images, drawn once for all cells, of shape (m, d)."""
        n = len(self.manifest)
        drawn = np.random.default_rng(SEED).choice(n, min(n, BACKGROUND), replace=False)
        rows = np.sort(drawn)
        return np.concatenate([self.matrices[family][rows] for family in families], axis=1)


@dataclass(frozen=True)
class Neighbours:
    """The training images most like one image, in a feature set's standardised columns.

    Attributes
    ----------
    rows : DataFrame
        Of the manifest, nearest first, with ``distance``.
    pixels : ndarray of shape (k, size, size), uint8
    median : float
        Distance of the median training image, for scale.
    copies : int
        Training images with the same pixels, which were left out.
    """

    rows: pd.DataFrame
    pixels: NDArray[np.uint8]
    median: float
    copies: int


def read_training(
    run: Results, config: RunConfig, families: Collection[str], scratch: Path
) -> TrainingRows:
    """Read a run's training images and describe them, or find their features in the store.

    Parameters
    ----------
    run : Results
    config : RunConfig
        With the place of the data.
    families : collection of str
    scratch : Path
        Folder that lasts as long as the rows are used.

    Raises
    ------
    DataError
        If the data are not there, or are not the run's.
    """
    dataset = same_data(run, config)
    train = np.flatnonzero((run.manifest["split"] == "train").to_numpy())
    images = prepared(dataset.images, config).take(train)
    with open_store(config) as store:
        extracted = extract(images, config, families, scratch, store)
    for family, (_, reason) in extracted.reasons.items():
        raise DataError(f"{family}: {reason}")
    manifest = run.manifest.iloc[train].reset_index(drop=True)
    return TrainingRows(manifest, images, extracted.matrices)


def find_neighbours(
    training: TrainingRows,
    families: Collection[str],
    rows: dict[str, NDArray[np.float32]],
    image: NDArray[np.uint8],
    itself: str,
) -> Neighbours:
    """Find the training images nearest to one image in a feature set.

    Parameters
    ----------
    training : TrainingRows
    families : collection of str
    rows : dict of ndarray of shape (1, d)
        The image's features by family.
    image : ndarray of shape (size, size), uint8
        Prepared.
    itself : str
        Its sha256, or that under which the run has it.
    """
    squared = np.zeros(len(training.manifest))
    for family in families:
        others = training.matrices[family][:]
        _, scale = standardised(others, rows[family][0])
        squared += squared_distances(others, rows[family][0], scale)
    same = (training.manifest["sha256"] == itself).to_numpy(copy=True)
    for row in np.flatnonzero(squared == 0):
        same[row] |= np.array_equal(training.images[row], image)
    chosen = nearest(squared, NEIGHBOURS, same)
    found = training.manifest.iloc[chosen].assign(distance=np.sqrt(squared[chosen]))
    median = float(np.sqrt(np.median(squared[~same]))) if (~same).any() else float("nan")
    return Neighbours(found, training.images[chosen], median, int(same.sum()))


def recorded_cache(run: Results, config: RunConfig, cache: Path | None) -> RunConfig:
    """Choose the feature store: the one given, else the run's own if it is still here."""
    recorded = run.run["config"].get("cache")
    if cache is None and recorded is not None and Path(recorded).is_dir():
        cache = Path(recorded)
    return config.model_copy(update={"cache": cache})


Floats = NDArray[np.float64]
CHUNK = 512  # rows in float64 at once


def standardised(
    rows: NDArray[np.floating], row: NDArray[np.floating]
) -> tuple[NDArray[np.float64], Floats]:
    """How far one row is from the mean of others, in their standard deviations.

    Parameters
    ----------
    rows : ndarray of shape (n, d)
    row : ndarray of shape (d,)

    Returns
    -------
    z : ndarray of shape (d,), float64
        0 in columns that are constant.
    scale : ndarray of shape (d,), float64
        Standard deviations of the columns; infinite where constant.

    Examples
    --------
    >>> z, scale = standardised(np.array([[1.0, 7.0], [3.0, 7.0]]), np.array([4.0, 8.0]))
    >>> z.tolist(), scale.tolist()
    ([2.0, 0.0], [1.0, inf])
    """
    mean = rows.mean(axis=0, dtype=np.float64)
    square = np.zeros(rows.shape[1])
    for start in range(0, len(rows), CHUNK):
        square += ((rows[start : start + CHUNK] - mean) ** 2).sum(axis=0)
    scale = np.sqrt(square / len(rows))
    flat = scale <= 1e-9 * np.maximum(1.0, np.abs(mean))
    scale[flat] = np.inf
    return (row - mean) / scale, scale


def squared_distances(
    rows: NDArray[np.floating], row: NDArray[np.floating], scale: Floats
) -> Floats:
    """Squared Euclidean distances of one row to others, each column divided by its scale.

    Squares add up over the families of a feature set.

    Parameters
    ----------
    rows : ndarray of shape (n, d)
    row : ndarray of shape (d,)
    scale : ndarray of shape (d,)
        From :func:`standardised`.

    Returns
    -------
    ndarray of shape (n,), float64

    Examples
    --------
    >>> rows = np.array([[1.0, 7.0], [3.0, 7.0]])
    >>> squared_distances(rows, np.array([4.0, 8.0]), np.array([1.0, np.inf])).tolist()
    [9.0, 1.0]
    """
    parts = [
        (((rows[start : start + CHUNK] - row) / scale) ** 2).sum(axis=1)
        for start in range(0, len(rows), CHUNK)
    ]
    return np.concatenate(parts) if parts else np.empty(0)


def nearest(squared: Floats, k: int, left_out: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Positions of the k smallest distances, nearest first; of equal ones the first row's.

    Parameters
    ----------
    squared : ndarray of shape (n,)
    k : int
        Fewer are returned where fewer are left.
    left_out : ndarray of shape (n,), bool
        Rows that don't count: the image itself.

    Examples
    --------
    >>> nearest(np.array([0.0, 4.0, 1.0, 4.0]), 2, np.array([True, False, False, False])).tolist()
    [2, 1]
    """
    order = np.argsort(squared, kind="stable")
    return order[~left_out[order]][:k]
