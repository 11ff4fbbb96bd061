"""Wavelet scattering: how strong waves of each scale and direction are, and how that varies."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from features.base import GreyImages, ImageDescriptor
from features.compiled import compiled
from features.geometry import direction_in_words

SIDE = 128  # pixels; images are resized to it
MARGIN = 16  # pixels mirrored at each border
SMALLEST = 0.25  # grey levels, added before the logarithm
FREQUENCY = 0.75 * np.pi  # of the smallest scale's waves, radians per pixel
WIDTH = 0.8  # of its envelope, pixels
_COPIES = range(-2, 3)  # of a filter's spectrum, which repeats every 2 π


@lru_cache(maxsize=32)
def filter_bank(size: int, scale: int, angles: int) -> NDArray[np.float32]:
    """Make the spectra of Morlet wavelets of one scale in all directions.

    Parameters
    ----------
    size : int
        Side of the images in pixels.
    scale : int
        Waves are ``8/3 · 2 ** scale`` pixels long.
    angles : int
        Number of directions, spaced evenly over 0…π.

    Returns
    -------
    ndarray of shape (angles, size, size), float32
        Real; 0 at frequency 0. Do not change it: it is kept for later calls.
    """
    frequency = 2 * np.pi * fft.fftfreq(size)
    bank = np.empty((angles, size, size), np.float32)
    for k in range(angles):
        wave, constant = (
            np.sum([
                _envelope(frequency + 2 * np.pi * down, frequency + 2 * np.pi * right,
                          scale, np.pi * k / angles, 4 / angles, centre)
                for down, right in product(_COPIES, repeat=2)
            ], axis=0)
            for centre in (FREQUENCY / 2**scale, 0.0)
        )  # fmt: skip
        bank[k] = wave - wave[0, 0] / constant[0, 0] * constant
    bank.flags.writeable = False
    return bank


def _envelope(
    down: NDArray[np.float64],
    right: NDArray[np.float64],
    scale: int,
    angle: float,
    slant: float,
    centre: float,
) -> NDArray[np.float64]:
    """Spectrum of a Gaussian times a wave; along the crests it is wider by 1 / slant."""
    along = right[None, :] * np.cos(angle) + down[:, None] * np.sin(angle) - centre
    across = down[:, None] * np.cos(angle) - right[None, :] * np.sin(angle)
    return np.exp(-((WIDTH * 2**scale) ** 2) / 2 * (along**2 + (across / slant) ** 2))


@compiled
def _fold(
    spectrum: NDArray[np.complex64], bank: NDArray[np.float32], out: NDArray[np.complex64]
) -> None:
    """Multiply a spectrum by filters and keep every s-th pixel, s = spectrum side / out side."""
    side, small = spectrum.shape[0], out.shape[1]
    factor = np.float32(small * small) / np.float32(side * side)
    for k in range(bank.shape[0]):
        out[k] = 0
        for row in range(side):
            line = out[k, row % small]
            for start in range(0, side, small):
                for c in range(small):
                    line[c] += spectrum[row, start + c] * bank[k, row, start + c]
        out[k] *= factor


def moduli(spectrum: NDArray[np.complex64], scale: int, angles: int) -> NDArray[np.float32]:
    """Compute the modulus of an image's wavelet coefficients in all directions.

    Parameters
    ----------
    spectrum : ndarray of shape (s, s), complex64
        Of the image.
    scale : int
        As for :func:`filter_bank`.
    angles : int

    Returns
    -------
    ndarray of shape (angles, s / 2 ** scale, s / 2 ** scale), float32
        Every ``2 ** scale``-th pixel.
    """
    size = len(spectrum)
    small = size // 2**scale
    folded = np.empty((angles, small, small), np.complex64)
    _fold(spectrum, filter_bank(size, scale, angles), folded)
    return np.abs(fft.ifft2(folded, overwrite_x=True))


class Scattering(ImageDescriptor):
    """Wavelet scattering of two orders, averaged by cell.

    The image is resized to 128 × 128 pixels by area averaging. First order: the mean modulus of
    its Morlet wavelet coefficients at each scale and direction. Second order: the same of these
    moduli, as images, at all larger scales. Means are taken over the cells of a grid, and their
    logarithm is the feature.

    Parameters
    ----------
    scales : int
        Number of scales, 1 to 4; waves are 2.7, 5.3, 10.7 and 21.3 pixels long.
    angles : int
        Number of directions, spaced evenly over 0…π.
    grid : int
        Cells down and across: 1, 2, 4 or 8.
    n_jobs : int or None
        Number of threads, as joblib counts; changes no value.

    Notes
    -----
    Output: ``(n, d)`` float32, d = grid² × (1 + L J + L² J (J − 1) / 2) for J scales and L angles:
    the logarithm of a mean plus 0.25, in grey levels. ``scattering/mean/cell05`` is the mean grey
    value in cell 5, counted row by row; ``scattering/s1/a030/cell05`` is of first order, at scale
    1 and the wave's direction 30°; ``scattering/s1-s3/a030-a120/cell05`` of second order: waves of
    scale 3 and direction 120° in the strength of those of scale 1 and 30°. Rows are counted
    downwards, so directions of waves are clockwise from the horizontal. Borders are mirrored.

    References
    ----------
    Bruna J, Mallat S. Invariant scattering convolution networks. IEEE TPAMI 2013;35:1872-1886.
    doi:10.1109/TPAMI.2012.230

    Examples
    --------
    >>> images = np.zeros((2, 64, 64), dtype=np.uint8)
    >>> Scattering(scales=2, angles=4, grid=2).fit_transform(images).shape
    (2, 100)
    """

    title = "Scattering"
    description = "wavelet scattering of two orders"
    measures = "waves"
    references: ClassVar = {
        "bruna2013": {
            "kind": "article",
            "authors": "Bruna, J. and Mallat, S.",
            "title": "Invariant scattering convolution networks",
            "year": 2013,
            "venue": "IEEE Transactions on Pattern Analysis and Machine Intelligence",
            "volume": "35",
            "number": "8",
            "pages": "1872-1886",
            "doi": "10.1109/TPAMI.2012.230",
        }
    }
    libraries = ("numba", "numpy", "scipy")

    def __init__(
        self, scales: int = 4, angles: int = 6, grid: int = 4, n_jobs: int | None = 1
    ) -> None:
        self.scales = scales
        self.angles = angles
        self.grid = grid
        self.n_jobs = n_jobs

    def describe(self, image: GreyImages) -> NDArray[np.floating]:
        """Describe one image.

        Parameters
        ----------
        image : ndarray of shape (H, W), uint8

        Returns
        -------
        ndarray of shape (d,), float32

        Raises
        ------
        ValueError
            If a parameter is out of range.
        """
        self._check()
        shrinks = min(image.shape) > SIDE
        small = cv2.resize(
            image.astype(np.float32), (SIDE, SIDE),
            interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
        )  # fmt: skip
        padded = np.pad(small, MARGIN, mode="reflect")
        means = np.concatenate([self._cell_means(plane) for plane in self._planes(padded)])
        return np.log(means + np.float32(SMALLEST))

    def _planes(self, image: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """Yield the image, and the moduli of first and then of second order."""
        yield image[None]
        spectrum = fft.fft2(image)
        first = [moduli(spectrum, scale, self.angles) for scale in range(self.scales)]
        yield from first
        for scale, planes in enumerate(first):
            for plane in planes:
                spectrum = fft.fft2(plane)
                for larger in range(1, self.scales - scale):
                    yield moduli(spectrum, larger, self.angles)

    def _cell_means(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Average each plane over the cells, without the margin."""
        side = planes.shape[1] * SIDE // (SIDE + 2 * MARGIN)
        margin = (planes.shape[1] - side) // 2
        inner = planes[:, margin : margin + side, margin : margin + side]
        cells = inner.reshape(len(planes), self.grid, side // self.grid, self.grid, -1)
        return cells.mean(axis=(2, 4), dtype=np.float64).astype(np.float32).ravel()

    def _check(self) -> None:
        """Check the parameters."""
        for name, value, known in (
            ("number of scales", self.scales, (1, 2, 3, 4)), ("grid", self.grid, (1, 2, 4, 8)),
        ):  # fmt: skip
            if value not in known:
                raise ValueError(
                    f"Got a scattering {name} of {value}, but expected one of {known}."
                )
        if self.angles != int(self.angles) or not 1 <= self.angles <= 32:
            raise ValueError(
                f"Got {self.angles} scattering angles, but expected a whole number from 1 to 32."
            )

    def feature_names(self, height: int, width: int) -> list[str]:
        """Name the ``d`` columns; see the notes of the class.

        Parameters
        ----------
        height, width : int
            Of the images, in pixels.

        Returns
        -------
        list of str
        """
        angles = [f"a{180 * k // self.angles:03d}" for k in range(self.angles)]
        paths = ["mean", *(f"s{s}/{a}" for s in range(self.scales) for a in angles)]
        for scale, angle in product(range(self.scales), angles):
            paths += [
                f"s{scale}-s{larger}/{angle}-{other}"
                for larger in range(scale + 1, self.scales)
                for other in angles
            ]
        cells = [f"cell{cell:02d}" for cell in range(self.grid**2)]
        return [f"scattering/{path}/{cell}" for path in paths for cell in cells]

    def in_words(self, column: str) -> str:
        """Say what a column measures, and where on the image.

        Parameters
        ----------
        column : str
            From :meth:`feature_names`.

        Returns
        -------
        str
            Directions are those of the stripes, anticlockwise from the horizontal.
        """
        scale, *angles = self._elements(column)
        if not angles:
            return self._placed("mean grey value (scattering)", column)
        stripes = [
            _stripes(int(one.removeprefix("s")), float(angle.removeprefix("a")))
            for one, angle in zip(scale.split("-"), angles[0].split("-"), strict=True)
        ]
        words = " in the strength of ".join(reversed(stripes)).removesuffix(")")
        return self._placed(f"{words}; scattering)", column)


def _stripes(scale: int, angle: float) -> str:
    """Name waves by their length and direction."""
    along = (90 - angle) % 180  # stripes are across the wave, and rows are counted downwards
    length = 100 * 2 * np.pi / FREQUENCY * 2**scale / SIDE
    return f"stripes {length:.2g} % of the side apart at {direction_in_words(along, along)}"
