"""Preprocessing of grey images: resize, central crop, contrast."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

GreyImages = NDArray[np.uint8]


def resize(image: GreyImages, size: int) -> GreyImages:
    """Resize to a square; the aspect ratio is not kept.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8
    size : int
        Side of the result in pixels.

    Returns
    -------
    ndarray of shape (size, size), uint8
        Each side is reduced by area averaging or enlarged by cubic interpolation; an image that
        already has that size is returned unchanged.
    """
    height, width = (min(side, size) for side in image.shape)
    if image.shape != (height, width):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    if image.shape != (size, size):
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.asarray(image, dtype=np.uint8)


def central_crop(images: GreyImages, size: int) -> GreyImages:
    """Crop every image to its central square.

    Parameters
    ----------
    images : ndarray of shape (n, H, W), uint8
    size : int
        Side of the square in pixels, at most H and W.

    Returns
    -------
    ndarray of shape (n, size, size), uint8

    Examples
    --------
    >>> central_crop(np.arange(16, dtype=np.uint8).reshape(1, 4, 4), 2).tolist()
    [[[5, 6], [9, 10]]]
    """
    top, left = ((side - size) // 2 for side in images.shape[1:])
    return np.ascontiguousarray(images[:, top : top + size, left : left + size])


def stretch_contrast(images: GreyImages, low: float = 1.0, high: float = 99.0) -> GreyImages:
    """Map each image's ``low``-th to ``high``-th percentile linearly to 0…255.

    Removes differences in exposure and tube voltage, which carry no information about the lung.

    Parameters
    ----------
    images : ndarray of shape (n, H, W), uint8
    low, high : float
        Percentiles of the image's own grey values.

    Returns
    -------
    ndarray of shape (n, H, W), uint8
        Values outside the percentiles are clipped; a constant image becomes 0.

    Examples
    --------
    >>> stretch_contrast(np.array([[[50, 60], [70, 100]]], np.uint8), 0, 100).tolist()
    [[[0, 51], [102, 255]]]
    """
    result = np.empty_like(images)
    for image, out in zip(images, result, strict=True):
        bottom, top = grey_percentiles(image, low, high)
        scale = 255.0 / max(top - bottom, 1e-12) if top > bottom else 0.0
        table = np.clip((np.arange(256) - bottom) * scale, 0, 255).round().astype(np.uint8)
        out[:] = cv2.LUT(image, table)
    return result


def grey_percentiles(image: GreyImages, *percentiles: float) -> list[float]:
    """Compute percentiles of grey values from their histogram, several times faster than sorting.

    Parameters
    ----------
    image : ndarray of any shape, uint8
    *percentiles : float in [0, 100]

    Returns
    -------
    list of float
        Equal to the last bit to ``np.percentile`` with linear interpolation.

    Examples
    --------
    >>> grey_percentiles(np.array([10, 20, 40], np.uint8), 50, 75)
    [20.0, 30.0]
    """
    below = np.bincount(image.ravel(), minlength=256).cumsum()
    found = []
    for percentile in percentiles:
        place = (image.size - 1) * (percentile / 100)
        rank = min(int(place), image.size - 1)
        share = place - rank
        # The grey value of a rank is the first whose cumulative count exceeds the rank.
        low, high = np.searchsorted(below, [rank, min(rank + 1, image.size - 1)], side="right")
        step = float(high - low)
        found.append(low + step * share if share < 0.5 else high - step * (1 - share))
    return [float(value) for value in found]
