"""Recall for bacterial and for viral pneumonia apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.report.base import Figure, Section, Table, paragraph
from benchmarks.report.cells import POINT_TITLES, Row, is_synthetic, rows
from benchmarks.report.plots import BLUE, VERMILION, Look, draw, frame, legend, name_rows
from benchmarks.report.tables import breaks, estimate_cells, point_groups, table_rows, thousands
from benchmarks.results import OPERATING_POINTS, RECALLS, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

_LOOKS = {
    "recall_bacteria": ("bacterial", Look(BLUE, "-", "o")),
    "recall_virus": ("viral", Look(VERMILION, "-", "D")),
}


def render(results: Results) -> Section:
    """Tabulate and draw the recall of both subtypes."""
    title = "Bacterial and viral pneumonia"
    table = [row for row in rows(results) if row.ok]
    known = [name for name in RECALLS if _known(table, name)]
    if not known:
        text = "The file names do not tell bacterial from viral pneumonia, or no cell finished."
        return Section(title, (paragraph(text),))
    test = results.manifest[results.manifest["split"] == "test"]
    counts = test["subtype"].value_counts()
    text = (
        "Recall of each kind of pneumonia on the test images: "
        f"{thousands(counts.get('bacteria', 0))} bacterial and "
        f"{thousands(counts.get('virus', 0))} viral. No method was told the kind; all were "
        "trained to find pneumonia of either."
    )
    tables = [_table(table, known, formats) for formats in (("html", "markdown"), ("latex",))]
    return Section(title, (paragraph(text), _figure(results, table, known), *tables))


def _known(table: Sequence[Row], metric: str) -> bool:
    return any(row.scores[metric].notna().any() for row in table if metric in row.scores)


def _table(table: Sequence[Row], known: Sequence[str], formats: tuple[str, ...]) -> Table:
    columns = [
        estimate_cells(table, "test", point, metric) for point in OPERATING_POINTS
        for metric in known
    ]  # fmt: skip
    names = tuple(_LOOKS[name][0].capitalize() for name in known)
    caption = "Recall by kind of pneumonia on the test images, with 95 % intervals."
    return Table(
        name="subtypes",
        caption=caption,
        header=("Features", "Classifier", *names, *names),
        groups=point_groups(2, len(known)),
        rows=table_rows(table, columns),
        labels=2,
        breaks=breaks(table),
        formats=formats,
    )


def _figure(results: Results, table: Sequence[Row], known: Sequence[str]) -> Figure:
    def paint(figure: MplFigure) -> None:
        places = figure.subplots(1, 2, sharex=True, sharey=True)
        for place, point in zip(places, OPERATING_POINTS, strict=True):
            for shift, metric in zip((-0.16, 0.16), known, strict=False):
                look = _LOOKS[metric][1]
                for k, row in enumerate(table):
                    one = row.estimate("test", point, metric)
                    place.plot([one.low, one.high], [k + shift] * 2, color=look.colour)
                    place.plot([one.value], [k + shift], look.marker, color=look.colour,
                               markersize=4.5)  # fmt: skip
            frame(place, POINT_TITLES[point].capitalize(), "Recall", grid="x")
        name_rows(places, [row.label for row in table], breaks(table))
        places[0].set_xlim(right=1.01)  # after both panels, which share it, are drawn
        legend(figure, dict(_LOOKS[name] for name in known), marks=True)

    alt = "Recall for bacterial and viral pneumonia of every method at both operating points."
    size = (9.2, 1.2 + 0.25 * len(table))
    return Figure(
        name="subtypes",
        caption="Test images; lines are 95 % intervals.",
        alt=alt,
        svg=draw("subtypes", size, paint, alt, is_synthetic(results)),
    )
