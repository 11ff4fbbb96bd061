"""Tables of a report with one row per method, and the rows of a statistic that belong to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.io.columns import OPERATING_POINTS
from benchmarks.io.formatting import DASH, interval, number
from benchmarks.io.results import Results
from benchmarks.report.blocks import Cell, Group
from benchmarks.statistics.method_rows import POINT_TITLES, Row, rows

Lines = dict[tuple[Any, ...], pd.DataFrame]
FIRST_SEED = " Of a method with several seeds, the first that finished is shown."


def best(values: Sequence[float], lower: bool = False) -> list[bool]:
    """Mark the best of a column: all that equal it at the three decimals shown.

    Parameters
    ----------
    values : sequence of float
        NaN where there is no value.
    lower : bool
        Whether small is good.

    Returns
    -------
    list of bool
        All False if fewer than two values are finite: there is nothing to be better than.

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
    """One column of a table: value, interval, spread over seeds, and the best marked."""
    estimates = [row.estimate(split, point, metric) if row.ok else None for row in table]
    marks = best(
        [math.nan if one is None else one.value for one in estimates], lower=metric == "brier"
    )
    return [
        Cell(
            text=number(one.value) if one else DASH,
            detail=interval(one.low, one.high) if one else "",
            spread=f"± {number(one.spread)}" if one and np.isfinite(one.spread) else "",
            best=mark,
        )
        for one, mark in zip(estimates, marks, strict=True)
    ]


def label_cells(row: Row) -> tuple[Cell, Cell]:
    """Name a row of the comparison: feature set and classifier."""
    seeds = f" ({row.finished} of {row.seeds} seeds)" if 0 < row.finished < row.seeds else ""
    if row.is_cnn:
        return Cell("CNN"), Cell("end to end" + seeds)
    return Cell(row.features), Cell(row.model + seeds)


def table_rows(
    table: Sequence[Row], columns: Sequence[Sequence[Cell]]
) -> tuple[tuple[Cell, ...], ...]:
    """Put columns side by side after each row's name; a row without scores says why."""
    lines: list[tuple[Cell, ...]] = []
    for k, row in enumerate(table):
        if row.ok:
            lines.append((*label_cells(row), *(column[k] for column in columns)))
        else:
            state = row.status.replace("_", " ")
            lines.append((*label_cells(row), Cell(f"{state}: {row.reason}", span=len(columns))))
    return tuple(lines)


def point_groups(labels: int, width: int, more: Sequence[Group] = ()) -> tuple[Group, ...]:
    """Headings over the columns of both operating points, after those that name the row."""
    points = (Group(POINT_TITLES[p].capitalize(), width, p) for p in OPERATING_POINTS)
    return (Group("", labels), *points, *more)


def breaks(table: Sequence[Row]) -> tuple[int, ...]:
    """Find the rows at which another feature set begins."""
    return tuple(k for k in range(1, len(table)) if table[k].features != table[k - 1].features)


def part(results: Results, name: str, row: Row) -> pd.DataFrame:
    """Rows of a table that belong to a method: those of the one seed that is in it."""
    table = results.table(name)
    return table[table["cell"].isin(row.cells())] if "cell" in table else table


def measured(results: Results, name: str) -> list[Row]:
    """Methods that a table has rows of, in the order of the report."""
    return [row for row in rows(results) if row.ok and not part(results, name, row).empty]


def lines_of(results: Results, name: str, keys: list[str]) -> Lines:
    """Rows of a table by method and the values of ``keys``: ``lines[row.label, key, ...]``."""
    return {
        (row.label, *key): one
        for row in measured(results, name)
        for key, one in part(results, name, row).groupby(keys, sort=False)
    }


def first_seed(table: Sequence[Row]) -> str:
    """Say which seed is shown, where a method has several."""
    return FIRST_SEED if any(row.finished > 1 for row in table) else ""


def value_cells(
    lines: Sequence[pd.DataFrame | None], value: str, bounds: tuple[str, str] | None, mark: str = ""
) -> list[Cell]:
    """One column of a table.

    Parameters
    ----------
    lines : sequence of DataFrame or None
        The row of each method; None where it has none.
    value : str
        Column of the value.
    bounds : (str, str), optional
        Columns of its interval.
    mark : str
        ``"largest"`` or ``"smallest"``: what to mark; nothing if left out.
    """
    table = [line.iloc[0].to_dict() if line is not None else {} for line in lines]
    values = [float(one.get(value, np.nan)) for one in table]
    marks = best(values, lower=mark == "smallest") if mark else [False] * len(values)
    low, high = bounds or ("", "")
    return [
        Cell(
            number(number_),
            detail=interval(float(one.get(low, np.nan)), float(one.get(high, np.nan))),
            best=flag,
        )
        for one, number_, flag in zip(table, values, marks, strict=True)
    ]
