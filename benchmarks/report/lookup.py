"""Rows of a statistic's table, method by method, as cells of a report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.io.results import Results
from benchmarks.report.base import Cell
from benchmarks.report.lookup_cells import Row, rows
from benchmarks.report.tables import best, interval, number

Lines = dict[tuple[Any, ...], pd.DataFrame]
FIRST_SEED = " Of a method with several seeds, the first that finished is shown."


def part(results: Results, name: str, row: Row) -> pd.DataFrame:
    """Rows of a table that belong to a method: those of the one seed that is in it."""
    table = results.tables.get(name, pd.DataFrame())
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


def change(before: float, after: float) -> str:
    """Words for two numbers at the three decimals shown: "falls from 0.980 to 0.654"."""
    if not (np.isfinite(before) and np.isfinite(after)):
        return "can't be compared"
    if number(before) == number(after):
        return f"stays at {number(after)}"
    return f"{'falls' if after < before else 'rises'} from {number(before)} to {number(after)}"


def of(count: int, total: int, what: str = "methods") -> str:
    """Words for a share of the methods: "3 of 29 methods", "the one method", "no method".

    Examples
    --------
    >>> of(3, 29), of(29, 29), of(0, 29), of(1, 1), of(0, 1)
    ('3 of 29 methods', 'all 29 methods', 'none of 29 methods', 'the one method', 'no method')
    """
    if total == 1:
        return f"the one {what.removesuffix('s')}" if count else f"no {what.removesuffix('s')}"
    if count == total:
        return f"all {total} {what}"
    return f"{count or 'none'} of {total} {what}"
