"""What the checks of an audit look at: all images compared with each other, and each read once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.audit.class_marks import cell_statistics
from benchmarks.audit.near_duplicates import near_duplicates
from benchmarks.audit.patient_groups import components
from benchmarks.datasets.dataset import Dataset
from benchmarks.io.image_stack import ImageStack
from features.preprocessing.typical_images import (
    FEWEST,
    SIDE,
    Nearest,
    Thumbnails,
    TypicalImages,
    thumbnails,
)
from features.reading.preprocess import grey_percentiles

FLAT = 8  # grey levels; 95 % of the pixels of a nearly empty image span fewer
_CHUNK = 64  # images in memory at once


@dataclass(frozen=True)
class Evidence:
    """What the checks look at.

    Attributes
    ----------
    dataset : Dataset
        With splits as found.
    exact : list of tuple of int
        Manifest rows of identical content.
    near : list of tuple of int
        Manifest rows of nearly the same image; of rows of identical content only the first.
    span : ndarray of shape (n,), float64
        Grey levels between the 2.5th and the 97.5th percentile of each image.
    margins : ndarray of shape (n, C, 2), float32
        Grey values beside the lungs; see :func:`benchmarks.audit.class_marks.cell_statistics`.
    small : ndarray of shape (n, 16, 16), float32
        From :func:`features.preprocessing.typical_images.thumbnails`.
    training : ndarray of shape (m, 16, 16), float32, or None
        Thumbnails of the training images of a run, for a set without its own.
    """

    dataset: Dataset
    exact: list[tuple[int, ...]]
    near: list[tuple[int, ...]]
    span: NDArray[np.float64]
    margins: NDArray[np.float32]
    small: Thumbnails
    training: Thumbnails | None = None

    @cached_property
    def typical(self) -> TypicalImages | None:
        """Model of the training images that are not empty; None with fewer than 40."""
        train = (self.manifest["split"] == "train").to_numpy() & ~self.empty
        small = self.small[train] if self.training is None else self.training
        return TypicalImages.fit(small) if len(small) >= FEWEST else None

    @cached_property
    def nearest(self) -> Nearest | None:
        """Distance of each image to the training images, and its nearest version."""
        return self.typical.nearest(self.small) if self.typical else None

    @property
    def empty(self) -> NDArray[np.bool_]:
        """Whether each image is constant or nearly empty."""
        return self.span < FLAT

    @property
    def manifest(self) -> pd.DataFrame:
        """Manifest of the data set."""
        return self.dataset.manifest

    def values(self, rows: Iterable[int], column: str) -> list[str]:
        """List the distinct values of some rows.

        Parameters
        ----------
        rows : iterable of int
            Positions in the manifest.
        column : str
            Column of the manifest.

        Returns
        -------
        list of str
            Sorted.
        """
        return sorted(set(self.manifest[column].iloc[list(rows)]))


def gather(dataset: Dataset, training: Thumbnails | None = None) -> Evidence:
    """Compare all images with each other, and read each once.

    Parameters
    ----------
    dataset : Dataset
        With splits as found.
    training : ndarray of shape (m, 16, 16), float32, optional
        Thumbnails of the training images of a run, for a set without its own.

    Returns
    -------
    Evidence
    """
    manifest, stack = dataset.manifest, ImageStack.of(dataset.images)
    content: dict[str, list[int]] = {}
    for row, sha256 in enumerate(manifest["sha256"]):
        content.setdefault(sha256, []).append(row)
    exact = [tuple(rows) for rows in content.values() if len(rows) > 1]
    firsts = np.array([rows[0] for rows in content.values()], dtype=np.intp)
    pairs = near_duplicates(stack.take(firsts))[["first", "second"]].to_numpy(dtype=np.intp)
    span, margins = np.empty(len(stack)), []
    small = np.empty((len(stack), SIDE, SIDE), np.float32)
    for start in range(0, len(stack), _CHUNK):
        images = stack[start : start + _CHUNK]
        margins.append(cell_statistics(images))
        small[start : start + _CHUNK] = thumbnails(images)
        for k, image in enumerate(images, start):
            low, high = grey_percentiles(image, 2.5, 97.5)
            span[k] = high - low
    near = components(len(manifest), firsts[pairs])
    return Evidence(dataset, exact, near, span, np.concatenate(margins), small, training)
