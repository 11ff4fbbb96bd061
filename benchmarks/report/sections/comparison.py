"""The main table and its figure: every method at both operating points."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from benchmarks.io.columns import OPERATING_POINTS
from benchmarks.io.results import Results
from benchmarks.metrics.bootstrap import DRAWS
from benchmarks.report.base import Cell, Figure, Group, Table
from benchmarks.report.lookup_cells import POINT_TITLES, Row, data_name, kinds
from benchmarks.report.plots import CNN_LOOK, draw, frame, looks, name_rows
from benchmarks.report.sections.gap import gap_cells
from benchmarks.report.tables import (
    breaks,
    estimate_cells,
    interval,
    number,
    point_groups,
    table_rows,
    thousands,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

_SHOWN = (("precision", "Precision"), ("recall", "Recall"), ("specificity", "Specificity"))
_READING = (
    "Each value with its 95 % interval (bootstrap over patients). Bold: the largest of its "
    "column, which describes the test and chooses nothing; with a threshold fixed on "
    "validation, a method can be first in recall by being poor in precision. A value of exactly "
    "0 or 1 stays the same however patients are drawn again: take its interval to reach 3/n "
    "inwards, n being the patients of that class (rule of three, "
    "doi:10.1001/jama.1983.03330370053031)."
)
_THRESHOLDS = {
    "0.5": "Threshold: a probability of 0.5, fixed beforehand.",
    "recall95": "Threshold: for each method the largest score with a recall of at least 0.95 on "
    "the validation images.",
}
_GAP = (
    " Gap: AUC in cross-validation by patient on the training images (CV AUC) less AUC on test; "
    "with its interval in the section on the gap."
)
_SEEDS = "Mean over seeds ± standard deviation over seeds; interval: mean of the seeds' bounds."


def main_table(results: Results, table: Sequence[Row]) -> Table:
    """Tabulate every method at both operating points, for a page that can be wide."""
    gaps = results.tables.get("gap", pd.DataFrame())
    columns = [
        estimate_cells(table, "test", point, metric)
        for point in OPERATING_POINTS
        for metric, _ in _SHOWN
    ]
    columns += [estimate_cells(table, "test", "0.5", m) for m in ("auc", "average_precision")]
    titles = tuple(title for _, title in _SHOWN)
    ranking = ["AUC", "Average precision"]
    if len(gaps):
        areas = [number(row.estimate("cv", "0.5", "auc").value) for row in table]
        columns += [[Cell(area) for area in areas],
                    [Cell(cell.text) for cell in gap_cells(table, gaps, "auc")]]  # fmt: skip
        ranking += ["CV AUC", "Gap"]
    several = any(row.finished > 1 for row in table)
    note = _READING + _GAP * bool(len(gaps))
    return Table(
        name="main",
        caption=(
            "Precision, recall and specificity on the test images at two operating points: "
            "threshold 0.5, and the largest threshold with recall ≥ 0.95 on validation (recall95)."
        ),
        header=("Features", "Classifier", *titles, *titles, *ranking),
        groups=point_groups(2, len(_SHOWN), [Group("All thresholds", len(ranking))]),
        rows=table_rows(table, columns),
        labels=2,
        breaks=breaks(table),
        note=f"{note} {_SEEDS}" if several else note,
    )


def latex_table(results: Results, table: Sequence[Row], point: str) -> Table:
    """Tabulate every method at one operating point, for a column of a paper."""
    shown = (*_SHOWN, ("auc", "AUC"))
    columns = [estimate_cells(table, "test", point, metric) for metric, _ in shown]
    several = any(row.finished > 1 for row in table)
    return Table(
        name=f"main-{point.replace('.', '')}",
        caption=(
            f"Test split of {data_name(results)}, {POINT_TITLES[point]}: value and 95 % interval "
            "(bootstrap over patients); best of each column in bold."
        ),
        header=("Features", "Classifier", *(title for _, title in shown)),
        rows=table_rows(table, columns),
        labels=2,
        breaks=breaks(table),
        note=" ".join(
            [_split_note(results), _THRESHOLDS[point], _draws_note(results),
             *([_SEEDS] if several else []), *_data_note(results)]
        ),
        formats=("latex",),
    )  # fmt: skip


def _split_note(results: Results) -> str:
    in_test = results.manifest["split"] == "test"
    test, rest = results.manifest[in_test], results.manifest[~in_test]
    both = len(set(test["group"]) & set(rest["group"]))
    data = results.run.get("data", {})
    limit = results.run.get("config", {}).get("limit")
    whole = "a sample of the test split" if limit else "the test split as it came with the data"
    who = (
        f"of {thousands(test['group'].nunique())} patients, {both or 'none'} of them in training "
        "or validation"
        if data.get("groups_known", True)
        else "of unknown patients, each image counted as its own"
    )
    return (
        f"Split: {whole}, {thousands(len(test))} images ({thousands(test['label'].sum())} with "
        f"pneumonia) {who}."
    )


def _draws_note(results: Results) -> str:
    draws = thousands(results.run.get("protocol", {}).get("bootstrap_draws", DRAWS))
    return (
        f"Intervals: 2.5th to 97.5th percentile of {draws} bootstrap draws of whole patients. "
        "Nothing was chosen by its test score; bold describes and chooses nothing."
    )


def _data_note(results: Results) -> list[str]:
    citation = str(results.run.get("data", {}).get("citation", ""))
    found = re.findall(r"doi:(10\.\d+/\S+[^\s.;,)])", citation)
    return [f"Data: {', '.join(f'doi:{one}' for one in found)}."] if found else []


def every_seed(results: Results) -> Table:
    """Tabulate every cell by itself."""
    scores = results.scores[
        (results.scores["split"] == "test") & (results.scores["status"] == "ok")
    ]
    lines = []
    for cell, table in scores.groupby("cell", sort=False):
        values = [Cell(str(cell))]
        for point in OPERATING_POINTS:
            one = table[table["operating_point"] == point].iloc[0].to_dict()
            for metric, _ in _SHOWN:
                bounds = interval(one[f"{metric}_lo"], one[f"{metric}_hi"])
                values.append(Cell(number(one[metric]), detail=bounds))
        lines.append((*values, Cell(number(float(table["auc"].iloc[0])))))
    titles = tuple(title for _, title in _SHOWN)
    return Table(
        name="seeds",
        caption="Every cell, seed by seed, on the test images.",
        header=("Cell", *titles, *titles, "AUC"),
        groups=point_groups(1, len(_SHOWN), [Group("", 1)]),
        rows=tuple(lines),
    )


def overview(table: Sequence[Row], synthetic: bool) -> Figure:
    """Draw value and interval of every method at the threshold chosen on validation."""
    look = looks(kinds(table))
    shown = (*_SHOWN, ("auc", "AUC"))

    def paint(figure: MplFigure) -> None:
        axes = figure.subplots(1, len(shown), sharey=True)
        for panel, (metric, title) in zip(axes, shown, strict=True):
            lows = []
            for k, row in enumerate(table):
                one = row.estimate("test", "recall95", metric)
                style = CNN_LOOK if row.is_cnn else look[row.kind]
                lows.append(one.value if math.isnan(one.low) else one.low)
                if not math.isnan(one.low):
                    panel.plot([one.low, one.high], [k, k], color=style.colour, linewidth=1.3)
                size = 9 if style.marker == "*" else 5
                panel.plot([one.value], [k], style.marker, color=style.colour, markersize=size)
            low = min((value for value in lows if not math.isnan(value)), default=0.0)
            panel.set_xlim(max(-0.02, math.floor(low * 10) / 10 - 0.01), 1.01)
            panel.locator_params(axis="x", nbins=4)
            frame(panel, title=title, grid="x")
        name_rows(axes, [row.label for row in table], breaks(table))

    alt = "Precision, recall, specificity and AUC of every method with 95 % intervals, on test."
    return Figure(
        name="overview",
        caption=(
            "Test images, threshold chosen on validation for a recall of 0.95. Lines are 95 % "
            "intervals; the scales differ between panels."
        ),
        alt=alt,
        svg=draw("overview", (9.2, 1.0 + 0.215 * len(table)), paint, alt, synthetic),
    )
