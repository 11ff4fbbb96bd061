"""The contract of every feature family: images in, named float32 columns out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from features.geometry import Region

GreyImages = NDArray[np.uint8]
Matrix = NDArray[np.float32]
_CELL = re.compile(r"cell(\d+)")


class ImageDescriptor(TransformerMixin, BaseEstimator):
    """Base class of all feature families: a stateless scikit-learn transformer on grey images.

    A family implements :meth:`describe` (one image) or :meth:`describe_batch` (several), and
    :meth:`feature_names`. It declares what other parts of the program need to know of it in the
    attributes below; only ``title`` is required. Nothing is learned from data, so describing
    images before they are split into training and test images leaks nothing.

    Attributes
    ----------
    title : str
        Short name for tables and figures.
    description : str
        Noun phrase for the list of families and the methods paragraph; by default the title.
    measures : str
        What all columns measure together, in one or two everyday words; may be empty.
    references : dict of dict
        Works to cite, by citation key: ``kind`` (BibTeX's entry type), ``authors`` ("Family,
        Initials" joined by " and "), ``title``, ``year``, ``venue``, ``doi`` or ``url``, further
        BibTeX fields such as ``volume`` and ``pages``, and ``what`` it is cited for, by default
        the description.
    libraries : tuple of str
        Distributions to cite and to count as part of the feature store's key, where another
        version may change a number. Those that the family's module imports are always part of it.
    network : bool
        Whether the columns are outputs of a neural network, which :meth:`build_network` gives.
    batch_size : int
        Images per call of :meth:`describe_batch`.
    n_jobs : int or None
        Number of threads, as joblib counts. The compiled kernels release the interpreter lock;
        a family written in Python gains nothing from threads.

    Notes
    -----
    ``transform`` maps ``(n, H, W)`` uint8 in [0, 255] to ``(n, d)`` float32, all finite. A row
    depends on its image alone: not on the other images, their order, or ``n_jobs``.

    The name of a column begins with the family's key in ``FEATURES`` and is structured by ``/``,
    as ``lbp/r3/cell12/code25``. Importance is summed over the regions (:meth:`region`) and parts
    (:meth:`part`) that are read from it. The defaults read ``cellNN`` as a cell of a grid of
    ``grid`` × ``grid``, and take the first other element as the part.

    Examples
    --------
    >>> class Brightness(ImageDescriptor):
    ...     title = "Brightness"
    ...
    ...     def describe(self, image):
    ...         return np.array([image.mean()])
    ...
    ...     def feature_names(self, height, width):
    ...         return ["brightness/mean"]
    >>> brightness = Brightness().fit(np.full((2, 16, 16), 7, np.uint8))
    >>> brightness.transform(np.full((2, 16, 16), 7, np.uint8)).tolist()
    [[7.0], [7.0]]
    >>> brightness.in_words("brightness/mean")
    'Brightness: mean, whole image'
    """

    title: ClassVar[str] = ""
    description: ClassVar[str] = ""
    measures: ClassVar[str] = ""
    references: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    libraries: ClassVar[tuple[str, ...]] = ()
    network: ClassVar[bool] = False
    batch_size: int = 32
    n_jobs: int | None = 1

    @classmethod
    def label(cls) -> str:
        """Title with what the columns measure, for instance ``HOG (edges)``.

        Returns
        -------
        str
        """
        return f"{cls.title} ({cls.measures})" if cls.measures else cls.title

    def describe(self, image: GreyImages) -> NDArray[np.floating]:
        """Describe one image.

        Parameters
        ----------
        image : ndarray of shape (H, W), uint8

        Returns
        -------
        ndarray of shape (d,)

        Raises
        ------
        NotImplementedError
            If the family implements neither this method nor :meth:`describe_batch`.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must implement describe or describe_batch."
        )

    def describe_batch(self, images: GreyImages) -> NDArray[np.floating]:
        """Describe several images.

        Parameters
        ----------
        images : ndarray of shape (n, H, W), uint8

        Returns
        -------
        ndarray of shape (n, d)
        """
        return np.stack([self.describe(image) for image in images])

    def feature_names(self, height: int, width: int) -> list[str]:
        """Name the ``d`` columns.

        Parameters
        ----------
        height, width : int
            Of the images, in pixels.

        Returns
        -------
        list of str
            Unique, structured by ``/``; see the notes of the class.

        Raises
        ------
        NotImplementedError
            If the family does not implement it.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement feature_names.")

    def region(self, column: str) -> Region | None:
        """Read from a column's name which region of the image it describes.

        Parameters
        ----------
        column : str
            From :meth:`feature_names`.

        Returns
        -------
        Region or None
            None for the whole image. Needs :meth:`fit` for the image size.
        """
        for element in column.split("/"):
            if (match := _CELL.fullmatch(element)) and hasattr(self, "grid"):
                return Region.of_cell(element, int(match[1]), self.grid, self.image_shape_)
        return None

    def part(self, column: str) -> str:
        """Read from a column's name to which part of the family it belongs.

        Parameters
        ----------
        column : str
            From :meth:`feature_names`.

        Returns
        -------
        str
            For instance the radius ``r3`` of LBP.
        """
        return (self._elements(column) or [column])[0]

    def in_words(self, column: str) -> str:
        """Say what a column measures, and where on the image.

        Parameters
        ----------
        column : str
            From :meth:`feature_names`.

        Returns
        -------
        str
            Left and right are those of the image; directions are counted anticlockwise from the
            horizontal. Needs :meth:`fit` for the image size.
        """
        return self._placed(f"{self.title}: {' '.join(self._elements(column)) or column}", column)

    def build_network(self) -> Any:
        """Build the network of a family whose columns are a network's outputs; for Grad-CAM.

        Returns
        -------
        features.backbone.Backbone
            Layer by layer, so that it has gradients.

        Raises
        ------
        NotImplementedError
            If the family does not implement it.
        """
        raise NotImplementedError(f"{type(self).__name__} has no network.")

    def _elements(self, column: str) -> list[str]:
        """Elements of a column's name without the family and the region."""
        region = self.region(column)
        name = f"{column}/".replace(f"/{region.name}/", "/") if region else column
        return [element for element in name.split("/")[1:] if element]

    def _placed(self, words: str, column: str) -> str:
        """Add to a column's words where on the image it is measured."""
        region = self.region(column)
        return f"{words} {region.in_words()}" if region else f"{words}, whole image"

    def fit(self, X: GreyImages, y: object = None) -> ImageDescriptor:
        """Store the image size; learn nothing.

        Parameters
        ----------
        X : ndarray of shape (n, H, W), uint8
            Grey images.
        y : object
            Ignored.

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
            If ``X`` is not a stack of uint8 grey images, or a feature is not finite.
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
                    f"Got {part[row, column]} for feature {name} of image {start + row}, but "
                    f"expected a finite number; this is an error in {self!r}."
                )
            matrix[start : start + len(part)] = part
            start += len(part)
        return matrix

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Name the columns; needs :meth:`fit` for the image size.

        Parameters
        ----------
        input_features : object
            Ignored.

        Returns
        -------
        ndarray of shape (d,), object
            See :meth:`feature_names`.
        """
        return np.asarray(self.feature_names(*self.image_shape_), dtype=object)

    def _parts(self, images: GreyImages) -> Iterator[NDArray[np.floating]]:
        """Describe batch after batch, in order, on ``n_jobs`` threads."""
        starts = range(0, len(images), self.batch_size)
        batches = (images[start : start + self.batch_size] for start in starts)
        threads = min(effective_n_jobs(self.n_jobs), len(starts))
        if threads == 1:
            yield from map(self._describe, batches)
            return
        # Not joblib.Parallel: it polls for results every 10 ms, and a run may take no longer.
        with ThreadPoolExecutor(threads) as pool:
            yield from pool.map(self._describe, batches)

    def _describe(self, batch: GreyImages) -> NDArray[np.floating]:
        """Describe a batch, in the one memory layout that the kernels are compiled for."""
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
        If the shape or dtype is another, or a side is shorter than 16 pixels.
    """
    array = np.asarray(images)
    if array.ndim != 3 or array.dtype != np.uint8 or array.shape[0] == 0:
        raise ValueError(
            f"Got images of shape {array.shape} and dtype {array.dtype}, but expected "
            "(n, height, width) uint8 with n >= 1. Pass a single image as image[None]."
        )
    if min(array.shape[1:]) < 16:
        raise ValueError(
            f"Got images of {array.shape[1]} × {array.shape[2]} pixels, but expected at least "
            "16 × 16. Enlarge them first (features.reading.preprocess.resize)."
        )
    return array
