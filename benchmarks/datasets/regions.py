"""Regions of a radiograph for shortcut controls: fixed, the same for every image."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
BORDER = 0.12  # width, as a fraction of the side
# A trapezium, as lungs are narrow on top: edges as fractions of the image's sides.
LUNG_TOP, LUNG_BOTTOM = 0.12, 0.88
LEFT_AT_TOP, LEFT_AT_BOTTOM = 0.22, 0.06


def whole(size: int) -> Mask:
    """Keep every pixel.

    Parameters
    ----------
    size : int
        Side in pixels.

    Returns
    -------
    ndarray of shape (size, size), bool
    """
    return np.ones((size, size), dtype=bool)


def centre(size: int) -> Mask:
    """Keep the image without its outer 12 % on each side.

    Parameters
    ----------
    size : int
        Side in pixels.

    Returns
    -------
    ndarray of shape (size, size), bool

    Examples
    --------
    >>> int(centre(100).sum())
    5776
    """
    width = round(BORDER * size)
    mask = np.zeros((size, size), dtype=bool)
    mask[width : size - width, width : size - width] = True
    return mask


def border(size: int) -> Mask:
    """Keep the outer 12 % on each side: the complement of :func:`centre`.

    Parameters
    ----------
    size : int
        Side in pixels.

    Returns
    -------
    ndarray of shape (size, size), bool
    """
    return ~centre(size)


def no_lungs(size: int) -> Mask:
    """Keep the outside of a fixed trapezium that covers the lungs of a typical radiograph.

    Parameters
    ----------
    size : int
        Side in pixels.

    Returns
    -------
    ndarray of shape (size, size), bool

    Notes
    -----
    The region is the same for every image; it is not a segmentation. The trapezium has a margin
    around the lungs of the mean image, but does not fully cover lungs in another position, and it
    also covers heart and spine.

    Examples
    --------
    >>> mask = no_lungs(100)
    >>> mask[11].all(), mask[12].sum(), mask[87].sum()
    (np.True_, np.int64(44), np.int64(12))
    """
    top, bottom = round(LUNG_TOP * size), round(LUNG_BOTTOM * size)
    mask = whole(size)
    for y, left in zip(
        range(top, bottom), np.linspace(LEFT_AT_TOP, LEFT_AT_BOTTOM, bottom - top), strict=True
    ):
        edge = round(left * size)
        mask[y, edge : size - edge] = False
    return mask


MASKS: dict[str, Callable[[int], Mask]] = {
    "border": border, "no_lungs": no_lungs, "centre": centre, "whole": whole,
}  # fmt: skip
