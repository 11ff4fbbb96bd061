"""Grey-level co-occurrence matrices (GLCM) and their texture properties."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.base import GreyImages, ImageDescriptor
from features.glcm_kernels import PROPERTIES, texture_properties


class Glcm(ImageDescriptor):
    """Haralick-type texture properties of co-occurrence matrices.

    Parameters
    ----------
    distances : tuple of int
        Pixels, for the whole image.
    cell_distances : tuple of int
        Pixels, for each cell.
    levels : int
        Grey levels.
    grid : int
        Cells down and across.
    n_jobs : int or None
        Threads.

    Notes
    -----
    Output: ``(n, d)`` float32. ``glcm/d2/contrast`` is the mean over four angles at distance 2,
    ``glcm/d2/contrast/range`` the largest less the smallest (Haralick's pair), over the whole
    image; ``glcm/d2/contrast/cell03`` the mean within cell 3 (row by row).

    References
    ----------
    Haralick RM, Shanmugam K, Dinstein I. Textural features for image classification. IEEE Trans
    SMC 1973;3:610-621. doi:10.1109/TSMC.1973.4309314

    Examples
    --------
    >>> images = np.zeros((2, 64, 64), dtype=np.uint8)
    >>> Glcm(distances=(1,), cell_distances=(1,), grid=2).fit_transform(images).shape
    (2, 42)
    """

    family = "glcm"

    def __init__(
        self,
        distances: tuple[int, ...] = (1, 2, 4, 8),
        cell_distances: tuple[int, ...] = (1, 4),
        levels: int = 32,
        grid: int = 4,
        n_jobs: int | None = 1,
    ) -> None:
        self.distances = distances
        self.cell_distances = cell_distances
        self.levels = levels
        self.grid = grid
        self.n_jobs = n_jobs

    def describe(self, image: GreyImages) -> NDArray[np.floating]:
        """Describe one image: ``(H, W)`` uint8 to ``(d,)``."""
        self._check_cells(*image.shape)
        whole = texture_properties(image, self.distances, self.levels)[0]
        cells = texture_properties(image, self.cell_distances, self.levels, self.grid)
        parts = (whole.mean(axis=2), np.ptp(whole, axis=2), cells.mean(axis=3))
        return np.concatenate([part.ravel() for part in parts])

    def feature_names(self, height: int, width: int) -> list[str]:
        """Names of the columns; see the class."""
        ends = [(self.distances, ""), (self.distances, "/range")]
        ends += [(self.cell_distances, f"/cell{cell:02d}") for cell in range(self.grid**2)]
        return [
            f"glcm/d{distance}/{name}{end}"
            for distances, end in ends
            for name in PROPERTIES
            for distance in distances
        ]

    def _check_cells(self, height: int, width: int) -> None:
        furthest = max(*self.distances, *self.cell_distances)
        if min(height, width) // self.grid <= max(self.cell_distances) or furthest >= min(
            height, width
        ):
            raise ValueError(
                f"Got images of {height} × {width} pixels for GLCM, but expected cells wider "
                f"than {max(self.cell_distances)} pixels in a {self.grid} × {self.grid} grid. "
                "Use a larger --image-size."
            )
