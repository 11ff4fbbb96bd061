"""Precision where pneumonia is rarer or more frequent than among the test images."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from benchmarks.io.columns import OPERATING_POINTS
from benchmarks.io.formatting import interval, number
from benchmarks.io.results import Results
from benchmarks.io.run_record import prevalence
from benchmarks.report.blocks import Section, Table, paragraph
from benchmarks.report.method_tables import (
    breaks,
    first_seed,
    lines_of,
    measured,
    part,
    point_groups,
    table_rows,
    value_cells,
)
from benchmarks.statistics.method_rows import Row, rows, validation_precision

_NOTE = (
    "By Bayes' theorem from recall and specificity on test, with 95 % intervals by bootstrap over "
    "patients. A precision of exactly 1 means that no normal test image was called pneumonia, and "
    "its interval is too narrow: the true share of false alarms can be as large as about 3/n, n "
    "being the normal patients, and where pneumonia is rare even that costs much precision."
)


def render(results: Results) -> Section:
    """Tabulate each method's precision at several prevalences."""
    title = "Precision where pneumonia is rarer"
    chosen = measured(results, "prevalence")
    if not chosen:
        text = "No cell finished, or this run folder has no prevalence.csv: nothing to tabulate."
        return Section(title, (paragraph(text),))
    shares = sorted(results.tables["prevalence"]["prevalence"].unique())
    text = _text(results, chosen, shares) + first_seed(chosen)
    return Section(title, (paragraph(text), _table(results, rows(results), shares)))


def _text(results: Results, chosen: Sequence[Row], shares: Sequence[float]) -> str:
    row = max(chosen, key=validation_precision)
    here = row.at("test", "recall95").sort_values("seed", kind="stable")["precision"]
    table = part(results, "prevalence", row)
    rare = table[(table["operating_point"] == "recall95") & (table["prevalence"] == shares[0])]
    value = float(rare["precision"].iloc[0])
    bounds = interval(float(rare["lo"].iloc[0]), float(rare["hi"].iloc[0]))
    best = ", best on validation" if len(chosen) > 1 else ""
    return (
        f"Precision depends on prevalence: {row.label}{best}, at the threshold for a recall "
        f"of 0.95, has a precision of {number(float(here.iloc[0]))} on the test images, of which "
        f"{_percent(prevalence(results))} show pneumonia, and with the same recall and "
        f"specificity would have {number(value)}{f' ({bounds})' if bounds else ''} where "
        f"{_percent(shares[0])} do. The precisions of this report hold for no other share than "
        "that of the test images; these do if pneumonias and normals elsewhere look like those."
    )


def _percent(share: float) -> str:
    return "an unknown share" if math.isnan(share) else f"{100 * share:.3g} %"


def _table(results: Results, table: Sequence[Row], shares: Sequence[float]) -> Table:
    lines = lines_of(results, "prevalence", ["operating_point", "prevalence"])
    columns = []
    for point in OPERATING_POINTS:
        for share in shares:
            own = [lines.get((row.label, point, share)) for row in table]
            columns.append(value_cells(own, "precision", ("lo", "hi"), mark="largest"))
        own = [_first(row.at("test", point)) for row in table]
        columns.append(
            value_cells(own, "precision", ("precision_lo", "precision_hi"), mark="largest")
        )
    titles = [f"{100 * share:.0f} %" for share in shares]
    titles.append(f"{_percent(prevalence(results))}, test")
    return Table(
        name="prevalence",
        caption="Precision by the share of pneumonias among the images.",
        header=("Features", "Classifier", *titles, *titles),
        groups=point_groups(2, len(titles)),
        rows=table_rows(table, columns),
        labels=2,
        breaks=breaks(table),
        note=_NOTE,
    )


def _first(table: pd.DataFrame) -> pd.DataFrame | None:
    """First seed of a method on test."""
    return None if table.empty else table.sort_values("seed", kind="stable").head(1)
