"""What a feature column describes: family, part of the family and place on the image.

All is read from the column's name by its family's descriptor.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features import ImageDescriptor

LEVELS = ("family", "subfamily", "region")
BOX = ["top", "bottom", "left", "right"]


def columns_of(descriptors: Mapping[str, ImageDescriptor]) -> pd.DataFrame:
    """Describe every column of a feature matrix: its family, part of the family and region.

    Parameters
    ----------
    descriptors : dict of ImageDescriptor
        Fitted, by family, in the order of the matrix's columns.

    Returns
    -------
    DataFrame of d rows
        Columns feature (name of the column), family, subfamily (HOG: direction bin; LBP and LTP:
        radius; GLCM: property; Gabor: wavelength; intensity: statistic; embedding: block of 100
        columns), region (``hog/row03/col07``; empty for the whole image), and top, bottom, left,
        right (edges of the region, or of the whole image, in pixels).

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
    """Find the columns of each group.

    Parameters
    ----------
    columns : DataFrame
        From :func:`columns_of`.
    level : {"family", "subfamily", "region", "feature"}
        Columns of the whole image belong to no region.

    Returns
    -------
    dict of ndarray of int
        Positions of the columns, by group.
    """
    names = columns[level].to_numpy(dtype=object)
    found = {str(name): np.flatnonzero(names == name) for name in dict.fromkeys(names)}
    found.pop("", None)
    return found


def boxes_of(columns: pd.DataFrame) -> pd.DataFrame:
    """List the edges of each region in pixels.

    Parameters
    ----------
    columns : DataFrame
        From :func:`columns_of`.

    Returns
    -------
    DataFrame
        Columns top, bottom, left, right and family, indexed by region.
    """
    placed = columns[columns["region"] != ""].drop_duplicates("region").set_index("region")
    return placed[[*BOX, "family"]]


def _describe(family: str, descriptor: ImageDescriptor) -> pd.DataFrame:
    height, width = descriptor.image_shape_
    rows = []
    for name in map(str, descriptor.get_feature_names_out()):
        region = descriptor.region(name)
        place, box = "", (0, height, 0, width)
        if region:
            place = f"{family}/{region.name}"
            box = (region.top, region.bottom, region.left, region.right)
        rows.append((name, family, f"{family}/{descriptor.part(name)}", place, *box))
    return pd.DataFrame(rows, columns=["feature", "family", "subfamily", "region", *BOX])
