"""What every model sees: the central crop of an image, its contrast stretched, preprocessed."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.config import RunConfig
from benchmarks.datasets import image_size
from benchmarks.datasets.dataset import DataError
from benchmarks.io.image_stack import GreyImages, ImageFile, ImageStack
from benchmarks.io.progress import Steps
from benchmarks.io.results import RunError
from benchmarks.io.run_files import open_file, write_text
from features.preprocessing import PREPROCESSING, PreprocessingStep
from features.preprocessing.typical_images import FEWEST, TypicalImages, thumbnails
from features.reading.preprocess import central_crop, stretch_contrast

FITTED_ON = 2000  # training images at most
STATE = "preprocessing.json"
POLARITY = "polarity"  # key of what --fix-polarity has learnt there
MAX_STATE = 2**26  # bytes
CHUNK = 256  # images in memory at once


@dataclass(frozen=True)
class Preparation:
    """From images as they are read to images as every model receives them.

    Attributes
    ----------
    size : int
        Side of the prepared images in pixels.
    contrast : bool
        Whether the contrast of each image is stretched.
    steps : dict of PreprocessingStep
        Fitted, by name, in their order.
    typical : TypicalImages or None
        With ``fix_polarity``: the model that finds the images to invert, before anything else.
    """

    size: int
    contrast: bool
    steps: dict[str, PreprocessingStep]
    typical: TypicalImages | None = None

    def __call__(self, images: GreyImages) -> GreyImages:
        """Prepare images.

        Parameters
        ----------
        images : ndarray of shape (n, S, S), uint8
            S from :func:`reading_size`.

        Returns
        -------
        ndarray of shape (n, size, size), uint8
            An image does not depend on the others.
        """
        images = self.typical.corrected(images) if self.typical else images
        images = central_crop(images, self.size)
        images = stretch_contrast(images) if self.contrast else images
        for step in self.steps.values():
            images = step.transform(images)
        return images

    def inverted(self, images: NDArray[np.uint8] | ImageStack) -> NDArray[np.bool_]:
        """Say which images are inverted.

        Parameters
        ----------
        images : ndarray or ImageStack of shape (n, S, S), uint8
            S from :func:`reading_size`.

        Returns
        -------
        ndarray of shape (n,), bool
        """
        if not self.typical:
            return np.zeros(len(images), bool)
        small = thumbnails_of(ImageStack.of(images))
        return self.typical.reversed_polarity(self.typical.nearest(small))

    def applied_to(self, images: NDArray[np.uint8] | ImageStack, quiet: bool = True) -> ImageStack:
        """Return a stack of prepared images.

        Parameters
        ----------
        images : ndarray or ImageStack of shape (n, S, S), uint8
            S from :func:`reading_size`.
        quiet : bool
            Whether progress is hidden.

        Returns
        -------
        ImageStack of shape (n, size, size)
            Without steps, images are prepared each time they are read; with steps, which take
            longer, once, and kept in a temporary file.
        """
        stack = ImageStack.of(images)
        if not self.steps and not self.typical:
            return stack.map(self, self.size)
        file = ImageFile(None, self.size)
        with Steps("preprocessing", len(stack), "images", quiet) as shown:
            for start in range(0, len(stack), CHUNK):
                chunk = self(stack[start : start + CHUNK])
                for image in chunk:
                    file.append(image)
                shown.advance(len(chunk))
        return file.images()


def thumbnails_of(stack: ImageStack) -> NDArray[np.float32]:
    """Make the thumbnails of a stack, part by part.

    Parameters
    ----------
    stack : ImageStack of shape (n, S, S), uint8

    Returns
    -------
    ndarray of shape (n, 16, 16), float32
        See :func:`features.preprocessing.typical_images.thumbnails`.
    """
    starts = range(0, len(stack), CHUNK)
    return np.concatenate([thumbnails(stack[start : start + CHUNK]) for start in starts])


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


def fit_preparation(
    images: NDArray[np.uint8] | ImageStack, manifest: pd.DataFrame, config: RunConfig
) -> Preparation:
    """Fit the preprocessing steps on training images, one after the other.

    Parameters
    ----------
    images : ndarray or ImageStack of shape (n, S, S), uint8
        All images as they are read.
    manifest : DataFrame of n rows
        With ``split`` as assigned and ``sha256``.
    config : RunConfig
        ``data``, ``image_size``, ``contrast``, ``preprocess`` and ``fix_polarity`` apply.

    Returns
    -------
    Preparation
        Fitted on at most 2,000 training images, those with the smallest hashes: the order of the
        files changes nothing.

    Raises
    ------
    DataError
        If there are too few training images to find those to invert.
    """
    unfitted = Preparation(image_size(config), config.contrast, {})
    if not config.preprocess and not config.fix_polarity:
        return unfitted
    hashes = manifest.loc[(manifest["split"] == "train").to_numpy(), "sha256"]
    chosen = manifest.index.get_indexer(hashes.sort_values(kind="stable").index[:FITTED_ON])
    raw = ImageStack.of(images)[chosen]
    if config.fix_polarity:
        unfitted = replace(unfitted, typical=_typical(raw))
    steps: dict[str, PreprocessingStep] = {}
    if config.preprocess:
        seen = unfitted(raw)
        for name in config.preprocess:
            steps[name] = PREPROCESSING[name]().fit(seen)
            seen = steps[name].transform(seen)
    return replace(unfitted, steps=steps)


def _typical(images: GreyImages) -> TypicalImages:
    if len(images) < FEWEST:
        raise DataError(
            f"--fix-polarity: got {len(images)} training images, but expected at least {FEWEST} to "
            "learn what is typical. Leave it out, or invert the images before the run."
        )
    return TypicalImages.fit(thumbnails(images))


def save_preparation(folder: Path, preparation: Preparation) -> None:
    """Save what the steps have learnt in ``preprocessing.json``; nothing without steps.

    Parameters
    ----------
    folder : Path
        A run folder.
    preparation : Preparation
    """
    learnt = {
        name: {key: value.tolist() for key, value in step.state().items()}
        for name, step in preparation.steps.items()
    }
    if preparation.typical:
        own = preparation.typical.state()
        learnt[POLARITY] = {key: value.tolist() for key, value in own.items()}
    if learnt:
        write_text(folder / STATE, json.dumps(learnt))


def load_preparation(folder: Path, config: RunConfig) -> Preparation:
    """Load the fitted preprocessing of a run.

    Parameters
    ----------
    folder : Path
        A run folder.
    config : RunConfig
        Settings of the run.

    Returns
    -------
    Preparation

    Raises
    ------
    RunError
        If the file is missing or does not belong to these steps.
    """
    steps: dict[str, PreprocessingStep] = {}
    typical: TypicalImages | None = None
    names = [*config.preprocess, *([POLARITY] if config.fix_polarity else [])]
    if names:
        try:
            with open_file(folder, STATE, limit=MAX_STATE) as file:
                learnt = json.loads(file.read())
            for name in config.preprocess:
                own = {key: np.asarray(value) for key, value in learnt[name].items()}
                steps[name] = PREPROCESSING[name].from_state(own)
            if config.fix_polarity:
                own = {key: np.asarray(value) for key, value in learnt[POLARITY].items()}
                typical = TypicalImages.from_state(own)
        except (
            OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError
        ) as error:  # fmt: skip
            raise RunError(
                f"{folder / STATE}: expected what {', '.join(names)} learnt on the "
                f"training images of the run, got: {error}. Run the benchmark again."
            ) from error
    return Preparation(image_size(config), config.contrast, steps, typical)
