"""Images of one size, read by position from memory or, to save memory, from a file."""

from __future__ import annotations

import tempfile
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

GreyImages = NDArray[np.uint8]


@dataclass(frozen=True)
class ImageStack:
    """Array-like of shape (n, size, size), uint8, that reads images on access.

    Attributes
    ----------
    read : callable
        From positions, ndarray of shape (k,), to images, ndarray of shape (k, size, size), uint8.
    rows : ndarray of shape (n,), int
        Positions of the images that belong to the stack.
    size : int
        Side in pixels.

    Examples
    --------
    >>> stack = ImageStack.of(np.arange(48, dtype=np.uint8).reshape(3, 4, 4))
    >>> stack.take([2, 0]).map(lambda images: images // 2, 4)[0, ].shape
    (4, 4)
    >>> stack.shape, int(stack[1][0, 0]), stack[[0, 2]].shape
    ((3, 4, 4), 16, (2, 4, 4))
    """

    read: Callable[[NDArray[np.intp]], GreyImages]
    rows: NDArray[np.intp]
    size: int
    dtype = np.dtype(np.uint8)
    ndim = 3

    @classmethod
    def of(cls, images: GreyImages | ImageStack) -> ImageStack:
        """Make a stack of the images of an array.

        Parameters
        ----------
        images : ndarray or ImageStack of shape (n, size, size), uint8
            A stack is returned as it is.

        Returns
        -------
        ImageStack
        """
        if isinstance(images, ImageStack):
            return images
        return cls(lambda rows: images[rows], np.arange(len(images)), images.shape[1])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of images, height and width in pixels."""
        return len(self.rows), self.size, self.size

    def __len__(self) -> int:
        """Count the images."""
        return len(self.rows)

    def __getitem__(self, index: Any) -> GreyImages:
        """Read one image (an integer) or several (a slice, integers or booleans)."""
        chosen = np.asarray(self.rows[index])
        images = self.read(np.atleast_1d(chosen))
        return images[0] if chosen.ndim == 0 else images

    def take(self, rows: Any) -> ImageStack:
        """Select images without reading them.

        Parameters
        ----------
        rows : slice, or array-like of int or bool
            As in NumPy indexing.

        Returns
        -------
        ImageStack
        """
        return ImageStack(self.read, self.rows[rows], self.size)

    def map(self, transform: Callable[[GreyImages], GreyImages], size: int) -> ImageStack:
        """Make a stack whose images are transformed each time they are read.

        Parameters
        ----------
        transform : callable
            From ``(k, S, S)`` uint8 to ``(k, size, size)`` uint8.
        size : int
            Side of the transformed images in pixels.

        Returns
        -------
        ImageStack
        """
        return ImageStack(lambda rows: transform(self.read(rows)), self.rows, size)


class ImageFile:
    """Temporary file to which images are written one by one; deleted when the program ends.

    Parameters
    ----------
    folder : Path or None
        Where the file is created; the system's folder for temporary files if None.
    size : int
        Side in pixels.
    """

    def __init__(self, folder: Path | None, size: int) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - lives as long as the object
        weakref.finalize(self, self._file.close)
        self._lock = threading.Lock()
        self._count = 0
        self.size = size

    def append(self, image: GreyImages) -> None:
        """Write one image.

        Parameters
        ----------
        image : ndarray of shape (size, size), uint8

        Raises
        ------
        ValueError
            If the image has another shape or dtype.
        """
        if image.shape != (self.size, self.size) or image.dtype != np.uint8:
            raise ValueError(
                f"Got an image of shape {image.shape} and dtype {image.dtype}, but expected "
                f"{self.size} × {self.size} uint8."
            )
        self._file.write(image.tobytes())
        self._count += 1

    def images(self) -> ImageStack:
        """Return a stack of all images written so far."""
        self._file.flush()
        return ImageStack(self._read, np.arange(self._count), self.size)

    def _read(self, rows: NDArray[np.intp]) -> GreyImages:
        images = np.empty((len(rows), self.size, self.size), dtype=np.uint8)
        with self._lock:
            for image, row in zip(images, rows.tolist(), strict=True):
                self._file.seek(row * self.size * self.size)
                if self._file.readinto(image.data) != image.nbytes:
                    raise OSError(f"image {row} of the temporary file can't be read")
        return images
