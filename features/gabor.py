"""Gabor filter-bank energies: how much texture of each scale and direction is where."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from features.base import GreyImages, ImageDescriptor, grid_cells

BANDWIDTH = 0.56  # σ = 0.56 λ: a bandwidth of one octave


def gabor_kernel(wavelength: float, angle: float) -> NDArray[np.complex64]:
    """Complex Gabor kernel without response to constant light.

    Parameters
    ----------
    wavelength : float
        Pixels a cycle.
    angle : float
        Direction of the wave, radians.

    Returns
    -------
    ndarray of shape (k, k), complex64
        k odd, reaching three standard deviations; sums to 0, magnitudes sum to 1.
    """
    sigma = BANDWIDTH * wavelength
    reach = int(np.ceil(3 * sigma))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    envelope = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    wave = np.exp(2j * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / wavelength)
    kernel = envelope * (wave - (envelope * wave).sum() / envelope.sum())
    return (kernel / np.abs(kernel).sum()).astype(np.complex64)


def gabor_magnitude(
    grey: NDArray[np.float32], kernel: NDArray[np.complex64]
) -> NDArray[np.float32]:
    """Magnitude of an image's response to a complex kernel; borders are mirrored.

    Parameters
    ----------
    grey : ndarray of shape (H, W), float32
    kernel : ndarray of shape (k, k), complex64

    Returns
    -------
    ndarray of shape (H, W), float32, ≥ 0
    """
    real, imaginary = (
        cv2.filter2D(grey, cv2.CV_32F, part, borderType=cv2.BORDER_REFLECT)
        for part in (kernel.real, kernel.imag)
    )
    # Not cv2.magnitude: its last bit depends on where in memory the arrays lie.
    return np.sqrt(real * real + imaginary * imaginary)


class Gabor(ImageDescriptor):
    """Mean and spread of Gabor magnitudes over the image, mean by cell.

    Parameters
    ----------
    wavelengths : tuple of float
        Pixels a cycle.
    orientations : int
        Directions, evenly over 0…π.
    grid : int
        Cells down and across.
    n_jobs : int or None
        Processes.

    Notes
    -----
    Output: ``(n, d)`` float32, in grey levels, ≥ 0. ``gabor/w08/a045/mean`` and ``…/std`` are
    over the whole image (wavelength 8 pixels, direction 45°), ``gabor/w08/a045/cell03`` the mean
    in cell 3 (row by row). Borders are mirrored.

    References
    ----------
    Manjunath BS, Ma WY. Texture features for browsing and retrieval of image data. IEEE TPAMI
    1996;18:837-842. doi:10.1109/34.531803

    Examples
    --------
    >>> images = np.zeros((2, 64, 64), dtype=np.uint8)
    >>> Gabor(wavelengths=(8,), orientations=2, grid=2).fit_transform(images).shape
    (2, 12)
    """

    family = "gabor"

    def __init__(
        self,
        wavelengths: tuple[float, ...] = (4, 8, 16),
        orientations: int = 4,
        grid: int = 4,
        n_jobs: int | None = 1,
    ) -> None:
        self.wavelengths = wavelengths
        self.orientations = orientations
        self.grid = grid
        self.n_jobs = n_jobs

    def describe_batch(self, images: GreyImages) -> NDArray[np.floating]:
        """Describe a batch: ``(n, H, W)`` uint8 to ``(n, d)``."""
        kernels = [
            gabor_kernel(wavelength, angle)
            for wavelength in self.wavelengths
            for angle in np.pi * np.arange(self.orientations) / self.orientations
        ]
        return np.stack([self._energies(image, kernels) for image in images])

    def feature_names(self, height: int, width: int) -> list[str]:
        """Names of the columns; see the class."""
        ends = ["mean", "std", *[f"cell{cell:02d}" for cell in range(self.grid**2)]]
        return [
            f"gabor/w{wavelength:02g}/a{180 * k // self.orientations:03d}/{end}"
            for wavelength in self.wavelengths
            for k in range(self.orientations)
            for end in ends
        ]

    def _energies(
        self, image: GreyImages, kernels: list[NDArray[np.complex64]]
    ) -> NDArray[np.float64]:
        grey = image.astype(np.float32)
        cells = grid_cells(image.shape, self.grid)
        parts: list[float] = []
        for kernel in kernels:
            magnitude = gabor_magnitude(grey, kernel)
            parts += [magnitude.mean(), magnitude.std()]
            parts += [magnitude[cell].mean() for cell in cells]
        return np.asarray(parts)
