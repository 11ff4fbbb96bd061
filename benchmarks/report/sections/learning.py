"""Learning curves: what more training patients bring."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from benchmarks.io.formatting import interval, number
from benchmarks.io.results import Results
from benchmarks.io.run_record import is_synthetic
from benchmarks.report.blocks import Cell, Code, Figure, Group, Section, Table, paragraph
from benchmarks.report.plots import draw, frame, legend, looks

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

TITLE = "How many patients it takes"
METRICS = {"auc": "AUC", "average_precision": "Average precision"}


def render(results: Results) -> Section:
    """Show how test scores grow with the number of training patients."""
    table = results.table("learning")
    if table.empty:
        return Section(TITLE, (paragraph(
            "This run has no learning curve; it comes with ", Code("--study learning"), " or ",
            Code("--full"), ".",
        ),))  # fmt: skip
    done = table[table["status"] == "ok"]
    if done.empty:
        reason = str(table.iloc[0]["reason"]).rstrip(".")
        return Section(TITLE, (paragraph(f"No part of the patients could be fitted: {reason}."),))
    text = " ".join(_sentence(str(cell), own) for cell, own in done.groupby("cell", sort=False))
    failed = len(table) - len(done)
    more = f" {failed} of {len(table)} fits failed and are left out." if failed else ""
    return Section(
        TITLE, (paragraph(text + _last_steps(done) + more), _figure(results, done), _table(done))
    )


def _sentence(cell: str, own: pd.DataFrame) -> str:
    """Tell one curve: from fewest to all patients, and its last step."""
    mean = own.groupby("fraction")[["patients", "auc"]].mean()
    first, last = mean.iloc[0], mean.iloc[-1]
    if len(mean) < 2:
        return f"{cell} has a test AUC of {number(last['auc'])} at {last['patients']:.0f} patients."
    before, step = mean.iloc[-2], mean.iloc[-1]["auc"] - mean.iloc[-2]["auc"]
    return (
        f"{cell}: test AUC {number(first['auc'])} with {first['patients']:.0f} training patients, "
        f"{number(last['auc'])} with {last['patients']:.0f}; the last step, from "
        f"{before['patients']:.0f} on, changes it by {number(step)}."
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
        f" In {sum(steps)} of {len(steps)} curves the score before the last step lies within the "
        "interval of the last point: where it does, more patients of this kind promise little "
        "that this test set could show."
    )


def _table(done: pd.DataFrame) -> Table:
    lines = []
    for (cell, fraction), own in done.groupby(["cell", "fraction"], sort=False):
        cells = [Cell(str(cell)), Cell(f"{100 * float(fraction):.0f} %")]  # type: ignore[arg-type]
        cells += [Cell(f"{own[key].mean():.0f}") for key in ("patients", "images")]
        for metric in METRICS:
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
            "Test scores after fitting on a part of the training patients: mean over the draws of "
            "patients, 95 % interval over test patients (of the first draw), range over the draws."
        ),
        header=("Cell", "Part", "Patients", "Images", *(("Mean", "Draws") * len(METRICS))),
        groups=(Group("", 4), *(Group(title, 2, title) for title in METRICS.values())),
        rows=tuple(lines),
        labels=2,
        breaks=tuple(k for k in range(1, len(names)) if names[k] != names[k - 1]),
        note=(
            "The interval tells how far the test images decide the score, the range over draws "
            "how far the choice of training patients does."
        ),
    )


def _figure(results: Results, done: pd.DataFrame) -> Figure:
    keys = looks(list(dict.fromkeys(done["cell"])))

    def paint(figure: MplFigure) -> None:
        places = figure.subplots(1, len(METRICS))
        for place, (metric, title) in zip(places, METRICS.items(), strict=True):
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
            frame(place, title, x="training patients (log scale)")
        legend(figure, keys)

    alt = " ".join(_sentence(str(c), own) for c, own in done.groupby("cell", sort=False))
    return Figure(
        name="learning",
        caption=(
            "Test scores by the number of training patients. Points: draws; lines: their means; "
            "bands: 95 % intervals over test patients, of the first draw."
        ),
        alt=alt,
        svg=draw("learning", (9.2, 3.6), paint, alt, is_synthetic(results)),
    )
