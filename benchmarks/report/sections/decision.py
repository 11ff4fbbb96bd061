"""Decision curves: net benefit of a method of each feature set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmarks.io.formatting import count_of, interval, number
from benchmarks.io.results import Results
from benchmarks.io.run_record import class_pair, is_synthetic, prevalence
from benchmarks.metrics.arrays import Floats
from benchmarks.report.blocks import (
    Cell,
    Figure,
    Group,
    Section,
    Table,
    paragraph,
    row,
    text_section,
)
from benchmarks.report.method_tables import SELECTED, first_seed, measured, part
from benchmarks.report.plots import INK, draw, frame, method_looks
from benchmarks.statistics.method_rows import Row, leaders, rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

TREAT_ALL = "treat_all"
_SHOWN = (0.1, 0.25, 0.5, 0.75)
_MEANING = (
    "Net benefit is the proportion of true positives minus t/(1 − t) times that of false "
    "positives, among all images. The threshold t is the probability of the positive class at "
    "which treating and not treating a patient are equally good. Scores are used as probabilities "
    "without recalibration."
)


def render(results: Results) -> Section:
    """Draw the decision curves of the leaders and report where they beat both default policies.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    title = "Decision curves"
    chosen = leaders(measured(results, "decision"))
    if not chosen:
        return text_section(title, "No cell finished, or the run folder has no decision.csv.")
    text = f"{_MEANING} {_sentence(results, chosen)}{first_seed(chosen)}"
    return Section(title, (paragraph(text), _figure(results, chosen), _table(results, chosen)))


def useful(minus_none: Floats, minus_all: Floats, thresholds: Floats) -> list[tuple[float, float]]:
    """Find the ranges of thresholds where a method is shown to exceed treating all and none.

    Parameters
    ----------
    minus_none, minus_all : ndarray of shape (n_thresholds,)
        Lower bounds of the net benefit minus that of treating none, which is 0, and of treating
        all.
    thresholds : ndarray of shape (n_thresholds,)
        Threshold probabilities in (0, 1), ascending.

    Returns
    -------
    list of (float, float)
        First and last threshold of each range in which both bounds are above 0.

    Examples
    --------
    >>> at = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    >>> useful(np.array([0.5, 0.5, 0.4, -0.1, 0.1]), np.array([0.0, 0.1, 0.1, 0.2, 0.3]), at)
    [(0.2, 0.3), (0.5, 0.5)]
    """
    lower = np.minimum(minus_none, minus_all)
    better = (lower > 1e-12).astype(int)  # a tie is no benefit
    edges = np.flatnonzero(np.diff(np.r_[0, better, 0]))
    return [
        (float(thresholds[a]), float(thresholds[b - 1]))
        for a, b in zip(edges[::2], edges[1::2], strict=True)
    ]


def ranges_of(results: Results, method: Row) -> list[tuple[float, float]]:
    """Find the ranges of thresholds where a method is shown to exceed treating all and none.

    Parameters
    ----------
    results : Results
    method : Row

    Returns
    -------
    list of (float, float)
        First and last threshold of each range, where both 95 % intervals of the difference in net
        benefit on the test set are above 0.
    """
    own = part(results, "decision", method)
    columns = ("lo", "minus_all_lo", "threshold")
    return useful(*(own[name].to_numpy(float) for name in columns))


def _words(ranges: Sequence[tuple[float, float]]) -> str:
    return ", ".join(f"{a:.2f}–{b:.2f}" if a < b else f"{a:.2f}" for a, b in ranges) or "nowhere"


def _sentence(results: Results, chosen: Sequence[Row]) -> str:
    found = [ranges_of(results, method) for method in chosen]
    some = sum(bool(ranges) for ranges in found)
    text = (
        "On the test set, the net benefit exceeds that of treating all and of treating none, with "
        "both 95 % intervals of the difference above 0, at some threshold for "
        f"{count_of(some, len(chosen), 'tabulated methods')}"
    )
    parts = [
        f"{method.label} at {_words(ranges)}"
        for method, ranges in zip(chosen, found, strict=True)
        if ranges
    ]
    return f"{text}{': ' if parts else ''}{'; '.join(parts)}. Each interval is for one threshold."


def _figure(results: Results, chosen: Sequence[Row]) -> Figure:
    look = method_looks(rows(results))
    table = results.tables["decision"]
    everyone = table[table["cell"] == TREAT_ALL]
    top = prevalence(results)
    top = float(table["net_benefit"].max()) if np.isnan(top) else top

    def paint(figure: MplFigure) -> None:
        axes = figure.subplots()
        axes.plot(everyone["threshold"], everyone["net_benefit"], color=INK, linestyle=(0, (1, 2)),
                  label="treat all")  # fmt: skip
        axes.axhline(0, color=INK, linewidth=0.8, label="treat none")
        for method in chosen:
            own = part(results, "decision", method)
            style = look[method.label]
            axes.plot(own["threshold"], own["net_benefit"], color=style.colour,
                      linestyle=style.dash, label=method.label)  # fmt: skip
        axes.set(xlim=(0, 1), ylim=(-0.25 * top, 1.05 * top))
        frame(axes, "", "Threshold probability", "Net benefit")
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, handlelength=4)

    alt = (
        "Net benefit on the test set by threshold probability: treat all, treat none, "
        + ", ".join(method.label for method in chosen)
    )
    return Figure(
        name="decision",
        caption=(
            f"Decision curves on the test set: {SELECTED}. The maximum net benefit "
            f"is the prevalence of {class_pair(results)[1]}. Values far below 0 are cut off."
        ),
        alt=alt,
        svg=draw("decision", (9.2, 4.9), paint, alt, is_synthetic(results)),
    )


def _table(results: Results, chosen: Sequence[Row]) -> Table:
    table = results.tables["decision"]
    lines = [row("treat none", "–", *[number(0.0), "–"] * len(_SHOWN))]
    everyone = _at(table[table["cell"] == TREAT_ALL])
    lines.append(
        (*row("treat all", "–"), *(c for one in everyone for c in (_value(one), Cell("–"))))
    )
    for method in chosen:
        found = _at(part(results, "decision", method))
        cells = [cell for one in found for cell in (_value(one), _value(one, "minus_all"))]
        lines.append((*row(method.label, _words(ranges_of(results, method))), *cells))
    return Table(
        name="decision",
        caption=(
            "Net benefit on the test set at four thresholds, and its difference to treating all "
            "patients, with 95 % intervals."
        ),
        header=(
            "Policy",
            "Exceeds both at thresholds",
            *["Net benefit", "Minus all"] * len(_SHOWN),
        ),
        groups=(Group("", 2), *(Group(f"Threshold {t}", 2, f"{t}") for t in _SHOWN)),
        rows=tuple(lines),
        labels=2,
        note=(
            "Treating none has net benefit 0, so the net benefit is the difference to it. Exceeds "
            "both: the intervals of both differences are above 0 (bootstrap over patients, paired, "
            "for each threshold alone)."
        ),
    )


def _at(own: pd.DataFrame) -> list[dict[Any, Any]]:
    """Select the rows at the thresholds shown."""
    return [own[np.isclose(own["threshold"], t)].iloc[0].to_dict() for t in _SHOWN]


def _value(one: dict[Any, Any], name: str = "net_benefit") -> Cell:
    low, high = ("lo", "hi") if name == "net_benefit" else (f"{name}_lo", f"{name}_hi")
    return Cell(number(one[name]), interval(one[low], one[high]))
