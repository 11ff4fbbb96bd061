"""What every model sees: the central crop of an image, its contrast stretched."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.config import RunConfig
from benchmarks.datasets import image_size
from benchmarks.io.image_stack import ImageStack
from features.reading.preprocess import central_crop, stretch_contrast


def reading_size(config: RunConfig) -> int:
    """Return the side to which images are resized when they are read.

    Parameters
    ----------
    config : RunConfig
        ``data``, ``image_size`` and ``crop`` apply.

    Returns
    -------
    int
        In pixels; the central crop of such an image has the image size of the run.

    Examples
    --------
    >>> reading_size(RunConfig(image_size=96, crop=0.8))
    120
    """
    return math.ceil(image_size(config) / config.crop)


def prepare(images: NDArray[np.uint8], config: RunConfig) -> NDArray[np.uint8]:
    """Crop images and stretch their contrast as configured.

    Parameters
    ----------
    images : ndarray of shape (n, S, S), uint8
        S from :func:`reading_size`.
    config : RunConfig
        ``data``, ``image_size`` and ``contrast`` apply.

    Returns
    -------
    ndarray of shape (n, size, size), uint8
    """
    cropped = central_crop(images, image_size(config))
    return stretch_contrast(cropped) if config.contrast else cropped


def prepared(images: NDArray[np.uint8] | ImageStack, config: RunConfig) -> ImageStack:
    """Return a stack that prepares its images each time they are read.

    Parameters
    ----------
    images : ndarray or ImageStack of shape (n, S, S), uint8
        S from :func:`reading_size`.
    config : RunConfig
        As for :func:`prepare`.

    Returns
    -------
    ImageStack of shape (n, size, size)
    """
    return ImageStack.of(images).map(partial(prepare, config=config), image_size(config))
