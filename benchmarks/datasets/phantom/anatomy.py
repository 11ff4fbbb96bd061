"""The chest of a phantom patient: path lengths of tissue, air and bone on a square frame.

Coordinates as in :mod:`benchmarks.datasets.phantom.canvas`; thickness in units of the chest's
depth on the midline. The proportions were set by eye; they are not measurements of children.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.phantom.bones import (
    Skeleton,
    arm_axis,
    cage_half_width,
    draw_bones,
    draw_skeleton,
)
from benchmarks.datasets.phantom.canvas import Map, bell, bump, frame_axes, resample, rise

LUNG_DEPTH = 0.62  # thickness of air where the lung is deepest
FIELD_EDGE = 0.35  # lung fields end where heart or vessels displace more of the lung than this
THYMUS_RATE = 0.4  # fraction of patients with a visible thymus, which resembles a consolidation
HILUM = (0.17, -0.04)  # of the left lung; the right one mirrors it, slightly lower
CARINA = -0.27  # height at which the trachea divides

_DOME_X = 0.30  # distance of the top of each dome from the midline
_BODY_Y = (-1.3, -1.05, -0.92, -0.80, -0.68, -0.55, -0.35, -0.1, 0.2, 0.6, 1.3)
_BODY_X = (0.30, 0.34, 0.48, 0.78, 1.00, 0.96, 0.82, 0.77, 0.79, 0.83, 0.82)


@dataclass(frozen=True)
class Anatomy:
    """Proportions of one patient, the same in all radiographs; lengths in half image sides.

    Attributes
    ----------
    skeleton : Skeleton
    asymmetry : float
        By what fraction the left lung is wider and the right one narrower than the average.
    fat, shoulders : float
        Thickness of the soft tissue; height of the shoulders, 0 to 1.
    heart : tuple of four floats
        Centre (x, y) and radii (x, y).
    mediastinum : float
        Half width.
    thymus : tuple of three floats
        Side (-1 or 1), size (0 where none is visible, to 1), reach.
    domes : tuple of two floats
        Height of the right and left dome of the diaphragm.
    bubble : tuple of three floats
        Gas in the stomach: x, radius, and 1 if present, else 0.
    vessels, texture : float
        Prominence of the vessel tree and of the fine texture of the lungs; 1 on average.
    cover : float
        Variation of the overlying soft tissue, 0 to 1.
    """

    skeleton: Skeleton
    asymmetry: float
    fat: float
    shoulders: float
    heart: tuple[float, float, float, float]
    mediastinum: float
    thymus: tuple[float, float, float]
    domes: tuple[float, float]
    bubble: tuple[float, float, float]
    vessels: float
    texture: float
    cover: float


LANDMARKS = (
    "right dome", "left dome", "right wall, upper", "left wall, upper", "right wall, lower",
    "left wall, lower", "right hilum", "left hilum", "carina", "heart",
)  # fmt: skip
_WALLS = (-0.3, 0.2)  # heights of the landmarks on the walls of the chest


class Chest(NamedTuple):
    """Layers of one chest, each ``(n, n)`` float32 on the frame."""

    solid: Map
    """Thickness of tissue and bone if the lungs were full of tissue."""
    lungs: Map
    """Thickness of air in the lungs."""
    fields: Map
    """The lung fields: 1 inside, 0 outside, soft at the diaphragm."""


def draw_anatomy(rng: np.random.Generator) -> Anatomy:
    """Draw the proportions of one patient.

    Parameters
    ----------
    rng : Generator

    Returns
    -------
    Anatomy
    """
    thymus_size = rng.uniform(0.5, 1.0) * (rng.random() < THYMUS_RATE)
    return Anatomy(
        skeleton=draw_skeleton(rng),
        asymmetry=rng.uniform(-0.05, 0.05),
        fat=rng.uniform(0.0, 0.10),
        shoulders=rng.uniform(0.0, 1.0),
        heart=(
            rng.uniform(0.05, 0.16),
            rng.uniform(0.14, 0.26),
            rng.uniform(0.29, 0.41),
            rng.uniform(0.29, 0.37),
        ),
        mediastinum=rng.uniform(0.12, 0.19),
        thymus=(draw_side(rng), thymus_size, rng.uniform(0.16, 0.28)),
        domes=(rng.uniform(0.38, 0.52), rng.uniform(0.42, 0.57)),
        bubble=(rng.uniform(0.28, 0.45), rng.uniform(0.08, 0.15), float(rng.random() < 0.6)),
        vessels=rng.uniform(0.5, 1.5),
        texture=rng.uniform(0.4, 1.6),
        cover=rng.uniform(0.3, 1.0),
    )


def landmarks(anatomy: Anatomy, breath: float, turn: float) -> NDArray[np.float64]:
    """Locate the anatomical landmarks ``LANDMARKS``.

    Parameters
    ----------
    anatomy : Anatomy
    breath, turn : float
        As in :func:`build_chest`.

    Returns
    -------
    ndarray of shape (10, 2)
        x and y on the frame, in half image sides. Walls are the outer edges of the lungs at two
        heights of the rib cage; the heart is its centre.
    """
    domes = [
        (side * _DOME_X, dome + breath) for side, dome in zip((-1, 1), anatomy.domes, strict=True)
    ]
    walls = [
        (side * float(_wall(anatomy, *np.array([y, side], dtype=np.float32))), y)
        for y in _WALLS for side in (-1, 1)
    ]  # fmt: skip
    hila = [(turn - HILUM[0], HILUM[1] + 0.03), (turn + HILUM[0], HILUM[1])]
    heart = (anatomy.heart[0] + 1.5 * turn, anatomy.heart[1])
    return np.array([*domes, *walls, *hila, (0.7 * turn + 0.01, CARINA), heart], dtype=np.float64)


def draw_side(rng: np.random.Generator) -> float:
    """Draw a side at random.

    Parameters
    ----------
    rng : Generator

    Returns
    -------
    float
        -1 (the patient's right, left in the image) or 1.
    """
    return 1.0 if rng.random() < 0.5 else -1.0


def build_chest(anatomy: Anatomy, filled: Map, breath: float, turn: float, n: int) -> Chest:
    """Compose the layers of one chest.

    Parameters
    ----------
    anatomy : Anatomy
    filled : ndarray of shape (LATTICE, LATTICE), float32
        Fraction of the air in the lungs that vessels and lesions replace.
    breath : float
        Depth of inspiration: shift of the diaphragm, in half image sides.
    turn : float
        Rotation of the patient about the long axis, as a lateral shift of heart and sternum.
    n : int
        Side of the frame in pixels.

    Returns
    -------
    Chest
    """
    fields, depth = _lungs(anatomy, breath, turn, n)
    displaced = _mediastinum(anatomy, turn, n)
    air = LUNG_DEPTH * depth * (1 - displaced) * np.clip(1 - resample(filled, n), 0.1, 1.5)
    solid = _soft_tissue(anatomy, n) + draw_bones(anatomy.skeleton, turn, n)
    solid = solid - _stomach(anatomy, breath, n) - _airway(turn, n)
    return Chest(solid, air, fields * (displaced < FIELD_EDGE))


def _soft_tissue(anatomy: Anatomy, n: int) -> Map:
    """Trunk, neck and raised upper arms."""
    x, y = frame_axes(n)
    half = np.interp(y, _BODY_Y, _BODY_X).astype(np.float32) * anatomy.skeleton.breadth
    half = half + anatomy.fat + 0.25 * anatomy.shoulders * rise(-0.4 - y, 0.3)
    trunk = np.sqrt(np.clip(1 - (np.abs(x) / half) ** 3, 0, None))
    trunk = (1 + 0.5 * anatomy.fat) * trunk * (1 - 0.25 * rise(-0.5 - y, 0.6))
    arms = 0.55 * bump(np.abs(x), arm_axis(x, y), (1.05, 0.0), (0.55, 0.17))
    return np.maximum(trunk, arms)


def _lungs(anatomy: Anatomy, breath: float, turn: float, n: int) -> tuple[Map, Map]:
    """Fields and relative depth of the lungs, before heart and vessels displace them."""
    x, y = frame_axes(n)
    side = np.sign(x)
    aside = np.abs(x)
    wall = _wall(anatomy, y, side)
    inner = 0.07 + 0.03 * rise(-0.4 - y, 0.3) + 0.5 * turn * side
    half = np.maximum((wall - inner) / 2, 0.01)
    across = np.clip(1 - np.abs((aside - (wall + inner) / 2) / half) ** 2.4, 0, None)
    crest = np.where(x > 0, anatomy.domes[1], anatomy.domes[0]).astype(np.float32) + breath
    dome = crest + 0.75 * np.square(aside - _DOME_X) + 0.9 * np.clip(aside - 0.42, 0, None) ** 1.5
    above = dome - y
    apex = 0.55 + 0.45 * rise(y + 0.55, 0.7)
    return (across > 0) * rise(above, 0.02), np.sqrt(across) * rise(above - 0.03, 0.10) * apex


def _wall(anatomy: Anatomy, y: Map, side: Map) -> Map:
    """Distance of the outer edge of a lung from the midline."""
    return cage_half_width(anatomy.skeleton, y) * 0.955 * (1 + side * anatomy.asymmetry)


def _mediastinum(anatomy: Anatomy, turn: float, n: int) -> Map:
    """Fraction of the lung displaced by heart, great vessels, thymus and hila."""
    x, y = frame_axes(n)
    centre_x, centre_y, radius_x, radius_y = anatomy.heart
    below = y - centre_y
    tall = np.where(below < 0, -below, 0.6 * below) / radius_y  # the heart rests on the diaphragm
    wide = np.abs(x - 0.45 * below - centre_x - 1.5 * turn) / radius_x
    heart = np.minimum(1.6 * np.sqrt(np.clip(1 - wide**2.2 - tall**2.2, 0, None)), 1)
    column = rise(anatomy.mediastinum + 0.05 * np.cos(4 * y + 1) - np.abs(x - turn), 0.05)
    hila = bump(x, y, (turn + HILUM[0], HILUM[1]), (0.13, 0.17))
    hila = hila + bump(x, y, (turn - HILUM[0], HILUM[1] + 0.03), (0.13, 0.17))
    kept = (1 - heart) * (1 - column) * (1 - 0.3 * hila)
    return 1 - kept * (1 - 0.7 * _thymus(anatomy, turn, n))


def _thymus(anatomy: Anatomy, turn: float, n: int) -> Map:
    """Draw the sail of a large thymus beside the upper mediastinum."""
    x, y = frame_axes(n)
    side, size, reach = anatomy.thymus
    across = side * (x - turn)
    sail = rise(reach * (1.28 + 0.8 * y) + 0.05 - across, 0.05) * rise(across, 0.1)
    return size * sail * rise(-0.08 - y, 0.05) * rise(y + 0.62, 0.15)


def _stomach(anatomy: Anatomy, breath: float, n: int) -> Map:
    x, y = frame_axes(n)
    centre_x, radius, present = anatomy.bubble
    centre = (centre_x, anatomy.domes[1] + breath + 0.2)
    return 0.3 * present * bump(x, y, centre, (1.3 * radius, radius))


def _airway(turn: float, n: int) -> Map:
    """Trachea and the two main bronchi."""
    x, y = frame_axes(n)
    fork = np.clip(y - CARINA, 0, 0.3)
    aside = np.abs(x - 0.7 * turn - 0.01)
    return 0.16 * bell((aside - 0.9 * fork) / (0.042 - 0.05 * fork), 1.0) * rise(0.02 - y, 0.12)
