"""The skeleton of a phantom patient, as thickness of bone seen from the front.

Coordinates as in :mod:`benchmarks.datasets.phantom.canvas`; thickness in units of the chest's
depth. The proportions were set by eye; they are not measurements of children.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.phantom.canvas import FRAME, Map, bell, bump, frame_axes, rise

RIBS = 11  # pairs
_CAGE_Y = (-0.85, -0.80, -0.72, -0.60, -0.42, -0.2, 0.05, 0.35, 0.7, 1.3)
_CAGE_X = (0.02, 0.18, 0.31, 0.42, 0.53, 0.62, 0.69, 0.74, 0.76, 0.72)


@dataclass(frozen=True)
class Skeleton:
    """Proportions of one patient's bones; lengths in half image sides.

    Attributes
    ----------
    breadth : float
        Width of the rib cage relative to the average.
    spacing, first, drop, width : float
        Of the ribs: distance between them, height of the first at the spine, descent from spine to
        side, half width.
    density : float
        Of ribs and clavicles, relative to the average.
    wander : ndarray of shape (RIBS + 4,)
        Deviation of single ribs from equal distances, as a fraction of ``spacing``.
    bend : tuple of two floats
        Lateral curvature of the spine.
    vertebra : float
        Height of a vertebra with its disc.
    scapula : float
        How far the scapulae overlie the lungs, 0 to 1.
    """

    breadth: float
    spacing: float
    first: float
    drop: float
    width: float
    density: float
    wander: NDArray[np.float32]
    bend: tuple[float, float]
    vertebra: float
    scapula: float


def draw_skeleton(rng: np.random.Generator) -> Skeleton:
    """Draw the proportions of the bones of one patient.

    Parameters
    ----------
    rng : Generator

    Returns
    -------
    Skeleton
    """
    return Skeleton(
        breadth=rng.uniform(0.90, 1.10),
        spacing=rng.uniform(0.135, 0.160),
        first=rng.uniform(-0.76, -0.70),
        drop=rng.uniform(0.26, 0.40),
        width=rng.uniform(0.019, 0.026),
        density=rng.uniform(0.75, 1.3),
        wander=rng.normal(0.0, 0.05, RIBS + 4).astype(np.float32),
        bend=(rng.uniform(-0.03, 0.03), rng.uniform(-0.03, 0.03)),
        vertebra=rng.uniform(0.115, 0.140),
        scapula=rng.uniform(0.0, 1.0),
    )


def cage_half_width(skeleton: Skeleton, y: Map) -> Map:
    """Compute the half width of the rib cage.

    Parameters
    ----------
    skeleton : Skeleton
    y : ndarray
        Height, in half image sides.

    Returns
    -------
    ndarray of the shape of y, float32
    """
    return np.float32(skeleton.breadth) * np.interp(y, _CAGE_Y, _CAGE_X).astype(np.float32)


def arm_axis(x: Map, y: Map) -> Map:
    """Compute the distance from the axis of the raised upper arms, positive below it.

    Parameters
    ----------
    x, y : ndarray
        Coordinates in half image sides.

    Returns
    -------
    ndarray
    """
    return y + 0.72 + 0.55 * (np.abs(x) - 0.95)


def draw_bones(skeleton: Skeleton, turn: float, n: int) -> Map:
    """Compute the thickness of all bones.

    Parameters
    ----------
    skeleton : Skeleton
    turn : float
        Rotation of the patient about the long axis, as a lateral shift of the sternum.
    n : int
        Side of the frame in pixels.

    Returns
    -------
    ndarray of shape (n, n), float32
    """
    x, y = frame_axes(n)
    jaw = 0.35 * np.sqrt(bump(x, y, (turn, -1.25), (0.36, 0.34)))
    humerus = 0.25 * rise(0.06 - np.abs(arm_axis(x, y)), 0.05) * rise(np.abs(x) - 0.80, 0.06)
    ribs = _ribs(skeleton, n) + 0.22 * _clavicles(turn, n)
    return skeleton.density * ribs + _spine(skeleton, n) + _scapulae(skeleton, n) + jaw + humerus


def _ribs(skeleton: Skeleton, n: int) -> Map:
    """Ribs from the spine to the side and, fainter, their front ends crossing them."""
    x, y = frame_axes(n)
    s = np.abs(x - _spine_x(skeleton, y)) / cage_half_width(skeleton, y)
    arch = np.sqrt(np.clip(1 - np.square(0.97 * s), 0, None))
    back = -0.13 * s + skeleton.drop * (1 - arch) + 0.10 * s * (y + 0.2)
    front = 0.757 * skeleton.drop - 0.23 + 0.42 * arch
    behind = 0.15 * _tubes(skeleton, back, skeleton.width)
    before = 0.07 * _tubes(skeleton, front, 1.25 * skeleton.width) * rise(s - 0.55, 0.3)
    return (behind + before) * rise(1 - s, 0.03)


def _tubes(skeleton: Skeleton, curve: Map, half_width: float) -> Map:
    """Parallel tubes along ``y = curve + first + k * spacing``, thicker where seen end-on."""
    n = len(curve)
    _, y = frame_axes(n)
    phase = (y - curve - skeleton.first) / skeleton.spacing
    order = np.arange(-2, RIBS + 2)
    phase = phase + np.interp(phase, order, skeleton.wander).astype(np.float32)
    nearest = np.rint(phase)
    slope = np.hypot(*np.gradient(phase, np.float32(2 * FRAME / n)))
    away = np.abs(phase - nearest) / (slope + 1e-3) / half_width
    cortex = 0.75 + 0.25 * np.square(np.minimum(away, 1))
    end_on = np.minimum(slope * skeleton.spacing, 2.2)
    return rise(1 - away, 0.45) * cortex * end_on * ((nearest >= 0) & (nearest < RIBS))


def _spine_x(skeleton: Skeleton, y: Map) -> Map:
    return skeleton.bend[0] * np.sin(2.2 * y) + skeleton.bend[1] * np.cos(1.4 * y)


def _spine(skeleton: Skeleton, n: int) -> Map:
    """Vertebral bodies, discs, pedicles and spinous processes."""
    x, y = frame_axes(n)
    aside = np.abs(x - _spine_x(skeleton, y))
    wave = np.cos(2 * np.pi / skeleton.vertebra * y)
    body = rise(0.085 + 0.012 * wave - aside, 0.035) * (0.75 + 0.25 * rise(wave + 0.6, 0.7))
    pedicles = bell(aside - 0.055, 0.017) * rise(wave - 0.5, 0.6)
    processes = bell(aside, 0.014) * rise(-wave - 0.2, 0.9)
    return 0.20 * body + 0.08 * pedicles + 0.06 * processes


def _clavicles(turn: float, n: int) -> Map:
    x, y = frame_axes(n)
    aside = np.abs(x - 1.3 * turn)
    line = -0.60 - 0.16 * rise(aside - 0.25, 0.6) + 0.03 * np.sin(9 * aside)
    length = rise(aside - 0.06, 0.04) * rise(0.72 - aside, 0.08)
    return rise(0.026 - np.abs(y - line), 0.025) * length


def _scapulae(skeleton: Skeleton, n: int) -> Map:
    x, y = frame_axes(n)
    border = (0.70 - 0.16 * skeleton.scapula) * skeleton.breadth
    aside = np.abs(x) - border - 0.25 * (y + 0.4)
    blade = rise(aside, 0.03) * rise(0.24 - aside, 0.1) * rise(-0.08 - y, 0.1) * rise(y + 0.72, 0.1)
    return blade * (0.05 + 0.05 * bell(aside, 0.02))
