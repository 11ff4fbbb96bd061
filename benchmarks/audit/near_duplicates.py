"""Near duplicates: the same exposure saved again, brighter, slightly cropped or rotated.

All chests look similar, so the search has three steps: a perceptual hash proposes pairs, small
sketches reduce their number, and only pairs whose fine detail agrees after alignment are
duplicates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.fft import dctn
from scipy.ndimage import gaussian_filter

from benchmarks.io.image_stack import ImageStack
from features.reading.preprocess import resize

# Selected on the training radiographs and on planted pairs: docs/checks/near_duplicates.csv.
MAX_DISTANCE = 12  # bits of 64 in which the hashes of a pair may differ
SIMILAR = 0.75  # correlation of sketches
CONFIRMED = 0.85  # correlation of fine detail after alignment

_HASHED, _BITS_A_SIDE = 32, 8
_SKETCH_BAND, _SKETCH_BORDER = (0.5, 1.5), 2
_FINE, _FINE_BAND, _FINE_BORDER = 128, (0.7, 2.0), 8
_ALIGNMENT = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 15, 1e-3)
_ALIGNMENT_BLUR = 5  # pixels, odd
_CHUNK = 256  # images
_PAIRS = 4096
_COMPARISONS = 2**22  # hashes compared at a time: about 64 MB


def near_duplicates(images: NDArray[np.uint8] | ImageStack) -> pd.DataFrame:
    """Find the pairs of images that show the same exposure.

    Parameters
    ----------
    images : ndarray or ImageStack of shape (n, S, S), uint8

    Returns
    -------
    DataFrame
        ``first`` < ``second`` (positions), ``correlation`` (of fine detail, at least 0.85);
        sorted. Copies with identical pixels are included.

    Notes
    -----
    At 224 pixels, it finds copies that were recompressed or resized, with other brightness,
    contrast or gamma, crops of 2 % and rotations of 2°; smaller images have less detail to
    compare. It does not find mirrored or inverted images, larger crops, or two exposures of one
    patient. Time grows with ``n²``, memory with ``n`` (1.6 kB per image).

    Examples
    --------
    >>> grain = np.random.default_rng(0).integers(0, 200, (3, 16, 16), dtype=np.uint8)
    >>> images = grain.repeat(8, axis=1).repeat(8, axis=2)
    >>> images[2] = images[0] // 2 + 90
    >>> near_duplicates(images)[["first", "second"]].values.tolist()
    [[0, 2]]
    """
    stack = ImageStack.of(images)
    hashes, sketches = _hashes_and_sketches(stack)
    return _confirmed(candidate_pairs(hashes, MAX_DISTANCE), (stack, sketches), (stack, sketches))


def near_copies(
    images: NDArray[np.uint8] | ImageStack, others: NDArray[np.uint8] | ImageStack
) -> pd.DataFrame:
    """Find the images of one set that show the same exposure as an image of another set.

    Parameters
    ----------
    images : ndarray or ImageStack of shape (n, S, S), uint8
    others : ndarray or ImageStack of shape (m, S, S), uint8

    Returns
    -------
    DataFrame
        ``first`` (position in ``images``), ``second`` (position in ``others``), ``correlation``;
        as in :func:`near_duplicates`. Images of one set are not compared with each other.

    Examples
    --------
    >>> grain = np.random.default_rng(0).integers(0, 200, (3, 16, 16), dtype=np.uint8)
    >>> images = grain.repeat(8, axis=1).repeat(8, axis=2)
    >>> near_copies(images[:2], images[1:] // 2 + 90)[["first", "second"]].values.tolist()
    [[1, 0]]
    """
    one, other = (ImageStack.of(part) for part in (images, others))
    (hashes, sketches), (other_hashes, other_sketches) = map(_hashes_and_sketches, (one, other))
    pairs = _close_pairs(hashes, other_hashes, MAX_DISTANCE)
    return _confirmed(pairs, (one, sketches), (other, other_sketches))


Part = tuple[ImageStack, NDArray[np.float16]]  # images and their sketches


def _confirmed(pairs: Iterable[NDArray[np.intp]], one: Part, other: Part) -> pd.DataFrame:
    """Tabulate the pairs whose sketches and fine detail agree."""
    found = []
    for block in pairs:
        for start in range(0, len(block), _PAIRS):
            part = block[start : start + _PAIRS]
            similar = part[_correlations(one[1], other[1], part) >= SIMILAR]
            found += [
                (i, j, detail_correlation(one[0][i], other[0][j])) for i, j in similar.tolist()
            ]
    table = pd.DataFrame(found, columns=["first", "second", "correlation"])
    table = table.astype({"first": int, "second": int, "correlation": float})
    return table[table["correlation"] >= CONFIRMED].reset_index(drop=True)


def perceptual_hash(images: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Hash the coarse grey pattern; brightness, size, small crops and rotations change few bits.

    Parameters
    ----------
    images : ndarray of shape (n, S, S), uint8

    Returns
    -------
    ndarray of shape (n,), uint64
        Each bit is whether one of the 8 × 8 lowest cosine coefficients of the image, resized to
        32 × 32 pixels, is above their median.

    References
    ----------
    Zauner C. Implementation and Benchmarking of Perceptual Image Hash Functions. Master's thesis,
    Upper Austria University of Applied Sciences, 2010.

    Examples
    --------
    >>> images = np.random.default_rng(0).integers(0, 200, (2, 8, 8), dtype=np.uint8)
    >>> image, other = images.repeat(8, axis=1).repeat(8, axis=2)
    >>> hashes = perceptual_hash(np.stack([image, image + 40, other]))
    >>> (np.bitwise_count(hashes ^ hashes[0]) <= 12).tolist()
    [True, True, False]
    """
    return _hash(_shrunk(images, _HASHED))


def candidate_pairs(
    hashes: NDArray[np.uint64], max_distance: int = MAX_DISTANCE
) -> Iterator[NDArray[np.intp]]:
    """Yield the pairs whose hashes differ in few bits, block by block to save memory.

    Parameters
    ----------
    hashes : ndarray of shape (n,), uint64
    max_distance : int
        Largest number of differing bits.

    Yields
    ------
    ndarray of shape (m, 2), int
        Positions, the first below the second; all blocks together are sorted.

    Examples
    --------
    >>> hashes = np.array([0b0000, 0b1111, 0b0001], dtype=np.uint64)
    >>> [pairs.tolist() for pairs in candidate_pairs(hashes, 1)]
    [[[0, 2]]]
    """
    n = len(hashes)
    rows = max(1, _COMPARISONS // max(1, n))
    for start in range(0, n, rows):
        block = hashes[start : start + rows, None]
        first, second = np.nonzero(np.bitwise_count(block ^ hashes[start:]) <= max_distance)
        after = first < second
        yield np.column_stack([first[after], second[after]]) + start


def _close_pairs(
    hashes: NDArray[np.uint64], others: NDArray[np.uint64], max_distance: int
) -> Iterator[NDArray[np.intp]]:
    """Yield positions in both arrays whose hashes differ in few bits, block by block."""
    rows = max(1, _COMPARISONS // max(1, len(others)))
    for start in range(0, len(hashes), rows):
        block = hashes[start : start + rows, None]
        first, second = np.nonzero(np.bitwise_count(block ^ others) <= max_distance)
        yield np.column_stack([first + start, second])


def detail_correlation(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Correlate the fine detail of two images after aligning the second with the first.

    Parameters
    ----------
    first, second : ndarray of shape (S, S), uint8

    Returns
    -------
    float
        Between -1 and 1: of both images at 128 × 128 pixels, aligned by an affine map and
        band-passed, without their borders; 0 if they can't be aligned or one has no detail.

    Notes
    -----
    Ribs, heart and borders of any two chests look similar; noise, vessels and the edges of ribs
    agree only within one exposure.

    References
    ----------
    Evangelidis GD, Psarakis EZ. Parametric image alignment using enhanced correlation coefficient
    maximization. IEEE TPAMI 2008;30:1858-1865. doi:10.1109/TPAMI.2008.113

    Examples
    --------
    >>> grain = np.random.default_rng(0).integers(0, 256, (2, 32, 32), dtype=np.uint8)
    >>> one, other = grain.repeat(4, axis=1).repeat(4, axis=2)
    >>> round(detail_correlation(one, one), 2), abs(detail_correlation(one, other)) < 0.3
    (1.0, True)
    """
    fixed, moving = (resize(image, _FINE).astype(np.float32) for image in (first, second))
    affine = np.eye(2, 3, dtype=np.float32)
    try:
        cv2.findTransformECC(
            fixed, moving, affine, cv2.MOTION_AFFINE, _ALIGNMENT, None, _ALIGNMENT_BLUR
        )
    except cv2.error:  # no overlap is left, or an image is constant
        return 0.0
    moved = cv2.warpAffine(
        moving, affine, (_FINE, _FINE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT,
    )  # fmt: skip
    one, other = _detail(np.stack([fixed, moved]), _FINE_BAND, _FINE_BORDER)
    return float(one @ other)


def _hashes_and_sketches(stack: ImageStack) -> tuple[NDArray[np.uint64], NDArray[np.float16]]:
    side = _HASHED - 2 * _SKETCH_BORDER
    hashes = np.empty(len(stack), dtype=np.uint64)
    sketches = np.empty((len(stack), side * side), dtype=np.float16)
    for start in range(0, len(stack), _CHUNK):
        part = slice(start, start + _CHUNK)
        shrunk = _shrunk(stack[part], _HASHED)
        hashes[part] = _hash(shrunk)
        sketches[part] = _detail(shrunk, _SKETCH_BAND, _SKETCH_BORDER)
    return hashes, sketches


def _shrunk(images: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
    small = np.empty((len(images), side, side), dtype=np.float32)
    for image, out in zip(images, small, strict=True):
        out[:] = resize(image, side)
    return small


def _hash(shrunk: NDArray[np.float32]) -> NDArray[np.uint64]:
    low = dctn(shrunk, axes=(1, 2), norm="ortho")[:, :_BITS_A_SIDE, :_BITS_A_SIDE]
    low = low.reshape(len(shrunk), -1)
    bits = np.packbits(low > np.median(low, axis=1, keepdims=True), axis=1)
    return bits.view(np.uint64).reshape(-1)


def _detail(
    images: NDArray[np.float32], band: tuple[float, float], border: int
) -> NDArray[np.float32]:
    """Band-pass images and scale each to mean 0 and length 1, or to 0 if it has no detail."""
    fine, coarse = (gaussian_filter(images, sigma, axes=(1, 2)) for sigma in band)
    inner = (fine - coarse)[:, border:-border, border:-border].reshape(len(images), -1)
    inner = inner - inner.mean(axis=1, keepdims=True)
    length = np.linalg.norm(inner, axis=1, keepdims=True)
    return np.asarray(np.where(length > 1e-3, inner / np.maximum(length, 1e-3), 0), np.float32)


def _correlations(
    one: NDArray[np.float16], other: NDArray[np.float16], pairs: NDArray[np.intp]
) -> NDArray[np.float32]:
    first, second = one[pairs[:, 0]].astype(np.float32), other[pairs[:, 1]].astype(np.float32)
    return np.einsum("ij,ij->i", first, second)
