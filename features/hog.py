"""Histograms of oriented gradients (HOG)."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from features.base import GreyImages, ImageDescriptor
from features.compiled import compiled
from features.geometry import Region, direction_in_words

EPSILON = 1e-5  # keeps the norm of an empty block from 0
CLIP = 0.2  # largest fraction of one direction in a block (L2-Hys)


@lru_cache(maxsize=8)
def gradient_tables(orientations: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Direction bin and magnitude of every possible gradient of a uint8 image.

    Parameters
    ----------
    orientations : int
        Bins of unsigned direction over 0…π, 1 to 254.

    Returns
    -------
    bins : ndarray of shape (511 * 511,), uint8
        Entry ``511 * (dy + 255) + dx + 255`` for differences dy, dx in [-255, 255]. A bin
        includes its lower edge. By rounding, a direction just under π may belong to no bin; its
        entry is then ``orientations``.
    magnitudes : ndarray of shape (511 * 511,), float64
        Same entries, in grey levels.

    Raises
    ------
    ValueError
        If ``orientations`` is out of range.

    Examples
    --------
    >>> bins, magnitudes = gradient_tables(9)
    >>> bins.reshape(511, 511)[[255, 256, 254], 256].tolist()
    [0, 2, 6]
    >>> float(magnitudes.reshape(511, 511)[255 - 3, 255 + 4])
    5.0
    """
    if not 1 <= orientations <= 254:
        raise ValueError(f"Got {orientations} HOG orientations, but expected 1 to 254.")
    step = np.arange(-255, 256, dtype=np.float64)
    angle = np.rad2deg(np.arctan2(step[:, None], step[None, :])) % 180
    edges = 180.0 / orientations * np.arange(orientations + 1)
    bins = np.searchsorted(edges, angle.ravel(), side="right") - 1
    return bins.astype(np.uint8), np.hypot(step[:, None], step[None, :]).ravel()


@compiled
def _add_row(
    here: NDArray[np.uint8],
    change: NDArray[np.int32],
    bins: NDArray[np.uint8],
    magnitudes: NDArray[np.float64],
    index: NDArray[np.uint32],
    cell: int,
    histograms: NDArray[np.float32],
) -> None:
    """Add a row of pixels (vertical differences in ``change``) to its row of cells."""
    used, last = index.size, here.size - 1
    before, after = here[:-2], here[2:]
    for c in range(min(used, last) - 1):
        dx, dy = np.int32(after[c]) - np.int32(before[c]), change[c + 1]
        index[c + 1] = np.uint32(511 * (dy + 255) + dx + 255)
    for c in (0, used - 1):
        if c == 0 or c == last:
            index[c] = np.uint32(511 * (change[c] + 255) + 255)
    # Successive additions go to different cells, so that none waits for the previous one.
    # Sums are rounded to float32 at each step, in row-major order, as in scikit-image.
    for first in range(cell):
        for k in range(histograms.shape[0]):
            gradient = index[np.uint32(k * cell + first)]
            b = bins[gradient]
            histograms[k, b] = np.float32(histograms[k, b] + magnitudes[gradient])


@compiled
def cell_sums(
    image: GreyImages,
    bins: NDArray[np.uint8],
    magnitudes: NDArray[np.float64],
    cell: int,
    orientations: int,
) -> NDArray[np.float32]:
    """Sum of gradient magnitudes by cell and direction, divided by the pixels of a cell.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8
    bins, magnitudes : ndarrays of shape (511 * 511,)
        From :func:`gradient_tables`.
    cell : int
        Side of a cell in pixels.
    orientations : int

    Returns
    -------
    ndarray of shape (H // cell, W // cell, orientations), float32
        Differences across the image's border count as 0.
    """
    height, width = image.shape
    down, across = height // cell, width // cell
    sums = np.zeros((down, across, orientations + 1), np.float32)
    index = np.empty(across * cell, np.uint32)
    change = np.zeros(width, np.int32)
    for row in range(down * cell):
        inside = 0 < row < height - 1
        above, below = image[row - inside], image[row + inside]
        for c in range(width):
            change[c] = np.int32(below[c]) - np.int32(above[c])
        _add_row(image[row], change, bins, magnitudes, index, cell, sums[row // cell])
    sums /= np.float32(cell * cell)
    return sums[:, :, :orientations]


@compiled
def pairwise_sum(values: NDArray[np.float64]) -> float:
    """Sum in NumPy's order, so that the last bit agrees.

    Parameters
    ----------
    values : ndarray of shape (n,), float64

    Returns
    -------
    float
        Of eight partial sums; more than 128 values are halved first.
    """
    n = values.size
    if n > 128:
        half = n // 2
        half -= half % 8
        return pairwise_sum(values[:half]) + pairwise_sum(values[half:])
    whole = n - n % 8
    total = 0.0
    if whole:
        r = values[:8].copy()
        for start in range(8, whole, 8):
            for k in range(8):
                r[k] += values[start + k]
        total = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]))
    for k in range(whole, n):
        total += values[k]
    return total


@compiled
def normalise_blocks(cells: NDArray[np.float32], block: int, out: NDArray[np.float32]) -> None:
    """Normalise every block of cells (L2-Hys) into ``out``.

    Parameters
    ----------
    cells : ndarray of shape (down, across, orientations), float32
    block : int
        Side of a block in cells.
    out : ndarray of shape (d,), float32
        Output, ordered by block, then cell, then direction.
    """
    down, across, orientations = cells.shape
    values = np.empty(block * block * orientations, np.float64)
    at = 0
    for r in range(down - block + 1):
        for c in range(across - block + 1):
            k = 0
            for i in range(block):
                for j in range(block):
                    for o in range(orientations):
                        values[k] = cells[r + i, c + j, o]
                        k += 1
            norm = np.sqrt(pairwise_sum(values * values) + EPSILON**2)
            for k in range(values.size):
                values[k] = min(values[k] / norm, CLIP)
            norm = np.sqrt(pairwise_sum(values * values) + EPSILON**2)
            for k in range(values.size):
                out[at + k] = np.float32(values[k] / norm)
            at += values.size


@compiled
def _describe(
    images: GreyImages,
    bins: NDArray[np.uint8],
    magnitudes: NDArray[np.float64],
    orientations: int,
    cell: int,
    block: int,
    out: NDArray[np.float32],
) -> None:
    for n in range(images.shape[0]):
        cells = cell_sums(images[n], bins, magnitudes, cell, orientations)
        normalise_blocks(cells, block, out[n])


class Hog(ImageDescriptor):
    """Histograms of oriented gradients (HOG), normalised within overlapping blocks.

    Parameters
    ----------
    orientations : int
        Bins of unsigned gradient direction over 0…π, 1 to 254.
    cell : int
        Side of a square cell in pixels. Pixels beyond the last complete cell are not used.
    block : int
        Side of a square block in cells; blocks overlap by all but one cell.
    n_jobs : int or None
        Number of threads, as joblib counts; changes no value.

    Notes
    -----
    Output: ``(n, d)`` float32 in [0, 1], d = blocks down × blocks across × block² ×
    orientations. Column ``hog/row03/col07/bin2/block1`` is direction bin 2 of the cell in row 3,
    column 7, normalised (L2-Hys) within block 1 of the up to block² blocks that contain the cell.
    Blocks are counted row by row; in block 0 the cell is at the upper left. Values equal those of
    scikit-image's ``hog``, rounded to float32.

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

    title = "HOG"
    description = "histograms of oriented gradients"
    measures = "edges"
    references: ClassVar = {
        "dalal2005": {
            "kind": "inproceedings",
            "authors": "Dalal, N. and Triggs, B.",
            "title": "Histograms of oriented gradients for human detection",
            "year": 2005,
            "venue": "IEEE Conference on Computer Vision and Pattern Recognition",
            "pages": "886-893",
            "doi": "10.1109/CVPR.2005.177",
        }
    }
    libraries = ("numba", "numpy", "scikit-image")

    def __init__(
        self, orientations: int = 9, cell: int = 16, block: int = 2, n_jobs: int | None = 1
    ) -> None:
        self.orientations = orientations
        self.cell = cell
        self.block = block
        self.n_jobs = n_jobs

    def describe_batch(self, images: GreyImages) -> NDArray[np.floating]:
        """Describe several images.

        Parameters
        ----------
        images : ndarray of shape (n, H, W), uint8

        Returns
        -------
        ndarray of shape (n, d), float32

        Raises
        ------
        ValueError
            If the images are smaller than one block.
        """
        down, across = self._blocks(*images.shape[1:])
        columns = down * across * self.block**2 * self.orientations
        matrix = np.empty((len(images), columns), np.float32)
        tables = gradient_tables(self.orientations)
        _describe(images, *tables, self.orientations, self.cell, self.block, matrix)
        return matrix

    def feature_names(self, height: int, width: int) -> list[str]:
        """Name the ``d`` columns; see the notes of the class.

        Parameters
        ----------
        height, width : int
            Of the images, in pixels.

        Returns
        -------
        list of str

        Raises
        ------
        ValueError
            If the images are smaller than one block.
        """
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

    def region(self, column: str) -> Region:
        """Read a column's cell from its name.

        Parameters
        ----------
        column : str
            From :meth:`feature_names`.

        Returns
        -------
        Region
        """
        _, down, across, *_ = column.split("/")
        row, col = int(down.removeprefix("row")), int(across.removeprefix("col"))
        rows, columns = (side // self.cell for side in self.image_shape_)
        top, left = row * self.cell, col * self.cell
        edges = (top, top + self.cell, left, left + self.cell)
        return Region(f"{down}/{across}", row, col, rows, columns, *edges)

    def in_words(self, column: str) -> str:
        """Say what a column measures, and where on the image.

        Parameters
        ----------
        column : str
            From :meth:`feature_names`.

        Returns
        -------
        str
            Directions are those of the edge, anticlockwise from the horizontal.
        """
        k, width = int(self.part(column).removeprefix("bin")), 180 / self.orientations
        # Bins hold the gradient's direction, with rows counted downwards; the edge is across it.
        low = (90 - (k + 1) * width) % 180
        return self._placed(f"edges at {direction_in_words(low, low + width)}", column)

    def _blocks(self, height: int, width: int) -> tuple[int, int]:
        down, across = (side // self.cell - self.block + 1 for side in (height, width))
        if min(down, across) < 1:
            raise ValueError(
                f"Got images of {height} × {width} pixels for HOG, but expected at least "
                f"{self.block * self.cell} per side ({self.block} cells of {self.cell} pixels). "
                "Use a larger --image-size."
            )
        return down, across
