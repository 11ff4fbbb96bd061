"""Precision at other prevalences than that of the test set."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.io.columns import OPERATING_POINTS
from benchmarks.io.formatting import interval, number, percent
from benchmarks.io.results import Results
from benchmarks.io.run_record import class_pair, prevalence
from benchmarks.report.blocks import Section, Table, paragraph, text_section
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
    "By Bayes' theorem from recall and specificity on the test set, with 95 % intervals by "
    "bootstrap over patients, in which a chosen threshold is chosen again. A precision of "
    "exactly 1 means that no negative test image was predicted positive; its interval has no "
    "width, and the precision among other patients may be lower (see the interval of specificity)."
)


def render(results: Results) -> Section:
    """Tabulate the precision of each method at several prevalences.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    title = "Precision at other prevalences"
    chosen = measured(results, "prevalence")
    if not chosen:
        return text_section(title, "No cell finished, or the run folder has no prevalence.csv.")
    shares = sorted(results.tables["prevalence"]["prevalence"].unique())
    text = _text(results, chosen, shares) + first_seed(chosen)
    return Section(title, (paragraph(text), _table(results, rows(results), shares)))


def _text(results: Results, chosen: Sequence[Row], shares: Sequence[float]) -> str:
    names = class_pair(results)
    row = max(chosen, key=validation_precision)
    here = row.first("test", "recall95")["precision"]
    table = part(results, "prevalence", row)
    rare = table[(table["operating_point"] == "recall95") & (table["prevalence"] == shares[0])]
    value = float(rare["precision"].iloc[0])
    bounds = interval(float(rare["lo"].iloc[0]), float(rare["hi"].iloc[0]))
    best = ", with the highest average precision on the validation set," if len(chosen) > 1 else ""
    return (
        "Precision depends on prevalence. At the threshold for a recall of 0.95, "
        f"{row.label}{best} has a precision of {number(float(here.iloc[0]))} on the test set, "
        f"where the prevalence of {names[1]} is {percent(prevalence(results))}. With the same "
        f"recall and specificity, its precision would be {number(value)}"
        f"{f' ({bounds})' if bounds else ''} at a prevalence of {percent(shares[0])}. The other "
        "sections report precision at the prevalence of the test set only. The values below hold "
        f"if {names[1]} and {names[0]} images elsewhere resemble those of the test set."
    )


def _table(results: Results, table: Sequence[Row], shares: Sequence[float]) -> Table:
    lines = lines_of(results, "prevalence", ["operating_point", "prevalence"])
    columns = []
    for point in OPERATING_POINTS:
        for share in shares:
            own = [lines.get((row.label, point, share)) for row in table]
            columns.append(value_cells(own, "precision", ("lo", "hi"), mark="largest"))
        own = [row.first("test", point) for row in table]
        bounds = ("precision_lo_threshold", "precision_hi_threshold")
        columns.append(value_cells(own, "precision", bounds, mark="largest"))
    titles = [f"{100 * share:.0f} %" for share in shares]
    titles.append(f"{percent(prevalence(results))}, test")
    return Table(
        name="prevalence",
        caption=f"Precision by prevalence of {class_pair(results)[1]}.",
        header=("Features", "Classifier", *titles, *titles),
        groups=point_groups(2, len(titles)),
        rows=table_rows(table, columns),
        labels=2,
        breaks=breaks(table),
        note=_NOTE,
    )
