"""Comparison of methods at matched recall on the validation set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.io.formatting import change_text, count_of, join_words, number
from benchmarks.io.results import Results
from benchmarks.io.run_record import is_synthetic
from benchmarks.metrics.operating_points import TARGET_RECALL
from benchmarks.report.blocks import (
    Block,
    Bullets,
    Figure,
    Group,
    Section,
    Table,
    paragraph,
    text_section,
)
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


def render(results: Results) -> Section:
    """Tabulate and draw the scores at thresholds for several target recalls.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    title = "Comparison at matched recall"
    chosen = measured(results, "matched")
    if not chosen:
        return text_section(title, "No cell finished, or the run folder has no matched.csv.")
    targets = sorted(results.tables["matched"]["target_recall"].unique())
    lines, table = lines_of(results, "matched", ["split", "target_recall"]), rows(results)
    return Section(
        title,
        (
            paragraph(_opening(lines, chosen, targets) + first_seed(chosen)),
            Bullets(tuple((_sentence(lines, chosen, target),) for target in targets)),
            _figure(lines, chosen, targets, is_synthetic(results)),
            *(_table(lines, table, target) for target in targets),
            *_on_test(results, table),
            _latex(lines, table, targets),
        ),
    )


def _values(
    lines: Lines, chosen: Sequence[Row], split: str, target: float, name: str
) -> list[float]:
    return [float(lines[row.label, split, target][name].iloc[0]) for row in chosen]


def _opening(lines: Lines, chosen: Sequence[Row], targets: Sequence[float]) -> str:
    errors = [
        value - target
        for target in targets
        for value in _values(lines, chosen, "test", target, "recall")
    ]
    return (
        "Specificity and precision are comparable between methods at the same recall. For each "
        "method, the threshold is the largest one that reaches a recall of at least "
        f"{_list(targets)} on the validation set. On the test set, the recall differs from its "
        f"target by up to {number(max(map(abs, errors)))} and is below it in "
        f"{sum(error < 0 for error in errors)} of {len(errors)} cases. Read specificity and "
        "precision together with the recall reached. 95 % intervals include the choice of the "
        "threshold: validation patients are resampled, and it is chosen again."
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
        f"Target recall {target:.2f}: test recall {shown}{middle}, below the target for "
        f"{count_of(below, len(found))}; from validation to test, the {median} "
        f"{change_text(before, after)}."
    )


def _list(targets: Sequence[float]) -> str:
    return join_words([f"{target:.2f}" for target in targets])


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
        caption=f"Thresholds for a recall of at least {target:.2f} on the validation set.",
        header=("Features", "Classifier", *titles[:2], *titles),
        groups=(
            Group("", 2),
            Group("Validation set", 2, "val."),
            Group("Test set", 3, "test"),
        ),
        rows=table_rows(table, columns),
        labels=2,
        breaks=breaks(table),
    )


def _on_test(results: Results, table: Sequence[Row]) -> list[Block]:
    """Tabulate specificity at a recall of 0.95 on the test set itself."""
    if results.table("matched_on_test").empty:
        return []
    lines = lines_of(results, "matched_on_test", ["target_recall"])
    own = [lines.get((row.label, TARGET_RECALL)) for row in table]
    columns = [value_cells(own, name, _bounds(name)) for name, _ in _SHOWN]
    caption = (
        f"Descriptive: thresholds for a recall of at least {TARGET_RECALL:.2f} on the test set "
        "itself, chosen again in each bootstrap resample. Such a threshold is not known before the "
        "test; nothing is selected by this table."
    )
    return [
        Table(
            name="matched-on-test",
            caption=caption,
            header=("Features", "Classifier", *[title for _, title in _SHOWN]),
            rows=table_rows(table, columns),
            labels=2,
            breaks=breaks(table),
        )
    ]


def _latex(lines: Lines, table: Sequence[Row], targets: Sequence[float]) -> Table:
    columns = [
        value_cells([lines.get((row.label, "test", target)) for row in table], name, None)
        for target in targets
        for name, _ in _SHOWN
    ]
    return Table(
        name="matched",
        caption=(
            f"Test set at thresholds for a recall of at least {_list(targets)} on the validation "
            "set."
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
        legend(
            figure,
            {f"recall ≥ {t:.2f} on the validation set": look for t, look in keys},
            marks=True,
        )

    alt = (
        "Recall, specificity and precision of every method on the validation and test sets, at "
        f"thresholds for a recall of {_list(targets)} on the validation set."
    )
    return Figure(
        name="matched",
        caption=(
            "Scores at thresholds for a target recall on the validation set. Filled: test set, "
            "with 95 % intervals. Open: validation set at the same threshold. Dotted: target "
            "recall. The scales differ between panels."
        ),
        alt=alt,
        svg=draw("matched", (9.2, 1.3 + 0.31 * len(chosen)), paint, alt, synthetic),
    )


def _marks(
    place: Axes, lines: Lines, chosen: Sequence[Row], target: float, name: str, shift: float,
    look: Look,
) -> None:  # fmt: skip
    """Draw one target recall: test scores with intervals, validation scores as open marks."""
    places = np.arange(len(chosen)) + shift
    low, high = (_values(lines, chosen, "test", target, column) for column in _bounds(name))
    place.hlines(places, low, high, color=look.colour, linewidth=1.1)
    for split, face in (("validation", "white"), ("test", look.colour)):
        place.plot(_values(lines, chosen, split, target, name), places, look.marker, markersize=4,
                   markerfacecolor=face, markeredgecolor=look.colour)  # fmt: skip
