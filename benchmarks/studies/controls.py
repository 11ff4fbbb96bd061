"""What each shortcut control knows of an image, as columns of numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.regions import MASKS
from benchmarks.fitting.study_context import StudyContext
from benchmarks.io.image_stack import GreyImages, ImageStack
from features import Hog, Lbp
from features.reading.preprocess import resize

Columns = NDArray[np.float32]
CELLS, LBP_GRID = 6, 4  # cells a side: coarse, so that a default run stays quick
THUMBNAIL = 16  # pixels a side
STEPS = 9  # cuts of a single number, at its tenths
CHUNK = 256  # images in memory at once


class UnavailableError(ValueError):
    """The data do not tell what the control would know; the message says what is missing."""


def size(context: StudyContext) -> Columns:
    """Width, height, aspect ratio, and bytes of the file where there is one.

    Raises
    ------
    UnavailableError
        If all images are of one size and have no files of their own.
    """
    table = context.manifest
    known = {
        "width": table["width"], "height": table["height"],
        "aspect": table["width"] / table["height"], "bytes": table["bytes"],
    }  # fmt: skip
    varying = [column.to_numpy(dtype=float) for column in known.values() if column.nunique() > 1]
    if not varying:
        raise UnavailableError("all images have one size and no files of their own")
    return np.hstack([stepped(column, context.rows.train) for column in varying])


def number(context: StudyContext) -> Columns:
    """Patient number, the last digits of the patient's name.

    Raises
    ------
    UnavailableError
        If a patient's name has no digits.
    """
    found = [re.search(r"(\d+)\D*$", str(name)) for name in context.manifest["group"]]
    if not all(found):
        raise UnavailableError("not every patient's name has a number")
    values = np.array([float(match.group(1)) for match in found if match])
    return stepped(values, context.rows.train)


def stepped(values: NDArray[np.float64], train: NDArray[np.intp]) -> Columns:
    """Write a number as itself and as whether it exceeds each tenth of the training images.

    A linear classifier of the number alone could only tell large from small.

    Parameters
    ----------
    values : ndarray of shape (n,)
    train : ndarray of int
        Images that the tenths are taken from; labels have no part in it.

    Returns
    -------
    ndarray of shape (n, 1 + k), float32
        The number over its largest size in ``train``, then k ≤ 9 columns of 0 or 1.

    Examples
    --------
    >>> stepped(np.arange(11.0), np.arange(11))[4].tolist()[1:]
    [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    cuts = np.unique(np.quantile(values[train], np.arange(1, STEPS + 1) / (STEPS + 1)))
    scale = max(float(np.abs(values[train]).max()), 1e-12)
    return np.column_stack([values / scale, values[:, None] > cuts]).astype(np.float32)


def thumbnail(images: GreyImages) -> Columns:
    """Grey values of each image shrunk to 16 × 16 by area averages: (n, S, S) to (n, 256)."""
    small = [resize(image, THUMBNAIL).ravel() for image in images]
    return np.stack(small).astype(np.float32)


def region(images: GreyImages, name: str) -> Columns:
    """Coarse HOG and LBP of images in which all but one region is black.

    Parameters
    ----------
    images : ndarray of shape (n, S, S), uint8
    name : str
        A key of ``MASKS``.

    Returns
    -------
    ndarray of shape (n, d), float32
    """
    side = images.shape[1]
    seen = np.where(MASKS[name](side), images, np.uint8(0))
    return np.hstack(
        [Hog(cell=side // CELLS).transform(seen), Lbp(radii=(1,), grid=LBP_GRID).transform(seen)]
    )


FROM_MANIFEST: dict[str, Callable[[StudyContext], Columns]] = {"size": size, "number": number}
FROM_IMAGES: dict[str, Callable[[GreyImages], Columns]] = {
    "thumbnail": thumbnail,
    **{name: partial(region, name=name) for name in MASKS},
}
CONTROLS = (*FROM_MANIFEST, *FROM_IMAGES)


def from_images(images: ImageStack) -> dict[str, Columns]:
    """Columns of every control in ``FROM_IMAGES``; each image is read once.

    Parameters
    ----------
    images : ImageStack of shape (n, S, S)
    """
    parts: dict[str, list[Columns]] = {name: [] for name in FROM_IMAGES}
    for start in range(0, len(images), CHUNK):
        chunk = images[start : start + CHUNK]
        for name, describe in FROM_IMAGES.items():
            parts[name].append(describe(chunk))
    return {name: np.concatenate(columns) for name, columns in parts.items()}
