"""Net benefit of acting on the leaders' scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.io.formatting import count_of, interval, number
from benchmarks.io.results import Results
from benchmarks.io.run_record import is_synthetic, prevalence
from benchmarks.metrics.arrays import Floats
from benchmarks.report.blocks import Cell, Figure, Section, Table, paragraph, row
from benchmarks.report.method_tables import first_seed, measured, part
from benchmarks.report.plots import CNN_LOOK, INK, draw, frame, looks
from benchmarks.statistics.method_rows import Row, kinds, leaders, rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

TREAT_ALL = "treat_all"
_SHOWN = (0.1, 0.25, 0.5, 0.75)
_MEANING = (
    "At a threshold t one would just treat a patient whose probability of pneumonia is t, so one "
    "false alarm counts t/(1 − t) of a pneumonia found; net benefit is what is found less what "
    "alarms cost, per image. Scores are read as probabilities just as they are."
)


def render(results: Results) -> Section:
    """Draw the decision curves of the leaders and say where they beat treating all or none."""
    title = "Would acting on it help"
    chosen = leaders(measured(results, "decision"))
    if not chosen:
        text = "No cell finished, or this run folder has no decision.csv, so there is no curve."
        return Section(title, (paragraph(text),))
    text = f"{_sentence(results, chosen)} {_MEANING}{first_seed(chosen)}"
    return Section(title, (paragraph(text), _figure(results, chosen), _table(results, chosen)))


def useful(model: Floats, treat_all: Floats, thresholds: Floats) -> list[tuple[float, float]]:
    """Ranges of thresholds where a net benefit beats treating all and treating none.

    Parameters
    ----------
    model, treat_all : ndarray of shape (t,)
        Net benefit.
    thresholds : ndarray of shape (t,), ascending

    Returns
    -------
    list of (float, float)
        First and last threshold of each range.

    Examples
    --------
    >>> at = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    >>> useful(np.array([0.5, 0.5, 0.4, -0.1, 0.1]), np.array([0.5, 0.4, 0.3, 0.1, 0.0]), at)
    [(0.2, 0.3), (0.5, 0.5)]
    """
    better = (model > np.maximum(treat_all, 0) + 1e-12).astype(int)  # a tie is no benefit
    edges = np.flatnonzero(np.diff(np.r_[0, better, 0]))
    return [
        (float(thresholds[a]), float(thresholds[b - 1]))
        for a, b in zip(edges[::2], edges[1::2], strict=True)
    ]


def ranges_of(results: Results, method: Row) -> list[tuple[float, float]]:
    """Ranges of thresholds at which a method beats treating all and none on test."""
    table = results.tables["decision"]
    own = part(results, "decision", method)
    everyone = table[table["cell"] == TREAT_ALL]
    return useful(
        own["net_benefit"].to_numpy(float),
        everyone["net_benefit"].to_numpy(float),
        own["threshold"].to_numpy(float),
    )


def _words(ranges: Sequence[tuple[float, float]]) -> str:
    return ", ".join(f"{a:.2f}–{b:.2f}" if a < b else f"{a:.2f}" for a, b in ranges) or "nowhere"


def _sentence(results: Results, chosen: Sequence[Row]) -> str:
    found = [ranges_of(results, method) for method in chosen]
    some = sum(bool(ranges) for ranges in found)
    text = (
        f"Acting on the score beats treating all and treating none somewhere for "
        f"{count_of(some, len(chosen), 'leading methods')} on the test images"
    )
    parts = [
        f"{method.label} at thresholds {_words(ranges)}"
        for method, ranges in zip(chosen, found, strict=True)
        if ranges
    ]
    return f"{text}{': ' if parts else ''}{'; '.join(parts)}."


def _figure(results: Results, chosen: Sequence[Row]) -> Figure:
    look = looks(kinds(rows(results)))
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
            style = CNN_LOOK if method.is_cnn else look[method.kind]
            axes.plot(own["threshold"], own["net_benefit"], color=style.colour,
                      linestyle=style.dash, label=method.label)  # fmt: skip
        axes.set(xlim=(0, 1), ylim=(-0.25 * top, 1.05 * top))
        frame(axes, "", "Threshold probability", "Net benefit")
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, handlelength=4)

    alt = "Net benefit on test by threshold probability: treat all, treat none, " + ", ".join(
        method.label for method in chosen
    )
    return Figure(
        name="decision",
        caption=(
            "Decision curves on the test images, one classifier a feature set (best average "
            "precision on validation). The most there can be is the share of pneumonias; what "
            "lies far below 0 is cut off."
        ),
        alt=alt,
        svg=draw("decision", (9.2, 4.9), paint, alt, is_synthetic(results)),
    )


def _table(results: Results, chosen: Sequence[Row]) -> Table:
    table = results.tables["decision"]
    own = [(method.label, part(results, "decision", method)) for method in chosen]
    lines = [(*row("treat none", "–"), *row(*[number(0.0)] * len(_SHOWN)))]
    for label, part_ in (("treat all", table[table["cell"] == TREAT_ALL]), *own):
        at = [part_[np.isclose(part_["threshold"], t)].iloc[0].to_dict() for t in _SHOWN]
        cells = [Cell(number(one["net_benefit"]), interval(one["lo"], one["hi"])) for one in at]
        method = next((one for one in chosen if one.label == label), None)
        where = _words(ranges_of(results, method)) if method else "–"
        lines.append((*row(label, where), *cells))
    return Table(
        name="decision",
        caption="Net benefit on the test images at four thresholds, with 95 % intervals.",
        header=("Policy", "Beats both at thresholds", *[f"at {t}" for t in _SHOWN]),
        rows=tuple(lines),
        labels=2,
        note=(
            "A range says where the value is larger, not that it is so beyond chance: see the "
            "intervals."
        ),
    )
