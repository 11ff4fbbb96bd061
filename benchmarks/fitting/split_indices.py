"""Row numbers of the images that a cell is fitted on and of those that it scores."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.extraction.variants import Variants

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
    variants : Variants or None
        Rows of the copies and views of the images; None: each image has one row.
    """

    label: NDArray[np.integer]
    group: NDArray[np.object_]
    train: NDArray[np.intp]
    parts: dict[str, NDArray[np.intp]]
    variants: Variants | None = None

    @classmethod
    def of_manifest(cls, manifest: pd.DataFrame, augment: int = 0, views: int = 1) -> SplitIndices:
        """Take the split from the ``split`` column of a manifest.

        Parameters
        ----------
        manifest : DataFrame
            With the columns ``label``, ``group`` and ``split``.
        augment : int
            Changed copies of each training image that a classifier is fitted on, too.
        views : int
            Views of a scored image whose scores are averaged, counting the image itself.

        Returns
        -------
        SplitIndices
        """
        split = manifest["split"].to_numpy()
        train = np.flatnonzero(split == "train")
        several = augment > 0 or views > 1
        return cls(
            label=manifest["label"].to_numpy(dtype=np.int64),
            group=manifest["group"].to_numpy(dtype=object),
            train=train,
            parts={name: np.flatnonzero(split == name) for name in SCORED_SPLITS},
            variants=Variants.of(len(manifest), train, augment, views) if several else None,
        )

    def to_fit(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """List the rows to fit on, with the copies of the training images.

        Returns
        -------
        rows : ndarray of int
            Rows of a feature matrix.
        images : ndarray of int
            The image that each row shows, for its label and patient.
        """
        if self.variants is None:
            return self.train, self.train
        return self.variants.to_fit(self.train)

    def to_score(self, part: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        """List the rows whose scores are averaged.

        Parameters
        ----------
        part : ndarray of int
            Images to score.

        Returns
        -------
        list of ndarray of int
            Rows of the images, then of each further view.
        """
        return [part] if self.variants is None else self.variants.to_score(part)

    def without_variants(self) -> SplitIndices:
        """Return the same images with one row each."""
        return replace(self, variants=None)
