"""Methods compared at the same recall on validation, and what it became on test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.io.formatting import change_text, count_of, number
from benchmarks.io.results import Results
from benchmarks.io.run_record import is_synthetic
from benchmarks.report.blocks import Bullets, Figure, Group, Section, Table, paragraph
from benchmarks.report.method_tables import (
    Lines,
    breaks,
    first_seed,
    lines_of,
    measured,
    table_rows,
    value_cells,
)
from benchmarks.report.plots import BLUE, GREEN, VERMILION, Look, draw, frame, legend, name_rows
from benchmarks.statistics.method_rows import Row, rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MplFigure

_LOOKS = (Look(BLUE, "-", "o"), Look(VERMILION, "-", "s"), Look(GREEN, "-", "^"))
_SHOWN = (("recall", "Recall"), ("specificity", "Specificity"), ("precision", "Precision"))
_NOTE = (
    "95 % intervals by bootstrap over patients. On validation the threshold is held fixed, so "
    "that those intervals leave out its choice."
)


def render(results: Results) -> Section:
    """Tabulate and draw what each target recall promised and gave."""
    title = "At the same sensitivity"
    chosen = measured(results, "matched")
    if not chosen:
        text = "No cell finished, or this run folder has no matched.csv, so nothing is compared."
        return Section(title, (paragraph(text),))
    targets = sorted(results.tables["matched"]["target_recall"].unique())
    lines, table = lines_of(results, "matched", ["split", "target_recall"]), rows(results)
    return Section(
        title,
        (
            paragraph(_opening(lines, chosen, targets) + first_seed(chosen)),
            Bullets(tuple((_sentence(lines, chosen, target),) for target in targets)),
            _figure(lines, chosen, targets, is_synthetic(results)),
            *(_table(lines, table, target) for target in targets),
            _latex(lines, table, targets),
        ),
    )


def _values(
    lines: Lines, chosen: Sequence[Row], split: str, target: float, name: str
) -> list[float]:
    return [float(lines[row.label, split, target][name].iloc[0]) for row in chosen]


def _opening(lines: Lines, chosen: Sequence[Row], targets: Sequence[float]) -> str:
    worst = max(
        abs(value - target)
        for target in targets
        for value in _values(lines, chosen, "test", target, "recall")
    )
    short = sum(
        value < target
        for target in targets
        for value in _values(lines, chosen, "test", target, "recall")
    )
    return (
        "Methods are comparable when all must find the same share of pneumonias, so each got the "
        f"largest threshold that found {_list(targets)} of those on validation. On test the "
        f"recall then lies up to {number(worst)} from its target and is below it in {short} of "
        f"{len(chosen) * len(targets)} cases: read specificity and precision beside the recall "
        "that was reached."
    )


def _sentence(lines: Lines, chosen: Sequence[Row], target: float) -> str:
    found = _values(lines, chosen, "test", target, "recall")
    before, after = (
        float(np.median(_values(lines, chosen, split, target, "specificity")))
        for split in ("validation", "test")
    )
    shown = f"{number(min(found))}–{number(max(found))}" if len(found) > 1 else number(found[0])
    middle = f" (median {number(float(np.median(found)))})" if len(found) > 1 else ""
    below = sum(value < target for value in found)
    median = "median specificity" if len(found) > 1 else "specificity"
    return (
        f"Asked for {target:.2f}: recall on test {shown}{middle}, below the target in "
        f"{count_of(below, len(found))}; the {median} {change_text(before, after)}."
    )


def _list(targets: Sequence[float]) -> str:
    words = [f"{target:.2f}" for target in targets]
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _bounds(name: str) -> tuple[str, str]:
    return f"{name}_lo", f"{name}_hi"


def _table(lines: Lines, table: Sequence[Row], target: float) -> Table:
    columns = []
    for split, names in (("validation", _SHOWN[:2]), ("test", _SHOWN)):
        own = [lines.get((row.label, split, target)) for row in table]
        columns += [value_cells(own, name, _bounds(name)) for name, _ in names]
    titles = [title for _, title in _SHOWN]
    return Table(
        name=f"matched-{100 * target:.0f}",
        caption=f"Thresholds for a recall of at least {target:.2f} on validation.",
        header=("Features", "Classifier", *titles[:2], *titles),
        groups=(
            Group("", 2),
            Group("Validation promised", 2, "val."),
            Group("Test gave", 3, "test"),
        ),
        rows=table_rows(table, columns),
        labels=2,
        breaks=breaks(table),
        note=_NOTE,
    )


def _latex(lines: Lines, table: Sequence[Row], targets: Sequence[float]) -> Table:
    columns = [
        value_cells([lines.get((row.label, "test", target)) for row in table], name, None)
        for target in targets
        for name, _ in _SHOWN
    ]
    return Table(
        name="matched",
        caption=(
            f"Test split at thresholds chosen for a recall of {_list(targets)} on validation."
        ),
        header=("Features", "Classifier", *[title for _, title in _SHOWN] * len(targets)),
        groups=(Group("", 2), *(Group(f"Recall ≥ {target:.2f}", 3) for target in targets)),
        rows=table_rows(table, columns),
        labels=2,
        breaks=breaks(table),
        formats=("latex",),
    )


def _figure(
    lines: Lines, chosen: Sequence[Row], targets: Sequence[float], synthetic: bool
) -> Figure:
    shifts = np.linspace(-0.26, 0.26, len(targets)) if len(targets) > 1 else [0.0]

    def paint(figure: MplFigure) -> None:
        places = figure.subplots(1, len(_SHOWN), sharey=True)
        for place, (name, title) in zip(places, _SHOWN, strict=True):
            for target, shift, look in zip(targets, shifts, _LOOKS, strict=False):
                _marks(place, lines, chosen, target, name, shift, look)
                if name == "recall":
                    place.axvline(target, color=look.colour, linewidth=0.8, linestyle=":")
            place.locator_params(axis="x", nbins=5)
            frame(place, title, grid="x")
        name_rows(places, [row.label for row in chosen], breaks(chosen))
        keys = zip(targets, _LOOKS, strict=False)
        legend(figure, {f"recall ≥ {t:.2f} on validation": look for t, look in keys}, marks=True)

    alt = (
        "Recall, specificity and precision of every method on validation and test, at thresholds "
        f"for a recall of {_list(targets)} on validation."
    )
    return Figure(
        name="matched",
        caption=(
            "Filled: test, with 95 % intervals. Open: what the same threshold gave on validation. "
            "Dotted: the recall asked for. The scales differ between panels."
        ),
        alt=alt,
        svg=draw("matched", (9.2, 1.3 + 0.31 * len(chosen)), paint, alt, synthetic),
    )


def _marks(
    place: Axes, lines: Lines, chosen: Sequence[Row], target: float, name: str, shift: float,
    look: Look,
) -> None:  # fmt: skip
    """One target in one panel: a mark and an interval on test, an open mark on validation."""
    places = np.arange(len(chosen)) + shift
    low, high = (_values(lines, chosen, "test", target, column) for column in _bounds(name))
    place.hlines(places, low, high, color=look.colour, linewidth=1.1)
    for split, face in (("validation", "white"), ("test", look.colour)):
        place.plot(_values(lines, chosen, split, target, name), places, look.marker, markersize=4,
                   markerfacecolor=face, markeredgecolor=look.colour)  # fmt: skip
