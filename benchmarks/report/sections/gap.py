"""How far cross-validation, validation and the official test lie apart: a result of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from benchmarks.io.formatting import interval, number
from benchmarks.io.results import Results
from benchmarks.io.run_record import is_synthetic
from benchmarks.report.blocks import Block, Cell, Figure, Group, Section, Table, paragraph
from benchmarks.report.method_tables import breaks, table_rows
from benchmarks.report.plots import BLUE, GREEN, VERMILION, Look, draw, frame, legend, name_rows
from benchmarks.report.sections.gap_text import (
    from_cross_validation,
    from_validation,
    medians,
    point_of,
)
from benchmarks.statistics.method_rows import Row, rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

_SHOWN = (("recall", "Recall"), ("specificity", "Specificity"), ("precision", "Precision"),
          ("auc", "AUC"))  # fmt: skip
_WITH_GAP = (("auc", "AUC"), ("specificity", "Specificity"), ("recall", "Recall"))
_LOOKS = {
    "cv": ("cross-validation", Look(GREEN, "-", "^")),
    "validation": ("validation", Look(BLUE, "-", "o")),
    "test": ("test", Look(VERMILION, "-", "D")),
}
_HEADS = {"cv": "CV", "validation": "Val.", "test": "Test"}


def render(results: Results) -> Section:
    """Set cross-validation, if there was one, and validation beside test."""
    table = [row for row in rows(results) if row.ok]
    gaps = results.table("gap")
    if not table:
        return Section(_TITLES[0], (paragraph("No cell finished, so there is no gap to show."),))
    blocks: list[Block] = []
    if len(gaps):
        blocks.append(paragraph(from_cross_validation(gaps)))
    blocks += [paragraph(from_validation(results, table)), _figure(results, table, gaps)]
    if len(gaps):
        blocks += [
            _gap_table(table, gaps, ("cv", "validation", "test"), ("html", "markdown")),
            _gap_table(table, gaps, ("cv", "test"), ("latex",)),
        ]
    else:
        blocks += [_table(table, formats) for formats in (("html", "markdown"), ("latex",))]
    return Section(_TITLES[len(gaps) > 0], tuple(blocks))


_TITLES = ("From validation to test", "The gap between cross-validation and the official test")


def gap_cells(table: Sequence[Row], gaps: pd.DataFrame, metric: str) -> list[Cell]:
    """One column: the gap of each method with its interval; a dash without cross-validation.

    Parameters
    ----------
    table : sequence of Row
    gaps : DataFrame
        Table ``gap`` of the run.
    metric : str
        AUC, or a metric at the threshold for a recall of 0.95.
    """
    own = gaps[(gaps["metric"] == metric) & gaps["operating_point"].isin(("", "recall95"))]
    of = {str(line["cell"]): line for line in own.to_dict("records")}
    cells = []
    for row in table:
        line = next((of[cell] for cell in row.cells() if cell in of), None)
        cells.append(
            Cell(number(math.nan)) if line is None
            else Cell(number(line["gap"]), detail=interval(line["gap_lo"], line["gap_hi"]))
        )  # fmt: skip
    return cells


def _value(row: Row, split: str, metric: str) -> float:
    return row.estimate(split, point_of(metric), metric).value


def _gap_table(
    table: Sequence[Row], gaps: pd.DataFrame, splits: Sequence[str], formats: tuple[str, ...]
) -> Table:
    columns = []
    for metric, _ in _WITH_GAP:
        columns += [[Cell(number(_value(row, split, metric))) for row in table] for split in splits]
        columns.append(gap_cells(table, gaps, metric))
    several = " Values are means over seeds; the gap is that of the first seed."
    return Table(
        name="gap",
        caption=(
            "Cross-validation beside the official test, at the threshold for a recall of 0.95; "
            "the gap is cross-validation less test, with its 95 % interval."
        ),
        header=("Features", "Classifier",
                *([*(_HEADS[split] for split in splits), "Gap"] * len(_WITH_GAP))),
        groups=(Group("", 2),
                *(Group(title, len(splits) + 1, title.lower()) for _, title in _WITH_GAP)),
        rows=table_rows(table, columns),
        labels=2,
        breaks=breaks(table),
        note=(
            "In cross-validation a fold's threshold is the one that the other folds' held-out "
            "scores need; AUC is the mean over folds. Validation and test use one threshold, "
            "chosen on validation." + several * any(row.finished > 1 for row in table)
        ),
        formats=formats,
    )  # fmt: skip


def _table(table: Sequence[Row], formats: tuple[str, ...]) -> Table:
    columns = [
        [Cell(number(_value(row, split, metric))) for row in table]
        for metric, _ in _SHOWN
        for split in ("validation", "test")
    ]
    columns.insert(0, [_threshold(row) for row in table])
    return Table(
        name="gap",
        caption=(
            "Validation beside test, at the threshold chosen on validation for a recall of 0.95."
        ),
        header=("Features", "Classifier", "Threshold", *(("Val.", "Test") * len(_SHOWN))),
        groups=(Group("", 3), *(Group(title, 2, title.lower()) for _, title in _SHOWN)),
        rows=table_rows(table, columns),
        labels=2,
        breaks=breaks(table),
        formats=formats,
    )


def _threshold(row: Row) -> Cell:
    values = row.at("test", "recall95")["threshold"].astype(float)
    return Cell(number(float(values.mean()) if len(values) else math.nan))


def _figure(results: Results, table: Sequence[Row], gaps: pd.DataFrame) -> Figure:
    shown = dict(list(_LOOKS.values())[0 if len(gaps) else 1 :])
    splits = list(_LOOKS)[-len(shown) :]

    def paint(figure: MplFigure) -> None:
        places = figure.subplots(1, len(_SHOWN), sharey=True)
        for place, (metric, title) in zip(places, _SHOWN, strict=True):
            for k, row in enumerate(table):
                ends = [_value(row, split, metric) for split in splits]
                known = [value for value in ends if not math.isnan(value)]
                if known:
                    place.plot([min(known), max(known)], [k, k], color="#9aa3ad", linewidth=1.2,
                               zorder=1)  # fmt: skip
                for value, look in zip(ends, shown.values(), strict=True):
                    place.plot([value], [k], look.marker, color=look.colour, zorder=3)
            place.set_xlim(right=1.02)
            place.locator_params(axis="x", nbins=4)
            frame(place, title, grid="x")
        name_rows(places, [row.label for row in table], breaks(table))
        legend(figure, shown, marks=True)

    before, after = medians(table, "specificity")
    alt = (
        f"Recall, specificity, precision and AUC of every method: {', '.join(shown)}; "
        f"median specificity on validation {number(before)}, on test {number(after)}."
    )
    fitted = " In cross-validation each method was fitted anew for every fold." * bool(len(gaps))
    return Figure(
        name="gap",
        caption=(
            "The same fitted methods at the same thresholds on validation and on test images."
            f"{fitted} The scales differ between panels."
        ),
        alt=alt,
        svg=draw("gap", (9.2, 1.3 + 0.215 * len(table)), paint, alt, is_synthetic(results)),
    )
