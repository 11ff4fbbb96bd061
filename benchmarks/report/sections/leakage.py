"""Image-level leakage: cross-validation folds by image, compared with folds by patient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmarks.io.formatting import interval, number, thousands
from benchmarks.io.results import Results
from benchmarks.io.run_record import is_synthetic
from benchmarks.report.blocks import (
    Cell,
    Figure,
    Group,
    Section,
    Table,
    none_finished,
    not_included,
    paragraph,
)
from benchmarks.report.plots import (
    BLUE,
    VERMILION,
    Look,
    draw,
    frame,
    legend,
    mark_estimate,
    name_rows,
)
from benchmarks.statistics.equivalence import MARGINS, counts_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

_TITLE = "Image-level leakage"
_METRICS = {
    "auc": "AUC", "average_precision": "Average precision",
    "specificity": "Specificity at recall 0.95",
}  # fmt: skip
_LOOKS = {"grouped": Look(BLUE, "-", "o"), "leaky": Look(VERMILION, "-", "X")}


def render(results: Results) -> Section:
    """Compare cross-validation with folds by image and by patient.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    table = results.table("leaky")
    if table.empty:
        return not_included(_TITLE, "leaky")
    done = table[table["status"] == "ok"]
    if done.empty:
        return none_finished(_TITLE, str(table.iloc[0]["reason"]))
    assignments = results.table("leaky_assignments")
    return Section(
        _TITLE,
        (
            paragraph(text(done, assignments)),
            _figure(results, done, assignments),
            _table(done, assignments),
        ),
    )


def text(done: pd.DataFrame, assignments: pd.DataFrame) -> str:
    """Describe the leaky folds and the performance inflation in each metric.

    Parameters
    ----------
    done : DataFrame
        Finished rows of the table ``leaky`` of a run.
    assignments : DataFrame
        Table ``leaky_assignments``; empty in a run whose folds were assigned once.

    Returns
    -------
    str
    """
    first, times = done.iloc[0], _times(assignments)
    several = (
        f" Each kind of folds was assigned {times} times at random, for every cell of the table; "
        "values are means over the assignments."
    )
    parts = [
        "This study assigns images, not patients, to cross-validation folds, which leaks patients "
        f"between folds: {100 * first['mixed']:.0f} % of the {thousands(first['images'])} training "
        f"images (of {thousands(first['patients'])} patients) have an image of the same patient in "
        f"another fold.{several * (times > 1)} No score in the main table uses these folds."
    ]
    for metric, title in _METRICS.items():
        own = done[done["metric"] == metric]
        if len(own):
            parts.append(_inflation(own, metric, title))
    if times < 2:
        parts.append(
            "The folds were assigned once, and the intervals do not include the spread between "
            "assignments: a small difference of either sign may come from it."
        )
    return " ".join(parts)


def _times(assignments: pd.DataFrame) -> int:
    return int(assignments["assignment"].max()) if len(assignments) else 1


def _inflation(own: pd.DataFrame, metric: str, title: str) -> str:
    """Report the inflation in a metric: median, range, and what the intervals show together."""
    worth = 100 * own["worth"].astype(float)
    name = title if metric == "auc" else title[0].lower() + title[1:]
    return (
        f"The performance inflation in {name} is {number(float(np.median(worth)), 2)} "
        f"percentage points in the median of {len(own)} cell{'s' * (len(own) > 1)} "
        f"({number(worth.min(), 2)} to {number(worth.max(), 2)}); "
        f"{counts_text(own, ('worth', 'worth_lo', 'worth_hi'), MARGINS[metric])}."
    )


def _table(done: pd.DataFrame, assignments: pd.DataFrame) -> Table:
    lines = []
    for cell, own in done.groupby("cell", sort=False):
        by = {str(line["metric"]): line for line in own.to_dict("records")}
        cells = [Cell(str(cell))]
        for metric in _METRICS:
            for column in ("grouped", "leaky", "worth"):
                value, low, high = (by[metric][column + end] for end in ("", "_lo", "_hi"))
                cells.append(Cell(number(value), interval(low, high)))
        lines.append(tuple(cells))
    return Table(
        name="leakage",
        caption=(
            "Cross-validation with folds by patient and with folds by image (deliberate leakage). "
            "Inflation: by image minus by patient. 95 % intervals use the same bootstrap resamples "
            "of patients."
        ),
        header=("Cell", *(("By patient", "By image", "Inflation") * len(_METRICS))),
        groups=(Group("", 1), *(Group(title, 3, title) for title in _METRICS.values())),
        rows=tuple(lines),
        note=(
            "For each feature set, the classifier with the highest average precision on the "
            f"validation set. {_coverage(assignments)}"
        ),
    )


def _coverage(assignments: pd.DataFrame) -> str:
    times = _times(assignments)
    if times > 1:
        return (
            f"Values are means over {times} random assignments to folds of each kind; the "
            "intervals cover the sampling of patients and the spread between assignments "
            "(leaky_assignments.csv). Models fitted on other training patients are not included."
        )
    return (
        "The intervals cover the sampling of patients, not the random assignment to folds, which "
        "was made once for each scheme."
    )


def _figure(results: Results, done: pd.DataFrame, assignments: pd.DataFrame) -> Figure:
    cells = list(dict.fromkeys(done["cell"]))

    def paint(figure: MplFigure) -> None:
        places = figure.subplots(1, len(_METRICS), sharey=True)
        for place, (metric, title) in zip(places, _METRICS.items(), strict=True):
            own = done[done["metric"] == metric].set_index("cell")
            for k, cell in enumerate(cells):
                for name, look in _LOOKS.items():
                    y = k + (-0.13 if name == "grouped" else 0.13)
                    value, low, high = own.loc[cell, [name, f"{name}_lo", f"{name}_hi"]]
                    mark_estimate(place, (value, low, high), y, look)
                    values = _values(assignments, cell, metric, name)
                    place.plot(values, [y] * len(values), "|", color=look.colour)
            place.locator_params(axis="x", nbins=4)
            frame(place, title, grid="x")
        name_rows(places, cells, ())
        keys = {"by patient": _LOOKS["grouped"], "by image": _LOOKS["leaky"]}
        legend(figure, keys, marks=True)

    alt = f"{', '.join(_METRICS.values())} of {len(cells)} cells, by patient and by image."
    return Figure(
        name="leakage",
        caption="The same cells cross-validated with folds by patient and with folds by image "
        "(deliberate leakage)." + " Ticks: each assignment to folds." * (_times(assignments) > 1),
        alt=alt,
        svg=draw("leakage", (9.2, 1.3 + 0.3 * len(cells)), paint, alt, is_synthetic(results)),
    )


def _values(assignments: pd.DataFrame, cell: str, metric: str, name: str) -> list[float]:
    if assignments.empty:
        return []
    kind = "image" if name == "leaky" else "patient"
    own = (
        (assignments["cell"] == cell)
        & (assignments["metric"] == metric)
        & (assignments["kind"] == kind)
    )
    return [float(value) for value in assignments.loc[own, "value"]]
