"""Recall for bacterial and viral pneumonia apart, false positives by series of normal images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from benchmarks.io.columns import MORE_TABLES, OPERATING_POINTS, RECALLS
from benchmarks.io.formatting import DASH, interval, number, thousands
from benchmarks.io.results import Results
from benchmarks.io.run_record import is_synthetic
from benchmarks.report.blocks import Block, Cell, Figure, Section, Subheading, Table, paragraph
from benchmarks.report.method_tables import breaks, estimate_cells, point_groups, table_rows
from benchmarks.report.plots import BLUE, VERMILION, Look, draw, frame, legend, name_rows
from benchmarks.statistics.method_rows import POINT_TITLES, Row, rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

_LOOKS = {
    "recall_bacteria": ("bacterial", Look(BLUE, "-", "o")),
    "recall_virus": ("viral", Look(VERMILION, "-", "D")),
}


def render(results: Results) -> Section:
    """Tabulate and draw the recall of both subtypes and the false positives of each series."""
    table = [row for row in rows(results) if row.ok]
    if not table:
        return Section(_TITLE, (paragraph("No cell finished, so there are no subgroups to show."),))
    found = results.tables.get("subgroups", pd.DataFrame(columns=MORE_TABLES["subgroups"]))
    return Section(_TITLE, (*_kinds(results, table, found), *_series(table, found)))


_TITLE = "Subgroups"


def _kinds(results: Results, table: Sequence[Row], found: pd.DataFrame) -> list[Block]:
    known = [name for name in RECALLS if _known(table, name)]
    if not known:
        return [paragraph("The file names do not tell bacterial from viral pneumonia.")]
    test = results.manifest[results.manifest["split"] == "test"]
    counts = test["subtype"].value_counts()
    text = (
        "Recall of each kind of pneumonia on the test images: "
        f"{thousands(counts.get('bacteria', 0))} bacterial and "
        f"{thousands(counts.get('virus', 0))} viral. No method was told the kind; all of ours were "
        f"trained to find pneumonia of either. {_signs(found, 'recall_difference')}"
    )
    tables = [_table(table, known, formats) for formats in (("html", "markdown"), ("latex",))]
    return [paragraph(text.strip()), _figure(results, table, known), *tables]


def _series(table: Sequence[Row], found: pd.DataFrame) -> list[Block]:
    own = found[found["kind"] == "series"]
    if own.empty:
        text = (
            "False positives are not told apart by series of normal radiographs: the patients' "
            "names show no two series with at least 5 patients each on test."
        )
        return [paragraph(text)]
    single = own[own["metric"] == "false_positive_rate"].drop_duplicates("name")
    names = [
        f"{line['name']} ({thousands(line['n'])} images of {thousands(line['patients'])} patients)"
        for line in single.to_dict("records")
    ]
    text = (
        f"The names of the normal patients on test begin in {len(names)} ways, taken here as "
        f"series: {', '.join(names)}. What else sets them apart is not known here, so a difference "
        "in false positives describes these images and explains nothing. "
        f"{_signs(found, 'false_positive_rate_difference')}"
    )
    tables = [_series_table(table, own, formats) for formats in (("html", "markdown"), ("latex",))]
    return [Subheading("False positives by series"), paragraph(text.strip()), *tables]


def _signs(found: pd.DataFrame, metric: str) -> str:
    """Count the methods whose difference between two subgroups has an interval without 0."""
    own = found[(found["metric"] == metric) & (found["operating_point"] == "recall95")]
    if own.empty:
        return ""
    n, name, median = len(own), own["name"].iloc[0], own["value"].median()
    above, below = int((own["lo"] > 0).sum()), int((own["hi"] < 0).sum())
    return (
        f"The difference ({name}) at the threshold for recall ≥ 0.95 on validation is "
        f"{number(median)}{f' in the median of {n} methods' * (n > 1)}; its 95 % interval lies "
        f"above 0 for {above} and below 0 for {below} of {n}, without correction for their number."
    )


def _series_table(table: Sequence[Row], own: pd.DataFrame, formats: tuple[str, ...]) -> Table:
    names = list(dict.fromkeys(own["name"]))
    of = {(line["cell"], line["operating_point"], line["name"]): line
          for line in own.to_dict("records")}  # fmt: skip

    def cell(row: Row, point: str, name: str) -> Cell:
        line = next((of[c, point, name] for c in row.cells() if (c, point, name) in of), None)
        if line is None:
            return Cell(DASH)
        return Cell(number(line["value"]), detail=interval(line["lo"], line["hi"]))

    columns = [
        [cell(row, point, name) for row in table] for point in OPERATING_POINTS for name in names
    ]
    several = any(row.finished > 1 for row in table)
    return Table(
        name="series",
        caption=(
            "False positive rate by series of normal radiographs on the test images, with 95 % "
            "intervals."
        ),
        header=("Features", "Classifier", *names, *names),
        groups=point_groups(2, len(names)),
        rows=table_rows(table, columns),
        labels=2,
        breaks=breaks(table),
        note="Of the first seed of each method." if several else "",
        formats=formats,
    )


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
