"""Features of the shortcut controls: image size, patient number, thumbnail and image regions."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.regions import MASKS
from benchmarks.fitting.study_context import StudyContext
from benchmarks.io.image_stack import GreyImages, ImageStack
from features import Hog, Lbp
from features.reading.preprocess import resize

FeatureMatrix = NDArray[np.float32]
CELLS, LBP_GRID = 6, 4  # cells per side: few, so that a default run stays fast
THUMBNAIL = 16  # pixels per side
DECILES = np.arange(1, 10) / 10
CHUNK = 256  # images in memory at once


class UnavailableError(ValueError):
    """The data lack what the control needs; the message says what is missing."""


def size(context: StudyContext) -> FeatureMatrix:
    """Return width, height, aspect ratio and file size of each image, without constant ones.

    Parameters
    ----------
    context : StudyContext

    Returns
    -------
    ndarray of shape (n, d), float32
        Encoded by :func:`decile_encoding`.

    Raises
    ------
    UnavailableError
        If all of them are constant.
    """
    table = context.manifest
    known = {
        "width": table["width"], "height": table["height"],
        "aspect": table["width"] / table["height"], "bytes": table["bytes"],
    }  # fmt: skip
    varying = [column.to_numpy(dtype=float) for column in known.values() if column.nunique() > 1]
    if not varying:
        raise UnavailableError("all images have the same size and no files of their own")
    return np.hstack([decile_encoding(column, context.rows.train) for column in varying])


def patient_number(context: StudyContext) -> FeatureMatrix:
    """Return the patient number: the last number in the patient's name.

    A patient who is not known has the name of the image; the folder and the ending do not count.

    Parameters
    ----------
    context : StudyContext

    Returns
    -------
    ndarray of shape (n, d), float32
        Encoded by :func:`decile_encoding`.

    Raises
    ------
    UnavailableError
        If a patient's name has no digits.
    """
    images = set(context.manifest["image"])
    names = [
        PurePosixPath(name).stem if name in images else name
        for name in context.manifest["group"].astype(str)
    ]
    found = [re.search(r"(\d+)\D*$", name) for name in names]
    if not all(found):
        raise UnavailableError("not every patient's name has a number")
    values = np.array([float(match.group(1)) for match in found if match])
    return decile_encoding(values, context.rows.train)


def decile_encoding(values: NDArray[np.float64], train: NDArray[np.intp]) -> FeatureMatrix:
    """Encode a number as itself and as indicators of whether it exceeds each decile.

    With the indicators a linear classifier can learn more than a monotonic function of the number.

    Parameters
    ----------
    values : ndarray of shape (n,)
    train : ndarray of int
        Row numbers of the images that the deciles are computed on; labels are not used.

    Returns
    -------
    ndarray of shape (n, 1 + k), float32
        The number divided by its largest absolute value in ``train``, then k ≤ 9 columns of 0
        or 1.

    Examples
    --------
    >>> decile_encoding(np.arange(11.0), np.arange(11))[4].tolist()[1:]
    [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    cuts = np.unique(np.quantile(values[train], DECILES))
    scale = max(float(np.abs(values[train]).max()), 1e-12)
    return np.column_stack([values / scale, values[:, None] > cuts]).astype(np.float32)


def thumbnail(images: GreyImages) -> FeatureMatrix:
    """Downsample each image to 16 × 16 pixels by area averaging.

    Parameters
    ----------
    images : ndarray of shape (n, S, S), uint8

    Returns
    -------
    ndarray of shape (n, 256), float32
        Grey values.
    """
    small = [resize(image, THUMBNAIL).ravel() for image in images]
    return np.stack(small).astype(np.float32)


def region(images: GreyImages, name: str) -> FeatureMatrix:
    """Compute coarse HOG and LBP features of images that are black outside one region.

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


FROM_MANIFEST: dict[str, Callable[[StudyContext], FeatureMatrix]] = {
    "size": size,
    "number": patient_number,
}
FROM_IMAGES: dict[str, Callable[[GreyImages], FeatureMatrix]] = {
    "thumbnail": thumbnail,
    **{name: partial(region, name=name) for name in MASKS},
}
CONTROLS = (*FROM_MANIFEST, *FROM_IMAGES)


def from_images(images: ImageStack) -> dict[str, FeatureMatrix]:
    """Compute the features of every control in ``FROM_IMAGES``; each image is read once.

    Parameters
    ----------
    images : ImageStack of shape (n, S, S)

    Returns
    -------
    dict of ndarray of shape (n, d), float32
        By name of the control.
    """
    parts: dict[str, list[FeatureMatrix]] = {name: [] for name in FROM_IMAGES}
    for start in range(0, len(images), CHUNK):
        chunk = images[start : start + CHUNK]
        for name, describe in FROM_IMAGES.items():
            parts[name].append(describe(chunk))
    return {name: np.concatenate(chunks) for name, chunks in parts.items()}
