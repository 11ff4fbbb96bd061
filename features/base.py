"""The contract that every feature family keeps: images in, named float32 columns out."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

GreyImages = NDArray[np.uint8]
Matrix = NDArray[np.float32]


class ImageDescriptor(TransformerMixin, BaseEstimator):
    """Base of all descriptors: a stateless scikit-learn transformer on grey images.

    A family writes :meth:`describe` (one image) or :meth:`describe_batch` (several), and
    :meth:`feature_names`. Nothing is learned from data, so describing images before they are
    split into training and test rows leaks nothing.

    ``n_jobs`` is the number of threads, as joblib counts. The kernels run without the interpreter
    lock, so that threads work side by side and no image is copied; a family written in Python
    gains nothing by them.

    Notes
    -----
    ``transform`` maps ``(n, H, W)`` uint8 in [0, 255] to ``(n, d)`` float32, all finite. A row
    depends on its image alone: not on the other images, their order, or ``n_jobs``.
    """

    family = ""
    batch_size = 32
    n_jobs: int | None = 1

    def describe(self, image: GreyImages) -> NDArray[np.floating]:
        """Describe one image: ``(H, W)`` uint8 to ``(d,)``."""
        raise NotImplementedError(f"{type(self).__name__} writes describe or describe_batch")

    def describe_batch(self, images: GreyImages) -> NDArray[np.floating]:
        """Describe a batch: ``(n, H, W)`` uint8 to ``(n, d)``."""
        return np.stack([self.describe(image) for image in images])

    def feature_names(self, height: int, width: int) -> list[str]:
        """Names of the ``d`` columns for images of ``height`` × ``width`` pixels."""
        raise NotImplementedError(f"{type(self).__name__} writes feature_names")

    def fit(self, X: GreyImages, y: object = None) -> ImageDescriptor:
        """Note the image size; learn nothing.

        Parameters
        ----------
        X : ndarray of shape (n, H, W), uint8
            Grey images.
        y : ignored

        Returns
        -------
        ImageDescriptor
            Itself.

        Raises
        ------
        ValueError
            If ``X`` is not a stack of uint8 grey images.
        """
        images = check_images(X)
        self.image_shape_ = images.shape[1:]
        return self

    def transform(self, X: GreyImages) -> Matrix:
        """Describe every image.

        Parameters
        ----------
        X : ndarray of shape (n, H, W), uint8
            Grey images.

        Returns
        -------
        ndarray of shape (n, d), float32

        Raises
        ------
        ValueError
            If ``X`` is not a stack of uint8 grey images, or a feature came out not finite.
        """
        images = check_images(X)
        matrix, start = np.empty((0, 0), np.float32), 0
        for part in self._parts(images):
            if start == 0:
                matrix = np.empty((len(images), part.shape[1]), np.float32)
            if not np.isfinite(part).all():
                row, column = np.argwhere(~np.isfinite(part))[0]
                name = self.feature_names(*images.shape[1:])[column]
                raise ValueError(
                    f"feature {name} of image {start + row} is not finite: a fault of {self!r}"
                )
            matrix[start : start + len(part)] = part
            start += len(part)
        return matrix

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Names of the columns, structured by ``/``; needs :meth:`fit` for the image size."""
        return np.asarray(self.feature_names(*self.image_shape_), dtype=object)

    def _parts(self, images: GreyImages) -> Iterator[NDArray[np.floating]]:
        """Describe batch after batch, in order; on ``n_jobs`` threads."""
        starts = range(0, len(images), self.batch_size)
        batches = (images[start : start + self.batch_size] for start in starts)
        threads = min(effective_n_jobs(self.n_jobs), len(starts))
        if threads == 1:
            yield from map(self._describe, batches)
            return
        # Not joblib.Parallel: it looks for results once in 10 ms, and a run may take no longer.
        with ThreadPoolExecutor(threads) as pool:
            yield from pool.map(self._describe, batches)

    def _describe(self, batch: GreyImages) -> NDArray[np.floating]:
        """Describe a batch, laid out in the one way that the kernels are compiled for."""
        return self.describe_batch(np.require(batch, requirements=["C", "W"]))


def check_images(images: GreyImages) -> GreyImages:
    """Check a stack of grey images and return it as an array.

    Parameters
    ----------
    images : array of shape (n, H, W), uint8

    Returns
    -------
    ndarray of shape (n, H, W), uint8

    Raises
    ------
    ValueError
        If the shape, dtype or size is another, with what was got and what was expected.
    """
    array = np.asarray(images)
    if array.ndim != 3 or array.dtype != np.uint8 or array.shape[0] == 0:
        raise ValueError(
            f"Got images of shape {array.shape} and dtype {array.dtype}, but expected "
            "(n, height, width) uint8 with n >= 1. A single image needs image[None]."
        )
    if min(array.shape[1:]) < 16:
        raise ValueError(
            f"Got images of {array.shape[1]} × {array.shape[2]} pixels, but expected at least "
            "16 × 16. Enlarge them first (features.reading.preprocess.resize)."
        )
    return array


def grid_cells(shape: tuple[int, ...], grid: int) -> list[tuple[slice, slice]]:
    """Cut an image into ``grid`` × ``grid`` cells that cover it, row by row.

    Parameters
    ----------
    shape : (int, int)
        Height and width in pixels.
    grid : int
        Cells down and across.

    Returns
    -------
    list of (slice, slice)
        Cell ``k`` is row ``k // grid``, column ``k % grid``.

    Examples
    --------
    >>> grid_cells((4, 6), 2)[1]
    (slice(0, 2, None), slice(3, 6, None))
    """
    rows, columns = ([side * k // grid for k in range(grid + 1)] for side in shape)
    return [
        (slice(*rows[i : i + 2]), slice(*columns[j : j + 2]))
        for i in range(grid)
        for j in range(grid)
    ]
