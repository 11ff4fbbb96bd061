"""What a data set is to the benchmark: images, a manifest, and where they came from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.image_stack import ImageStack

MANIFEST_COLUMNS = [
    "image", "label", "class", "subtype", "group", "split", "sha256", "width", "height", "frames",
    "bytes",
]  # fmt: skip
CLASSES = ("NORMAL", "PNEUMONIA")


class DataError(ValueError):
    """The data can't be used; the message says what was found, expected, and the remedy."""


@dataclass(frozen=True)
class Dataset:
    """Images of one data set with everything the protocol needs to know of each.

    Attributes
    ----------
    name : str
        Short name, used in the run folder's name and the report.
    images : ndarray or ImageStack of shape (n, S, S), uint8
        Grey images, resized but otherwise as found; row ``i`` belongs to manifest row ``i``.
    manifest : DataFrame of n rows
        ``image`` (identifier: the path inside the data folder), ``label`` (1 = PNEUMONIA),
        ``class`` (NORMAL or PNEUMONIA), ``subtype`` (bacteria, virus or empty), ``group`` (the
        patient), ``split`` (train, validation or test), ``sha256`` (of the content), ``width``
        and ``height`` (pixels, as found, after EXIF orientation), ``frames`` (in the file),
        ``bytes`` (size of the file; 0 for images that have none of their own). Sorted by ``image``.
    licence, citation : str
        Of the data, for the report.
    synthetic : bool
        Whether the images are phantoms.
    masks : ndarray of shape (n, S, S), bool, or None
        Where the lesion is, if known.
    notes : tuple of str
        What a reader of the report must know about how the data was read.
    patients_known : bool
        False if most file names tell no patient, so that images count as their own.
    ignored_files : int
        Hidden files passed over.
    left_out : DataFrame
        ``image``, ``reason``: what could not be read.
    """

    name: str
    images: NDArray[np.uint8] | ImageStack
    manifest: pd.DataFrame
    licence: str
    citation: str
    synthetic: bool = False
    masks: NDArray[np.bool_] | None = None
    notes: tuple[str, ...] = ()
    patients_known: bool = True
    ignored_files: int = 0
    left_out: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=["image", "reason"], dtype=str)
    )


def take(dataset: Dataset, rows: NDArray[np.intp]) -> Dataset:
    """Return the data set of some rows, given by position."""
    return replace(
        dataset,
        images=ImageStack.of(dataset.images).take(rows),
        manifest=dataset.manifest.iloc[rows].reset_index(drop=True),
        masks=None if dataset.masks is None else dataset.masks[rows],
    )
