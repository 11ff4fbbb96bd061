"""What the sections on importance read from its tables: cells, values, maps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from benchmarks.importance.groups import BOX, LEVELS
from benchmarks.importance.importance_map import Map, importance_map
from benchmarks.io.formatting import interval, number
from benchmarks.io.results import Results
from benchmarks.report.blocks import Cell
from features import FEATURE_SETS

METHODS = {
    "permutation": "permutation", "shap": "SHAP", "impurity": "impurity", "gain": "gain",
}  # fmt: skip
MAIN_METRIC = {"permutation": "auc", "shap": "mean_abs", "impurity": "sum", "gain": "sum"}
METHOD_WORDS = {
    "permutation": "fall of the test AUC", "shap": "mean |SHAP|",
    "impurity": "share of the impurity decrease", "gain": "share of the gain",
}  # fmt: skip


def importance_of(results: Results) -> pd.DataFrame:
    """Rows of ``importance`` that were measured; of each feature set the best cell comes first.

    The best is the one of largest average precision on validation.
    """
    table = results.table("importance")
    if table.empty:
        return table
    done = table[table["status"] == "ok"]
    scores = results.scores
    known = scores[(scores["split"] == "validation") & (scores["operating_point"] == "0.5")]
    goodness = known.set_index("cell")["average_precision"].astype(float)
    sets = done["cell"].str.split("/").str[0]
    place = {name: k for k, name in enumerate(dict.fromkeys(sets))}
    keys = pd.DataFrame({"set": sets.map(place), "worse": -done["cell"].map(goodness)})
    return done.loc[keys.sort_values(["set", "worse"], kind="stable").index]


def lines(
    table: pd.DataFrame,
    cell: str,
    method: str,
    level: str,
    metric: str = "",
    split: str = "test",
) -> pd.DataFrame:
    """Rows of one cell, method and level; of the method's main metric if none is named."""
    metric = metric or MAIN_METRIC[method]
    return table[
        (table["cell"] == cell)
        & (table["method"] == method)
        & (table["level"] == level)
        & (table["metric"] == metric)
        & (table["split"] == split)
    ]


def value_cell(rows: pd.DataFrame, group: str) -> Cell:
    """Value of a group with its interval, for a table; a dash where the rows have none."""
    own = rows[rows["group"] == group]
    if own.empty:
        return Cell(number(math.nan))
    line = own.iloc[0]
    return Cell(number(line["value"]), interval(line["lo"], line["hi"]))


def main_rows(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each method, level and group of a cell: its main metric on test or train."""
    main = table["metric"] == table["method"].map(MAIN_METRIC)
    return table[main & (table["split"] != "cv") & table["level"].isin(LEVELS)]


def cells_with(table: pd.DataFrame, method: str, level: str) -> dict[str, str]:
    """First cell that has rows of a method on a level, by feature set, in the order of the run."""
    found = table[(table["method"] == method) & (table["level"] == level)]
    cells = found["cell"].drop_duplicates()
    by_set: dict[str, str] = {}
    for cell in cells:
        by_set.setdefault(str(cell).split("/")[0], str(cell))
    return by_set


def widest(names: Sequence[str]) -> str:
    """Feature set with the most families; the first of several.

    Examples
    --------
    >>> widest(["hog", "handcrafted", "hybrid", "texture"])
    'hybrid'
    """
    return max(names, key=lambda name: len(FEATURE_SETS.get(name, ())))


def region_map(results: Results, rows: pd.DataFrame, families: Sequence[str] = ()) -> Map:
    """Map of the image on which the regions of some rows are worth what they say.

    Parameters
    ----------
    results : Results
    rows : DataFrame
        With group (a region) and value.
    families : sequence of str
        Those that count; all if left out.

    Returns
    -------
    ndarray of shape (size, size), float64
    """
    boxes = results.tables["importance_regions"]
    if families:
        boxes = boxes[boxes["family"].isin(families)]
    boxes = boxes.set_index("region")[BOX]
    size = int(results.run["config"]["image_size"])
    values = dict(zip(rows["group"], rows["value"].astype(float), strict=True))
    return importance_map(values, boxes, (size, size))


def mean_radiograph(results: Results, *classes: str) -> Map | None:
    """Mean of some classes' mean training images, grey levels; None where one is missing."""
    from PIL import Image

    from benchmarks.io.results import IMAGES

    means = []
    for name in classes:
        path = results.folder / IMAGES / f"mean_{name}.png"
        if not path.is_file():
            return None
        means.append(np.asarray(Image.open(path).convert("L"), dtype=float))
    return np.mean(means, axis=0) if len({mean.shape for mean in means}) == 1 else None
