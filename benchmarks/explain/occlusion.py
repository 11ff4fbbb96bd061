"""Occlusion maps: the change of a score when a part of the image is covered."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

GreyImages = NDArray[np.uint8]
Floats = NDArray[np.float64]
BATCH = 64  # images in memory at once


def occlusion_map(
    image: GreyImages,
    score_images: Callable[[GreyImages], NDArray[np.floating]],
    patch: int,
    stride: int,
    batch: int = BATCH,
) -> Floats:
    """Compute the drop of a score when a square covers a pixel, averaged over these squares.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8
    score_images : callable
        Maps ``(n, H, W)`` uint8 to ``(n, ...)`` scores, of one or several models.
    patch : int
        Side of the square in pixels. It is filled with the mean grey value of the image.
    stride : int
        Pixels from one square to the next, at most ``patch``, so that every pixel is covered. The
        last squares of a row and column are at the border, whatever the stride.
    batch : int
        Images scored at once.

    Returns
    -------
    ndarray of shape (H, W, ...), float64
        Positive where covering decreases the score.

    Raises
    ------
    ValueError
        If patch or stride do not fit the image.

    References
    ----------
    Zeiler MD, Fergus R. Visualizing and understanding convolutional networks. ECCV 2014.
    doi:10.1007/978-3-319-10590-1_53

    Examples
    --------
    >>> image = np.zeros((4, 4), dtype=np.uint8)
    >>> image[:2, 2:] = 200
    >>> brightest = lambda images: images.max(axis=(1, 2))
    >>> occlusion_map(image, brightest, patch=2, stride=2)
    array([[  0.,   0., 150., 150.],
           [  0.,   0., 150., 150.],
           [  0.,   0.,   0.,   0.],
           [  0.,   0.,   0.,   0.]])
    """
    corners = _corners(image.shape, patch, stride)
    grey = np.uint8(np.rint(image.mean()))
    whole = np.asarray(score_images(image[None]), dtype=np.float64)[0]
    total = np.zeros((*image.shape, *whole.shape))
    count = np.zeros(image.shape)
    for start in range(0, len(corners), batch):
        part = corners[start : start + batch]
        covered = np.repeat(image[None], len(part), axis=0)
        for one, (top, left) in zip(covered, part, strict=True):
            one[top : top + patch, left : left + patch] = grey
        scores = np.asarray(score_images(covered), dtype=np.float64)
        for score, (top, left) in zip(scores, part, strict=True):
            total[top : top + patch, left : left + patch] += whole - score
            count[top : top + patch, left : left + patch] += 1
    return np.asarray(total / count.reshape(*image.shape, *[1] * whole.ndim))


def _corners(shape: tuple[int, ...], patch: int, stride: int) -> list[tuple[int, int]]:
    """Return the upper left corners of all squares, row by row."""
    if not 1 <= stride <= patch <= min(shape):
        raise ValueError(
            f"Got a patch of {patch} and a stride of {stride} pixels, but expected 1 ≤ stride ≤ "
            f"patch ≤ {min(shape)}, the image's shorter side."
        )
    down, across = (sorted({*range(0, side - patch, stride), side - patch}) for side in shape)
    return [(top, left) for top in down for left in across]
