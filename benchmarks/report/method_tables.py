"""Tables with one row per method: cells, headings, and the rows of a statistic per method."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.io.columns import OPERATING_POINTS
from benchmarks.io.formatting import interval, number
from benchmarks.io.results import Results
from benchmarks.report.blocks import Cell, Group
from benchmarks.statistics.method_rows import POINT_TITLES, Estimate, Row, rows

Lines = dict[tuple[Any, ...], pd.DataFrame]
ALL_ALIKE = (
    "Where no image of a class is missed, each of its patients counts as one image, so the "
    "interval can be wider than with one error."
)
OVER_SEEDS = (
    "Values: mean ± standard deviation over seeds; intervals: of the mean, including the variance "
    "between seeds."
)
SELECTED = "the selected methods (see “Main results”)"
FIRST_SEED = " Of a method with several seeds, the first that finished is shown."


def best(values: Sequence[float], lower: bool = False) -> list[bool]:
    """Mark the best values of a column: all that are equal at the three decimals shown.

    Parameters
    ----------
    values : sequence of float
        NaN where there is no value.
    lower : bool
        Whether lower values are better.

    Returns
    -------
    list of bool
        All False if fewer than two values are finite.

    Examples
    --------
    >>> best([0.91, float("nan"), 0.9301, 0.9299])
    [False, False, True, True]
    """
    shown = np.round(np.asarray(values, dtype=float), 3)
    if np.isfinite(shown).sum() < 2:
        return [False] * len(shown)
    top = np.nanmin(shown) if lower else np.nanmax(shown)
    return [bool(value == top) for value in shown]


def estimate_cells(table: Sequence[Row], split: str, point: str, metric: str) -> list[Cell]:
    """Make a column of a table from a metric: value, interval and spread over seeds.

    Parameters
    ----------
    table : sequence of Row
    split : str
        ``validation``, ``test`` or ``cv``.
    point : str
        One of ``OPERATING_POINTS``.
    metric : str
        A column of ``scores.csv``.

    Returns
    -------
    list of Cell
        One per row; the best is marked.
    """
    estimates = [row.estimate(split, point, metric) for row in table]
    return column(estimates, "smallest" if metric == "brier" else "largest")


def column(estimates: Sequence[Estimate], mark: str = "largest") -> list[Cell]:
    """Make a column of a table: value, interval and spread over seeds.

    Parameters
    ----------
    estimates : sequence of Estimate
        One per row; a missing value is NaN.
    mark : str
        Which value to mark: ``"largest"`` or ``"smallest"``; none if empty.

    Returns
    -------
    list of Cell
    """
    values = [one.value for one in estimates]
    marks = best(values, lower=mark == "smallest") if mark else [False] * len(values)
    return [
        Cell(
            text=number(one.value),
            detail=interval(one.low, one.high),
            spread=f"± {number(one.spread)}" if np.isfinite(one.spread) else "",
            best=marked,
        )
        for one, marked in zip(estimates, marks, strict=True)
    ]


def label_cells(row: Row) -> tuple[Cell, Cell]:
    """Make the cells that name a method: feature set and classifier.

    Parameters
    ----------
    row : Row

    Returns
    -------
    (Cell, Cell)
    """
    seeds = f" ({row.finished} of {row.seeds} seeds)" if 0 < row.finished < row.seeds else ""
    if row.is_cnn:
        return Cell("CNN"), Cell("end to end" + seeds)
    return Cell(row.features), Cell(row.classifier + seeds)


def table_rows(
    table: Sequence[Row], columns: Sequence[Sequence[Cell]]
) -> tuple[tuple[Cell, ...], ...]:
    """Make the rows of a table from its columns.

    Parameters
    ----------
    table : sequence of Row
    columns : sequence of sequence of Cell
        Each with one cell per row of ``table``.

    Returns
    -------
    tuple of tuple of Cell
        Each starts with the method's name; a method without scores has its status and reason
        instead.
    """
    lines: list[tuple[Cell, ...]] = []
    for k, row in enumerate(table):
        if row.ok:
            lines.append((*label_cells(row), *(column[k] for column in columns)))
        else:
            state = row.status.replace("_", " ")
            lines.append((*label_cells(row), Cell(state, span=len(columns), reason=row.reason)))
    return tuple(lines)


def point_groups(labels: int, width: int, more: Sequence[Group] = ()) -> tuple[Group, ...]:
    """Make the headings over the columns of both operating points.

    Parameters
    ----------
    labels : int
        Number of leading columns without a heading.
    width : int
        Number of columns per operating point.
    more : sequence of Group
        Headings of the columns that follow.

    Returns
    -------
    tuple of Group
    """
    points = (Group(POINT_TITLES[p].capitalize(), width, p) for p in OPERATING_POINTS)
    return (Group("", labels), *points, *more)


def starts(values: Sequence[object]) -> tuple[int, ...]:
    """Find the positions, after the first, at which a value differs from the one before.

    Parameters
    ----------
    values : sequence
        For example the feature set of each row of a table.

    Returns
    -------
    tuple of int

    Examples
    --------
    >>> starts(["hog", "hog", "lbp"])
    (2,)
    """
    return tuple(k for k in range(1, len(values)) if values[k] != values[k - 1])


def breaks(table: Sequence[Row]) -> tuple[int, ...]:
    """Find the rows at which another feature set begins.

    Parameters
    ----------
    table : sequence of Row

    Returns
    -------
    tuple of int
    """
    return starts([row.features for row in table])


def signs(table: pd.DataFrame, name: str = "") -> tuple[int, int]:
    """Count the intervals that lie above 0 and below 0.

    Parameters
    ----------
    table : DataFrame
        With the bounds in the columns ``{name}_lo`` and ``{name}_hi``, or ``lo`` and ``hi``.
    name : str

    Returns
    -------
    (int, int)
        An interval without bounds counts as neither.
    """
    low, high = (f"{name}_{end}" if name else end for end in ("lo", "hi"))
    return int((table[low] > 0).sum()), int((table[high] < 0).sum())


def part(results: Results, name: str, row: Row) -> pd.DataFrame:
    """Select the rows of a statistic's table that belong to a method.

    Parameters
    ----------
    results : Results
    name : str
        Name of the table.
    row : Row

    Returns
    -------
    DataFrame
        Of the first finished seed, the only one that statistics are computed for.
    """
    table = results.table(name)
    return table[table["cell"].isin(row.cells())] if "cell" in table else table


def measured(results: Results, name: str) -> list[Row]:
    """Return the methods that a statistic's table has rows of, in the order of the report.

    Parameters
    ----------
    results : Results
    name : str
        Name of the table.

    Returns
    -------
    list of Row
    """
    return [row for row in rows(results) if row.ok and not part(results, name, row).empty]


def lines_of(results: Results, name: str, keys: list[str]) -> Lines:
    """Group the rows of a statistic's table by method and further columns.

    Parameters
    ----------
    results : Results
    name : str
        Name of the table.
    keys : list of str
        Columns.

    Returns
    -------
    dict of DataFrame
        By ``(row.label, value of the first key, ...)``.
    """
    return {
        (row.label, *key): one
        for row in measured(results, name)
        for key, one in part(results, name, row).groupby(keys, sort=False)
    }


def first_seed(table: Sequence[Row]) -> str:
    """Return the note that names the seed shown; empty if every method has one seed.

    Parameters
    ----------
    table : sequence of Row

    Returns
    -------
    str
    """
    return FIRST_SEED if any(row.finished > 1 for row in table) else ""


def over_seeds(table: Sequence[Row]) -> str:
    """Return the note on values and intervals over seeds; empty if every method has one seed.

    Parameters
    ----------
    table : sequence of Row

    Returns
    -------
    str
    """
    return OVER_SEEDS if any(row.finished > 1 for row in table) else ""


def value_cells(
    lines: Sequence[pd.DataFrame | None], value: str, bounds: tuple[str, str] | None, mark: str = ""
) -> list[Cell]:
    """Make a column of a table from the rows of a statistic.

    Parameters
    ----------
    lines : sequence of DataFrame or None
        One per method; only the first row counts. None or empty where a method has none.
    value : str
        Column of the value.
    bounds : (str, str), optional
        Columns of its interval.
    mark : str
        Which value to mark: ``"largest"`` or ``"smallest"``; none if empty.

    Returns
    -------
    list of Cell
    """
    table = [{} if line is None or line.empty else line.iloc[0].to_dict() for line in lines]
    low, high = bounds or ("", "")
    estimates = [
        Estimate(
            float(one.get(value, math.nan)),
            float(one.get(low, math.nan)),
            float(one.get(high, math.nan)),
            math.nan,
        )
        for one in table
    ]
    return column(estimates, mark)
