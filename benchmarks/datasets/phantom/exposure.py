"""From path lengths to a grey radiograph: pose, scatter, blur, noise, tone curve, borders."""

from __future__ import annotations

from dataclasses import dataclass

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

MARK = (60, 120)  # grey levels that a side mark adds

_NOISE_SIDE = 256  # pixels of the detector that adds the noise, for every image size
_MARK_SIDE = 256  # pixels of the image on which the side mark is drawn, for every image size
_LETTER = np.array(  # R
    [[16, 46], [16, 16], [30, 16], [36, 23], [30, 30], [16, 30], [24, 30], [36, 46]], np.int32
)


@dataclass(frozen=True)
class Equipment:
    """What differs between hospitals, and between the splits of one hospital.

    Attributes
    ----------
    scale : float
        Size of the chest in the image, relative to the first hospital's training images.
    white, gamma : float
        Factors on the white end and on the exponent of the tone curve: below 1 is brighter.
    noise, blur : float
        Factors.
    collimated : float
        Fraction of images with black borders.
    border : float
        Largest border, in image sides.
    marked : bool
        Whether the letter R is burned into a corner of every image of both classes.
    """

    scale: float = 1.0
    white: float = 1.0
    gamma: float = 1.0
    noise: float = 1.0
    blur: float = 1.0
    collimated: float = COLLIMATED
    border: float = BORDER
    marked: bool = False


TRAIN = Equipment()
TEST = Equipment(scale=0.96, white=0.95, noise=1.25)  # smaller, brighter, noisier
OTHER = Equipment(
    scale=0.88, white=0.88, gamma=0.8, noise=1.8, blur=1.5, collimated=0.6, border=0.09, marked=True
)


def draw_pose(rng: np.random.Generator, equipment: Equipment) -> NDArray[np.float64]:
    """Draw the position of the patient: the map from image to frame coordinates.

    Parameters
    ----------
    rng : Generator
    equipment : Equipment

    Returns
    -------
    ndarray of shape (2, 3)
        Affine map of coordinates in half image sides.
    """
    zoom = rng.uniform(*SCALE) * equipment.scale
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


def expose(path: Map, rng: np.random.Generator, equipment: Equipment) -> NDArray[np.uint8]:
    """Compute the radiograph: attenuation, scatter, blur, noise, tone curve.

    Parameters
    ----------
    path : ndarray of shape (size, size), float32
        Thickness of tissue, in depths of the chest.
    rng : Generator
    equipment : Equipment

    Returns
    -------
    ndarray of shape (size, size), uint8
        Dense tissue is bright.
    """
    size = len(path)
    beam = _scatter(np.exp(-ATTENUATION * path), rng.uniform(*SCATTER))
    beam = cv2.GaussianBlur(beam, (0, 0), size * rng.uniform(*BLUR) * equipment.blur)
    noise = np.exp(rng.uniform(*np.log(DOSE))) * equipment.noise
    grains = rng.standard_normal((2, _NOISE_SIDE, _NOISE_SIDE), dtype=np.float32)
    quantum, electronic = (resample(grain, size) for grain in grains)
    beam = beam + float(noise) * (QUANTUM * np.sqrt(beam) * quantum + ELECTRONIC * electronic)
    density = np.log(np.clip(beam, 0.02, None)) / -ATTENUATION
    black, white = rng.uniform(*BLACK), rng.uniform(*WHITE) * equipment.white
    gamma = np.exp(rng.uniform(-GAMMA, GAMMA)) * equipment.gamma
    tone = np.clip((density - black) / (white - black), 0, 1) ** gamma
    return np.rint(255 * tone).astype(np.uint8)


def draw_borders(rng: np.random.Generator, size: int, equipment: Equipment) -> NDArray[np.bool_]:
    """Draw the shadow of the collimator.

    Parameters
    ----------
    rng : Generator
    size : int
        Side of the image in pixels.
    equipment : Equipment

    Returns
    -------
    ndarray of shape (size, size), bool
        Mostly empty.
    """
    hidden = np.zeros((size, size), dtype=bool)
    collimated = rng.random() < equipment.collimated
    top, bottom, left, right = np.rint(rng.uniform(0, equipment.border, 4) * size).astype(int)
    if collimated:
        hidden[:] = True
        hidden[top : size - bottom, left : size - right] = False
    return hidden


def draw_mark(rng: np.random.Generator, size: int, equipment: Equipment) -> Map:
    """Draw the side mark of the hospital, slightly elsewhere and turned in every image.

    Parameters
    ----------
    rng : Generator
        Used only if the hospital has a mark.
    size : int
        Side of the image in pixels.
    equipment : Equipment

    Returns
    -------
    ndarray of shape (size, size), float32
        Grey levels to add.
    """
    drawn = np.zeros((_MARK_SIDE, _MARK_SIDE), np.uint8)
    if not equipment.marked:
        return np.zeros((size, size), np.float32)
    angle, zoom = rng.uniform(-12, 12), rng.uniform(0.8, 1.2)
    turn = cv2.getRotationMatrix2D((26, 31), angle, zoom)
    turn[:, 2] += rng.uniform(-8, 8, 2)
    corners = np.rint(cv2.transform(_LETTER[None], turn)).astype(np.int32)
    cv2.polylines(drawn, corners, isClosed=False, color=255, thickness=5)
    soft = cv2.GaussianBlur(drawn, (0, 0), 1.5).astype(np.float32) / np.float32(255)
    return resample(soft * np.float32(rng.uniform(*MARK)), size)


def _scatter(beam: Map, fraction: float) -> Map:
    """Spread a fraction of the beam over a wide neighbourhood."""
    coarse = cv2.resize(beam, (32, 32), interpolation=cv2.INTER_AREA)
    veil = resample(cv2.GaussianBlur(coarse, (0, 0), 5), len(beam))
    return (1 - fraction) * beam + fraction * veil
