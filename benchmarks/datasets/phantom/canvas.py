"""Drawing tools of the phantoms: coordinates, soft edges, ellipsoids and smooth noise.

Coordinates are those of a square frame: ``x`` to the patient's left and ``y`` downwards, in half
image sides; the visible field is the square from -1 to 1, and the frame has a margin around it.
Random textures are drawn on a lattice of fixed size and resampled, so that a phantom is the same
at every image size.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

FRAME = 1.25  # half side of the frame: the margin is for rotation and shift
LATTICE = 384  # pixels, side of the lattice on which random textures are drawn

Map = NDArray[np.floating]


@lru_cache(maxsize=8)
def frame_axes(n: int) -> tuple[Map, Map]:
    """Return the coordinates of the pixels of a frame.

    Parameters
    ----------
    n : int
        Side of the frame in pixels.

    Returns
    -------
    x : ndarray of shape (1, n), float32
        In half image sides; read-only.
    y : ndarray of shape (n, 1), float32
        In half image sides; read-only.

    Examples
    --------
    >>> x, y = frame_axes(2)
    >>> x.tolist(), y.tolist()
    ([[-0.625, 0.625]], [[-0.625], [0.625]])
    """
    axis = (((np.arange(n) + 0.5) / n * 2 - 1) * FRAME).astype(np.float32)
    axis.flags.writeable = False
    return axis[None, :], axis[:, None]


def resample(texture: Map, n: int) -> Map:
    """Resample a square texture; average pixels where it shrinks.

    Parameters
    ----------
    texture : ndarray of shape (m, m)
    n : int
        New side in pixels.

    Returns
    -------
    ndarray of shape (n, n)
    """
    method = cv2.INTER_AREA if n < len(texture) else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(texture, (n, n), interpolation=method))


def grain(rng: np.random.Generator, blur: float) -> Map:
    """Draw smooth Gaussian noise of mean 0 and variance 1 on the lattice.

    Parameters
    ----------
    rng : Generator
    blur : float
        Standard deviation of the smoothing, in half image sides.

    Returns
    -------
    ndarray of shape (LATTICE, LATTICE), float32
    """
    sigma = blur * LATTICE / (2 * FRAME)
    shrink = max(1, int(sigma / 2))
    side = LATTICE // shrink
    noise = rng.standard_normal((side, side), dtype=np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), sigma / shrink)
    return resample((noise - noise.mean()) / noise.std(), LATTICE)


def rise(value: Map, width: float) -> Map:
    """Increase smoothly from 0 to 1 as ``value`` increases from ``-width / 2`` to ``width / 2``.

    Parameters
    ----------
    value : ndarray
    width : float

    Returns
    -------
    ndarray

    Examples
    --------
    >>> rise(np.array([-1.0, 0.0, 1.0]), 2.0).tolist()
    [0.0, 0.5, 1.0]
    """
    t = np.clip(value / np.float32(width) + np.float32(0.5), 0, 1)
    return t * t * (3 - 2 * t)


def bell(value: Map, width: float) -> Map:
    """Compute a Gaussian of height 1 at ``value = 0`` that falls to 1/e at ``width``.

    Parameters
    ----------
    value : ndarray
    width : float

    Returns
    -------
    ndarray
    """
    return np.exp(-np.square(value / width))


def bump(x: Map, y: Map, centre: tuple[float, float], radii: tuple[float, float]) -> Map:
    """Compute the thickness, seen from the front, of an ellipsoid of half depth 1.

    Parameters
    ----------
    x, y : ndarray
        Coordinates.
    centre, radii : tuple of two floats
        Of the ellipsoid in x and y.

    Returns
    -------
    ndarray
        0 outside.

    Examples
    --------
    >>> x = np.array([0.0, 0.8, 2.0])
    >>> bump(x, np.zeros(3), (0.0, 0.0), (1.0, 1.0)).round(1).tolist()
    [1.0, 0.6, 0.0]
    """
    r2 = np.square((x - centre[0]) / radii[0]) + np.square((y - centre[1]) / radii[1])
    return np.sqrt(np.clip(1 - r2, 0, None))
