"""Gabor filter-bank energies: how much texture there is of each scale and direction, and where.

A Gabor kernel is a round Gaussian times a wave. The wave is the product of a wave along x and one
along y, so that the response is a sum of filters down the columns and then along the rows. Each
of these is even (cosine) or odd (sine): taps at +u and -u share one multiplication. Directions
θ and π - θ differ in a sign and share every filter.
"""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.base import GreyImages, ImageDescriptor
from features.compiled import compiled
from features.geometry import direction_in_words

BLOCK = 4  # taps added to a row at a time, so that the row is loaded and stored less often


class Bank(NamedTuple):
    """Filters of one wavelength at directions spaced evenly over 0…π.

    The first pair is direction 0 alone; each of the others is a direction θ below π/2 with
    π - θ, or π/2 alone. Taps are those at 0, 1, 2, … pixels from the centre. The one at 0 is
    halved since it is counted from both sides. Zeros fill up to a multiple of ``BLOCK``.

    Attributes
    ----------
    gauss : ndarray of shape (T,), float32
        The envelope.
    down, across : ndarrays of shape (k, 2, T), float32
        Even and odd filter of each pair along y and along x.
    constant : ndarray of shape (k,), float32
        Fraction of the envelope to subtract, so that a constant image gives no response.
    directions : ndarray of shape (k, 2), intp
        Indices of the pair's directions; the same index twice for a direction alone.
    """

    gauss: NDArray[np.float32]
    down: NDArray[np.float32]
    across: NDArray[np.float32]
    constant: NDArray[np.float32]
    directions: NDArray[np.intp]


# Making a view of an array takes as long as processing a short row, so these loops index flat
# arrays from the start of a row. These indices are unsigned: a signed index may be negative, and
# checking for that would prevent vectorisation.


@compiled
def _add_both(
    lines: NDArray[np.float32],
    after: tuple[np.uintp, ...],
    before: tuple[np.uintp, ...],
    weights: tuple[tuple[np.float32, ...], tuple[np.float32, ...]],
    sums: NDArray[np.float32],
    out: tuple[np.uintp, np.uintp],
    width: np.uintp,
) -> None:
    """Add four taps of an even and an odd filter to a row of each, which start at ``out``."""
    a0, a1, a2, a3 = after
    b0, b1, b2, b3 = before
    (e0, e1, e2, e3), (o0, o1, o2, o3) = weights
    even, odd = out
    for c in range(width):
        p0, p1, p2, p3 = lines[a0 + c], lines[a1 + c], lines[a2 + c], lines[a3 + c]
        m0, m1, m2, m3 = lines[b0 + c], lines[b1 + c], lines[b2 + c], lines[b3 + c]
        cosine = (e0 * (p0 + m0) + e1 * (p1 + m1)) + (e2 * (p2 + m2) + e3 * (p3 + m3))
        sine = (o0 * (p0 - m0) + o1 * (p1 - m1)) + (o2 * (p2 - m2) + o3 * (p3 - m3))
        sums[even + c] += cosine
        sums[odd + c] += sine


@compiled
def _add_even(
    lines: NDArray[np.float32],
    after: tuple[np.uintp, ...],
    before: tuple[np.uintp, ...],
    weights: tuple[np.float32, ...],
    sums: NDArray[np.float32],
    out: np.uintp,
    width: np.uintp,
) -> None:
    """Add four taps of an even filter to a row."""
    a0, a1, a2, a3 = after
    b0, b1, b2, b3 = before
    e0, e1, e2, e3 = weights
    for c in range(width):
        first = e0 * (lines[a0 + c] + lines[b0 + c]) + e1 * (lines[a1 + c] + lines[b1 + c])
        second = e2 * (lines[a2 + c] + lines[b2 + c]) + e3 * (lines[a3 + c] + lines[b3 + c])
        sums[out + c] += first + second


@compiled
def _four(filters: NDArray[np.float32], t: int) -> tuple[np.float32, ...]:
    return filters[t], filters[t + 1], filters[t + 2], filters[t + 3]


@compiled
def _places(first: int, step: int) -> tuple[np.uintp, ...]:
    second, third, fourth = first + step, first + 2 * step, first + 3 * step
    return np.uintp(first), np.uintp(second), np.uintp(third), np.uintp(fourth)


@compiled
def _along(
    lines: NDArray[np.float32],
    start: int,
    filters: NDArray[np.float32],
    first: int,
    taps: int,
    parts: NDArray[np.float32],
    out: int,
    width: int,
) -> None:
    """Filter along a row between mirrored margins, which starts at ``start`` of ``lines``.

    The even filter starts at ``first`` and is followed by the odd one, as their results are.
    """
    n, to = np.uintp(width), (np.uintp(out), np.uintp(out + width))
    for c in range(np.uintp(2 * width)):
        parts[to[0] + c] = 0
    for t in range(0, taps, BLOCK):
        after, before = _places(start + t, 1), _places(start - t, -1)
        weights = (_four(filters, first + t), _four(filters, first + taps + t))
        _add_both(lines, after, before, weights, parts, to, n)


@compiled
def _along_even(
    lines: NDArray[np.float32],
    start: int,
    gauss: NDArray[np.float32],
    parts: NDArray[np.float32],
    out: int,
    width: int,
) -> None:
    """Filter along a row as :func:`_along` by the envelope alone."""
    n, to = np.uintp(width), np.uintp(out)
    for c in range(n):
        parts[to + c] = 0
    for t in range(0, gauss.size, BLOCK):
        after, before = _places(start + t, 1), _places(start - t, -1)
        _add_even(lines, after, before, _four(gauss, t), parts, to, n)


@compiled
def _row_starts(height: int, width: int, margin: int) -> NDArray[np.uintp]:
    """Where each row of an image starts, and the mirrored ones ``margin`` above and below it."""
    starts = np.empty(height + 2 * margin, np.uintp)
    for k in range(starts.size):
        row = (k - margin) % (2 * height)
        starts[k] = min(row, 2 * height - 1 - row) * width
    return starts


@compiled
def _fill_margins(lines: NDArray[np.float32], start: int, width: int, margin: int) -> None:
    """Mirror a row outwards, pixel by pixel; a margin may be longer than the row."""
    end = start + width
    for k in range(margin):
        lines[start - 1 - k] = lines[start + k]
        lines[end + k] = lines[end - 1 - k]


@compiled
def _down(
    pixels: NDArray[np.float32],
    starts: NDArray[np.uintp],
    row: int,
    gauss: NDArray[np.float32],
    down: NDArray[np.float32],
    planes: NDArray[np.float32],
    wide: int,
    width: int,
) -> None:
    """Filter down the columns around a row into an even and an odd plane of each pair.

    ``starts`` holds where in ``pixels`` each row starts, from the topmost mirrored one.
    """
    taps, margin, n = gauss.size, gauss.size - 1, np.uintp(width)
    planes[:] = 0
    for t in range(0, taps, BLOCK):
        a, b = row + margin + t, row + margin - t
        after = (starts[a], starts[a + 1], starts[a + 2], starts[a + 3])
        before = (starts[b], starts[b - 1], starts[b - 2], starts[b - 3])
        _add_even(pixels, after, before, _four(gauss, t), planes, np.uintp(margin), n)
        for even in range(2, planes.size // wide, 2):
            out = (np.uintp(even * wide + margin), np.uintp((even + 1) * wide + margin))
            weights = (_four(down, even * taps + t), _four(down, (even + 1) * taps + t))
            _add_both(pixels, after, before, weights, planes, out, n)
    for start in range(margin, planes.size, wide):
        _fill_margins(planes, start, width, margin)


@compiled
def _add_magnitudes(
    parts: NDArray[np.float32],
    sums: NDArray[np.float64],
    squares: NDArray[np.float64],
    out: np.uintp,
    width: np.uintp,
) -> None:
    """Add a row's magnitudes and their squares to the sums of its columns, in one direction."""
    for c in range(width):
        real, imaginary = parts[c], parts[width + c]
        magnitude = np.float64(np.sqrt(real * real + imaginary * imaginary))
        sums[out + c] += magnitude
        squares[out + c] += magnitude * magnitude


@compiled
def _add_mirrored(
    parts: NDArray[np.float32],
    constant: np.float32,
    sums: NDArray[np.float64],
    squares: NDArray[np.float64],
    out: tuple[np.uintp, np.uintp],
    width: np.uintp,
) -> None:
    """Add magnitudes in two mirrored directions."""
    two, three, four = width * np.uintp(2), width * np.uintp(3), width * np.uintp(4)
    first, second = out
    for c in range(width):
        light = parts[c] - constant * parts[four + c]
        real, imaginary = light - parts[three + c], parts[width + c] + parts[two + c]
        magnitude = np.float64(np.sqrt(real * real + imaginary * imaginary))
        sums[first + c] += magnitude
        squares[first + c] += magnitude * magnitude
        real, imaginary = light + parts[three + c], parts[width + c] - parts[two + c]
        magnitude = np.float64(np.sqrt(real * real + imaginary * imaginary))
        sums[second + c] += magnitude
        squares[second + c] += magnitude * magnitude


@compiled
def _across(
    planes: NDArray[np.float32],
    wide: int,
    gauss: NDArray[np.float32],
    across: NDArray[np.float32],
    constant: NDArray[np.float32],
    directions: NDArray[np.intp],
    parts: NDArray[np.float32],
    sums: NDArray[np.float64],
    squares: NDArray[np.float64],
    width: int,
) -> None:
    """Filter along a row and add its magnitudes, by direction, to the sums of its columns."""
    taps, n = gauss.size, np.uintp(width)
    _along(planes, taps - 1, across, 0, taps, parts, 0, width)
    _add_magnitudes(parts, sums, squares, np.uintp(0), n)
    _along_even(planes, taps - 1, gauss, parts, 4 * width, width)
    for pair in range(1, constant.size):
        even = 2 * pair * wide + taps - 1
        odd = even + wide
        first, second = directions[2 * pair], directions[2 * pair + 1]
        out = (np.uintp(first * width), np.uintp(second * width))
        if first == second:
            _along_even(planes, even, gauss, parts, 0, width)
            _along_even(planes, odd, gauss, parts, width, width)
            _add_magnitudes(parts, sums, squares, out[0], n)
        else:
            _along(planes, even, across, 2 * pair * taps, taps, parts, 0, width)
            _along(planes, odd, across, 2 * pair * taps, taps, parts, 2 * width, width)
            _add_mirrored(parts, constant[pair], sums, squares, out, n)


@compiled
def _cell_means(
    sums: NDArray[np.float64],
    rows: int,
    totals: NDArray[np.float64],
    ends: NDArray[np.float32],
    first: int,
    grid: int,
) -> None:
    """Write the means over a row of cells from the sums of their columns, and add to totals."""
    orientations, width = sums.shape
    for k in range(orientations):
        for j in range(grid):
            left, right = width * j // grid, width * (j + 1) // grid
            total = sums[k, left:right].sum()
            totals[k] += total
            ends[k, first + j] = total / (rows * (right - left))


@compiled
def _describe_image(
    pixels: NDArray[np.float32],
    bank: Bank,
    shape: tuple[int, int],
    grid: int,
    out: NDArray[np.float32],
) -> None:
    """Write mean, standard deviation and means by cell of each direction's magnitudes."""
    height, width = shape
    gauss, constant = bank.gauss, bank.constant
    down, across, directions = bank.down.ravel(), bank.across.ravel(), bank.directions.ravel()
    wide = (width + 2 * gauss.size + 15) // 16 * 16
    planes = np.empty(2 * constant.size * wide, np.float32)
    parts = np.empty(5 * width, np.float32)
    starts = _row_starts(height, width, gauss.size - 1)
    orientations = directions.max() + 1
    squares, sums = np.zeros(orientations * width), np.zeros(orientations * width)
    ends = out.reshape(orientations, 2 + grid * grid)
    totals = np.zeros(orientations)
    for i in range(grid):
        top, bottom = height * i // grid, height * (i + 1) // grid
        sums[:] = 0
        for row in range(top, bottom):
            _down(pixels, starts, row, gauss, down, planes, wide, width)
            _across(planes, wide, gauss, across, constant, directions, parts, sums, squares,
                    width)  # fmt: skip
        _cell_means(sums.reshape(orientations, width), bottom - top, totals, ends,
                    2 + i * grid, grid)  # fmt: skip
    for k in range(orientations):
        mean = totals[k] / pixels.size
        square = squares[k * width : (k + 1) * width].sum() / pixels.size
        ends[k, 0], ends[k, 1] = mean, np.sqrt(max(square - mean * mean, 0.0))


@compiled
def _centre(pixels: NDArray[np.uint8], out: NDArray[np.float32]) -> None:
    """Take off the mean, a whole number: no kernel responds to it, but rounding would."""
    total = np.int64(0)
    for k in range(pixels.size):
        total += np.int64(pixels[k])
    mean = np.int32(total // pixels.size)
    for k in range(pixels.size):
        out[k] = np.float32(np.int32(pixels[k]) - mean)


@compiled
def describe_wavelength(
    images: GreyImages, bank: Bank, grid: int, out: NDArray[np.float32]
) -> None:
    """Write each image's energies at one wavelength into its row of ``out``.

    Parameters
    ----------
    images : ndarray of shape (n, H, W), uint8
    bank : Bank
        From :func:`filter_bank`.
    grid : int
        Cells down and across.
    out : ndarray of shape (n, orientations × (2 + grid²)), float32
        Output.
    """
    pixels = np.empty(images[0].size, np.float32)
    for n in range(images.shape[0]):
        _centre(images[n].ravel(), pixels)
        _describe_image(pixels, bank, images.shape[1:], grid, out[n])


BANDWIDTH = 0.56  # σ = 0.56 λ: a bandwidth of one octave


def gabor_kernel(wavelength: float, angle: float) -> NDArray[np.complex64]:
    """Compute a complex Gabor kernel that gives no response to a constant image.

    Parameters
    ----------
    wavelength : float
        Pixels per cycle.
    angle : float
        Direction of the wave, radians.

    Returns
    -------
    ndarray of shape (k, k), complex64
        With odd k, reaching three standard deviations; sums to 0, magnitudes sum to 1.
    """
    kernel, _ = _kernel(wavelength, angle)
    return (kernel / np.abs(kernel).sum()).astype(np.complex64)


def _kernel(wavelength: float, angle: float) -> tuple[NDArray[np.complex128], float]:
    """Unscaled kernel, and the fraction of the envelope that was subtracted from the wave."""
    sigma = BANDWIDTH * wavelength
    reach = int(np.ceil(3 * sigma))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    envelope = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    wave = np.exp(2j * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / wavelength)
    share = (envelope * wave).sum() / envelope.sum()
    return envelope * (wave - share), float(share.real)


@lru_cache(maxsize=16)
def filter_bank(wavelength: float, orientations: int) -> Bank:
    """Factor :func:`gabor_kernel` in every direction into one-dimensional filters.

    Parameters
    ----------
    wavelength : float
        Pixels per cycle.
    orientations : int
        Number of directions, spaced evenly over 0…π.

    Returns
    -------
    Bank
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
    """Mean and standard deviation of Gabor magnitudes over the image, and mean by cell.

    Parameters
    ----------
    wavelengths : tuple of float
        Pixels per cycle.
    orientations : int
        Number of directions, spaced evenly over 0…π.
    grid : int
        Cells down and across.
    n_jobs : int or None
        Number of threads, as joblib counts; changes no value.

    Notes
    -----
    Output: ``(n, d)`` float32, in grey levels, ≥ 0, d = len(wavelengths) × orientations ×
    (2 + grid²). ``gabor/w08/a045/mean`` and ``…/std`` are over the whole image (wavelength 8
    pixels, direction 45°); ``gabor/w08/a045/cell03`` is the mean in cell 3, counted row by row.
    The bandwidth is one octave. Borders are mirrored.

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

    title = "Gabor"
    description = "Gabor filter energies"
    measures = "stripes"
    references: ClassVar = {
        "manjunath1996": {
            "kind": "article",
            "authors": "Manjunath, B. S. and Ma, W. Y.",
            "title": "Texture features for browsing and retrieval of image data",
            "year": 1996,
            "venue": "IEEE Transactions on Pattern Analysis and Machine Intelligence",
            "volume": "18",
            "pages": "837-842",
            "doi": "10.1109/34.531803",
        }
    }
    libraries = ("numba", "numpy")

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
        """Describe several images.

        Parameters
        ----------
        images : ndarray of shape (n, H, W), uint8

        Returns
        -------
        ndarray of shape (n, d), float32
        """
        parts = []
        for wavelength in self.wavelengths:
            bank = filter_bank(wavelength, self.orientations)
            part = np.empty((len(images), self.orientations * (2 + self.grid**2)), np.float32)
            describe_wavelength(images, bank, self.grid, part)
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
        ends = ["mean", "std", *[f"cell{cell:02d}" for cell in range(self.grid**2)]]
        return [
            f"gabor/w{wavelength:02g}/a{180 * k // self.orientations:03d}/{end}"
            for wavelength in self.wavelengths
            for k in range(self.orientations)
            for end in ends
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
            Directions are those of the stripes, anticlockwise from the horizontal.
        """
        wavelength_part, angle_part, *_ = self._elements(column)
        # The angle is that of the wave, with rows counted downwards; its stripes are across it.
        along = (90 - float(angle_part.removeprefix("a"))) % 180
        direction = direction_in_words(along, along).removesuffix(")")
        wavelength = float(wavelength_part.removeprefix("w"))
        words = f"stripes {wavelength:g} pixels apart at {direction}; Gabor)"
        if column.endswith("/std"):
            words = f"unevenness of {words}"
        return self._placed(words, column)
