"""Training images of a finished run: background sample and nearest neighbours of an image."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.config import ConfigError, RunConfig
from benchmarks.datasets.dataset import DataError
from benchmarks.extraction.extract import extract
from benchmarks.extraction.prepare import load_preparation
from benchmarks.extraction.store import open_store
from benchmarks.io.image_stack import ImageStack
from benchmarks.io.matrix_file import StoredMatrix
from benchmarks.io.results import Results
from benchmarks.saved.reopen_run import given_of_run, load_same_data

BACKGROUND = 100  # training images; the time of SHAP grows with their number
NEIGHBOURS = 6
SEED = 0  # of the background sample


@dataclass(frozen=True)
class TrainingRows:
    """Training images of a run, with their features.

    Attributes
    ----------
    manifest : DataFrame of n rows
        Their rows of the manifest.
    images : ImageStack of shape (n, size, size)
        Prepared, as all models receive them.
    matrices : dict of StoredMatrix of shape (n, d)
        By family.
    """

    manifest: pd.DataFrame
    images: ImageStack
    matrices: dict[str, StoredMatrix]

    def background(self, families: Collection[str]) -> NDArray[np.float32]:
        """Return the features of a random sample of training images, the same for all cells.

        Parameters
        ----------
        families : collection of str

        Returns
        -------
        ndarray of shape (m, d), float32
        """
        n = len(self.manifest)
        drawn = np.random.default_rng(SEED).choice(n, min(n, BACKGROUND), replace=False)
        rows = np.sort(drawn)
        return np.concatenate([self.matrices[family][rows] for family in families], axis=1)


@dataclass(frozen=True)
class Neighbours:
    """The nearest training images of an image, in the standardised columns of a feature set.

    Attributes
    ----------
    rows : DataFrame
        Rows of the manifest, nearest first, with ``distance``.
    pixels : ndarray of shape (k, size, size), uint8
    median : float
        Median distance over all training images, for scale.
    copies : int
        Number of training images with the same pixels, which are excluded.
    """

    rows: pd.DataFrame
    pixels: NDArray[np.uint8]
    median: float
    copies: int


def read_training(
    run: Results, config: RunConfig, families: Collection[str], scratch: Path
) -> TrainingRows:
    """Read the training images of a run, with features from the store or computed again.

    Parameters
    ----------
    run : Results
    config : RunConfig
        Its ``data`` are where the data are now.
    families : collection of str
    scratch : Path
        Folder that exists as long as the rows are used.

    Raises
    ------
    DataError
        If the data or a table are missing, or are not those of the run.
    """
    dataset = load_same_data(run, config)
    try:
        given = given_of_run(run, config, families)
    except ConfigError as error:
        raise DataError(str(error)) from error
    train = np.flatnonzero((run.manifest["split"] == "train").to_numpy())
    preparation = load_preparation(run.folder, config)
    images = preparation.applied_to(ImageStack.of(dataset.images).take(train), config.quiet)
    with open_store(config) as store:
        own = {name: replace(one, matrix=one.matrix[train]) for name, one in given.items()}
        extracted = extract(images, config, families, scratch, store, own)
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
    """Find the nearest training images of an image in a feature set.

    Parameters
    ----------
    training : TrainingRows
    families : collection of str
    rows : dict of ndarray of shape (1, d)
        Features of the image, by family.
    image : ndarray of shape (size, size), uint8
        Prepared.
    itself : str
        Its sha256 in the manifest, if the run contains the image; otherwise, that of the file.
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
    """Select the feature store: the given one, or that of the run if it still exists.

    Parameters
    ----------
    run : Results
    config : RunConfig
    cache : Path, optional
        Given folder.

    Returns
    -------
    RunConfig
        With ``cache`` set.
    """
    recorded = run.run["config"].get("cache")
    if cache is None and recorded is not None and Path(recorded).is_dir():
        cache = Path(recorded)
    return config.model_copy(update={"cache": cache})


Floats = NDArray[np.float64]
CHUNK = 512  # rows in float64 at once


def standardised(
    rows: NDArray[np.floating], row: NDArray[np.floating]
) -> tuple[NDArray[np.float64], Floats]:
    """Standardise a row with the mean and standard deviation of other rows.

    Parameters
    ----------
    rows : ndarray of shape (n, d)
    row : ndarray of shape (d,)

    Returns
    -------
    z : ndarray of shape (d,), float64
        0 in constant columns.
    scale : ndarray of shape (d,), float64
        Standard deviations of the columns; infinite for constant columns.

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
    """Compute squared Euclidean distances between a row and other rows, in scaled columns.

    They add up over the families of a feature set.

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


def nearest(squared: Floats, k: int, excluded: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Find the k smallest distances, in increasing order; ties go to the first row.

    Parameters
    ----------
    squared : ndarray of shape (n,)
    k : int
        Fewer are returned if there are fewer rows.
    excluded : ndarray of shape (n,), bool
        Rows to exclude: the image itself.

    Examples
    --------
    >>> nearest(np.array([0.0, 4.0, 1.0, 4.0]), 2, np.array([True, False, False, False])).tolist()
    [2, 1]
    """
    order = np.argsort(squared, kind="stable")
    return order[~excluded[order]][:k]
