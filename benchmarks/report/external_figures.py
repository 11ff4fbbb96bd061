"""Figures of an external test set: metrics beside the internal test, calibration, decisions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmarks.io.formatting import number
from benchmarks.io.results import Results
from benchmarks.report.blocks import Figure
from benchmarks.report.method_tables import SELECTED, breaks
from benchmarks.report.plots import (
    BLUE,
    GREY,
    INK,
    VERMILION,
    Look,
    draw,
    frame,
    legend,
    mark_estimate,
    method_looks,
    name_rows,
    panels,
)
from benchmarks.statistics.method_rows import Row, rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

LOOKS = {
    "internal test": Look(VERMILION, (0, (4, 1.4)), "D"),
    "external test": Look(BLUE, "-", "o"),
}
PANELS = (("auc", "AUC"), ("recall", "Recall"), ("specificity", "Specificity"),
          ("precision", "Precision"))  # fmt: skip
_APART = 0.17  # of the two sets on the row of a method
TREAT_ALL = "treat_all"


def metrics_figure(name: str, table: Sequence[Row], lines: pd.DataFrame, synthetic: bool) -> Figure:
    """Draw the metrics of every method on the internal and on the external test.

    Parameters
    ----------
    name : str
        Of the external set.
    table : sequence of Row
        Methods that scored it.
    lines : DataFrame
        Its rows of ``external_differences``, at the threshold for a recall of 0.95.
    synthetic : bool

    Returns
    -------
    Figure
    """

    def _paint(figure: MplFigure) -> None:
        places = figure.subplots(1, len(PANELS), sharey=True)
        for place, (metric, title) in zip(places, PANELS, strict=True):
            for k, row in enumerate(table):
                one = lines[(lines["metric"] == metric) & lines["cell"].isin(row.cells())]
                for side, (kind, look) in zip((-1, 1), LOOKS.items(), strict=True):
                    if len(one):
                        column = kind.split()[0]
                        low, value, high = (
                            float(one[column + end].iloc[0]) for end in ("_lo", "", "_hi")
                        )
                        mark_estimate(place, (value, low, high), k + side * _APART, look,
                                      markersize=4)  # fmt: skip
            place.set_xlim(right=1.02)
            place.locator_params(axis="x", nbins=4)
            frame(place, title, grid="x")
        name_rows(places, [row.label for row in table], breaks(table))
        legend(figure, LOOKS, marks=True)

    area = lines[lines["metric"] == "auc"]
    alt = (
        f"AUC, recall, specificity and precision of every method on the internal and on the "
        f"external test set {name}; median AUC {number(float(area['internal'].median()))} and "
        f"{number(float(area['external'].median()))}."
    )
    return Figure(
        name=f"external-{name}",
        caption=(
            f"Internal test set and external test set “{name}”: the same fitted methods at the "
            "same thresholds, those for a recall of 0.95 on the validation set. Lines: 95 % "
            "intervals. The scales differ between panels."
        ),
        alt=alt,
        svg=draw(f"external-{name}", (9.2, 1.3 + 0.29 * len(table)), _paint, alt, synthetic),
    )


def calibration_figure(
    name: str, results: Results, chosen: Sequence[Row], synthetic: bool
) -> Figure:
    """Draw reliability diagrams of the original scores on both test sets.

    Parameters
    ----------
    name : str
        Of the external set.
    results : Results
    chosen : sequence of Row
    synthetic : bool

    Returns
    -------
    Figure
    """
    external = results.table("external_reliability")
    tables = [results.table("reliability"), external[external["data"] == name]]
    tables = [one[one["recalibration"] == "none"] for one in tables]
    columns = min(4, max(2, len(chosen)))

    def _paint(figure: MplFigure) -> None:
        places = panels(figure, len(chosen), columns, sharex=True, sharey=True)
        for k, (place, row) in enumerate(zip(places, chosen, strict=True)):
            place.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
            for table, look in zip(tables, LOOKS.values(), strict=True):
                own = table[table["cell"].isin(row.cells())]
                place.vlines(own["mean_score"], own["lo"], own["hi"], color=look.colour,
                             linewidth=0.8)  # fmt: skip
                place.plot(own["mean_score"], own["observed"], color=look.colour,
                           linestyle=look.dash, marker=look.marker, markersize=3.5,
                           linewidth=1.1)  # fmt: skip
            place.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
            below = "Mean score" if k >= len(chosen) - columns else ""
            frame(place, row.label, below, "" if k % columns else "Observed frequency")
        legend(figure, LOOKS)

    alt = (
        f"Observed frequency by mean score on the internal and on the external test set {name}: "
        + ", ".join(row.label for row in chosen)
    )
    size = (2.3 * columns, 0.7 + 2.35 * -(-len(chosen) // columns))
    return Figure(
        name=f"external-calibration-{name}",
        caption=(
            "Reliability diagrams of the original scores on the internal test set and on "
            f"“{name}”, in up to ten bins of equal count: {SELECTED}. Dotted: perfect "
            "calibration. Vertical lines: 95 % intervals."
        ),
        alt=alt,
        svg=draw(f"external-calibration-{name}", size, _paint, alt, synthetic),
    )


def decision_figure(name: str, results: Results, chosen: Sequence[Row], synthetic: bool) -> Figure:
    """Draw decision curves on the external test set.

    Parameters
    ----------
    name : str
        Of the external set.
    results : Results
    chosen : sequence of Row
    synthetic : bool

    Returns
    -------
    Figure
    """
    look = method_looks(rows(results))
    table = results.table("external_decision")
    table = table[table["data"] == name]
    everyone = table[table["cell"] == TREAT_ALL]
    top = float(np.nanmax(everyone["net_benefit"]))

    def _paint(figure: MplFigure) -> None:
        axes = figure.subplots()
        axes.plot(everyone["threshold"], everyone["net_benefit"], color=INK,
                  linestyle=(0, (1, 2)), label="treat all")  # fmt: skip
        axes.axhline(0, color=INK, linewidth=0.8, label="treat none")
        for row in chosen:
            own = table[table["cell"].isin(row.cells())]
            style = look[row.label]
            axes.plot(own["threshold"], own["net_benefit"], color=style.colour,
                      linestyle=style.dash, label=row.label)  # fmt: skip
        axes.set(xlim=(0, 1), ylim=(-0.5 * top, 1.1 * top))
        frame(axes, "", "Threshold probability", "Net benefit")
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, handlelength=4)

    alt = (
        f"Net benefit on the external test set {name} by threshold probability: treat all, treat "
        f"none, {', '.join(row.label for row in chosen)}"
    )
    return Figure(
        name=f"external-decision-{name}",
        caption=(
            f"Decision curves on “{name}”: {SELECTED}. Scores are used as probabilities without "
            "recalibration. Values far below 0 are cut off."
        ),
        alt=alt,
        svg=draw(f"external-decision-{name}", (9.2, 4.2), _paint, alt, synthetic),
    )
