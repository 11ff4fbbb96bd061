"""Local binary patterns (LBP): uniform codes and their histograms over a grid of cells."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.base import GreyImages, ImageDescriptor
from features.compiled import compiled

POINTS_PER_RADIUS = 8
LARGEST_RADIUS = 8  # pixels; a pixel's comparisons fill a word of 64 bits


class Circle(NamedTuple):
    """Neighbours on a circle that lie between pixels, for every pixel in images of one size.

    Neighbours at the same horizontal offset share their interpolation along rows. They come in
    groups of four, mirrored left, right, up and down. The four on whole pixels are excluded.

    Attributes
    ----------
    left, right : ndarrays of shape (k,), intp
        Whole-pixel offsets of the two pixels between which horizontal offset j interpolates;
        offset k - 1 - j mirrors offset j.
    across : ndarray of shape (k, W), float64
        Weight of the right one, for each centre's column.
    bits : ndarray of shape (k, 2), uint64
        ``1 << i`` for the neighbours i above and below at each horizontal offset, counted
        anticlockwise from the right.
    above, below : ndarrays of shape (k, 2), intp
        Whole-pixel row offsets between which these interpolate.
    down : ndarray of shape (k, 2, H), float64
        Weight of the lower row, for each centre's row.
    """

    left: NDArray[np.intp]
    right: NDArray[np.intp]
    across: NDArray[np.float64]
    bits: NDArray[np.uint64]
    above: NDArray[np.intp]
    below: NDArray[np.intp]
    down: NDArray[np.float64]


@lru_cache(maxsize=16)
def circle(radius: int, height: int, width: int) -> Circle:
    """Compute offsets and weights of the ``8 * radius`` neighbours.

    Parameters
    ----------
    radius : int
        Pixels, 1 to 8.
    height, width : int
        Of the images, in pixels.

    Returns
    -------
    Circle

    Raises
    ------
    ValueError
        If ``radius`` is out of range.

    Notes
    -----
    Offsets are rounded to 5 decimals, and weights are computed from the rounded sum of position
    and offset, both as in scikit-image, so that ties are broken the same way.
    """
    if radius != int(radius) or not 1 <= radius <= LARGEST_RADIUS:
        raise ValueError(
            f"Got an LBP radius of {radius}, but expected whole pixels from 1 to {LARGEST_RADIUS}."
        )
    points = POINTS_PER_RADIUS * radius
    angle = 2 * np.pi * np.arange(points, dtype=np.float64) / points
    rows, columns = (np.round(x, 5) for x in (-radius * np.sin(angle), radius * np.cos(angle)))
    between = np.arange(points) % (2 * radius) > 0
    offsets = np.unique(columns[between])
    pairs = np.array([np.flatnonzero(columns == offset) for offset in offsets])
    x = np.arange(width) + offsets[:, None]
    y = np.arange(height) + rows[pairs][:, :, None]
    return Circle(
        np.floor(offsets).astype(np.intp),
        np.ceil(offsets).astype(np.intp),
        x - np.floor(x),
        np.uint64(1) << pairs.astype(np.uint64),
        np.floor(rows[pairs]).astype(np.intp),
        np.ceil(rows[pairs]).astype(np.intp),
        y - np.floor(y),
    )


# Making a view of an array takes as long as processing a short row, so the loops below index flat
# arrays from the start of a row. These indices are unsigned: a signed index may be negative, and
# checking for that would prevent vectorisation.


@compiled
def _aligned(size: int) -> NDArray[np.float64]:
    """Return zeros aligned to a cache line, where the longest vectors load fastest."""
    room = np.zeros(size + 8, np.float64)
    skip = -(room.ctypes.data // 8) % 8
    return room[skip : skip + size]


@compiled
def _interpolate_row(
    lines: NDArray[np.float64],
    first: tuple[np.uintp, np.uintp],
    weights: NDArray[np.float64],
    weight: np.uintp,
    planes: NDArray[np.float64],
    out: np.uintp,
    width: np.uintp,
) -> None:
    """Interpolate along a row between two pixels: left and right start at ``first``."""
    left, right = first
    for c in range(width):
        w = weights[weight + c]
        planes[out + c] = (1 - w) * lines[left + c] + w * lines[right + c]


@compiled
def _compare_four(
    lines: NDArray[np.float64],
    centre: np.uintp,
    planes: NDArray[np.float64],
    starts: tuple[np.uintp, ...],
    down: tuple[float, float],
    bits: tuple[np.uint64, ...],
    words: NDArray[np.uint64],
    width: np.uintp,
) -> None:
    """Set a bit of each word where its neighbour is at least as bright as the centre.

    ``starts``: of the rows above and below a neighbour, for four neighbours in turn.
    """
    a0, b0, a1, b1, a2, b2, a3, b3 = starts
    d0, d1 = down
    e0, e1, zero = 1 - d0, 1 - d1, np.uint64(0)
    bit0, bit1, bit2, bit3 = bits
    for c in range(width):
        here = lines[centre + c]
        words[c] |= (
            (bit0 if e0 * planes[a0 + c] + d0 * planes[b0 + c] >= here else zero)
            | (bit1 if e1 * planes[a1 + c] + d1 * planes[b1 + c] >= here else zero)
            | (bit2 if e0 * planes[a2 + c] + d0 * planes[b2 + c] >= here else zero)
            | (bit3 if e1 * planes[a3 + c] + d1 * planes[b3 + c] >= here else zero)
        )


@compiled
def _compare_whole(
    lines: NDArray[np.float64],
    centre: np.uintp,
    starts: tuple[np.uintp, ...],
    bits: tuple[np.uint64, ...],
    words: NDArray[np.uint64],
    width: np.uintp,
) -> None:
    """Start the words of a row with the four neighbours on whole pixels."""
    right, up, left, down = starts
    bit0, bit1, bit2, bit3 = bits
    zero = np.uint64(0)
    for c in range(width):
        here = lines[centre + c]
        words[c] = (
            (bit0 if lines[right + c] >= here else zero)
            | (bit1 if lines[up + c] >= here else zero)
            | (bit2 if lines[left + c] >= here else zero)
            | (bit3 if lines[down + c] >= here else zero)
        )


@compiled
def _uniform_codes(words: NDArray[np.uint64], points: int, codes: NDArray[np.uint8]) -> None:
    """Count the ones of each word with at most two changes; others get ``points + 1``."""
    one, inner = np.uint64(1), (np.uint64(1) << np.uint64(points - 1)) - np.uint64(1)
    m1, m2 = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
    m4, all8 = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x0101010101010101)
    for c in range(words.size):
        word = words[c]
        changes = (word ^ (word >> one)) & inner
        changes &= changes - one
        changes &= changes - one
        ones = word - ((word >> one) & m1)
        ones = (ones & m2) + ((ones >> np.uint64(2)) & m2)
        ones = (((ones + (ones >> np.uint64(4))) & m4) * all8) >> np.uint64(56)
        codes[c] = np.uint8(ones) if changes == np.uint64(0) else np.uint8(points + 1)


@compiled
def _codes(image: GreyImages, radius: int, neighbours: Circle, codes: NDArray[np.uint8]) -> None:
    """Write the code of every pixel, row by row; 2 radius + 1 rows are kept, plain and between."""
    left, right, across, bits, above, below, down = neighbours
    height, width = image.shape
    kept, k = 2 * radius + 1, left.size
    even = (width + 7) // 8 * 8
    wide = even + 2 * LARGEST_RADIUS
    lines, planes = _aligned(kept * wide), _aligned(kept * k * even)
    words, columns = np.empty(width, np.uint64), np.uintp(width)
    weights = across.ravel()
    one = np.uint64(1)
    whole_bits = (one, one << np.uint64(2 * radius), one << np.uint64(4 * radius),
                  one << np.uint64(6 * radius))  # fmt: skip
    for row in range(-radius, height):
        new = row + radius
        slot = new % kept
        start = slot * wide + LARGEST_RADIUS
        for c in range(width):
            lines[np.uintp(start + c)] = image[new, c] if new < height else 0
        for j in range(k):
            ends = (np.uintp(start + left[j]), np.uintp(start + right[j]))
            out = np.uintp((slot * k + j) * even)
            _interpolate_row(lines, ends, weights, np.uintp(j * width), planes, out, columns)
        if row < 0:
            continue
        here = row % kept * wide + LARGEST_RADIUS
        centre = np.uintp(here)
        starts = (np.uintp(here + radius), np.uintp((row - radius) % kept * wide + LARGEST_RADIUS),
                  np.uintp(here - radius), np.uintp(start))  # fmt: skip
        _compare_whole(lines, centre, starts, whole_bits, words, columns)
        for j in range(k // 2):
            i = k - 1 - j
            a0, b0 = (row + above[j, 0]) % kept * k, (row + below[j, 0]) % kept * k
            a1, b1 = (row + above[j, 1]) % kept * k, (row + below[j, 1]) % kept * k
            _compare_four(
                lines,
                centre,
                planes,
                (np.uintp((a0 + j) * even), np.uintp((b0 + j) * even),
                 np.uintp((a1 + j) * even), np.uintp((b1 + j) * even),
                 np.uintp((a0 + i) * even), np.uintp((b0 + i) * even),
                 np.uintp((a1 + i) * even), np.uintp((b1 + i) * even)),
                (down[j, 0, row], down[j, 1, row]),
                (bits[j, 0], bits[j, 1], bits[i, 0], bits[i, 1]),
                words,
                columns,
            )  # fmt: skip
        _uniform_codes(words, 8 * radius, codes[row])


def uniform_codes(image: GreyImages, radius: int) -> NDArray[np.uint8]:
    """Uniform, rotation-invariant code of every pixel.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8
        Pixels outside count as 0.
    radius : int
        Pixels, 1 to 8.

    Returns
    -------
    ndarray of shape (H, W), uint8
        In [0, 8 radius + 1]; equal to scikit-image's ``local_binary_pattern(image, 8 * radius,
        radius, method="uniform")``.

    Examples
    --------
    >>> uniform_codes(np.full((3, 3), 7, np.uint8), radius=1)[1].tolist()
    [5, 8, 5]
    """
    codes = np.empty(image.shape, np.uint8)
    _codes(np.ascontiguousarray(image), radius, circle(radius, *image.shape), codes)
    return codes


@compiled
def _count(
    codes: NDArray[np.uint8], n_codes: int, grid: int, frequencies: NDArray[np.floating]
) -> None:
    """Relative frequency of each code in each cell into a row of ``grid² × n_codes`` values."""
    height, width = codes.shape
    counts = np.zeros((grid, n_codes), np.uint32)
    for i in range(grid):
        top, bottom = height * i // grid, height * (i + 1) // grid
        counts[:] = 0
        for row in range(top, bottom):
            line = codes[row]
            for j in range(grid):
                count = counts[j]
                for c in range(width * j // grid, width * (j + 1) // grid):
                    count[line[c]] += np.uint32(1)
        for j in range(grid):
            area = (bottom - top) * (width * (j + 1) // grid - width * j // grid)
            for code in range(n_codes):
                frequencies[(i * grid + j) * n_codes + code] = counts[j, code] / area


def cell_histograms(codes: NDArray[np.integer], n_codes: int, grid: int) -> NDArray[np.float64]:
    """Relative frequency of each code in each cell of a ``grid`` × ``grid`` partition.

    Parameters
    ----------
    codes : ndarray of shape (H, W), integers in [0, n_codes)
    n_codes : int
        At most 256.
    grid : int
        Cells down and across, as :func:`features.geometry.grid_cells` cuts them.

    Returns
    -------
    ndarray of shape (grid², n_codes)
        Each row sums to 1.

    Raises
    ------
    ValueError
        If a code is out of range.

    Examples
    --------
    >>> cell_histograms(np.array([[0, 1], [1, 1]]), n_codes=3, grid=1).tolist()
    [[0.25, 0.75, 0.0]]
    """
    if codes.min() < 0 or codes.max() >= min(n_codes, 256):
        raise ValueError(
            f"Got codes from {codes.min()} to {codes.max()}, but expected 0 to {n_codes - 1} "
            "(at most 255). Give a larger n_codes."
        )
    frequencies = np.empty(grid**2 * n_codes, np.float64)
    _count(np.ascontiguousarray(codes, dtype=np.uint8), n_codes, grid, frequencies)
    return frequencies.reshape(grid**2, n_codes)


@compiled
def describe_radius(
    images: GreyImages, radius: int, neighbours: Circle, grid: int, out: NDArray[np.float32]
) -> None:
    """Write each image's histograms at one radius into its row of ``out``.

    Parameters
    ----------
    images : ndarray of shape (n, H, W), uint8
    radius : int
        Pixels, 1 to 8.
    neighbours : Circle
        From :func:`circle`, for this radius and image size.
    grid : int
        Cells down and across.
    out : ndarray of shape (n, grid² × (8 radius + 2)), float32
        Output.
    """
    codes = np.empty(images.shape[1:], np.uint8)
    for n in range(images.shape[0]):
        _codes(images[n], radius, neighbours, codes)
        _count(codes, 8 * radius + 2, grid, out[n])


class Lbp(ImageDescriptor):
    """Uniform, rotation-invariant local binary patterns at several radii.

    At radius r (pixels), 8 r neighbours on a circle, bilinearly interpolated, are compared with
    the centre. Codes 0…8r count the neighbours that are at least as bright, in a uniform pattern
    (at most two changes around the circle); all other patterns have code 8r + 1.

    Parameters
    ----------
    radii : tuple of int
        Pixels, each 1 to 8.
    grid : int
        Cells down and across.
    n_jobs : int or None
        Number of threads, as joblib counts; changes no value.

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

    title = "LBP"
    description = "uniform local binary patterns"
    measures = "fine texture"
    references: ClassVar = {
        "ojala2002": {
            "kind": "article",
            "authors": "Ojala, T. and Pietikäinen, M. and Mäenpää, T.",
            "title": "Multiresolution gray-scale and rotation invariant texture classification "
            "with local binary patterns",
            "year": 2002,
            "venue": "IEEE Transactions on Pattern Analysis and Machine Intelligence",
            "volume": "24",
            "pages": "971-987",
            "doi": "10.1109/TPAMI.2002.1017623",
        }
    }
    libraries = ("numba", "numpy", "scikit-image")

    def __init__(
        self, radii: tuple[int, ...] = (1, 2, 3), grid: int = 7, n_jobs: int | None = 1
    ) -> None:
        self.radii = radii
        self.grid = grid
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
            If a radius is out of range.
        """
        parts = []
        for radius in self.radii:
            neighbours = circle(radius, *images.shape[1:])
            columns = self.grid**2 * (POINTS_PER_RADIUS * radius + 2)
            part = np.empty((len(images), columns), np.float32)
            describe_radius(images, radius, neighbours, self.grid, part)
            parts.append(part)
        return np.concatenate(parts, axis=1)

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
        return [
            f"lbp/r{radius}/cell{cell:02d}/code{code:02d}"
            for radius in self.radii
            for cell in range(self.grid**2)
            for code in range(POINTS_PER_RADIUS * radius + 2)
        ]

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
        radius_part, code_part = self._elements(column)
        radius, code = int(radius_part.removeprefix("r")), int(code_part.removeprefix("code"))
        points, detail = POINTS_PER_RADIUS * radius, f"LBP, radius {radius}"
        if 0 < code < points:
            detail = f"{code} of {points} neighbours as bright or brighter; {detail}"
        return self._placed(f"{_pattern_in_words(code, points)} ({detail})", column)


def _pattern_in_words(code: int, points: int) -> str:
    if code > points:
        return "rough texture"
    if code in (0, points):
        return "dark spots and even areas" if code else "bright spots"
    if points / 4 < code < 3 * points / 4:
        return "edges"
    return f"{'bright' if code < points / 2 else 'dark'} tips and corners"
