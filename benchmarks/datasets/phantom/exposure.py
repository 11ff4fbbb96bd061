"""From path lengths to a grey radiograph: pose, scatter, blur, noise, tone curve, borders."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.phantom.canvas import FRAME, Map, resample

ROTATION = 2.0  # standard deviation, degrees
SHIFT = 0.045  # largest, in half image sides
SCALE = (0.93, 1.07)
STRETCH = 0.05  # largest logarithm of width against height
ATTENUATION = 2.2  # per depth of the chest
SCATTER = (0.15, 0.45)  # fraction of the beam that is scattered
BLUR = (0.0028, 0.0056)  # standard deviation, in image sides
QUANTUM = 0.008  # noise of a full beam at 256 × 256 pixels
ELECTRONIC = 0.0025
DOSE = (0.6, 1.8)  # factor on the noise, log-uniform
BLACK = (-0.10, 0.12)  # window of the tone curve, in depths of the chest
WHITE = (1.15, 1.60)
GAMMA = 0.35  # largest logarithm
COLLIMATED = 0.2  # fraction of images with black borders
BORDER = 0.06  # largest border, in image sides

TEST_SCALE = 0.96  # the shift of the test split: smaller, brighter, noisier
TEST_WHITE = 0.95
TEST_NOISE = 1.25

_NOISE_SIDE = 256  # pixels of the detector that adds the noise, for every image size


def draw_pose(rng: np.random.Generator, shifted: bool) -> NDArray[np.float64]:
    """Draw the position of the patient: the map from image to frame coordinates.

    Parameters
    ----------
    rng : Generator
    shifted : bool
        Whether to apply the shift of the test split.

    Returns
    -------
    ndarray of shape (2, 3)
        Affine map of coordinates in half image sides.
    """
    zoom = rng.uniform(*SCALE) * (TEST_SCALE if shifted else 1.0)
    stretch = np.exp(rng.uniform(-STRETCH, STRETCH))
    angle = np.deg2rad(rng.normal(0, ROTATION))
    shift = rng.uniform(-SHIFT, SHIFT, 2)
    cos, sin = np.cos(angle), np.sin(angle)
    linear = np.diag([1 / (zoom * stretch), 1 / zoom]) @ [[cos, -sin], [sin, cos]]
    return np.column_stack([linear, -linear @ shift])


def place(layer: Map, pose: NDArray[np.float64], size: int) -> Map:
    """Resample a layer from the frame to the image.

    Parameters
    ----------
    layer : ndarray of shape (n, n), float32
    pose : ndarray of shape (2, 3)
        From :func:`draw_pose`.
    size : int
        Side of the image in pixels.

    Returns
    -------
    ndarray of shape (size, size), float32
    """
    to_pixels = len(layer) / (2 * FRAME)
    corner = np.full(2, 1 / size - 1)  # centre of the first pixel
    linear = pose[:, :2] * to_pixels * 2 / size
    origin = (pose[:, :2] @ corner + pose[:, 2] + FRAME) * to_pixels - 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    matrix = np.column_stack([linear, origin])
    return np.asarray(
        cv2.warpAffine(layer, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    )


def expose(path: Map, rng: np.random.Generator, shifted: bool) -> NDArray[np.uint8]:
    """Compute the radiograph: attenuation, scatter, blur, noise, tone curve.

    Parameters
    ----------
    path : ndarray of shape (size, size), float32
        Thickness of tissue, in depths of the chest.
    rng : Generator
    shifted : bool
        Whether to apply the shift of the test split.

    Returns
    -------
    ndarray of shape (size, size), uint8
        Dense tissue is bright.
    """
    size = len(path)
    beam = _scatter(np.exp(-ATTENUATION * path), rng.uniform(*SCATTER))
    beam = cv2.GaussianBlur(beam, (0, 0), size * rng.uniform(*BLUR))
    noise = np.exp(rng.uniform(*np.log(DOSE))) * (TEST_NOISE if shifted else 1.0)
    grains = rng.standard_normal((2, _NOISE_SIDE, _NOISE_SIDE), dtype=np.float32)
    quantum, electronic = (resample(grain, size) for grain in grains)
    beam = beam + float(noise) * (QUANTUM * np.sqrt(beam) * quantum + ELECTRONIC * electronic)
    density = np.log(np.clip(beam, 0.02, None)) / -ATTENUATION
    black, white = rng.uniform(*BLACK), rng.uniform(*WHITE) * (TEST_WHITE if shifted else 1.0)
    tone = np.clip((density - black) / (white - black), 0, 1) ** np.exp(rng.uniform(-GAMMA, GAMMA))
    return np.rint(255 * tone).astype(np.uint8)


def draw_borders(rng: np.random.Generator, size: int) -> NDArray[np.bool_]:
    """Draw the shadow of the collimator.

    Parameters
    ----------
    rng : Generator
    size : int
        Side of the image in pixels.

    Returns
    -------
    ndarray of shape (size, size), bool
        Mostly empty.
    """
    hidden = np.zeros((size, size), dtype=bool)
    collimated = rng.random() < COLLIMATED
    top, bottom, left, right = np.rint(rng.uniform(0, BORDER, 4) * size).astype(int)
    if collimated:
        hidden[:] = True
        hidden[top : size - bottom, left : size - right] = False
    return hidden


def _scatter(beam: Map, fraction: float) -> Map:
    """Spread a fraction of the beam over a wide neighbourhood."""
    coarse = cv2.resize(beam, (32, 32), interpolation=cv2.INTER_AREA)
    veil = resample(cv2.GaussianBlur(coarse, (0, 0), 5), len(beam))
    return (1 - fraction) * beam + fraction * veil
