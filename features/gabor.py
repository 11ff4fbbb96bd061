"""Gabor filter-bank energies: how much texture of each scale and direction is where."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from features.base import GreyImages, ImageDescriptor
from features.gabor_kernels import BLOCK, Bank, describe_wavelength

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
    kernel, _ = _kernel(wavelength, angle)
    return (kernel / np.abs(kernel).sum()).astype(np.complex64)


def _kernel(wavelength: float, angle: float) -> tuple[NDArray[np.complex128], float]:
    """Kernel before it is scaled, and the share of the envelope taken off the wave."""
    sigma = BANDWIDTH * wavelength
    reach = int(np.ceil(3 * sigma))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    envelope = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    wave = np.exp(2j * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / wavelength)
    share = (envelope * wave).sum() / envelope.sum()
    return envelope * (wave - share), float(share.real)


@lru_cache(maxsize=16)
def filter_bank(wavelength: float, orientations: int) -> Bank:
    """One-dimensional filters that together are :func:`gabor_kernel` in every direction.

    Parameters
    ----------
    wavelength : float
        Pixels a cycle.
    orientations : int
        Directions, evenly over 0…π.
    """
    pairs = range(orientations // 2 + 1)
    kernels = [_kernel(wavelength, np.pi * k / orientations) for k in pairs]
    taps = kernels[0][0].shape[0] // 2 + 1
    u = np.arange(-(-taps // BLOCK) * BLOCK)
    gauss = np.exp(-(u**2) / (2 * (BANDWIDTH * wavelength) ** 2)) * (u < taps)
    gauss[0] /= 2
    down, across, constant, directions = [], [], [], []
    for k, (kernel, share) in zip(pairs, kernels, strict=True):
        angle, total = np.pi * k / orientations, np.abs(kernel).sum()
        x, y = (2 * np.pi * u * part / wavelength for part in (np.cos(angle), np.sin(angle)))
        along_x, along_y = (gauss * np.array([np.cos(z), np.sin(z)]) for z in (x, y))
        alone = k == 0 or 2 * k == orientations
        if alone:  # one of the two is the envelope
            (along_x if k == 0 else along_y)[0] -= share * gauss
        upright = 2 * k == orientations
        down.append(along_y / total if upright else along_y)
        across.append(along_x if upright else along_x / total)
        constant.append(0.0 if alone else share / total)
        directions.append((k, k if alone else orientations - k))
    return Bank(
        gauss.astype(np.float32),
        np.asarray(down, np.float32),
        np.asarray(across, np.float32),
        np.asarray(constant, np.float32),
        np.asarray(directions, np.intp),
    )


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
        Threads.

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
        parts = []
        for wavelength in self.wavelengths:
            bank = filter_bank(wavelength, self.orientations)
            part = np.empty((len(images), self.orientations * (2 + self.grid**2)), np.float32)
            describe_wavelength(images, bank, self.grid, part)
            parts.append(part)
        return np.concatenate(parts, axis=1)

    def feature_names(self, height: int, width: int) -> list[str]:
        """Names of the columns; see the class."""
        ends = ["mean", "std", *[f"cell{cell:02d}" for cell in range(self.grid**2)]]
        return [
            f"gabor/w{wavelength:02g}/a{180 * k // self.orientations:03d}/{end}"
            for wavelength in self.wavelengths
            for k in range(self.orientations)
            for end in ends
        ]
