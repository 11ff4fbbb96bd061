"""What a network is given: grey images, and labels of two classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

GreyImages = NDArray[np.uint8]


def check_labelled(X: GreyImages, y: ArrayLike, what: str) -> tuple[GreyImages, NDArray[Any]]:
    """Check images with a label each, of two classes.

    Raises
    ------
    ValueError
        With what was got, what was expected and the remedy.
    """
    images, labels = check_images(X, what), np.asarray(y)
    if labels.shape != (len(images),):
        raise ValueError(
            f"Got {what} labels of shape {labels.shape}, but expected ({len(images)},): one an "
            "image."
        )
    classes = np.unique(labels).tolist()
    if len(classes) != 2:
        raise ValueError(
            f"Got {what} labels of {len(classes)} classes {classes[:5]}, but expected two. Add "
            "images of the missing class, or raise --limit."
        )
    return images, labels


def check_images(X: GreyImages, what: str) -> GreyImages:
    """Check a stack of grey images: ``(n, H, W)`` uint8, n ≥ 1; see :func:`check_labelled`."""
    images = np.asarray(X)
    if images.ndim != 3 or images.dtype != np.uint8 or len(images) == 0:
        raise ValueError(
            f"Got {what} images of shape {images.shape} and dtype {images.dtype}, but expected "
            "(n, height, width) uint8 with n >= 1."
        )
    return images
