"""Vessels and lesions of a phantom: a consolidation or a reticular pattern.

All maps are fractions of air replaced, on the lattice of
:mod:`benchmarks.datasets.phantom.canvas`.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.phantom.anatomy import HILUM, Anatomy, draw_side
from benchmarks.datasets.phantom.bones import cage_half_width
from benchmarks.datasets.phantom.canvas import FRAME, LATTICE, Map, bell, frame_axes, grain, rise

CONSOLIDATION = (0.50, 1.00)  # fraction of air replaced at the centre: subtle to complete
RETICULAR = (0.50, 1.25)  # fraction of air replaced by a line of the net at the hilum
RADIUS = (0.24, 0.45)  # of a consolidation, in half image sides
MESH = (0.021, 0.031)  # of the net, in half image sides
GRANULES = 0.28  # granularity of a consolidation
VESSELS = 0.24  # fraction of air replaced by the largest vessels, on average
TEXTURE = 0.035  # fine texture of normal lung
AERATION = 0.05  # coarse variation of normal lung

_LEVELS = 4  # forks of a vessel tree


class Lesion(NamedTuple):
    """Two maps of shape (LATTICE, LATTICE), float32."""

    effect: Map
    """Fraction of air replaced."""
    extent: Map
    """Where the lesion is, 0 to 1; its tails reach everywhere in the lungs it affects."""


def draw_lesion(kind: str, anatomy: Anatomy, rng: np.random.Generator) -> Lesion:
    """Draw the lesion of a patient.

    Parameters
    ----------
    kind : {"normal", "bacteria", "virus"}
    anatomy : Anatomy
    rng : Generator

    Returns
    -------
    Lesion
        All zero if normal.
    """
    if kind == "bacteria":
        return draw_consolidation(anatomy, _log_uniform(rng, CONSOLIDATION), rng)
    if kind == "virus":
        return draw_interstitial(_log_uniform(rng, RETICULAR), rng)
    return Lesion(*np.zeros((2, LATTICE, LATTICE), np.float32))


def draw_consolidation(anatomy: Anatomy, severity: float, rng: np.random.Generator) -> Lesion:
    """Draw one focal consolidation with soft edges, air bronchograms and sometimes a fissure.

    Parameters
    ----------
    anatomy : Anatomy
    severity : float
        Fraction of air replaced at its centre.
    rng : Generator

    Returns
    -------
    Lesion
    """
    x, y = frame_axes(LATTICE)
    side = draw_side(rng)
    centre_y = rng.uniform(-0.45, 0.28)
    beside_heart = side > 0 and centre_y > -0.1
    lateral = rng.uniform(0.66, 0.85) if beside_heart else rng.uniform(0.45, 0.80)
    wall = cage_half_width(anatomy.skeleton, np.array([centre_y])).item()
    dx = x - side * lateral * wall
    dy = y - centre_y
    radius, stretch, tilt = rng.uniform(*RADIUS), rng.uniform(0.75, 1.3), rng.uniform(-0.8, 0.8)
    along = dx * np.cos(tilt) + dy * np.sin(tilt)
    across = dy * np.cos(tilt) - dx * np.sin(tilt)
    distance = np.hypot(along * stretch, across / stretch) / radius
    extent = rise(1 - distance + 0.16 * grain(rng, 0.10), 0.7) * (side * x > 0)
    fissure, below = rng.random() < 0.5, draw_side(rng)
    if fissure:
        extent = extent * rise(below * (dy + 0.15 * dx) + 0.5 * radius, 0.04)
    bronchi = draw_tree(rng, [(side * HILUM[0], HILUM[1])], branches=7, reach=0.17)
    open_air = 1 - 0.35 * np.minimum(1.3 * bronchi, 1)
    effect = severity * extent * (1 + GRANULES * grain(rng, 0.017)) * open_air
    return Lesion(effect.astype(np.float32), extent.astype(np.float32))


def draw_interstitial(severity: float, rng: np.random.Generator) -> Lesion:
    """Draw a diffuse reticular pattern in both lungs, densest around the hila.

    The net is the zero level of band-limited noise, which forms closed meshes of thin lines.

    Parameters
    ----------
    severity : float
        Fraction of air replaced by a line of the net at the hilum.
    rng : Generator

    Returns
    -------
    Lesion
    """
    x, y = frame_axes(LATTICE)
    mesh, spread, height = rng.uniform(*MESH), rng.uniform(0.30, 0.42), rng.uniform(-0.10, 0.15)
    net = bell(grain(rng, mesh), 0.28) + 0.6 * bell(grain(rng, 0.7 * mesh), 0.28)
    extent = bell(np.abs(x) - 0.25, spread) * bell(y - height, 1.3 * spread)
    extent = extent * np.clip(1 + 0.35 * grain(rng, 0.15), 0.3, 1.6)
    return Lesion(severity * extent * (net - 0.15), np.minimum(extent, 1))


def draw_vessels(anatomy: Anatomy, rng: np.random.Generator) -> Map:
    """Draw the vessel trees and the texture of normal lungs.

    Parameters
    ----------
    anatomy : Anatomy
    rng : Generator

    Returns
    -------
    ndarray of shape (LATTICE, LATTICE), float32
        Fraction of air replaced; slightly negative where there is more air than on average.
    """
    tree = draw_tree(rng, [(-HILUM[0], HILUM[1] + 0.03), HILUM], branches=9, reach=0.15)
    fine = anatomy.texture * (grain(rng, 0.012) - grain(rng, 0.03))
    return VESSELS * anatomy.vessels * tree + TEXTURE * fine + AERATION * grain(rng, 0.22)


def draw_tree(
    rng: np.random.Generator, roots: list[tuple[float, float]], branches: int, reach: float
) -> Map:
    """Draw trees that grow away from the midline, thinner and fainter at every fork.

    Parameters
    ----------
    rng : Generator
    roots : list of (x, y)
        In half image sides.
    branches : int
        Number of first-order branches per root.
    reach : float
        Length of these branches, in half image sides.

    Returns
    -------
    ndarray of shape (LATTICE, LATTICE), float32
        0 to 1.
    """
    canvas = np.zeros((LATTICE, LATTICE), np.uint8)
    tips = []
    for x, y in roots:
        angles = np.linspace(-1.35, 1.35, branches) + rng.normal(0, 0.15, branches)
        tips += [(x, y, a if x > 0 else np.pi - a, 0) for a in angles]
    while tips:
        x, y, angle, level = tips.pop()
        angle += rng.normal(0, 0.2)
        length = reach * 0.85**level * rng.uniform(0.7, 1.2)
        end = (x + length * np.cos(angle), y + length * np.sin(angle))
        _line(canvas, (x, y), end, ink=int(255 * 0.72**level), width=max(1, 3 - level))
        forks = (-0.35, 0.3) if level < _LEVELS - 1 else (0.1,) if level < _LEVELS else ()
        tips += [(*end, angle + fork + rng.normal(0, 0.15), level + 1) for fork in forks]
    return cv2.GaussianBlur(canvas, (0, 0), 1.0).astype(np.float32) / np.float32(255)


def _line(
    canvas: NDArray[np.uint8],
    start: tuple[float, float],
    end: tuple[float, float],
    ink: int,
    width: int,
) -> None:
    scale = 16 * LATTICE / (2 * FRAME)  # OpenCV takes sixteenths of a pixel with shift=4
    first, last = (
        (int((point[0] + FRAME) * scale), int((point[1] + FRAME) * scale)) for point in (start, end)
    )
    cv2.line(canvas, first, last, ink, width, cv2.LINE_AA, 4)


def _log_uniform(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(*np.log(bounds))))
