"""How far validation and test lie apart: a result of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.report.base import Cell, Figure, Group, Section, Table, paragraph
from benchmarks.report.cells import Row, is_synthetic, prevalence, rows, validation_carved
from benchmarks.report.plots import BLUE, VERMILION, Look, draw, frame, legend, name_rows
from benchmarks.report.tables import breaks, number, table_rows
from benchmarks.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

_SHOWN = (("recall", "Recall"), ("specificity", "Specificity"), ("precision", "Precision"),
          ("auc", "AUC"))  # fmt: skip
_LOOKS = {"validation": Look(BLUE, "-", "o"), "test": Look(VERMILION, "-", "D")}


def render(results: Results) -> Section:
    """Set validation beside test at the threshold that validation chose."""
    title = "From validation to test"
    table = [row for row in rows(results) if row.ok]
    if not table:
        return Section(title, (paragraph("No cell finished, so there is no gap to show."),))
    both = [
        _table(table, formats) for formats in (("html", "markdown"), ("latex",))
    ]  # fmt: skip
    return Section(title, (paragraph(_text(results, table)), _figure(results, table), *both))


def medians(table: Sequence[Row], metric: str) -> tuple[float, float]:
    """Median over methods of a metric on validation and on test, at the recall95 threshold.

    Parameters
    ----------
    table : sequence of Row
    metric : str

    Returns
    -------
    (float, float)
        NaN where no method has a value.
    """
    values = []
    for split in ("validation", "test"):
        found = [row.estimate(split, "recall95", metric).value for row in table]
        finite = [value for value in found if not math.isnan(value)]
        values.append(float(np.median(finite)) if finite else math.nan)
    return values[0], values[1]


def _text(results: Results, table: Sequence[Row]) -> str:
    parts = [f"{metric} {_change(*medians(table, metric))}" for metric in ("specificity", "recall")]
    area = medians(table, "auc")
    return (
        f"{_origin(results)} At the threshold that validation chose, the median "
        f"{parts[0]} and the median {parts[1]}; the median AUC {_change(*area)}. "
        f"Pneumonia makes up {_percent(prevalence(results, 'validation'))} of the validation "
        f"images and {_percent(prevalence(results))} of the test images, and precision depends "
        "on that share. A threshold tuned on one source of images need not hold on another; "
        "nothing here was tuned to close the gap."
    )


def _origin(results: Results) -> str:
    if validation_carved(results):
        return (
            "The validation images were taken from the training split by patient; the test "
            "images are a split of their own."
        )
    return "Validation and test are the splits that came with the data."


def _change(before: float, after: float) -> str:
    if math.isnan(before) or math.isnan(after):
        return "can't be compared"
    step = round(after, 3) - round(before, 3)
    verb = "stays at" if step == 0 else "falls" if step < 0 else "rises"
    if step == 0:
        return f"{verb} {number(after)}"
    return f"{verb} from {number(before)} to {number(after)}"


def _percent(share: float) -> str:
    return "an unknown share" if math.isnan(share) else f"{100 * share:.1f} %"


def _table(table: Sequence[Row], formats: tuple[str, ...]) -> Table:
    columns = [
        [Cell(number(row.estimate(split, "recall95", metric).value)) for row in table]
        for metric, _ in _SHOWN
        for split in _LOOKS
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


def _figure(results: Results, table: Sequence[Row]) -> Figure:
    def paint(figure: MplFigure) -> None:
        places = figure.subplots(1, len(_SHOWN), sharey=True)
        for place, (metric, title) in zip(places, _SHOWN, strict=True):
            for k, row in enumerate(table):
                ends = [row.estimate(split, "recall95", metric).value for split in _LOOKS]
                place.plot(ends, [k, k], color="#9aa3ad", linewidth=1.2, zorder=1)
                for value, look in zip(ends, _LOOKS.values(), strict=True):
                    place.plot([value], [k], look.marker, color=look.colour, zorder=3)
            place.set_xlim(right=1.02)
            place.locator_params(axis="x", nbins=4)
            frame(place, title, grid="x")
        name_rows(places, [row.label for row in table], breaks(table))
        legend(figure, _LOOKS, marks=True)

    before, after = medians(table, "specificity")
    alt = (
        "Recall, specificity, precision and AUC of every method on validation and on test; "
        f"median specificity {number(before)} and {number(after)}."
    )
    return Figure(
        name="gap",
        caption=(
            "The same fitted methods at the same thresholds on validation and on test images. "
            "The scales differ between panels."
        ),
        alt=alt,
        svg=draw("gap", (9.2, 1.3 + 0.215 * len(table)), paint, alt, is_synthetic(results)),
    )
