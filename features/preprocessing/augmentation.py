"""Random changes of framing, exposure and sharpness, as a radiographer, a tube and a scanner make.

One family of changes serves all: copies of training images for the classifiers, the training
batches of the network, and the views whose scores are averaged. They differ in their ranges only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

GreyImages = NDArray[np.uint8]


@dataclass(frozen=True)
class Ranges:
    """Ranges of the changes; each is drawn uniformly and independently for each image.

    Attributes
    ----------
    mirrored : float
        Probability that left and right are exchanged.
    rotation : float
        Largest angle, in degrees.
    scale, aspect : float
        Largest factor of both sides, and of width against height; drawn on a logarithmic scale from
        its inverse to itself.
    shift : float
        Largest shift of each axis, as a fraction of the side.
    gamma, contrast : float
        Largest exponent of the grey values in [0, 1], and largest factor of their distance from the
        image's mean; drawn like ``scale``.
    brightness : float
        Largest grey value that is added, as a fraction of the range.
    blurred, noisy : float
        Probability that the image is blurred, and that noise is added.
    blur : float
        Largest standard deviation of the Gaussian blur, as a fraction of the side.
    noise : float
        Largest standard deviation of the Gaussian noise, as a fraction of the range.
    """

    mirrored: float = 0.0
    rotation: float = 0.0
    scale: float = 1.0
    aspect: float = 1.0
    shift: float = 0.0
    gamma: float = 1.0
    contrast: float = 1.0
    brightness: float = 0.0
    blurred: float = 0.0
    noisy: float = 0.0
    blur: float = 0.0
    noise: float = 0.0


TRAINING = Ranges(
    mirrored=0.5, rotation=8.0, scale=1.2, aspect=1.1, shift=0.08, gamma=1.3, contrast=1.2,
    brightness=0.1, blurred=0.25, noisy=0.25, blur=0.004, noise=0.03,
)  # fmt: skip
# Radiographs as another department might have taken them: wider than the copies, to choose by.
SHIFTED = Ranges(
    mirrored=0.0, rotation=12.0, scale=1.35, aspect=1.2, shift=0.15, gamma=1.6, contrast=1.4,
    brightness=0.15, blurred=0.3, noisy=0.3, blur=0.006, noise=0.04,
)  # fmt: skip
VIEWS = Ranges(rotation=3.0, scale=1.06, shift=0.03)


def augment(images: GreyImages, seeds: Iterable[int], ranges: Ranges = TRAINING) -> GreyImages:
    """Change each image at random.

    Parameters
    ----------
    images : ndarray of shape (n, H, W), uint8
    seeds : iterable of n int
        Seed of each image's random numbers. The same image and seed give the same result, whatever
        the other images are.
    ranges : Ranges

    Returns
    -------
    ndarray of shape (n, H, W), uint8
        Framing is changed about the centre, with linear interpolation; pixels from outside repeat
        the image's edge. Then exposure, sharpness and noise are changed.

    Examples
    --------
    >>> image = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    >>> bool((augment(image, [7]) == augment(image, [7])).all())
    True
    >>> bool((augment(image, [7], Ranges()) == image).all())
    True
    >>> bool((augment(image, [7], Ranges(mirrored=1)) == image[:, :, ::-1]).all())
    True
    """
    changed = np.empty_like(images)
    for image, seed, out in zip(images, seeds, changed, strict=True):
        out[:] = _augment(image, np.random.default_rng(seed), ranges)
    return changed


def _augment(image: GreyImages, rng: np.random.Generator, ranges: Ranges) -> GreyImages:
    # All numbers are drawn, so that a range changes nothing but its own draw.
    mirrored, blurred, noisy = rng.random(3) < (ranges.mirrored, ranges.blurred, ranges.noisy)
    framing, exposure, sharpness = rng.uniform(-1, 1, 5), rng.uniform(-1, 1, 3), rng.random(2)
    image = _frame(image, bool(mirrored), framing, ranges)
    image = _expose(image, exposure, ranges)
    side = min(image.shape)
    if blurred and ranges.blur:
        image = np.asarray(
            cv2.GaussianBlur(image, (0, 0), max(sharpness[0] * ranges.blur * side, 1e-3)),
            dtype=np.uint8,
        )
    if noisy and ranges.noise:
        spread = 255 * sharpness[1] * ranges.noise
        grains = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(spread)
        image = np.clip(image + grains, 0, 255).round().astype(np.uint8)
    return image


def _frame(
    image: GreyImages, mirrored: bool, draw: NDArray[np.float64], ranges: Ranges
) -> GreyImages:
    """Mirror, rotate, scale and shift about the centre."""
    if mirrored:
        image = image[:, ::-1]
    height, width = image.shape
    angle = np.deg2rad(draw[0] * ranges.rotation)
    scale = ranges.scale ** draw[1]
    aspect = ranges.aspect ** (draw[2] / 2)
    shift = draw[3:] * ranges.shift * (width, height)
    if angle == 0 and scale == aspect == 1 and not shift.any():
        return np.ascontiguousarray(image)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn * scale @ np.diag([aspect, 1 / aspect])
    centre = np.array([width - 1, height - 1]) / 2
    forward = np.column_stack([matrix, centre + shift - matrix @ centre])
    return np.asarray(
        cv2.warpAffine(
            np.ascontiguousarray(image), forward, (width, height), flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        dtype=np.uint8,
    )  # fmt: skip


def _expose(image: GreyImages, draw: NDArray[np.float64], ranges: Ranges) -> GreyImages:
    """Apply gamma, contrast about the mean, and brightness, with one table of grey values."""
    gamma, contrast = ranges.gamma ** draw[0], ranges.contrast ** draw[1]
    brightness = draw[2] * ranges.brightness
    if gamma == contrast == 1 and brightness == 0:
        return image
    curved = (np.arange(256) / 255) ** gamma
    counts = np.bincount(image.ravel(), minlength=256)
    mean = float(counts @ curved) / image.size
    table = ((curved - mean) * contrast + mean + brightness) * 255
    return np.asarray(cv2.LUT(image, np.clip(table, 0, 255).round().astype(np.uint8)), np.uint8)
