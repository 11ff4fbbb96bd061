"""Maps of importance: the values of image regions, spread over the pixels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.datasets.regions import no_lungs
from benchmarks.importance.groups import BOX

Map = NDArray[np.float64]


def importance_map(values: Mapping[str, float], boxes: pd.DataFrame, shape: tuple[int, int]) -> Map:
    """Spread the value of each region evenly over its pixels.

    Parameters
    ----------
    values : dict of float
        By region. Regions that are missing in ``boxes`` are ignored.
    boxes : DataFrame
        From :func:`benchmarks.importance.groups.boxes_of`.
    shape : (int, int)
        Height and width of the image in pixels.

    Returns
    -------
    ndarray of shape (height, width), float64
        Its sum is the sum of the values of the regions in ``boxes``.

    Examples
    --------
    >>> boxes = pd.DataFrame({"top": [0], "bottom": [2], "left": [1], "right": [2]}, index=["a"])
    >>> importance_map({"a": 3.0, "b": 9.0}, boxes, (2, 2))
    array([[0. , 1.5],
           [0. , 1.5]])
    """
    total = np.zeros(shape)
    edges = boxes[BOX].to_numpy(dtype=int)
    place = {str(region): edge for region, edge in zip(boxes.index, edges, strict=True)}
    for region, value in values.items():
        if region in place:
            top, bottom, left, right = place[region]
            total[top:bottom, left:right] += value / ((bottom - top) * (right - left))
    return total


def outside_chest(importance: Map) -> tuple[float, float]:
    """Compute the fraction of the positive importance outside the chest, and that of a uniform map.

    The chest is a fixed trapezium, the same for every image; see
    :func:`benchmarks.datasets.regions.no_lungs`.

    Parameters
    ----------
    importance : ndarray of shape (side, side), float64

    Returns
    -------
    (float, float)
        The fraction, NaN if no value is positive, and the fraction of the area.

    Raises
    ------
    ValueError
        If the map is not square.

    Examples
    --------
    >>> even = np.ones((100, 100))
    >>> share, area = outside_chest(even)
    >>> share == area, round(area, 2)
    (True, 0.45)
    """
    height, width = importance.shape
    if height != width:
        raise ValueError(f"Got a map of {height} × {width} pixels, but expected a square one.")
    outside = no_lungs(height)
    positive = np.clip(importance, 0, None)
    total = positive.sum()
    share = float(positive[outside].sum() / total) if total > 0 else float("nan")
    return share, float(outside.mean())
