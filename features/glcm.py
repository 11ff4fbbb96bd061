"""Grey-level co-occurrence matrices (GLCM) and their texture properties."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from features.base import GreyImages, ImageDescriptor
from features.compiled import compiled

PROPERTIES = (
    "contrast", "dissimilarity", "homogeneity", "ASM", "energy", "correlation", "entropy",
)  # fmt: skip
ANGLES = (0.0, np.pi / 4, np.pi / 2, 3 * np.pi / 4)
FLAT = 1e-15  # grey levels; a smaller standard deviation counts as 0, and correlation is then 1
_WORDS = {
    "contrast": "contrast", "dissimilarity": "dissimilarity", "homogeneity": "similarity",
    "ASM": "regularity (angular second moment)", "energy": "regularity (energy)",
    "correlation": "correlation", "entropy": "disorder (entropy)",
}  # fmt: skip


def pair_offsets(distances: tuple[int, ...]) -> NDArray[np.intp]:
    """Whole-pixel offsets (down, right) at each distance and angle.

    Parameters
    ----------
    distances : tuple of int
        Pixels.

    Returns
    -------
    ndarray of shape (len(distances), 4, 2), intp
        Angles in the order of ``ANGLES``, halves rounded away from 0.

    Examples
    --------
    >>> pair_offsets((2,)).tolist()
    [[[0, 2], [1, 1], [2, 0], [1, -1]]]
    """
    angle = np.array(ANGLES)
    exact = np.multiply.outer(distances, np.stack([np.sin(angle), np.cos(angle)], axis=1))
    return np.trunc(exact + np.copysign(0.5, exact)).astype(np.intp)


@compiled
def _quantise(image: GreyImages, levels: int, margin: int) -> NDArray[np.uint32]:
    """Quantise 0…255 to ``levels`` equal widths; margins below and aside hold ``levels``."""
    height, width = image.shape
    padded = np.full((height + margin, width + 2 * margin), levels, np.uint32)
    for row in range(height):
        line, out = image[row], padded[row, margin:]
        for c in range(width):
            out[c] = np.uint32(line[c]) * np.uint32(levels) // np.uint32(256)
    return padded


@compiled
def _count_pairs(
    padded: NDArray[np.uint32],
    margin: int,
    offsets: NDArray[np.intp],
    levels: int,
    counts: NDArray[np.uint32],
) -> None:
    """Count directed pairs at four offsets; (i, j) is at ``i * (levels + 1) + j``.

    The last column takes the pairs that end in a margin.
    """
    width = padded.shape[1] - 2 * margin
    (y0, x0), (y1, x1), (y2, x2), (y3, x3) = offsets[0], offsets[1], offsets[2], offsets[3]
    counts[:] = 0
    count0, count1, count2, count3 = counts[0], counts[1], counts[2], counts[3]
    step, one = np.uint32(levels + 1), np.uint32(1)
    for row in range(padded.shape[0] - margin):
        here = padded[row, margin : margin + width]
        line0, line1 = padded[row + y0, margin + x0 :], padded[row + y1, margin + x1 :]
        line2, line3 = padded[row + y2, margin + x2 :], padded[row + y3, margin + x3 :]
        for c in range(width):
            first = here[c] * step
            count0[first + line0[c]] += one
            count1[first + line1[c]] += one
            count2[first + line2[c]] += one
            count3[first + line3[c]] += one


def co_occurrences(
    image: GreyImages, distances: tuple[int, ...], levels: int
) -> NDArray[np.uint32]:
    """Symmetric co-occurrence counts of one image.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8
    distances : tuple of int
        Pixels.
    levels : int
        Grey levels after equal-width quantisation of 0…255, at most 256.

    Returns
    -------
    ndarray of shape (len(distances), 4, levels, levels), uint32
        Angles 0, π/4, π/2, 3π/4. Entry (i, j) counts the pairs of levels i and j in either order.

    Examples
    --------
    >>> image = np.array([[0, 0, 255]], np.uint8)
    >>> co_occurrences(image, distances=(1,), levels=2)[0, 0].tolist()
    [[2, 1], [1, 0]]
    """
    offsets = pair_offsets(distances)
    margin = int(np.abs(offsets).max())
    padded = _quantise(np.ascontiguousarray(image), levels, margin)
    counts = np.empty((len(distances), 4, levels * (levels + 1)), np.uint32)
    for count, offset in zip(counts, offsets, strict=True):
        _count_pairs(padded, margin, offset, levels, count)
    directed = counts.reshape(len(distances), 4, levels, levels + 1)[..., :levels]
    return directed + directed.swapaxes(2, 3)


@compiled
def _list_pairs(
    count: NDArray[np.uint32],
    seen: tuple[int, int],
    levels: int,
    places: NDArray[np.uint8],
    values: NDArray[np.float64],
) -> int:
    """List the pairs of one matrix, made symmetric: levels and relative frequency.

    Divided by their sum twice, as in scikit-image: first the counts, then, because of rounding,
    the frequencies.
    """
    k, total, stride = 0, np.uint64(0), levels + 1
    low, high = seen
    for i in range(low, high + 1):
        row, column = count[i * stride :], count[i:]
        for j in range(low, high + 1):
            number = row[j] + column[j * stride]
            if number:
                total += np.uint64(number)
                places[k, 0], places[k, 1] = i, j
                values[k] = number
                k += 1
    rest = 0.0
    for entry in range(k):
        values[entry] /= total
        rest += values[entry]
    for entry in range(k):
        values[entry] /= rest
    return k


@compiled
def _list_cells(
    image: GreyImages,
    offsets: NDArray[np.intp],
    levels: int,
    grid: int,
    places: NDArray[np.uint8],
    values: NDArray[np.float64],
    ends: NDArray[np.intp],
) -> None:
    """List the pairs of every cell, distance and angle in turn, and where each list ends."""
    height, width = image.shape
    margin = np.abs(offsets).max()
    counts = np.empty((4, levels * (levels + 1)), np.uint32)
    end = m = 0
    for cell in range(grid * grid):
        i, j = cell // grid, cell % grid
        rows = image[height * i // grid : height * (i + 1) // grid]
        part = rows[:, width * j // grid : width * (j + 1) // grid]
        seen = (np.intp(part.min()) * levels // 256, np.intp(part.max()) * levels // 256)
        padded = _quantise(part, levels, margin)
        for d in range(offsets.shape[0]):
            _count_pairs(padded, margin, offsets[d], levels, counts)
            for a in range(4):
                end += _list_pairs(counts[a], seen, levels, places[end:], values[end:])
                ends[m] = end
                m += 1


@compiled
def _properties(
    places: NDArray[np.uint8],
    values: NDArray[np.float64],
    logarithms: NDArray[np.float64],
    ends: NDArray[np.intp],
    out: NDArray[np.float64],
) -> None:
    """Write the properties of each listed matrix; every sum runs in the order of the list."""
    start = 0
    for m in range(ends.size):
        contrast = dissimilarity = homogeneity = asm = entropy = mean_i = mean_j = 0.0
        for k in range(start, ends[m]):
            i, j, p = np.int64(places[k, 0]), np.int64(places[k, 1]), values[k]
            contrast += p * np.float64((i - j) ** 2)
            dissimilarity += p * np.float64(abs(i - j))
            homogeneity += p * (1.0 / (1.0 + np.float64((i - j) ** 2)))
            asm += p * p
            entropy += p * -logarithms[k]
            mean_i += np.float64(i) * p
            mean_j += np.float64(j) * p
        variance_i = variance_j = covariance = 0.0
        for k in range(start, ends[m]):
            x, y = np.float64(places[k, 0]) - mean_i, np.float64(places[k, 1]) - mean_j
            variance_i += values[k] * (x * x)
            variance_j += values[k] * (y * y)
            covariance += values[k] * (x * y)
        std_i, std_j = np.sqrt(variance_i), np.sqrt(variance_j)
        flat = std_i < FLAT or std_j < FLAT
        correlation = 1.0 if flat else covariance / (std_i * std_j)
        start = ends[m]
        out[m, 0], out[m, 1], out[m, 2] = contrast, dissimilarity, homogeneity
        out[m, 3], out[m, 4], out[m, 5], out[m, 6] = asm, np.sqrt(asm), correlation, entropy


def texture_properties(
    image: GreyImages, distances: tuple[int, ...], levels: int, grid: int = 1
) -> NDArray[np.float64]:
    """Texture properties of each cell of an image, by distance and angle.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8
    distances : tuple of int
        Pixels.
    levels : int
        Grey levels after equal-width quantisation of 0…255, at most 256.
    grid : int
        Cells down and across, as :func:`features.geometry.grid_cells` cuts them.

    Returns
    -------
    ndarray of shape (grid², 7, len(distances), 4)
        Properties in the order of ``PROPERTIES``; angles 0, π/4, π/2, 3π/4. Entropy in nats.
        Equal to scikit-image's ``graycoprops``.
    """
    offsets = pair_offsets(distances)
    matrices = grid**2 * len(distances) * 4
    room = matrices * levels**2  # unused room is never touched, so it costs no memory
    places, values = np.empty((room, 2), np.uint8), np.empty(room, np.float64)
    ends = np.empty(matrices, np.intp)
    _list_cells(np.ascontiguousarray(image), offsets, levels, grid, places, values, ends)
    # NumPy's logarithm: a compiled one may differ in the last bit.
    logarithms = np.log(values[: ends[-1]])
    result = np.empty((matrices, len(PROPERTIES)), np.float64)
    _properties(places, values, logarithms, ends, result)
    by_cell = result.reshape(grid**2, len(distances), 4, len(PROPERTIES))
    return np.ascontiguousarray(by_cell.transpose(0, 3, 1, 2))


class Glcm(ImageDescriptor):
    """Texture properties of grey-level co-occurrence matrices (GLCM), after Haralick.

    Parameters
    ----------
    distances : tuple of int
        Between the pixels of a pair, in pixels, for the whole image.
    cell_distances : tuple of int
        The same for each cell.
    levels : int
        Grey levels after quantisation, at most 256.
    grid : int
        Cells down and across.
    n_jobs : int or None
        Number of threads, as joblib counts; changes no value.

    Notes
    -----
    Output: ``(n, d)`` float32, d = 7 × (2 × len(distances) + grid² × len(cell_distances)). Over
    the whole image, ``glcm/d2/contrast`` is the mean over four angles at distance 2, and
    ``glcm/d2/contrast/range`` the largest minus the smallest; both are Haralick's.
    ``glcm/d2/contrast/cell03`` is the mean within cell 3, counted row by row.

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

    title = "GLCM"
    description = "grey-level co-occurrence statistics"
    measures = "texture"
    references: ClassVar = {
        "haralick1973": {
            "kind": "article",
            "authors": "Haralick, R. M. and Shanmugam, K. and Dinstein, I.",
            "title": "Textural features for image classification",
            "year": 1973,
            "venue": "IEEE Transactions on Systems, Man, and Cybernetics",
            "volume": "SMC-3",
            "pages": "610-621",
            "doi": "10.1109/TSMC.1973.4309314",
        }
    }
    libraries = ("numba", "numpy", "scikit-image")

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
        """Describe one image.

        Parameters
        ----------
        image : ndarray of shape (H, W), uint8

        Returns
        -------
        ndarray of shape (d,), float64

        Raises
        ------
        ValueError
            If the image or its cells are too small for the distances.
        """
        self._check_cells(*image.shape)
        whole = texture_properties(image, self.distances, self.levels)[0]
        cells = texture_properties(image, self.cell_distances, self.levels, self.grid)
        parts = (whole.mean(axis=2), np.ptp(whole, axis=2), cells.mean(axis=3))
        return np.concatenate([part.ravel() for part in parts])

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
        ends = [(self.distances, ""), (self.distances, "/range")]
        ends += [(self.cell_distances, f"/cell{cell:02d}") for cell in range(self.grid**2)]
        return [
            f"glcm/d{distance}/{name}{end}"
            for distances, end in ends
            for name in PROPERTIES
            for distance in distances
        ]

    def part(self, column: str) -> str:
        """Read the property from a column's name.

        Parameters
        ----------
        column : str
            From :meth:`feature_names`.

        Returns
        -------
        str
            For instance ``contrast``, at any distance.
        """
        return self._elements(column)[1]

    def in_words(self, column: str) -> str:
        """Say what a column measures, and where on the image.

        Parameters
        ----------
        column : str
            From :meth:`feature_names`.

        Returns
        -------
        str
        """
        distance = int(self._elements(column)[0].removeprefix("d"))
        pairs = "of neighbouring pixels" if distance == 1 else f"of pixels {distance} apart"
        words = f"{_WORDS[self.part(column)]} {pairs} (GLCM)"
        if column.endswith("/range"):
            words = f"variation of {words} between directions"
        return self._placed(words, column)

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
