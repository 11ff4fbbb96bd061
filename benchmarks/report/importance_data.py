"""Select cells, values and maps from the tables of feature importance."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from benchmarks.fitting.cell import families_of
from benchmarks.importance.groups import BOX, LEVELS
from benchmarks.importance.importance_map import Map, importance_map
from benchmarks.io.formatting import interval, number
from benchmarks.io.results import Results
from benchmarks.io.run_files import read_grey
from benchmarks.report.blocks import Cell
from benchmarks.run.exploration import mean_name
from benchmarks.statistics.equivalence import jointly

METHODS = {
    "permutation": "permutation", "shap": "SHAP", "impurity": "impurity", "gain": "gain",
}  # fmt: skip
MAIN_METRIC = {"permutation": "auc", "shap": "mean_abs", "impurity": "sum", "gain": "sum"}
METHOD_WORDS = {
    "permutation": "decrease of the test AUC", "shap": "mean |SHAP|",
    "impurity": "fraction of the impurity decrease", "gain": "fraction of the gain",
}  # fmt: skip


def importance_of(results: Results) -> pd.DataFrame:
    """Return the finished rows of ``importance``, the best cell of each feature set first.

    Parameters
    ----------
    results : Results

    Returns
    -------
    DataFrame
        The best cell has the largest average precision on the validation set.
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
    """Select the rows of one cell, method and level.

    Parameters
    ----------
    table : DataFrame
        Rows of ``importance``.
    cell, method, level : str
    metric : str
        The method's main metric if empty.
    split : str

    Returns
    -------
    DataFrame
    """
    metric = metric or MAIN_METRIC[method]
    return table[
        (table["cell"] == cell)
        & (table["method"] == method)
        & (table["level"] == level)
        & (table["metric"] == metric)
        & (table["split"] == split)
    ]


def judged(rows: pd.DataFrame) -> pd.DataFrame:
    """Judge decreases of a metric by their intervals, corrected for their number.

    Parameters
    ----------
    rows : DataFrame
        All decreases that are looked at, with value, lo and hi.

    Returns
    -------
    DataFrame
        With the column ``verdict``: ``useful`` where the widened interval lies above 0,
        ``harmful`` where it lies below 0, so that the metric increased on these images, else
        ``open``.
    """
    joint = jointly(rows, "value", "lo", "hi").reindex(rows.index)
    verdicts = np.select([joint["lo"] > 0, joint["hi"] < 0], ["useful", "harmful"], "open")
    return rows.assign(verdict=verdicts)


def value_cell(rows: pd.DataFrame, group: str) -> Cell:
    """Make a table cell of a group's value with its interval.

    Parameters
    ----------
    rows : DataFrame
        With group, value, lo and hi.
    group : str

    Returns
    -------
    Cell
        A dash where the rows lack the group.
    """
    own = rows[rows["group"] == group]
    if own.empty:
        return Cell(number(math.nan))
    line = own.iloc[0]
    return Cell(number(line["value"]), interval(line["lo"], line["hi"]))


def main_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Select one row per cell, method, level and group: the main metric on test or train.

    Parameters
    ----------
    table : DataFrame
        Rows of ``importance``.

    Returns
    -------
    DataFrame
    """
    main = table["metric"] == table["method"].map(MAIN_METRIC)
    return table[main & (table["split"] != "cv") & table["level"].isin(LEVELS)]


def cells_with(table: pd.DataFrame, method: str, level: str) -> dict[str, str]:
    """Return the first cell of each feature set that has rows of a method on a level.

    Parameters
    ----------
    table : DataFrame
        Rows of ``importance``.
    method, level : str

    Returns
    -------
    dict of str
        Cell by feature set, in the order of the run.
    """
    found = table[(table["method"] == method) & (table["level"] == level)]
    cells = found["cell"].drop_duplicates()
    by_set: dict[str, str] = {}
    for cell in cells:
        by_set.setdefault(str(cell).split("/")[0], str(cell))
    return by_set


def widest(names: Sequence[str]) -> str:
    """Return the feature set with the most families; the first in case of a tie.

    Parameters
    ----------
    names : sequence of str

    Returns
    -------
    str

    Examples
    --------
    >>> widest(["hog", "handcrafted", "hybrid", "texture"])
    'hybrid'
    """
    return max(names, key=lambda name: len(families_of(name)))


def region_map(results: Results, rows: pd.DataFrame, families: Sequence[str] = ()) -> Map:
    """Spread the importance of regions over the image.

    Parameters
    ----------
    results : Results
    rows : DataFrame
        With group, the name of a region, and value.
    families : sequence of str
        Families to include; all if left out.

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
    """Average the mean training images of some classes, as the models receive them.

    Parameters
    ----------
    results : Results
    *classes : str

    Returns
    -------
    ndarray of shape (s, s), float64, or None
        Grey levels; None where an image is missing. Without preprocessing steps, the whole
        radiograph, of which models receive the central :func:`described` part.
    """
    means = []
    for name in classes:
        mean = read_grey(results.folder, mean_name(name, _has_steps(results)))
        if mean is None:
            return None
        means.append(mean.astype(float))
    return np.mean(means, axis=0) if len({mean.shape for mean in means}) == 1 else None


def described(results: Results) -> float:
    """Return the central fraction of each side of :func:`mean_radiograph` that models receive.

    Parameters
    ----------
    results : Results

    Returns
    -------
    float in (0, 1]
    """
    return 1.0 if _has_steps(results) else float(results.run["config"].get("crop", 1.0))


def _has_steps(results: Results) -> bool:
    """Whether images differ from the radiographs by more than crop and contrast."""
    config = results.run.get("config", {})
    return bool(config.get("preprocess") or config.get("fix_polarity"))
