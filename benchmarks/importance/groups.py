"""What a feature column is of: its family, its part of the family, its place on the image.

All is read from the column's name, which every family structures by ``/``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features import ImageDescriptor
from features.base import grid_cells

LEVELS = ("family", "subfamily", "region")
BOX = ["top", "bottom", "left", "right"]
_ROW_COLUMN = re.compile(r"/row(\d+)/col(\d+)")
_CELL = re.compile(r"/cell(\d+)")
_DISTANCE = re.compile(r"/d\d+/")
BLOCK = 100  # columns of an embedding that make a part of it: they have no order of their own


def columns_of(descriptors: Mapping[str, ImageDescriptor]) -> pd.DataFrame:
    """Say for every column of a feature matrix what it is of.

    Parameters
    ----------
    descriptors : dict of ImageDescriptor
        Fitted, by family, in the order of the matrix's columns.

    Returns
    -------
    DataFrame of d rows
        feature (name of the column), family, subfamily (HOG: direction bin; LBP: radius; GLCM:
        property; Gabor: wavelength; intensity: statistic; embedding: its columns by hundreds),
        region (``hog/row03/col07``; empty for the whole image), and top, bottom, left, right: the
        region's edges in pixels, of the whole image where there is none.

    Examples
    --------
    >>> from features import Lbp
    >>> images = np.zeros((1, 64, 64), dtype=np.uint8)
    >>> table = columns_of({"lbp": Lbp(radii=(1,), grid=2).fit(images)})
    >>> table.iloc[15][["feature", "subfamily", "region"]].tolist()
    ['lbp/r1/cell01/code05', 'lbp/r1', 'lbp/cell01']
    >>> table.iloc[15][["top", "bottom", "left", "right"]].astype(int).tolist()
    [0, 32, 32, 64]
    """
    parts = [_describe(family, descriptor) for family, descriptor in descriptors.items()]
    return pd.concat(parts, ignore_index=True)


def group_columns(columns: pd.DataFrame, level: str) -> dict[str, NDArray[np.intp]]:
    """Positions of the columns of each group, in the order of the columns.

    Parameters
    ----------
    columns : DataFrame
        From :func:`columns_of`.
    level : {"family", "subfamily", "region", "feature"}
        Columns of the whole image belong to no region.

    Returns
    -------
    dict of ndarray of int
    """
    names = columns[level].to_numpy(dtype=object)
    found = {str(name): np.flatnonzero(names == name) for name in dict.fromkeys(names)}
    found.pop("", None)
    return found


def boxes_of(columns: pd.DataFrame) -> pd.DataFrame:
    """Edges of each region in pixels: region as index; top, bottom, left, right; family."""
    placed = columns[columns["region"] != ""].drop_duplicates("region").set_index("region")
    return placed[[*BOX, "family"]]


def _describe(family: str, descriptor: ImageDescriptor) -> pd.DataFrame:
    names = [str(name) for name in descriptor.get_feature_names_out()]
    rows = []
    for name in names:
        place, box = _place(name, descriptor)
        region = f"{family}{place}" if place else ""
        rows.append((name, family, f"{family}/{_part(name)}", region, *box))
    return pd.DataFrame(rows, columns=["feature", "family", "subfamily", "region", *BOX])


def _place(name: str, descriptor: Any) -> tuple[str, tuple[int, int, int, int]]:
    height, width = descriptor.image_shape_
    if match := _ROW_COLUMN.search(name):
        row, column = (int(part) * descriptor.cell for part in match.groups())
        return match[0], (row, row + descriptor.cell, column, column + descriptor.cell)
    if match := _CELL.search(name):
        down, across = grid_cells((height, width), descriptor.grid)[int(match[1])]
        return match[0], (down.start, down.stop, across.start, across.stop)
    return "", (0, height, 0, width)


def _part(name: str) -> str:
    """First part of the name, behind the family, that is no place and no distance."""
    bare = _CELL.sub("", _ROW_COLUMN.sub("", _DISTANCE.sub("/", name)))
    family, *rest = bare.split("/")
    if family.startswith("embedding"):
        return f"{rest[0]}/{int(rest[1]) // BLOCK:02d}xx"
    return rest[0]
