"""What is timed: each descriptor and the same outputs from other libraries."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from features.base import grid_cells
from features.gabor import BANDWIDTH, Gabor, gabor_kernel
from features.glcm_kernels import ANGLES, PROPERTIES, texture_properties
from features.hog import Hog
from features.intensity import PERCENTILES, Intensity
from features.lbp import Lbp
from features.lbp_kernels import POINTS_PER_RADIUS

GreyImages = NDArray[np.uint8]

RADII, GRID = (1, 2, 3), 7
DISTANCES, LEVELS = (1, 2, 4), 32  # by four angles: 12 offsets
GABOR = Gabor()
SIX = PROPERTIES[:-1]  # ours computes entropy as well, so the comparison favours the peer


def skimage_hog(
    image: GreyImages, orientations: int = 9, cell: int = 16, block: int = 2
) -> NDArray[np.float64]:
    """Return the columns of :class:`features.hog.Hog` for one image, by scikit-image."""
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
    """Return the columns of :class:`features.lbp.Lbp` for one image, by scikit-image."""
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
    """Return the whole-image :func:`features.glcm_kernels.texture_properties`, by scikit-image."""
    from skimage.feature import graycomatrix, graycoprops

    grey = (image.astype(np.uint16) * levels // 256).astype(np.uint8)
    matrices = graycomatrix(grey, distances, ANGLES, levels=levels, symmetric=True, normed=True)
    return np.stack([graycoprops(matrices, name) for name in properties])


def mahotas_lbp(image: GreyImages) -> NDArray[np.float64]:
    """Rotation-invariant codes over the whole image at the same radii; not the same codes."""
    from mahotas.features import lbp

    return np.concatenate([lbp(image, radius, POINTS_PER_RADIUS * radius) for radius in RADII])


def mahotas_haralick(image: GreyImages) -> NDArray[np.float64]:
    """13 Haralick features at the same 12 offsets."""
    from mahotas.features import haralick

    grey = (image.astype(np.uint16) * LEVELS // 256).astype(np.uint8)
    return np.stack([haralick(grey, distance=distance) for distance in DISTANCES])


def opencv_gabor(image: GreyImages, gabor: Gabor = GABOR) -> NDArray[np.float64]:
    """Return the columns of ``gabor`` for one image, by OpenCV's filter2D."""
    grey = image.astype(np.float32)

    def magnitude(kernel: NDArray[np.complex64]) -> NDArray[np.float32]:
        real, imaginary = (
            cv2.filter2D(grey, cv2.CV_32F, part, borderType=cv2.BORDER_REFLECT)
            for part in (kernel.real, kernel.imag)
        )
        return np.sqrt(real * real + imaginary * imaginary)

    return _energies(magnitude, gabor, grid_cells(image.shape, gabor.grid))


def scipy_gabor(image: GreyImages, gabor: Gabor = GABOR) -> NDArray[np.float64]:
    """Return the same columns by SciPy's fftconvolve."""
    from scipy.signal import fftconvolve

    def magnitude(kernel: NDArray[np.complex64]) -> NDArray[np.float32]:
        padded = np.pad(image.astype(np.float32), kernel.shape[0] // 2, mode="symmetric")
        return np.abs(fftconvolve(padded, kernel[::-1, ::-1], mode="valid"))

    return _energies(magnitude, gabor, grid_cells(image.shape, gabor.grid))


def skimage_gabor(image: GreyImages) -> None:
    """Filter with scikit-image's own kernels of the same size; they answer to constant light."""
    from skimage.filters import gabor

    for wavelength, angle in _waves(GABOR):
        sigma = BANDWIDTH * wavelength
        gabor(image.astype(np.float32), 1 / wavelength, angle, sigma_x=sigma, sigma_y=sigma)


def scipy_intensity(image: GreyImages, grid: int = 4) -> NDArray[np.float64]:
    """Return the columns of :class:`features.intensity.Intensity`, by NumPy and SciPy."""
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
    """One family: ``ours``, called with a batch, and ``peers``, called with each image.

    The first peer gives the same values; those that are ``slow`` are timed on one image.
    """

    family: str
    name: str
    ours: Callable[[GreyImages], object]
    peers: dict[str, Callable[[GreyImages], object]]
    slow: tuple[str, ...] = ("mahotas (other codes)", "mahotas (13 features)")


def describe_glcm(images: GreyImages) -> None:
    """Whole-image texture properties of a batch."""
    for image in images:
        texture_properties(image, DISTANCES, LEVELS)


def cases() -> list[Case]:
    """One case a family; mahotas only where it is installed."""
    gabor: dict[str, Callable[[GreyImages], object]] = {
        "OpenCV filter2D": opencv_gabor,
        "SciPy fftconvolve": scipy_gabor,
        "scikit-image (its own kernels)": skimage_gabor,
    }
    found = [
        Case("hog", "HOG", Hog().transform, {"scikit-image": skimage_hog}),
        Case("lbp", "LBP", Lbp(radii=RADII, grid=GRID).transform, {"scikit-image": skimage_lbp}),
        Case("glcm", "GLCM, 12 offsets", describe_glcm, {"scikit-image": skimage_glcm}),
        Case("gabor", "Gabor", Gabor().transform, gabor, tuple(gabor)[1:]),
        Case("intensity", "intensity", Intensity().transform, {"NumPy and SciPy": scipy_intensity}),
    ]
    if find_spec("mahotas"):
        found[1].peers["mahotas (other codes)"] = mahotas_lbp
        found[2].peers["mahotas (13 features)"] = mahotas_haralick
    return found
