"""Which differences between methods stand: all pairs on the test images."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmarks.io.formatting import interval, number
from benchmarks.io.results import Results
from benchmarks.io.run_record import is_synthetic
from benchmarks.report.blocks import Bullets, Cell, Figure, Group, Section, Table, note, paragraph
from benchmarks.report.method_tables import breaks
from benchmarks.report.plots import draw
from benchmarks.report.sections.differences_text import (
    LEVEL,
    Pairs,
    between,
    bullets,
    count,
    p_value,
    stands,
)
from benchmarks.statistics.method_rows import Row, leaders, rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

_TITLE = "Which differences stand"
_NOTHING = (
    "The run has no table of comparisons: fewer than two methods finished, it was interrupted, or "
    "an older version of the program made it."
)


def render(results: Results) -> Section:
    """Count and name the differences that stand, draw all, tabulate the leaders'."""
    table = results.tables["comparisons"]
    if table.empty:
        return Section(_TITLE, (paragraph(_NOTHING),))
    compared = set(table["cell_a"]) | set(table["cell_b"])
    methods = [row for row in rows(results) if row.ok and row.cells()[0] in compared]
    pairs = Pairs(
        methods, *(_both_ways(table, test) for test in ("clustered_delong", "delong", "mcnemar"))
    )
    chosen = leaders(methods)
    return Section(
        _TITLE,
        (
            paragraph(count(pairs)),
            Bullets(tuple(bullets(pairs))),
            note(
                "A difference that does not stand is not shown to be absent: the test images may "
                "be too few to see it. The tests are about these fitted methods"
                f"{_seeds(methods)} on other patients of the same source; fitting anew moves "
                "scores too, and another source may order the methods otherwise."
            ),
            _figure(pairs, is_synthetic(results)),
            *(_table(pairs, chosen, formats) for formats in (("html", "markdown"), ("latex",))),
        ),
    )


def _both_ways(table: pd.DataFrame, test: str) -> pd.DataFrame:
    one = table[table["test"] == test]
    names = ("cell", "value", "only")
    swap = {f"{name}_{x}": f"{name}_{y}" for name in names for x, y in ("ab", "ba")}
    other = one.rename(columns=swap)
    other = other.assign(difference=-one["difference"], lo=-one["hi"], hi=-one["lo"])
    return pd.concat([one, other]).set_index(["cell_a", "cell_b"])


def _seeds(methods: Sequence[Row]) -> str:
    return ", each method's first seed," if any(row.finished > 1 for row in methods) else ""


def _figure(pairs: Pairs, synthetic: bool) -> Figure:
    names = [row.cells()[0] for row in pairs.methods]
    size = len(names)
    every = pd.MultiIndex.from_product([names, names])
    difference, marked = (
        series.reindex(every).to_numpy(dtype=float).reshape(size, size)
        for series in (pairs.areas["difference"], stands(pairs.areas))
    )
    limit = max(0.01, float(np.nanmax(np.abs(difference))))

    def paint(figure: MplFigure) -> None:
        axes = figure.subplots()
        mesh = axes.pcolormesh(
            difference, cmap="PuOr", vmin=-limit, vmax=limit, edgecolors="white", linewidth=0.5
        )
        across, down = np.nonzero(marked.T == 1)
        axes.plot(across + 0.5, down + 0.5, "o", color="black", markersize=4.5,
                  markeredgecolor="white", markeredgewidth=0.6)  # fmt: skip
        labels = [row.label for row in pairs.methods]
        axes.set_xticks(np.arange(size) + 0.5, labels, rotation=90)
        axes.set_yticks(np.arange(size) + 0.5, labels)
        axes.tick_params(length=0)
        axes.set(xlim=(0, size), ylim=(size, 0), aspect="equal")
        axes.spines[:].set_visible(False)
        for cut in breaks(pairs.methods):
            axes.axhline(cut, color="#8a929b", linewidth=0.7)
            axes.axvline(cut, color="#8a929b", linewidth=0.7)
        figure.colorbar(mesh, ax=axes, shrink=0.6, label="AUC, row less column")

    alt = (
        "AUC difference of every pair of methods on the test images, as a matrix of shades; "
        f"{int(np.nansum(marked)) // 2} of {size * (size - 1) // 2} pairs are marked."
    )
    side = 0.215 * size
    return Figure(
        name="differences",
        caption=(
            "AUC on the test images, the method of the row less that of the column. Dots: "
            f"differences that stand (clustered DeLong, p < {LEVEL} after Holm over all pairs)."
        ),
        alt=alt,
        svg=draw("differences", (min(9.2, 3.4 + side), 1.7 + side), paint, alt, synthetic),
    )


def _table(pairs: Pairs, chosen: Sequence[Row], formats: tuple[str, ...]) -> Table:
    lines = []
    for a, b in combinations(chosen, 2):
        area = between(pairs.areas, [(a, b)]).iloc[0]
        right = between(pairs.right, [(a, b)]).iloc[0]
        lines.append((
            Cell(a.label), Cell(b.label),
            Cell(number(area["difference"]), detail=interval(area["lo"], area["hi"])),
            Cell(p_value(area["p"])),
            Cell(p_value(area["p_holm"]), best=bool(area["p_holm"] < LEVEL)),
            Cell(number(right["only_a"], 0)), Cell(number(right["only_b"], 0)),
            Cell(p_value(right["p"])),
            Cell(p_value(right["p_holm"]), best=bool(right["p_holm"] < LEVEL)),
        ))  # fmt: skip
    return Table(
        name="differences",
        caption=(
            "Differences on the test images between the methods that did best on validation, one a "
            "feature set: AUC with 95 % interval (clustered DeLong), and images that one method "
            "alone gets right at the threshold for a recall of 0.95 on validation (McNemar)."
        ),
        header=("A", "B", "A − B", "p", "Holm’s p", "Only A", "Only B", "p", "Holm’s p"),
        groups=(Group("", 2), Group("AUC", 3, "AUC"), Group("Images right", 4, "McNemar")),
        rows=tuple(lines),
        labels=2,
        note=f"Bold: below {LEVEL} after Holm’s correction over all pairs of the run.",
        formats=formats,
    )
