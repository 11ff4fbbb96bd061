"""Places beside the lungs where one grey value predicts the class: a mark, a border, a tube.

The grid is coarse and each cell has two statistics, so the search costs about as much as reading
the images once. What it finds does not depend on disease: a model may use it as a shortcut.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from benchmarks.datasets.regions import no_lungs
from features.geometry import grid_cells

GRID = 14  # cells down and across
STATISTICS = ("mean grey value", "brightest pixel")
WARN_AUC, NOTE_AUC = 0.95, 0.85  # a mark on 90 or 70 percentage points more patients of a class
SHOWN = 3  # places that a finding lists
ALPHA = 0.001  # probability that any place is noted where the classes are permuted at random
Box = tuple[int, int, int, int]


@lru_cache(maxsize=4)
def outside_cells(size: int) -> tuple[tuple[int, Box], ...]:
    """Find the cells of a grid that lie entirely outside the chest.

    The chest is a fixed trapezium, the same for every image; see
    :func:`benchmarks.datasets.regions.no_lungs`.

    Parameters
    ----------
    size : int
        Side of the images in pixels.

    Returns
    -------
    tuple of (int, (int, int, int, int))
        Number of each cell, row by row, and its edges in pixels: top, bottom, left, right.

    Examples
    --------
    >>> cells = outside_cells(224)
    >>> len(cells), cells[0], cells[-1]
    (60, (0, (0, 16, 0, 16)), (195, (208, 224, 208, 224)))
    """
    outside = no_lungs(size)
    return tuple(
        (k, (down.start, down.stop, across.start, across.stop))
        for k, (down, across) in enumerate(grid_cells((size, size), GRID))
        if outside[down, across].all()
    )


def cell_statistics(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Compute the mean and the brightest pixel of each cell outside the chest.

    Parameters
    ----------
    images : ndarray of shape (n, S, S), uint8
        As found, without contrast stretching.

    Returns
    -------
    ndarray of shape (n, C, 2), float32
        In grey levels, in the order of :func:`outside_cells` and ``STATISTICS``.

    Examples
    --------
    >>> image = np.zeros((1, 28, 28), np.uint8)
    >>> image[0, 1, 1] = 200
    >>> cell_statistics(image)[0, :2].tolist()
    [[50.0, 200.0], [0.0, 0.0]]
    """
    size = images.shape[1]
    edges = size * np.arange(GRID + 1) // GRID
    starts, sides = edges[:-1], np.diff(edges)
    rows = np.add.reduceat(images, starts, axis=1, dtype=np.uint32)
    means = np.add.reduceat(rows, starts, axis=2) / np.outer(sides, sides)
    brightest = np.maximum.reduceat(np.maximum.reduceat(images, starts, axis=1), starts, axis=2)
    both = np.stack([means, brightest], axis=-1).reshape(len(images), GRID * GRID, 2)
    return both[:, [k for k, _ in outside_cells(size)]].astype(np.float32)


def discriminating_places(
    statistics: NDArray[np.float32],
    label: NDArray[np.object_],
    patient: NDArray[np.object_],
    size: int,
) -> pd.DataFrame:
    """Measure how well each statistic separates a class from all others, over patients.

    Parameters
    ----------
    statistics : ndarray of shape (n, C, 2), float32
        From :func:`cell_statistics`, of training images only.
    label : ndarray of shape (n,), str
        Class of each image.
    patient : ndarray of shape (n,), str
        Patient of each image; the images of a patient are averaged.
    size : int
        Side of the images in pixels.

    Returns
    -------
    DataFrame
        One row per place, the largest AUC first: top, bottom, left, right (pixels), statistic
        (of ``STATISTICS``), class, higher (whether the statistic is higher in the class), auc (at
        least 0.5), by_chance (an AUC that no place reaches in 999 of 1,000 data sets whose classes
        are permuted at random). Statistic and class are those with the largest AUC of the place.
        Empty with fewer than two patients per class.
    """
    cells = outside_cells(size)
    table = pd.DataFrame(statistics.reshape(len(statistics), -1))
    means = table.groupby([label, patient], sort=True).mean()
    of_patient = means.index.get_level_values(0).to_numpy(dtype=object)
    ranks = rankdata(means.to_numpy(), axis=0)
    classes = sorted(set(of_patient))
    rows = []
    for name in classes[1:] if len(classes) == 2 else classes:
        own = of_patient == name
        n, others = int(own.sum()), int((~own).sum())
        if min(n, others) < 2:
            continue
        auc = (ranks[own].sum(axis=0) - n * (n + 1) / 2) / (n * others)
        chance = _by_chance(n, others, ranks.shape[1] * len(classes))
        for k, (place, which) in enumerate(np.ndindex(len(cells), len(STATISTICS))):
            value = float(auc[k])
            rows.append((*cells[place][1], STATISTICS[which], name, value >= 0.5,
                         max(value, 1 - value), chance))  # fmt: skip
    columns = ["top", "bottom", "left", "right", "statistic", "class", "higher", "auc", "by_chance"]
    found = pd.DataFrame(rows, columns=columns).sort_values("auc", ascending=False, kind="stable")
    return found.drop_duplicates(["top", "left"], ignore_index=True)


def describe_places(places: pd.DataFrame, size: int) -> str:
    """Describe where the classes can be separated, the best places first.

    Parameters
    ----------
    places : DataFrame
        Some rows of :func:`discriminating_places`, at least one.
    size : int
        Side of the images in pixels.

    Returns
    -------
    str
    """
    described = [
        f"{place_words(one['top'], one['bottom'], one['left'], one['right'], size)}: "
        f"{one['statistic']} alone, {'higher' if one['higher'] else 'lower'} in {one['class']}, "
        f"gives an AUC of {one['auc']:.2f}"
        for one in places.head(SHOWN).to_dict("records")
    ]
    rest = len(places) - len(described)
    more = f"; and {rest} more of {len(outside_cells(size))} places" if rest else ""
    return f"beside the lungs, over training patients: {'; '.join(described)}{more}"


def place_words(top: int, bottom: int, left: int, right: int, size: int) -> str:
    """Describe the place of a box in words and pixels.

    Parameters
    ----------
    top, bottom, left, right : int
        Edges of the box in pixels.
    size : int
        Side of the image in pixels.

    Returns
    -------
    str

    Examples
    --------
    >>> place_words(0, 16, 0, 16, 224)
    'upper left corner, rows 0–16, columns 0–16'
    >>> place_words(96, 112, 208, 224, 224)
    'right edge, rows 96–112, columns 208–224'
    """
    third = [(low + high) / 2 * 3 / size for low, high in ((top, bottom), (left, right))]
    down, across = (int(value) for value in third)
    corner = [("upper", "", "lower")[down], ("left", "", "right")[across]]
    words = " ".join(word for word in corner if word)
    kind = "corner" if all(corner) else "edge" if words else "centre"
    return f"{words} {kind}".strip() + f", rows {top}–{bottom}, columns {left}–{right}"


def _by_chance(n: int, others: int, tests: int) -> float:
    """AUC that the largest of many tests exceeds by chance, in either direction, in ``ALPHA``."""
    spread = np.sqrt((n + others + 1) / (12 * n * others))
    return float(0.5 - ndtri(ALPHA / 2 / tests) * spread)
