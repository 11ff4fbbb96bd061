"""Numbers as text, and the tables that compare methods row by row."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from benchmarks.io.columns import OPERATING_POINTS
from benchmarks.report.base import Cell, Group
from benchmarks.report.lookup_cells import POINT_TITLES, Row

DASH = "–"


def number(value: float, digits: int = 3) -> str:
    """Write a number with fixed decimals; a missing one is a dash.

    Examples
    --------
    >>> number(0.91249), number(-0.5), number(float("nan"))
    ('0.912', '−0.500', '–')
    """
    if value is None or not np.isfinite(value):
        return DASH
    return f"{value:.{digits}f}".replace("-", "−")


def interval(low: float, high: float, digits: int = 3) -> str:
    """Write an interval; empty if it has no bounds.

    Examples
    --------
    >>> interval(0.881, 0.9312), interval(-0.1, 0.2), interval(float("nan"), 1.0)
    ('0.881–0.931', '−0.100 to 0.200', '')
    """
    if not (np.isfinite(low) and np.isfinite(high)):
        return ""
    between = " to " if low < 0 else "–"
    return f"{number(low, digits)}{between}{number(high, digits)}"


def thousands(value: float) -> str:
    """Write a count with separators.

    Examples
    --------
    >>> thousands(5216)
    '5,216'
    """
    return f"{int(value):,}"


def moment(text: object) -> str:
    """Write a time of day as people do.

    Examples
    --------
    >>> moment("2026-11-21T21:26:00+00:00")
    '2026-11-21 21:26:00 UTC'
    """
    return str(text).replace("T", " ").replace("+00:00", " UTC")


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
