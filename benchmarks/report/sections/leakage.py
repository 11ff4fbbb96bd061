"""What it is worth to part images instead of patients: a leak made on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmarks.io.formatting import interval, number
from benchmarks.io.results import Results
from benchmarks.io.run_record import is_synthetic
from benchmarks.report.blocks import Cell, Code, Figure, Group, Section, Table, paragraph
from benchmarks.report.plots import BLUE, VERMILION, Look, draw, frame, legend, name_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

TITLE = "What leakage is worth"
METRICS = {
    "auc": "AUC", "average_precision": "Average precision",
    "specificity": "Specificity at recall 0.95",
}  # fmt: skip
_LOOKS = {"grouped": Look(BLUE, "-", "o"), "leaky": Look(VERMILION, "-", "X")}


def render(results: Results) -> Section:
    """Set a leaky cross-validation by image beside the one by patient."""
    table = results.table("leaky")
    if table.empty:
        return Section(TITLE, (paragraph(
            "This run made no leaky split for comparison; it comes with ", Code("--study leaky"),
            " or ", Code("--full"), ".",
        ),))  # fmt: skip
    done = table[table["status"] == "ok"]
    if done.empty:
        reason = str(table.iloc[0]["reason"]).rstrip(".")
        return Section(TITLE, (paragraph(f"No cell could be cross-validated by image: {reason}."),))
    return Section(TITLE, (paragraph(_text(done)), _figure(results, done), _table(done)))


def _text(done: pd.DataFrame) -> str:
    first = done.iloc[0]
    parts = [
        f"The leaky folds part images, not patients, on purpose: {100 * first['mixed']:.0f} % of "
        f"the {int(first['images']):,} training images then have an image of the same patient "
        f"({int(first['patients']):,} in all) in another fold. No number of the main table is of "
        "this kind."
    ]
    for metric, title in METRICS.items():
        own = done[done["metric"] == metric]
        if own.empty:
            continue
        worth = own["worth"].astype(float)
        up, down = int((own["worth_lo"] > 0).sum()), int((own["worth_hi"] < 0).sum())
        name = title if metric == "auc" else title[0].lower() + title[1:]
        parts.append(
            f"For {name} that is worth {_points(float(np.median(worth)))} points in the median of "
            f"{len(own)} {'cell' if len(own) == 1 else 'cells'} (from {_points(worth.min())} to "
            f"{_points(worth.max())}); the interval lies above 0 in {up} and below 0 in {down}."
        )
    return " ".join(parts)


def _points(difference: float) -> str:
    return number(100 * difference, 2)


def _table(done: pd.DataFrame) -> Table:
    lines = []
    for cell, own in done.groupby("cell", sort=False):
        by = {str(line["metric"]): line for line in own.to_dict("records")}
        cells = [Cell(str(cell))]
        for metric in METRICS:
            for column in ("grouped", "leaky", "worth"):
                value, low, high = (by[metric][column + end] for end in ("", "_lo", "_hi"))
                cells.append(Cell(number(value), interval(low, high)))
        lines.append(tuple(cells))
    return Table(
        name="leakage",
        caption=(
            "Cross-validation by patient and, LEAKY ON PURPOSE, by image; worth: leaky less "
            "grouped, with 95 % intervals over the same draws of patients."
        ),
        header=("Cell", *(("By patient", "Leaky", "Worth") * len(METRICS))),
        groups=(Group("", 1), *(Group(title, 3, title) for title in METRICS.values())),
        rows=tuple(lines),
        note=(
            "Of each feature set, the classifier with the best average precision on validation. "
            "The intervals cover the choice of patients, not that of the folds, which are dealt "
            "once each: a small difference of either sign may come from the deal."
        ),
    )


def _figure(results: Results, done: pd.DataFrame) -> Figure:
    cells = list(dict.fromkeys(done["cell"]))

    def paint(figure: MplFigure) -> None:
        places = figure.subplots(1, len(METRICS), sharey=True)
        for place, (metric, title) in zip(places, METRICS.items(), strict=True):
            own = done[done["metric"] == metric].set_index("cell")
            for k, cell in enumerate(cells):
                for name, look in _LOOKS.items():
                    y = k + (-0.13 if name == "grouped" else 0.13)
                    ends = [own.loc[cell, f"{name}_lo"], own.loc[cell, f"{name}_hi"]]
                    place.plot(ends, [y, y], color=look.colour)
                    place.plot([own.loc[cell, name]], [y], look.marker, color=look.colour)
            place.locator_params(axis="x", nbins=4)
            frame(place, title, grid="x")
        name_rows(places, cells, ())
        keys = {"by patient": _LOOKS["grouped"], "by image (leaky)": _LOOKS["leaky"]}
        legend(figure, keys, marks=True)

    alt = _text(done)
    return Figure(
        name="leakage",
        caption="The same cells cross-validated by patient and, leaky on purpose, by image.",
        alt=alt,
        svg=draw("leakage", (9.2, 1.3 + 0.3 * len(cells)), paint, alt, is_synthetic(results)),
    )
