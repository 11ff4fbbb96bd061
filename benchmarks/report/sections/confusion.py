"""Confusion matrices on the test set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.io.columns import COUNTS, OPERATING_POINTS
from benchmarks.io.formatting import DASH, thousands
from benchmarks.io.results import Results
from benchmarks.io.run_record import class_pair, is_synthetic
from benchmarks.report.blocks import Block, Cell, Figure, Section, Table, paragraph, text_section
from benchmarks.report.method_tables import SELECTED, breaks, point_groups, table_rows
from benchmarks.report.plots import INK, draw, frame
from benchmarks.statistics.method_rows import Row, finished, leaders

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MplFigure

_NAMES = {"tp": "true pos.", "fp": "false pos.", "tn": "true neg.", "fn": "false neg."}


def render(results: Results) -> Section:
    """Draw the confusion matrices of the leaders and tabulate those of all methods.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    title = "Confusion matrices"
    table = finished(results)
    if not table:
        return text_section(title, "No cell finished, so there is nothing to count.")
    chosen = leaders(table)
    text = f"Counts of test images. The figure shows {SELECTED}. The table lists every method."
    if max(row.finished for row in table) > 1:
        text += " Counts are from the first seed."
    blocks: list[Block] = [paragraph(text), _figure(results, chosen), _counts(table)]
    return Section(title, tuple(blocks))


def _first_counts(row: Row, point: str) -> dict[str, int] | None:
    """Return the counts of the first seed; None where the point has no threshold."""
    scores = row.first("test", point)
    if scores.empty or scores[COUNTS].iloc[0].isna().any():
        return None
    return {name: int(scores[name].iloc[0]) for name in COUNTS}


def _figure(results: Results, chosen: Sequence[Row]) -> Figure:
    columns = max(2, min(4, len(chosen)))
    bands = -(-len(chosen) // columns)

    def paint(figure: MplFigure) -> None:
        # As many columns in every band, so that all matrices have one size.
        for band, part in enumerate(figure.subfigures(bands, 1, squeeze=False).ravel()):
            shown = chosen[band * columns : (band + 1) * columns]
            places = part.subplots(len(OPERATING_POINTS), columns, squeeze=False)
            for line, point in enumerate(OPERATING_POINTS):
                for place, row in zip(places[line], shown, strict=False):
                    counts = _first_counts(row, point)
                    if counts is None:
                        place.set_axis_off()
                    else:
                        _matrix(place, counts)
                    frame(place, _heading(row) if line == 0 else "", grid="")
                places[line][0].set_ylabel(_TITLES[point])
                for place in places[line][len(shown) :]:
                    place.set_visible(False)

    alt = "Confusion matrices on the test set: " + "; ".join(
        f"{row.label} at the threshold for recall 0.95: "
        + ", ".join(f"{_NAMES[key]} {value}" for key, value in counts.items())
        for row in chosen
        if (counts := _first_counts(row, "recall95")) is not None
    )
    negative, positive = class_pair(results)
    return Figure(
        name="confusion",
        caption=(
            f"Confusion matrices on the test set. Rows: true class (P {positive}, N {negative}). "
            "Columns: predicted class. Shade: fraction of the row."
        ),
        alt=alt,
        svg=draw("confusion", (2.3 * columns, 4.0 * bands), paint, alt, is_synthetic(results)),
    )


def _heading(row: Row) -> str:
    if row.is_external:
        return f"external\n{row.model}"
    return "CNN\nend to end" if row.is_cnn else f"{row.features}\n+ {row.classifier}"


_TITLES = {"0.5": "threshold 0.5\n\ntrue class", "recall95": "recall ≥ 0.95 on val.\n\ntrue class"}


def _matrix(axes: Axes, count: dict[str, int]) -> None:
    table = np.array([[count["tp"], count["fn"]], [count["fp"], count["tn"]]])
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    axes.pcolormesh(share[::-1], cmap="Blues", vmin=0, vmax=1.25, edgecolors="white", linewidth=2)
    for y in range(2):
        for x in range(2):
            colour = "white" if share[y, x] > 0.7 else INK
            axes.text(x + 0.5, 1.5 - y, thousands(table[y, x]), ha="center", va="center",
                      color=colour, fontsize=11)  # fmt: skip
    axes.set_xticks([0.5, 1.5], ["P", "N"])
    axes.set_yticks([1.5, 0.5], ["P", "N"])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_aspect("equal")


def _counts(table: Sequence[Row]) -> Table:
    found = {point: [_first_counts(row, point) for row in table] for point in OPERATING_POINTS}
    columns = [
        [Cell(DASH if counts is None else thousands(counts[name])) for counts in found[point]]
        for point in OPERATING_POINTS
        for name in COUNTS
    ]
    names = tuple(_NAMES[name].capitalize() for name in COUNTS)
    return Table(
        name="counts",
        caption="Test images by true and predicted class.",
        header=("Features", "Classifier", *names, *names),
        groups=point_groups(2, len(COUNTS)),
        rows=table_rows(table, columns),
        labels=2,
        breaks=breaks(table),
    )
