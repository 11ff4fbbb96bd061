"""Calibration of the scores, before and after recalibration on the validation set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from benchmarks.io.formatting import join_words, number
from benchmarks.io.results import Results
from benchmarks.io.run_record import is_synthetic
from benchmarks.metrics.recalibration import RECALIBRATIONS
from benchmarks.report.blocks import Cell, Figure, Group, Section, Table, paragraph, text_section
from benchmarks.report.method_tables import (
    SELECTED,
    Lines,
    breaks,
    first_seed,
    lines_of,
    measured,
    part,
    table_rows,
    value_cells,
)
from benchmarks.report.plots import BLUE, GREEN, GREY, VERMILION, Look, draw, frame, legend, panels
from benchmarks.statistics.equivalence import MARGINS, counts_text
from benchmarks.statistics.method_rows import Row, leaders, rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MplFigure

_TITLES = {"none": "Original", "sigmoid": "Sigmoid", "isotonic": "Isotonic"}
_LOOKS = {
    "none": Look(BLUE, "-", "o"),
    "sigmoid": Look(VERMILION, (0, (4, 1.4)), "s"),
    "isotonic": Look(GREEN, (0, (1, 1)), "^"),
}
_PARTS = (("brier", "Brier score", "smallest"), ("reliability", "Reliability", "smallest"),
          ("resolution", "Resolution", "largest"))  # fmt: skip
_LINES = (("ece", "Calibration error", "smallest"), ("slope", "Slope", ""),
          ("intercept", "Intercept", ""))  # fmt: skip


def render(results: Results) -> Section:
    """Draw reliability diagrams of the leaders and tabulate calibration of all methods.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    title = "Calibration"
    chosen = measured(results, "calibration")
    if not chosen:
        return text_section(title, "No cell finished, or the run folder has no calibration.csv.")
    lines = lines_of(results, "calibration", ["recalibration"])
    texts = [
        _state(lines, chosen) + first_seed(chosen),
        effect_text(results.table("recalibration"), chosen),
    ]
    table = rows(results)
    return Section(
        title,
        (
            *(paragraph(text) for text in texts if text),
            _figure(results, lines, leaders(chosen)),
            _table(lines, table, "calibration-brier", _PARTS),
            _table(lines, table, "calibration", _LINES),
        ),
    )


def _values(lines: Lines, chosen: Sequence[Row], kind: str, name: str) -> list[float]:
    return [float(lines[row.label, kind][name].iloc[0]) for row in chosen]


def _state(lines: Lines, chosen: Sequence[Row]) -> str:
    table = pd.concat([lines[row.label, "none"].iloc[:1] for row in chosen])
    unknown = int(table["slope"].isna().sum())
    blank = f" ({unknown} have no finite slope)" if unknown else ""
    mean = "mean " if len(chosen) > 1 else ""
    over = " over methods" if len(chosen) > 1 else ""
    intercepts, slopes = (
        counts_text(table, (name, f"{name}_lo", f"{name}_hi"), reference=ideal)
        for name, ideal in (("intercept", 0.0), ("slope", 1.0))
    )
    return (
        f"The {mean}expected calibration error{over} is {number(float(table['ece'].mean()))} on "
        "the test set. Calibration intercept (ideal: 0; below 0, the scores are too high overall): "
        f"{intercepts}. Calibration slope (ideal: 1; below 1, the scores are too extreme): "
        f"{slopes}{blank}."
    )


def effect_text(changes: pd.DataFrame, chosen: Sequence[Row]) -> str:
    """Say what each recalibration changes on the test set.

    Parameters
    ----------
    changes : DataFrame
        Table ``recalibration`` of a run.
    chosen : sequence of Row
        Methods of the section.

    Returns
    -------
    str
        Empty if the table is.
    """
    if changes.empty:
        return ""
    own = changes[changes["cell"].isin([cell for row in chosen for cell in row.cells()])]
    words = []
    for kind in RECALIBRATIONS[1:]:
        part = own[own["recalibration"] == kind]
        brier, error = (
            f"{number(float(part[name].median()))}; "
            + counts_text(part, (name, f"{name}_lo", f"{name}_hi"), margin)
            for name, margin in (("brier_change", MARGINS["brier"]), ("ece_change", None))
        )
        words.append(
            f"{kind.capitalize()} recalibration changes the Brier score by {brier}. It changes the "
            f"calibration error by {error}."
        )
    of = "Medians over methods; below 0 is better. " if len(chosen) > 1 else "Below 0 is better. "
    return (
        f"Recalibrations were fitted on the validation set and applied to the test set. {of}"
        f"{' '.join(words)} The recalibration is not fitted again in the resamples."
    )


def _table(
    lines: Lines, table: Sequence[Row], name: str, shown: Sequence[tuple[str, str, str]]
) -> Table:
    columns: list[list[Cell]] = []
    for column, _, mark in shown:
        for kind in RECALIBRATIONS:
            own = [lines.get((row.label, kind)) for row in table]
            bounds = (f"{column}_lo", f"{column}_hi")
            columns.append(value_cells(own, column, bounds, mark))
    heads = [_TITLES[kind] for kind in RECALIBRATIONS]
    return Table(
        name=name,
        caption=f"{join_words([title for _, title, _ in shown]).capitalize()} of the original and "
        "the recalibrated scores on the test set, with 95 % intervals.",
        header=("Features", "Classifier", *heads * len(shown)),
        groups=(Group("", 2), *(Group(title, 3, title) for _, title, _ in shown)),
        rows=table_rows(table, columns),
        labels=2,
        breaks=breaks(table),
        note=_brier_note(lines) if name != "calibration" else _SLOPE_NOTE,
    )


def _brier_note(lines: Lines) -> str:
    uncertainty = float(next(iter(lines.values()))["uncertainty"].iloc[0])
    return (
        "Brier score = reliability − resolution + uncertainty (doi:10.1175/2007WAF2006116.1). "
        "Reliability is the mean squared difference between scores and observed frequencies in ten "
        "bins of equal count. Resolution measures how far the observed frequencies differ between "
        f"bins. Uncertainty, {number(uncertainty)} for every method, is the variance of the label. "
        "Bold: best of its column."
    )


_SLOPE_NOTE = (
    "Calibration error: mean absolute difference between scores and observed frequencies in ten "
    "bins of equal count; chance alone keeps it above 0, and its interval is biased upwards. "
    "Slope: 1 is ideal, below 1 the scores are too extreme; blank where one threshold separates "
    "the classes or all scores are equal. Intercept, at slope 1: 0 is ideal, below 0 the scores "
    "are too high. For slope and intercept, scores are clipped to 0.000001–0.999999, which matters "
    "where many are 0 or 1, as after isotonic recalibration. The bootstrap keeps the recalibration "
    "fixed; the intervals of slope and intercept use its first 500 resamples."
)


def _figure(results: Results, lines: Lines, chosen: Sequence[Row]) -> Figure:
    columns = min(4, max(2, len(chosen)))

    def paint(figure: MplFigure) -> None:
        places = panels(figure, len(chosen), columns, sharex=True, sharey=True)
        for k, (place, row) in enumerate(zip(places, chosen, strict=True)):
            place.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
            table = part(results, "reliability", row)
            for kind, look in _LOOKS.items():
                _curve(place, table[table["recalibration"] == kind], kind, look)
            place.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
            below = "Mean score" if k >= len(chosen) - columns else ""
            frame(place, row.label, below, "" if k % columns else "Observed frequency")
        keys = {_TITLES[kind].lower(): look for kind, look in _LOOKS.items()}
        legend(figure, keys)

    alt = (
        "Observed frequency by mean score on the test set, before and after recalibration: "
        + "; ".join(
            f"{row.label}, calibration error "
            + ", ".join(
                f"{number(_values(lines, [row], kind, 'ece')[0])} {_TITLES[kind].lower()}"
                for kind in RECALIBRATIONS
            )
            for row in chosen
        )
    )
    size = (2.3 * columns, 0.7 + 2.35 * -(-len(chosen) // columns))
    return Figure(
        name="calibration",
        caption=(
            "Reliability diagrams on the test set, in up to ten bins of equal count: "
            f"{SELECTED}. Dotted: perfect calibration. Vertical lines: 95 % intervals of the "
            "original scores."
        ),
        alt=alt,
        svg=draw("calibration", size, paint, alt, is_synthetic(results)),
    )


def _curve(place: Axes, table: pd.DataFrame, kind: str, look: Look) -> None:
    if kind == "none":
        place.vlines(table["mean_score"], table["lo"], table["hi"], color=look.colour, linewidth=1)
    place.plot(table["mean_score"], table["observed"], color=look.colour, linestyle=look.dash,
               marker=look.marker, markersize=3.5, linewidth=1.1)  # fmt: skip
