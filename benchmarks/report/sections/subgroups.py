"""Subgroups: recall by subtype, false positives by series of negative images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmarks.io.columns import OPERATING_POINTS, recall_column
from benchmarks.io.formatting import number, thousands
from benchmarks.io.results import Results
from benchmarks.io.run_record import class_pair, is_synthetic
from benchmarks.report.blocks import (
    ALL_FORMATS,
    Block,
    Cell,
    Figure,
    Section,
    Subheading,
    Table,
    paragraph,
    text_section,
)
from benchmarks.report.method_tables import (
    ALL_ALIKE,
    breaks,
    estimate_cells,
    first_seed,
    over_seeds,
    point_groups,
    table_rows,
    value_cells,
)
from benchmarks.report.plots import (
    draw,
    frame,
    legend,
    looks,
    mark_estimate,
    name_rows,
)
from benchmarks.statistics.equivalence import MARGINS, counts_text
from benchmarks.statistics.method_rows import POINT_TITLES, Row, finished

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

_TITLE = "Subgroups"
SHOWN = 6  # subtypes in the table and the figure


def render(results: Results) -> Section:
    """Show recall by subtype and the false positive rate of each series.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    table = finished(results)
    if not table:
        return text_section(_TITLE, "No cell finished, so there are no subgroups to show.")
    found = results.table("subgroups")
    return Section(_TITLE, (*_kinds(results, table, found), *_series(table, found)))


def _kinds(results: Results, table: Sequence[Row], found: pd.DataFrame) -> list[Block]:
    positive = class_pair(results)[1]
    test = results.manifest[(results.manifest["split"] == "test") & (results.manifest["label"] > 0)]
    counts = test["subtype"][test["subtype"] != ""].value_counts()
    known = [str(name) for name in counts.index if _known(table, recall_column(name))]
    if not known:
        return [paragraph(f"The data do not distinguish subtypes of {positive}.")]
    shown = sorted(known[:SHOWN])
    listed = ", ".join(f"{name} ({thousands(counts[name])} images)" for name in shown)
    more = (
        f"The other {len(known) - SHOWN} subtypes have fewer; their recall is in subgroups.csv. "
        if len(known) > SHOWN
        else ""
    )
    text = (
        f"Recall for each subtype of {positive} on the test set: {listed}. {more}No method uses "
        f"the subtype as input or label; the methods trained here learn {positive} of any subtype. "
        f"{_difference(found, 'recall_difference')}"
    )
    return [
        paragraph(text.strip()), _figure(results, table, shown), _table(table, shown, positive)
    ]  # fmt: skip


def _series(table: Sequence[Row], found: pd.DataFrame) -> list[Block]:
    own = found[found["kind"] == "series"]
    if own.empty:
        text = (
            "False positives are not reported by series of negative images: the patient names "
            "show no two series with at least 5 patients each in the test set."
        )
        return [paragraph(text)]
    single = own[own["metric"] == "false_positive_rate"].drop_duplicates("name")
    names = [
        f"{line['name']} ({thousands(line['n'])} images of {thousands(line['patients'])} patients)"
        for line in single.to_dict("records")
    ]
    text = (
        f"The names of the negative patients in the test set have {len(names)} different prefixes, "
        f"taken here as series: {', '.join(names)}. How else the series differ is unknown, so a "
        "difference in false positives describes these images and explains nothing. "
        f"{_difference(found, 'false_positive_rate_difference')}"
    )
    return [
        Subheading("False positives by series"), paragraph(text.strip()), _series_table(table, own)
    ]  # fmt: skip


def _difference(found: pd.DataFrame, metric: str) -> str:
    """Report the difference between two subgroups over the methods, and its sign."""
    own = found[(found["metric"] == metric) & (found["operating_point"] == "recall95")]
    if own.empty:
        return ""
    n, name, median = len(own), own["name"].iloc[0], own["value"].median()
    margin = MARGINS["recall" if metric.startswith("recall") else "specificity"]
    return (
        f"The difference ({name}) at the threshold for recall ≥ 0.95 on the validation set is "
        f"{number(median)}{f' in the median of {n} methods' * (n > 1)}: "
        f"{counts_text(own, ('value', 'lo', 'hi'), margin)}."
    )


def _series_table(table: Sequence[Row], own: pd.DataFrame) -> Table:
    names = list(dict.fromkeys(own["name"]))

    def column(point: str, name: str) -> list[Cell]:
        part = own[(own["operating_point"] == point) & (own["name"] == name)]
        return value_cells([part[part["cell"].isin(row.cells())] for row in table], "value",
                           ("lo", "hi"))  # fmt: skip

    columns = [column(point, name) for point in OPERATING_POINTS for name in names]
    return Table(
        name="series",
        caption=(
            "False positive rate by series of negative images on the test set, with 95 % intervals."
        ),
        header=("Features", "Classifier", *names, *names),
        groups=point_groups(2, len(names)),
        rows=table_rows(table, columns),
        labels=2,
        breaks=breaks(table),
        note=first_seed(table).strip(),
        formats=ALL_FORMATS,
    )


def _known(table: Sequence[Row], metric: str) -> bool:
    return any(row.scores[metric].notna().any() for row in table if metric in row.scores)


def _table(table: Sequence[Row], known: Sequence[str], positive: str) -> Table:
    columns = [
        estimate_cells(table, "test", point, recall_column(name)) for point in OPERATING_POINTS
        for name in known
    ]  # fmt: skip
    return Table(
        name="subtypes",
        caption=f"Recall by subtype of {positive} on the test set, with 95 % intervals.",
        header=("Features", "Classifier", *known, *known),
        groups=point_groups(2, len(known)),
        rows=table_rows(table, columns),
        labels=2,
        breaks=breaks(table),
        note=f"{ALL_ALIKE} {over_seeds(table)}".strip(),
        formats=ALL_FORMATS,
    )


def _figure(results: Results, table: Sequence[Row], known: Sequence[str]) -> Figure:
    look, positive = looks(known), class_pair(results)[1]
    shifts = np.linspace(-0.16, 0.16, len(known)) if len(known) > 1 else [0.0]

    def paint(figure: MplFigure) -> None:
        places = figure.subplots(1, 2, sharex=True, sharey=True)
        for place, point in zip(places, OPERATING_POINTS, strict=True):
            for shift, name in zip(shifts, known, strict=True):
                for k, row in enumerate(table):
                    one = row.estimate("test", point, recall_column(name))
                    mark_estimate(place, (one.value, one.low, one.high), k + shift, look[name],
                                  markersize=4.5)  # fmt: skip
            frame(place, POINT_TITLES[point].capitalize(), "Recall", grid="x")
        name_rows(places, [row.label for row in table], breaks(table))
        places[0].set_xlim(right=1.01)  # after both panels, which share it, are drawn
        legend(figure, look, marks=True)

    alt = f"Recall for {', '.join(known)} of every method at both operating points."
    size = (9.2, 1.2 + 0.25 * len(table))
    return Figure(
        name="subtypes",
        caption=f"Recall by subtype of {positive} on the test set, with 95 % intervals.",
        alt=alt,
        svg=draw("subtypes", size, paint, alt, is_synthetic(results)),
    )
