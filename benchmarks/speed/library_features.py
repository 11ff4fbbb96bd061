"""The features of each family computed by other libraries, and the cases that are timed."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from features.gabor import BANDWIDTH, Gabor, gabor_kernel
from features.geometry import grid_cells
from features.glcm import ANGLES, PROPERTIES, texture_properties
from features.hog import Hog
from features.intensity import PERCENTILES, Intensity
from features.lbp import POINTS_PER_RADIUS, Lbp

GreyImages = NDArray[np.uint8]

RADII, GRID = (1, 2, 3), 7
DISTANCES, LEVELS = (1, 2, 4), 32  # by four angles: 12 offsets
GABOR = Gabor()
SIX = PROPERTIES[:-1]  # ours also computes entropy, so the comparison favours the library


def skimage_hog(
    image: GreyImages, orientations: int = 9, cell: int = 16, block: int = 2
) -> NDArray[np.float64]:
    """Compute the columns of :class:`features.hog.Hog` with scikit-image.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8
    orientations : int
        Number of bins.
    cell : int
        Side of a cell in pixels.
    block : int
        Side of a block in cells.

    Returns
    -------
    ndarray of shape (d,), float64
    """
    from skimage.feature import hog

    return np.asarray(
        hog(
            image,
            orientations=orientations,
            pixels_per_cell=(cell, cell),
            cells_per_block=(block, block),
            block_norm="L2-Hys",
        )
    )


def skimage_lbp(
    image: GreyImages, radii: tuple[int, ...] = RADII, grid: int = GRID
) -> NDArray[np.float64]:
    """Compute the columns of :class:`features.lbp.Lbp` with scikit-image.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8
    radii : tuple of int
        In pixels.
    grid : int
        Cells down and across.

    Returns
    -------
    ndarray of shape (d,), float64
    """
    from skimage.feature import local_binary_pattern

    parts = []
    for radius in radii:
        points = POINTS_PER_RADIUS * radius
        codes = local_binary_pattern(image, points, radius, method="uniform").astype(np.intp)
        for cell in grid_cells(codes.shape, grid):
            counts = np.bincount(codes[cell].ravel(), minlength=points + 2)
            parts.append(counts / counts.sum())
    return np.concatenate(parts)


def skimage_glcm(
    image: GreyImages,
    distances: tuple[int, ...] = DISTANCES,
    levels: int = LEVELS,
    properties: tuple[str, ...] = SIX,
) -> NDArray[np.float64]:
    """Compute the properties of :func:`features.glcm.texture_properties` with scikit-image.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8
    distances : tuple of int
        In pixels.
    levels : int
        Number of grey levels.
    properties : tuple of str
        Names in ``graycoprops``.

    Returns
    -------
    ndarray of shape (properties, distances, angles), float64
    """
    from skimage.feature import graycomatrix, graycoprops

    grey = (image.astype(np.uint16) * levels // 256).astype(np.uint8)
    matrices = graycomatrix(grey, distances, ANGLES, levels=levels, symmetric=True, normed=True)
    return np.stack([graycoprops(matrices, name) for name in properties])


def _mahotas_lbp(image: GreyImages) -> NDArray[np.float64]:
    """Compute rotation-invariant codes of the whole image at the same radii; other codes."""
    from mahotas.features import lbp

    return np.concatenate([lbp(image, radius, POINTS_PER_RADIUS * radius) for radius in RADII])


def _mahotas_haralick(image: GreyImages) -> NDArray[np.float64]:
    """Compute 13 Haralick features at the same 12 offsets."""
    from mahotas.features import haralick

    grey = (image.astype(np.uint16) * LEVELS // 256).astype(np.uint8)
    return np.stack([haralick(grey, distance=distance) for distance in DISTANCES])


def opencv_gabor(image: GreyImages, gabor: Gabor = GABOR) -> NDArray[np.float64]:
    """Compute the columns of :class:`features.gabor.Gabor` with OpenCV's filter2D.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8
    gabor : Gabor
        Which wavelengths, orientations and grid.

    Returns
    -------
    ndarray of shape (d,), float64
    """
    grey = image.astype(np.float32)

    def _magnitude(kernel: NDArray[np.complex64]) -> NDArray[np.float32]:
        real, imaginary = (
            cv2.filter2D(grey, cv2.CV_32F, part, borderType=cv2.BORDER_REFLECT)
            for part in (kernel.real, kernel.imag)
        )
        return np.sqrt(real * real + imaginary * imaginary)

    return _energies(_magnitude, gabor, grid_cells(image.shape, gabor.grid))


def scipy_gabor(image: GreyImages, gabor: Gabor = GABOR) -> NDArray[np.float64]:
    """Compute the columns of :class:`features.gabor.Gabor` with SciPy's fftconvolve.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8
    gabor : Gabor
        Which wavelengths, orientations and grid.

    Returns
    -------
    ndarray of shape (d,), float64
    """
    from scipy.signal import fftconvolve

    def _magnitude(kernel: NDArray[np.complex64]) -> NDArray[np.float32]:
        padded = np.pad(image.astype(np.float32), kernel.shape[0] // 2, mode="symmetric")
        return np.abs(fftconvolve(padded, kernel[::-1, ::-1], mode="valid"))

    return _energies(_magnitude, gabor, grid_cells(image.shape, gabor.grid))


def _skimage_gabor(image: GreyImages) -> None:
    """Filter with scikit-image's own kernels of the same size; they respond to constant grey."""
    from skimage.filters import gabor

    for wavelength, angle in _waves(GABOR):
        sigma = BANDWIDTH * wavelength
        gabor(image.astype(np.float32), 1 / wavelength, angle, sigma_x=sigma, sigma_y=sigma)


def scipy_intensity(image: GreyImages, grid: int = 4) -> NDArray[np.float64]:
    """Compute the columns of :class:`features.intensity.Intensity` with NumPy and SciPy.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8
    grid : int
        Cells down and across.

    Returns
    -------
    ndarray of shape (d,), float64
    """
    from scipy import stats

    parts = []
    for part in (image, *[image[cell] for cell in grid_cells(image.shape, grid)]):
        pixels = part.ravel().astype(np.float64)
        moments = (pixels.mean(), pixels.std(), stats.skew(pixels), stats.kurtosis(pixels))
        entropy = stats.entropy(np.bincount(part.ravel()), base=2)
        parts += [*moments, *np.percentile(part, PERCENTILES), entropy]
    return np.array(parts)


def _waves(gabor: Gabor) -> list[tuple[float, float]]:
    angles = np.pi * np.arange(gabor.orientations) / gabor.orientations
    return [(wavelength, angle) for wavelength in gabor.wavelengths for angle in angles]


def _energies(
    magnitude: Callable[[NDArray[np.complex64]], NDArray[np.float32]],
    gabor: Gabor,
    cells: list[tuple[slice, slice]],
) -> NDArray[np.float64]:
    columns: list[float] = []
    for wavelength, angle in _waves(gabor):
        response = magnitude(gabor_kernel(wavelength, angle))
        columns += [response.mean(), response.std(), *[response[cell].mean() for cell in cells]]
    return np.array(columns)


class Case(NamedTuple):
    """A comparison of one family with other libraries.

    Attributes
    ----------
    family : str
        Key of ``FEATURES``.
    name : str
        Name in the table.
    ours : callable
        Called with a batch of images.
    peers : dict of callable
        By name of the library, called with each image. The first computes the same values.
    slow : tuple of str
        Peers that are timed on one image only.
    """

    family: str
    name: str
    ours: Callable[[GreyImages], object]
    peers: dict[str, Callable[[GreyImages], object]]
    slow: tuple[str, ...] = ("mahotas (other codes)", "mahotas (13 features)")


def _describe_glcm(images: GreyImages) -> None:
    """Compute the whole-image texture properties of a batch."""
    for image in images:
        texture_properties(image, DISTANCES, LEVELS)


def cases() -> list[Case]:
    """List one case per family; mahotas only if it is installed.

    Returns
    -------
    list of Case
    """
    gabor: dict[str, Callable[[GreyImages], object]] = {
        "OpenCV filter2D": opencv_gabor,
        "SciPy fftconvolve": scipy_gabor,
        "scikit-image (its own kernels)": _skimage_gabor,
    }
    found = [
        Case("hog", "HOG", Hog().transform, {"scikit-image": skimage_hog}),
        Case("lbp", "LBP", Lbp(radii=RADII, grid=GRID).transform, {"scikit-image": skimage_lbp}),
        Case("glcm", "GLCM, 12 offsets", _describe_glcm, {"scikit-image": skimage_glcm}),
        Case("gabor", "Gabor", Gabor().transform, gabor, tuple(gabor)[1:]),
        Case("intensity", "intensity", Intensity().transform, {"NumPy and SciPy": scipy_intensity}),
    ]
    if find_spec("mahotas"):
        found[1].peers["mahotas (other codes)"] = _mahotas_lbp
        found[2].peers["mahotas (13 features)"] = _mahotas_haralick
    return found
