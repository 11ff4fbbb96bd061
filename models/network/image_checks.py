"""Checks of a network's input: grey images, and labels of two or more classes."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

GreyImages = NDArray[np.uint8]


class ImageStack(Protocol):
    """Grey images: an array, or an object that reads rows on demand.

    ``stack[rows]``, with ``rows`` an integer array of k positions in any order, is a
    ``(k, H, W)`` uint8 array.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of images, height, width."""
        ...

    @property
    def dtype(self) -> Any:
        """Data type: uint8."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Any: ...


def check_labelled(X: ImageStack, y: ArrayLike, what: str) -> tuple[ImageStack, NDArray[Any]]:
    """Check that there is one label per image, of two or more classes.

    Parameters
    ----------
    X : stack of shape (n, H, W), uint8
        Grey images.
    y : array of shape (n,)
        Labels.
    what : str
        What the images are for, in error messages: ``training``, say.

    Returns
    -------
    images : ImageStack
        The images, as an array if they were a list.
    labels : ndarray of shape (n,)
        The labels as an array.

    Raises
    ------
    ValueError
        If images or labels have another shape or type, or there is only one class.
    """
    images, labels = check_images(X, what), np.asarray(y)
    if labels.shape != (len(images),):
        raise ValueError(
            f"Got {what} labels of shape {labels.shape}, but expected ({len(images)},): one "
            "per image."
        )
    classes = np.unique(labels).tolist()
    if len(classes) < 2:
        raise ValueError(
            f"Got {what} labels of {len(classes)} classes {classes[:5]}, but expected two or "
            "more. Add images of the missing class, or raise --limit."
        )
    return images, labels


def check_images(X: ImageStack, what: str) -> ImageStack:
    """Check the shape and dtype of a stack of grey images without reading any.

    Parameters
    ----------
    X : stack of shape (n, H, W), uint8
        Grey images, n ≥ 1.
    what : str
        What the images are for, in error messages.

    Returns
    -------
    ImageStack
        The images, as an array if they were a list.

    Raises
    ------
    ValueError
        If shape or dtype are others, or there is no image.
    """
    images = X if hasattr(X, "shape") and hasattr(X, "dtype") else np.asarray(X)
    if len(images.shape) != 3 or images.dtype != np.uint8 or len(images) == 0:
        raise ValueError(
            f"Got {what} images of shape {tuple(images.shape)} and dtype {images.dtype}, but "
            "expected (n, height, width) uint8 with n >= 1."
        )
    return images
