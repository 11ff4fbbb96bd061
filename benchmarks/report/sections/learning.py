"""Learning curves: test scores by number of training patients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from benchmarks.io.formatting import interval, number
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
from benchmarks.report.method_tables import starts
from benchmarks.report.plots import draw, frame, legend, looks

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

_TITLE = "Learning curves"
_METRICS = {"auc": "AUC", "average_precision": "Average precision"}


def render(results: Results) -> Section:
    """Show test scores by the number of training patients.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    table = results.table("learning")
    if table.empty:
        return not_included(_TITLE, "learning")
    done = table[table["status"] == "ok"]
    if done.empty:
        return none_finished(_TITLE, str(table.iloc[0]["reason"]))
    text = " ".join(_sentence(str(cell), own) for cell, own in done.groupby("cell", sort=False))
    failed = len(table) - len(done)
    more = f" {failed} of {len(table)} fits failed and are omitted." if failed else ""
    return Section(
        _TITLE, (paragraph(text + _last_steps(done) + more), _figure(results, done), _table(done))
    )


def _sentence(cell: str, own: pd.DataFrame) -> str:
    """Describe one curve: its ends and its last step."""
    mean = own.groupby("fraction")[["patients", "auc"]].mean()
    first, last = mean.iloc[0], mean.iloc[-1]
    if len(mean) < 2:
        return f"{cell}: test AUC {number(last['auc'])} with {last['patients']:.0f} patients."
    before, step = mean.iloc[-2], mean.iloc[-1]["auc"] - mean.iloc[-2]["auc"]
    return (
        f"{cell}: test AUC {number(first['auc'])} with {first['patients']:.0f} training patients, "
        f"{number(last['auc'])} with {last['patients']:.0f}; the last step, from "
        f"{before['patients']:.0f} patients, changes it by {number(step)}."
    )


def _last_steps(done: pd.DataFrame) -> str:
    """Count the curves whose last step stays within the interval of the last point."""
    steps = []
    for _, own in done.groupby("cell", sort=False):
        mean = own.groupby("fraction")["auc"].mean()
        if len(mean) > 1:
            end = own[own["fraction"] == mean.index[-1]].iloc[0]
            steps.append(bool(end["auc_lo"] <= mean.iloc[-2] <= end["auc_hi"]))
    if not steps:
        return ""
    return (
        f" In {sum(steps)} of {len(steps)} curves, the score before the last step lies within the "
        "95 % interval of the last point. For these, more patients from this source promise little "
        "improvement that this test set could show."
    )


def _table(done: pd.DataFrame) -> Table:
    lines = []
    for (cell, fraction), own in done.groupby(["cell", "fraction"], sort=False):
        cells = [Cell(str(cell)), Cell(f"{100 * float(fraction):.0f} %")]  # type: ignore[arg-type]
        cells += [Cell(f"{own[key].mean():.0f}") for key in ("patients", "images")]
        for metric in _METRICS:
            one = own.iloc[0]
            values = own[metric].astype(float)
            bounds = interval(one[f"{metric}_lo"], one[f"{metric}_hi"])
            between = f"{number(values.min())}–{number(values.max())}" if len(own) > 1 else ""
            cells += [Cell(number(values.mean()), bounds), Cell(between)]
        lines.append(tuple(cells))
    names = [line[0].text for line in lines]
    return Table(
        name="learning",
        caption=(
            "Test scores after fitting on a subset of the training patients: mean over the random "
            "subsets, 95 % interval over test patients (first subset), and range over the subsets."
        ),
        header=("Cell", "Fraction", "Patients", "Images", *(("Mean", "Range") * len(_METRICS))),
        groups=(Group("", 4), *(Group(title, 2, title) for title in _METRICS.values())),
        rows=tuple(lines),
        labels=2,
        breaks=starts(names),
        note=(
            "The interval shows the uncertainty from the sampling of test patients, the range that "
            "from the choice of training patients."
        ),
    )


def _figure(results: Results, done: pd.DataFrame) -> Figure:
    keys = looks(list(dict.fromkeys(done["cell"])))

    def paint(figure: MplFigure) -> None:
        places = figure.subplots(1, len(_METRICS))
        for place, (metric, title) in zip(places, _METRICS.items(), strict=True):
            for cell, look in keys.items():
                own = done[done["cell"] == cell]
                place.plot(own["patients"], own[metric], look.marker, color=look.colour,
                           markersize=3, alpha=0.6)  # fmt: skip
                line = own.groupby("fraction")[["patients", metric]].mean()
                place.plot(line["patients"], line[metric], linestyle=look.dash, color=look.colour)
                first = own.drop_duplicates("fraction")
                place.fill_between(
                    first["patients"].to_numpy(dtype=float),
                    first[f"{metric}_lo"].to_numpy(dtype=float),
                    first[f"{metric}_hi"].to_numpy(dtype=float),
                    color=look.colour, alpha=0.08, linewidth=0,
                )  # fmt: skip
            counts = sorted(set(done.groupby("fraction")["patients"].mean().round().astype(int)))
            place.set_xscale("log")
            place.set_xticks(counts, [str(count) for count in counts])
            place.set_xticks([], minor=True)
            frame(place, title, x="Training patients (log scale)")
        legend(figure, keys)

    alt = f"{' and '.join(_METRICS.values())} by number of training patients: {', '.join(keys)}."
    return Figure(
        name="learning",
        caption=(
            "Learning curves on the test set. Points: random subsets of the training patients; "
            "lines: their means; bands: 95 % intervals over test patients, of the first subset."
        ),
        alt=alt,
        svg=draw("learning", (9.2, 3.6), paint, alt, is_synthetic(results)),
    )
