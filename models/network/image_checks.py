"""What a network is given: grey images, and labels of two or more classes."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

GreyImages = NDArray[np.uint8]


class ImageStack(Protocol):
    """Grey images in memory or elsewhere: an array, or what reads some rows when asked.

    ``stack[rows]``, with ``rows`` an integer array of k rows in any order, is a
    ``(k, H, W)`` uint8 array.
    """

    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102

    @property
    def dtype(self) -> Any: ...  # noqa: D102

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Any: ...


def check_labelled(X: ImageStack, y: ArrayLike, what: str) -> tuple[ImageStack, NDArray[Any]]:
    """Check images with a label each, of two or more classes.

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
    if len(classes) < 2:
        raise ValueError(
            f"Got {what} labels of {len(classes)} classes {classes[:5]}, but expected two or "
            "more. Add images of the missing class, or raise --limit."
        )
    return images, labels


def check_images(X: ImageStack, what: str) -> ImageStack:
    """Check the shape and dtype of a stack of grey images, and read none of them.

    ``(n, H, W)`` uint8, n ≥ 1; see :func:`check_labelled`.
    """
    images = X if hasattr(X, "shape") and hasattr(X, "dtype") else np.asarray(X)
    if len(images.shape) != 3 or images.dtype != np.uint8 or len(images) == 0:
        raise ValueError(
            f"Got {what} images of shape {tuple(images.shape)} and dtype {images.dtype}, but "
            "expected (n, height, width) uint8 with n >= 1."
        )
    return images
