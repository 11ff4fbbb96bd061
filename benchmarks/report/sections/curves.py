"""Precision–recall and ROC curves on the test set."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.io.formatting import number
from benchmarks.io.results import Results
from benchmarks.io.run_record import is_synthetic, prevalence
from benchmarks.report.blocks import Figure, Section, paragraph, text_section
from benchmarks.report.method_tables import SELECTED
from benchmarks.report.plots import (
    CNN_LOOK,
    GREY,
    Look,
    draw,
    frame,
    legend,
    looks,
    method_looks,
    panels,
)
from benchmarks.statistics.method_rows import (
    Row,
    classical,
    finished,
    leaders,
    rows,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MplFigure

Points = tuple[NDArray[np.float64], NDArray[np.float64]]


def render(results: Results) -> Section:
    """Draw the curves of the leaders, then those of every classifier by feature set.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    title = "Precision–recall and ROC curves"
    table = finished(results)
    if not table or results.predictions.empty:
        return text_section(title, "No cell finished, so there is no curve.")
    chosen = leaders(table)
    text = (
        f"The first figure shows {SELECTED}. Nothing is selected by its test "
        "curve. Markers show the two operating points: filled for the threshold selected on the "
        "validation set for a recall of 0.95, open for threshold 0.5."
    )
    if max(row.finished for row in table) > 1:
        text += " Curves are from the first seed."
    return Section(
        title, (paragraph(text), _best(results, chosen), *_by_feature_set(results, table))
    )


def curve(results: Results, row: Row, kind: str) -> Points:
    """Compute a curve of a method's first seed on the test set.

    Parameters
    ----------
    results : Results
    row : Row
    kind : str
        ``"pr"`` for (recall, precision), ``"roc"`` for (1 - specificity, recall).

    Returns
    -------
    (ndarray, ndarray)
        Horizontal and vertical coordinates, each of shape (n_points,); empty if the test set has
        one class only.
    """
    from sklearn.metrics import precision_recall_curve, roc_curve

    table = results.predictions
    table = table[(table["cell"] == row.cells()[0]) & (table["split"] == "test")]
    label, score = table["label"].to_numpy(int), table["score"].to_numpy(float)
    if len(np.unique(label)) < 2:
        return np.empty(0), np.empty(0)
    if kind == "roc":
        false, true, _ = roc_curve(label, score)
        return false, true
    precision, recall, _ = precision_recall_curve(label, score, drop_intermediate=True)
    return recall[:-1], precision[:-1]


def _best(results: Results, chosen: Sequence[Row]) -> Figure:
    look, base = method_looks(rows(results)), prevalence(results)

    def paint(figure: MplFigure) -> None:
        left, right = figure.subplots(1, 2)
        lowest = 1.0
        for row in chosen:
            lowest = min(lowest, _draw_row(left, results, row, "pr", look[row.label]))
            _draw_row(right, results, row, "roc", look[row.label])
        _finish_pr(left, base, lowest, "Precision–recall")
        right.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
        right.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        frame(right, "ROC", "1 − specificity", "Recall")
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, handlelength=4)

    alt = "Precision–recall and ROC curves on the test set: " + (
        "; ".join(f"{row.label}, {_areas(row)}" for row in chosen)
    )
    return Figure(
        name="curves",
        caption=(
            f"Precision–recall and ROC curves on the test set: {SELECTED}. Dotted: chance level."
        ),
        alt=alt,
        svg=draw("curves", (9.2, 4.5 + 0.1 * len(chosen)), paint, alt, is_synthetic(results)),
    )


def _by_feature_set(results: Results, table: Sequence[Row]) -> list[Figure]:
    sets = list(dict.fromkeys(row.features for row in classical(table)))
    models = list(dict.fromkeys(row.classifier for row in classical(table)))
    if not sets or len(models) < 2:
        return []
    columns = max(2, min(4, len(sets)))
    beside = ", with the CNN in each panel" if any(row.is_cnn for row in table) else ""
    look, base = looks(models), prevalence(results)

    def paint(figure: MplFigure) -> None:
        lowest = 1.0
        places = panels(figure, len(sets), columns, sharex=True, sharey=True)
        for place, features in zip(places, sets, strict=True):
            for row in table:
                if row.is_cnn or row.features == features:
                    style = CNN_LOOK if row.is_cnn else look[row.classifier]
                    low = _draw_row(place, results, row, "pr", style, marks=False)
                    lowest = min(lowest, low)
        for place, features in zip(places, sets, strict=True):
            _finish_pr(place, base, lowest, features)
        for k, place in enumerate(places):
            place.set_xlabel("Recall" if k >= len(sets) - columns else "")
            place.set_ylabel("" if k % columns else "Precision")
        keys = {**{name: look[name] for name in models}, "CNN, end to end": CNN_LOOK}
        if not any(row.is_cnn for row in table):
            keys.popitem()
        legend(figure, keys)

    alt = "Precision–recall curves on the test set of every classifier, one panel per feature set."
    size = (2.3 * columns, 0.6 + 2.35 * -(-len(sets) // columns))
    return [
        Figure(
            name="curves-by-feature-set",
            caption=f"Precision–recall curves on the test set, by feature set{beside}.",
            alt=alt,
            svg=draw("curves-by-feature-set", size, paint, alt, is_synthetic(results)),
        )
    ]


def _draw_row(
    axes: Axes, results: Results, row: Row, kind: str, style: Look, marks: bool = True
) -> float:
    x, y = curve(results, row, kind)
    if not len(x):
        return 1.0
    label = f"{row.label}: {_areas(row)}" if marks else None
    axes.plot(x, y, color=style.colour, linestyle=style.dash, linewidth=1.5, label=label)
    for point, face in (("recall95", style.colour), ("0.5", "white")) if marks else ():
        scores = row.at("test", point)
        scores = scores[scores["cell"] == row.cells()[0]]
        if len(scores):
            recall = float(scores["recall"].iloc[0])
            other = "precision" if kind == "pr" else "specificity"
            value = float(scores[other].iloc[0])
            spot = (recall, value) if kind == "pr" else (1 - value, recall)
            size = 9 if style.marker == "*" else 6
            axes.plot(*spot, style.marker, markerfacecolor=face, markeredgecolor=style.colour,
                      markersize=size, zorder=4)  # fmt: skip
    shown = y[x >= 0.2] if kind == "pr" else y
    return float(shown.min()) if len(shown) else 1.0


def _finish_pr(axes: Axes, base: float, lowest: float, title: str) -> None:
    if not math.isnan(base):
        axes.axhline(base, color=GREY, linewidth=0.8, linestyle=":")
    floor = math.floor(10 * min(lowest, base if not math.isnan(base) else 1)) / 10
    axes.set(xlim=(-0.01, 1.01), ylim=(max(-0.01, floor - 0.02), 1.01))
    frame(axes, title, "Recall", "Precision")


def _areas(row: Row) -> str:
    area = row.estimate("test", "0.5", "auc").value
    average = row.estimate("test", "0.5", "average_precision").value
    return f"AP {number(average)}, AUC {number(area)}"
