"""Local binary patterns (LBP): uniform codes, histograms over a grid of cells."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.base import GreyImages, ImageDescriptor
from features.lbp_kernels import POINTS_PER_RADIUS, circle, describe_radius


class Lbp(ImageDescriptor):
    """Uniform, rotation-invariant local binary patterns at several radii.

    At radius r (pixels), 8 r neighbours on a circle, bilinearly interpolated, are compared with
    the centre. Codes 0…8r count the neighbours at least as bright in a uniform pattern (at most
    two changes around the circle); code 8r + 1 holds all others.

    Parameters
    ----------
    radii : tuple of int
        Pixels.
    grid : int
        Cells down and across.
    n_jobs : int or None
        Threads.

    Notes
    -----
    Output: ``(n, d)`` float32 in [0, 1], d = grid² × Σ(8 r + 2). Column ``lbp/r3/cell12/code25``
    is the fraction of pixels in cell 12 (row ``12 // grid``, column ``12 % grid``) with code 25.

    References
    ----------
    Ojala T, Pietikäinen M, Mäenpää T. Multiresolution gray-scale and rotation invariant texture
    classification with local binary patterns. IEEE TPAMI 2002;24:971-987.
    doi:10.1109/TPAMI.2002.1017623

    Examples
    --------
    >>> images = np.zeros((2, 64, 64), dtype=np.uint8)
    >>> Lbp(radii=(1,), grid=2).fit_transform(images).shape
    (2, 40)
    """

    family = "lbp"

    def __init__(
        self, radii: tuple[int, ...] = (1, 2, 3), grid: int = 7, n_jobs: int | None = 1
    ) -> None:
        self.radii = radii
        self.grid = grid
        self.n_jobs = n_jobs

    def describe_batch(self, images: GreyImages) -> NDArray[np.floating]:
        """Describe a batch: ``(n, H, W)`` uint8 to ``(n, d)``."""
        parts = []
        for radius in self.radii:
            neighbours = circle(radius, *images.shape[1:])
            columns = self.grid**2 * (POINTS_PER_RADIUS * radius + 2)
            part = np.empty((len(images), columns), np.float32)
            describe_radius(images, radius, neighbours, self.grid, part)
            parts.append(part)
        return np.concatenate(parts, axis=1)

    def feature_names(self, height: int, width: int) -> list[str]:
        """Names of the columns; see the class."""
        return [
            f"lbp/r{radius}/cell{cell:02d}/code{code:02d}"
            for radius in self.radii
            for cell in range(self.grid**2)
            for code in range(POINTS_PER_RADIUS * radius + 2)
        ]
