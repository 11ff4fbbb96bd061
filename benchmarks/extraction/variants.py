"""Changed copies of training images, and further views of scored images, as rows of a matrix.

The rows of all images come first, in their order; the rows of copies and views follow. A copy is
only ever fitted on together with the image that it was made from, so it stays with the patient and
on that image's side of every split.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.io.image_stack import GreyImages, ImageStack
from features.preprocessing.augmentation import TRAINING, VIEWS, augment

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Variants:
    """Row numbers of the copies and views of each image.

    Attributes
    ----------
    copies : ndarray of shape (n, N), int
        Rows of the copies of each image; -1 for an image that is not a training image.
    views : ndarray of shape (n, V), int
        Rows of the views of each image besides the image itself.
    """

    copies: Rows
    views: Rows

    @classmethod
    def of(cls, n: int, train: Rows, augment: int, views: int) -> Variants:
        """Assign row numbers to all copies and views.

        Parameters
        ----------
        n : int
            Number of images.
        train : ndarray of int
            Rows of the training images.
        augment : int
            Copies of each training image.
        views : int
            Views of each image, counting the image itself.

        Returns
        -------
        Variants

        Examples
        --------
        >>> made = Variants.of(3, np.array([0, 2]), augment=2, views=2)
        >>> made.copies.tolist(), made.views.tolist()
        ([[3, 5], [-1, -1], [4, 6]], [[7], [8], [9]])
        """
        copies = np.full((n, augment), -1, dtype=np.intp)
        numbers = n + np.arange(augment * len(train), dtype=np.intp)
        copies[train] = numbers.reshape(augment, len(train)).T
        further = n + len(numbers) + np.arange((views - 1) * n, dtype=np.intp)
        return cls(copies, further.reshape(views - 1, n).T)

    def to_fit(self, rows: Rows) -> tuple[Rows, Rows]:
        """List the rows to fit on: the images, then their first copies, and so on.

        Parameters
        ----------
        rows : ndarray of int
            Training images.

        Returns
        -------
        rows : ndarray of int
        images : ndarray of int
            The image that each row shows.
        """
        own = np.column_stack([rows, self.copies[rows]])
        return own.T.ravel(), np.tile(rows, own.shape[1])

    def to_score(self, rows: Rows) -> list[Rows]:
        """List the rows whose scores are averaged: of the images, then of each further view.

        Parameters
        ----------
        rows : ndarray of int

        Returns
        -------
        list of ndarray of int
        """
        return [rows, *(self.views[rows].T if self.views.size else ())]


def with_variants(images: ImageStack, variants: Variants | None) -> ImageStack:
    """Append the copies and views of images; they are made each time they are read.

    Parameters
    ----------
    images : ImageStack of shape (n, size, size)
        Prepared images.
    variants : Variants or None
        Of these n images; None: there are none.

    Returns
    -------
    ImageStack
        With a row for each image, copy and view.
    """
    if variants is None:
        return images
    n = len(images)
    parts = [*variants.copies.T, *variants.views.T]
    image = np.concatenate([np.arange(n), *(np.flatnonzero(part >= 0) for part in parts)])
    # Number of the copy, from 1; of the view, from -1; 0 is the image itself.
    copies, views = variants.copies.shape[1], variants.views.shape[1]
    numbers = [*range(1, copies + 1), *range(-1, -views - 1, -1)]
    number = np.repeat([0, *numbers], [n, *(int((part >= 0).sum()) for part in parts)])

    def _read(rows: Rows) -> GreyImages:
        return change(images[image[rows]], number[rows])

    return ImageStack(_read, np.arange(len(image)), images.size)


def views_of(images: GreyImages, count: int) -> list[GreyImages]:
    """Make the views of images.

    Parameters
    ----------
    images : ndarray of shape (n, size, size), uint8
        Prepared images.
    count : int
        Views of each image, counting the image itself.

    Returns
    -------
    list of ndarray of shape (n, size, size), uint8
        The images, then each further view.
    """
    numbers = (np.full(len(images), -view) for view in range(count))
    return [change(images, number) for number in numbers]


def change(images: GreyImages, number: NDArray[np.integer]) -> GreyImages:
    """Make one copy or view of each image.

    Parameters
    ----------
    images : ndarray of shape (n, size, size), uint8
        Prepared images.
    number : ndarray of shape (n,), int
        Number of the copy, from 1, or of the view, from -1; 0 for the image itself. A view with an
        odd number is mirrored.

    Returns
    -------
    ndarray of shape (n, size, size), uint8
        They depend on the pixels and the number only, so the order of the files, the seeds of a run
        and the number of processes change nothing.
    """
    changed = images.copy()
    for chosen, ranges in (
        (number > 0, TRAINING),
        ((number < 0) & (number % 2 == 0), VIEWS),
        ((number < 0) & (number % 2 == 1), replace(VIEWS, mirrored=1.0)),
    ):
        own = images[chosen]
        changed[chosen] = augment(own, map(_seed, own, number[chosen]), ranges)
    return changed


def _seed(image: GreyImages, number: np.integer) -> int:
    content = hashlib.blake2b(image.tobytes(), digest_size=8, salt=str(number).encode())
    return int.from_bytes(content.digest(), "little")
