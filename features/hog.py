"""Histograms of oriented gradients (HOG)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.feature import hog

from features.base import GreyImages, ImageDescriptor


class Hog(ImageDescriptor):
    """Histograms of oriented gradients, each cell normalised within its 2 × 2 blocks.

    Parameters
    ----------
    orientations : int
        Bins of unsigned gradient direction over 0…π.
    cell : int
        Side of a square cell in pixels; pixels beyond the last whole cell are not used.
    block : int
        Side of a square block in cells; blocks overlap by all but one cell.
    n_jobs : int or None
        Processes.

    Notes
    -----
    Output: ``(n, d)`` float32 in [0, 1], d = blocks down × blocks across × block² ×
    orientations. Column ``hog/row03/col07/bin2/block1`` is direction bin 2 of the cell in row 3,
    column 7, normalised (L2-Hys) by block 1 of the up to four blocks that hold it: counted row by
    row, block 0 has the cell at its upper left.

    References
    ----------
    Dalal N, Triggs B. Histograms of oriented gradients for human detection. CVPR 2005.
    doi:10.1109/CVPR.2005.177

    Examples
    --------
    >>> images = np.zeros((2, 64, 64), dtype=np.uint8)
    >>> Hog().fit_transform(images).shape
    (2, 324)
    """

    family = "hog"

    def __init__(
        self, orientations: int = 9, cell: int = 16, block: int = 2, n_jobs: int | None = 1
    ) -> None:
        self.orientations = orientations
        self.cell = cell
        self.block = block
        self.n_jobs = n_jobs

    def describe(self, image: GreyImages) -> NDArray[np.floating]:
        """Describe one image: ``(H, W)`` uint8 to ``(d,)``."""
        self._blocks(*image.shape)
        return np.asarray(
            hog(
                image,
                orientations=self.orientations,
                pixels_per_cell=(self.cell, self.cell),
                cells_per_block=(self.block, self.block),
                block_norm="L2-Hys",
            )
        )

    def feature_names(self, height: int, width: int) -> list[str]:
        """Names of the columns; see the class."""
        down, across = self._blocks(height, width)
        span = range(self.block)
        return [
            f"hog/row{r + i:02d}/col{c + j:02d}/bin{b}/block{i * self.block + j}"
            for r in range(down)
            for c in range(across)
            for i in span
            for j in span
            for b in range(self.orientations)
        ]

    def _blocks(self, height: int, width: int) -> tuple[int, int]:
        down, across = (side // self.cell - self.block + 1 for side in (height, width))
        if min(down, across) < 1:
            raise ValueError(
                f"Got images of {height} × {width} pixels for HOG, but expected at least "
                f"{self.block * self.cell} a side ({self.block} cells of {self.cell} pixels). "
                "Use a larger --image-size."
            )
        return down, across
