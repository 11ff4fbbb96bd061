"""Local ternary patterns (LTP): which neighbours are clearly brighter or darker, and where."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from features.base import GreyImages, ImageDescriptor
from features.compiled import compiled
from features.geometry import direction_in_words

POINTS = 8  # neighbours, counted anticlockwise from the right
UNIFORM = POINTS * (POINTS - 1) + 2  # patterns with at most two changes around the circle
N_CODES = UNIFORM + 1  # the last one counts all other patterns
PATTERNS = ("brighter", "darker")
LARGEST_RADIUS = 8  # pixels
# Fractions of a pixel: a grey value times two of them has 24 bits. So float32 holds interpolated
# values exactly, and ties depend on no order of operations and no processor.
STEPS = 256


def code_of_pattern() -> NDArray[np.intp]:
    """Map every pattern of eight bits to its code.

    Returns
    -------
    ndarray of shape (256,), intp
        0 for no bit; ``8 n + s - 7`` for n bits in a row, 1 to 7, of which bit s is the first and
        bit 0 follows bit 7; 57 for all bits; 58 for every other pattern.

    Examples
    --------
    >>> code_of_pattern()[[0b0, 0b100, 0b10000001, 0b11111111, 0b101]].tolist()
    [0, 3, 16, 57, 58]
    """
    codes = np.full(2**POINTS, N_CODES - 1, np.intp)
    codes[0], codes[-1] = 0, UNIFORM - 1
    for length in range(1, POINTS):
        for start in range(POINTS):
            pattern = sum(1 << (start + i) % POINTS for i in range(length))
            codes[pattern] = 1 + (length - 1) * POINTS + start
    return codes


# Making a view of an array takes as long as processing a short row, so the loops below index flat
# arrays from the start of a row. These indices are unsigned: a signed index may be negative, and
# checking for that would prevent vectorisation.


@compiled
def _pad(image: GreyImages, pad: int, padded: NDArray[np.float32]) -> None:
    """Copy an image into the middle of a flat array; pixels outside repeat the nearest one."""
    height, width = image.shape
    stride = width + 2 * pad
    for row in range(height + 2 * pad):
        line = image[min(max(row - pad, 0), height - 1)]
        start = np.uintp(row * stride)
        for c in range(pad):
            padded[start + np.uintp(c)] = line[0]
            padded[start + np.uintp(pad + width + c)] = line[width - 1]
        start += np.uintp(pad)
        for c in range(np.uintp(width)):
            padded[start + c] = line[c]


@compiled
def _interpolate_down(
    padded: NDArray[np.float32],
    starts: tuple[np.uintp, np.uintp, np.uintp, np.uintp],
    fraction: np.float32,
    above: NDArray[np.float32],
    below: NDArray[np.float32],
) -> None:
    """Interpolate between two rows above and two below; the nearer row of each comes first."""
    above_near, above_far, below_near, below_far = starts
    for c in range(np.uintp(above.size)):
        near, far = padded[above_near + c], padded[above_far + c]
        above[c] = near + fraction * (far - near)
        near, far = padded[below_near + c], padded[below_far + c]
        below[c] = near + fraction * (far - near)


@compiled
def _compare(
    padded: NDArray[np.float32],
    whole: tuple[np.uintp, np.uintp, np.uintp, np.uintp, np.uintp],
    above: NDArray[np.float32],
    below: NDArray[np.float32],
    between: tuple[np.uintp, np.uintp, np.uintp, np.uintp],
    fraction: np.float32,
    threshold: np.float32,
    words: NDArray[np.uint32],
) -> None:
    """Write the patterns of a row of pixels: brighter in bits 0 to 7, darker in bits 8 to 15.

    ``whole``: starts of the centre and of its neighbours on whole pixels. ``between``: starts of
    the near and far columns to the right, then of those to the left, in ``above`` and ``below``.
    """
    centre, right, up, left, down = whole
    right_near, right_far, left_near, left_far = between
    zero = np.uint32(0)
    for c in range(np.uintp(words.size)):
        here = padded[centre + c]
        high, low = here + threshold, here - threshold
        v0, v2, v4, v6 = padded[right + c], padded[up + c], padded[left + c], padded[down + c]
        v1 = above[right_near + c] + fraction * (above[right_far + c] - above[right_near + c])
        v3 = above[left_near + c] + fraction * (above[left_far + c] - above[left_near + c])
        v5 = below[left_near + c] + fraction * (below[left_far + c] - below[left_near + c])
        v7 = below[right_near + c] + fraction * (below[right_far + c] - below[right_near + c])
        words[c] = (
            (np.uint32(1) if v0 >= high else zero)
            | (np.uint32(2) if v1 >= high else zero)
            | (np.uint32(4) if v2 >= high else zero)
            | (np.uint32(8) if v3 >= high else zero)
            | (np.uint32(16) if v4 >= high else zero)
            | (np.uint32(32) if v5 >= high else zero)
            | (np.uint32(64) if v6 >= high else zero)
            | (np.uint32(128) if v7 >= high else zero)
            | (np.uint32(256) if v0 <= low else zero)
            | (np.uint32(512) if v1 <= low else zero)
            | (np.uint32(1024) if v2 <= low else zero)
            | (np.uint32(2048) if v3 <= low else zero)
            | (np.uint32(4096) if v4 <= low else zero)
            | (np.uint32(8192) if v5 <= low else zero)
            | (np.uint32(16384) if v6 <= low else zero)
            | (np.uint32(32768) if v7 <= low else zero)
        )


@compiled
def _row_of_words(
    padded: NDArray[np.float32],
    first: int,
    stride: int,
    radius: int,
    threshold: np.float32,
    above: NDArray[np.float32],
    below: NDArray[np.float32],
    words: NDArray[np.uint32],
) -> None:
    """Write the patterns of the row whose first pixel is at ``first``."""
    steps = int(np.rint(radius * STEPS / np.sqrt(2.0)))
    near, fraction = steps // STEPS, np.float32(steps % STEPS) / np.float32(STEPS)
    top, bottom = first - radius - near * stride, first - radius + near * stride
    rows = (np.uintp(top), np.uintp(top - stride), np.uintp(bottom), np.uintp(bottom + stride))
    _interpolate_down(padded, rows, fraction, above, below)
    whole = (np.uintp(first), np.uintp(first + radius), np.uintp(first - radius * stride),
             np.uintp(first - radius), np.uintp(first + radius * stride))  # fmt: skip
    between = (np.uintp(radius + near), np.uintp(radius + near + 1),
               np.uintp(radius - near), np.uintp(radius - near - 1))  # fmt: skip
    _compare(padded, whole, above, below, between, fraction, threshold, words)


@compiled
def _write_histogram(
    counts: NDArray[np.uint32],
    first: int,
    codes: NDArray[np.intp],
    area: int,
    by_code: NDArray[np.uint32],
    out: NDArray[np.float32],
    place: int,
) -> None:
    """Write the square root of each code's relative frequency, from counts of patterns."""
    by_code[:] = 0
    for pattern in range(codes.size):
        by_code[codes[pattern]] += counts[first + pattern]
    for code in range(by_code.size):
        out[place + code] = np.sqrt(np.float32(by_code[code]) / np.float32(area))


@compiled
def _describe_radius(
    padded: NDArray[np.float32],
    shape: tuple[int, int],
    pad: int,
    radius: int,
    threshold: np.float32,
    grid: int,
    codes: NDArray[np.intp],
    out: NDArray[np.float32],
    place: int,
) -> None:
    """Write all histograms at one radius from ``place`` on."""
    height, width = shape
    stride, patterns = width + 2 * pad, codes.size
    above = np.empty(width + 2 * radius, np.float32)
    below = np.empty(width + 2 * radius, np.float32)
    words = np.empty(width, np.uint32)
    counts = np.empty(grid * 2 * patterns, np.uint32)
    by_code = np.empty(N_CODES, np.uint32)
    low = np.uint32(patterns - 1)
    for i in range(grid):
        counts[:] = 0
        top, bottom = height * i // grid, height * (i + 1) // grid
        for row in range(top, bottom):
            first = (row + pad) * stride + pad
            _row_of_words(padded, first, stride, radius, threshold, above, below, words)
            for j in range(grid):
                bright = np.uintp(2 * j * patterns)
                dark = bright + np.uintp(patterns)
                for c in range(np.uintp(width * j // grid), np.uintp(width * (j + 1) // grid)):
                    word = words[c]
                    counts[bright + np.uintp(word & low)] += np.uint32(1)
                    counts[dark + np.uintp(word >> np.uint32(POINTS))] += np.uint32(1)
        for j in range(grid):
            area = (bottom - top) * (width * (j + 1) // grid - width * j // grid)
            for k in range(2):
                _write_histogram(counts, (2 * j + k) * patterns, codes, area, by_code, out, place)
                place += N_CODES


@compiled
def describe_images(
    images: GreyImages,
    radii: NDArray[np.intp],
    threshold: np.float32,
    grid: int,
    codes: NDArray[np.intp],
    out: NDArray[np.float32],
) -> None:
    """Write each image's histograms into its row of ``out``.

    Parameters
    ----------
    images : ndarray of shape (n, H, W), uint8
    radii : ndarray of shape (k,), intp
        Pixels.
    threshold : float32
        Grey values.
    grid : int
        Cells down and across.
    codes : ndarray of shape (256,), intp
        From :func:`code_of_pattern`.
    out : ndarray of shape (n, k × grid² × 2 × 59), float32
        Output.
    """
    height, width = images.shape[1:]
    pad = radii.max()
    padded = np.empty((height + 2 * pad) * (width + 2 * pad), np.float32)
    columns = grid**2 * 2 * N_CODES
    for n in range(images.shape[0]):
        _pad(images[n], pad, padded)
        for k in range(radii.size):
            _describe_radius(
                padded, (height, width), pad, radii[k], threshold, grid, codes, out[n], k * columns
            )


class Ltp(ImageDescriptor):
    """Uniform local ternary patterns with directions, at several radii.

    At radius r (pixels), eight neighbours on a circle, bilinearly interpolated, are compared with
    the centre. One pattern marks the neighbours that are brighter by the threshold or more, the
    other those that are darker by as much; noise below the threshold changes neither. A pattern
    with at most two changes around the circle has a code that keeps its direction; all others
    have one code together. Each cell has a histogram of the codes of each pattern.

    Parameters
    ----------
    radii : tuple of int
        Pixels, each 1 to 8.
    threshold : int
        Grey values, 1 to 255.
    grid : int
        Cells down and across, as :func:`features.geometry.grid_cells` cuts them.
    n_jobs : int or None
        Number of threads, as joblib counts; changes no value.

    Notes
    -----
    Output: ``(n, d)`` float32 in [0, 1], d = len(radii) × grid² × 118. Column
    ``ltp/r4/cell12/brighter/code18`` is the square root of the fraction of pixels in cell 12 (row
    ``12 // grid``, column ``12 % grid``) with code 18 (:func:`code_of_pattern`) for their brighter
    neighbours. Bits are neighbours, counted anticlockwise from the right. Between square roots of
    histograms, Euclidean distance is proportional to Hellinger's. Pixels outside repeat the
    nearest one. Coordinates of neighbours between pixels are rounded to 1/256 pixel, so that
    interpolation and comparison are exact.

    References
    ----------
    Tan X, Triggs B. Enhanced local texture feature sets for face recognition under difficult
    lighting conditions. IEEE Trans Image Process 2010;19:1635-1650. doi:10.1109/TIP.2010.2042645

    Ojala T, Pietikäinen M, Mäenpää T. Multiresolution gray-scale and rotation invariant texture
    classification with local binary patterns. IEEE TPAMI 2002;24:971-987.
    doi:10.1109/TPAMI.2002.1017623

    Arandjelović R, Zisserman A. Three things everyone should know to improve object retrieval.
    CVPR 2012:2911-2918. doi:10.1109/CVPR.2012.6248018

    Examples
    --------
    >>> images = np.zeros((2, 64, 64), dtype=np.uint8)
    >>> Ltp(radii=(1,), grid=2).fit_transform(images).shape
    (2, 472)
    """

    title = "LTP"
    description = "uniform local ternary patterns with directions"
    measures = "fine structure"
    references: ClassVar = {
        "tan2010": {
            "kind": "article",
            "authors": "Tan, X. and Triggs, B.",
            "title": "Enhanced local texture feature sets for face recognition under difficult "
            "lighting conditions",
            "year": 2010,
            "venue": "IEEE Transactions on Image Processing",
            "volume": "19",
            "number": "6",
            "pages": "1635-1650",
            "doi": "10.1109/TIP.2010.2042645",
        },
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
            "what": "Uniform local binary patterns",
        },
        "arandjelovic2012": {
            "kind": "inproceedings",
            "authors": "Arandjelović, R. and Zisserman, A.",
            "title": "Three things everyone should know to improve object retrieval",
            "year": 2012,
            "venue": "IEEE Conference on Computer Vision and Pattern Recognition",
            "pages": "2911-2918",
            "doi": "10.1109/CVPR.2012.6248018",
            "what": "Square roots of histograms",
        },
    }
    libraries = ("numba", "numpy")

    def __init__(
        self,
        radii: tuple[int, ...] = (1, 2, 4),
        threshold: int = 4,
        grid: int = 4,
        n_jobs: int | None = 1,
    ) -> None:
        self.radii = radii
        self.threshold = threshold
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
            If a parameter is out of range.
        """
        self._check(min(images.shape[1:]))
        radii = np.array(self.radii, np.intp)
        columns = radii.size * self.grid**2 * len(PATTERNS) * N_CODES
        matrix = np.empty((len(images), columns), np.float32)
        threshold = np.float32(self.threshold)
        describe_images(images, radii, threshold, int(self.grid), code_of_pattern(), matrix)
        return matrix

    def _check(self, side: int) -> None:
        """Check the parameters for images whose shorter side has ``side`` pixels."""
        if len(self.radii) == 0:
            raise ValueError(
                "Got no LTP radius, but expected at least one, such as radii=(1, 2, 4)."
            )
        for radius in self.radii:
            if radius != int(radius) or not 1 <= radius <= LARGEST_RADIUS:
                raise ValueError(
                    f"Got an LTP radius of {radius}, but expected whole pixels from 1 to "
                    f"{LARGEST_RADIUS}."
                )
        if self.threshold != int(self.threshold) or not 1 <= self.threshold <= 255:
            raise ValueError(
                f"Got an LTP threshold of {self.threshold}, but expected whole grey values from 1 "
                "to 255."
            )
        if self.grid != int(self.grid) or not 1 <= self.grid <= side:
            raise ValueError(
                f"Got an LTP grid of {self.grid}, but expected a whole number of cells per side "
                f"from 1 to {side}, the shorter side of the images in pixels."
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
        return [
            f"ltp/r{radius}/cell{cell:02d}/{pattern}/code{code:02d}"
            for radius in self.radii
            for cell in range(self.grid**2)
            for pattern in PATTERNS
            for code in range(N_CODES)
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
            An edge's direction is that of the line; neighbours are listed anticlockwise from the
            right.
        """
        radius, pattern, code = self._elements(column)
        words, detail = _code_in_words(int(code.removeprefix("code")), pattern)
        where = f"LTP, radius {radius.removeprefix('r')}"
        return self._placed(f"{words} ({detail}; {where})", column)


def _code_in_words(code: int, pattern: str) -> tuple[str, str]:
    """Say what a code shows, and for which neighbours ``pattern``, brighter or darker, is true."""
    one, other = ("bright", "dark") if pattern == "brighter" else ("dark", "bright")
    if code == 0:
        return f"even areas and {one} spots", f"no neighbour {pattern}"
    if code == UNIFORM - 1:
        return f"{other} spots", f"all neighbours {pattern}"
    if code == N_CODES - 1:
        return "rough texture", f"neighbours {pattern} in several directions"
    length, start = (code - 1) // POINTS + 1, (code - 1) % POINTS
    first, last = (f"{i % POINTS * 360 // POINTS}°" for i in (start, start + length - 1))
    if length == 1:
        return f"{one} tips and corners", f"one neighbour {pattern}, at {first}"
    detail = f"neighbours {pattern} from {first} to {last}"
    if POINTS / 4 < length < 3 * POINTS / 4:
        along = ((start + (length - 1) / 2) * 360 / POINTS + 90) % 180
        direction, _, words = direction_in_words(along, along).removesuffix(")").partition(" (")
        return f"edges at {direction}", f"{words}; {detail}"
    return f"{one if length < POINTS / 2 else other} tips and corners", detail
