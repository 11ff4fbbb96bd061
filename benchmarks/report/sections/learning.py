"""Learning curves: test scores by number of training patients."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmarks.io.formatting import interval, number, percent
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
from benchmarks.statistics.equivalence import MARGINS, clause, counts_text

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
    effects = results.table("learning_gains")
    texts = [" ".join(_sentence(str(cell), own) for cell, own in done.groupby("cell", sort=False))]
    if failed := len(table) - len(done):
        texts[0] += f" {failed} of {len(table)} fits failed and are omitted."
    texts += gains_texts(effects)
    tables = [_table(done, effects)]
    if len(effects):
        tables.append(_gains_table(effects))
    return Section(
        _TITLE, (*(paragraph(text) for text in texts), _figure(results, done, effects), *tables)
    )


def _sentence(cell: str, own: pd.DataFrame) -> str:
    """Describe the ends of a curve."""
    mean = own.groupby("fraction")[["patients", "auc"]].mean()
    first, last = mean.iloc[0], mean.iloc[-1]
    if len(mean) < 2:
        return f"{cell}: test AUC {number(last['auc'])} with {last['patients']:.0f} patients."
    return (
        f"{cell}: test AUC {number(first['auc'])} with {first['patients']:.0f} training patients, "
        f"{number(last['auc'])} with {last['patients']:.0f}."
    )


def gains_texts(effects: pd.DataFrame) -> list[str]:
    """State what the last step and the slope of each curve in AUC show.

    Parameters
    ----------
    effects : DataFrame
        Table ``learning_gains`` of a run.

    Returns
    -------
    list of str
        Paragraphs; none if the table is empty.
    """
    own = effects[effects["metric"] == "auc"] if len(effects) else effects
    if own.empty:
        return []
    last = own[(own["kind"] == "step") & (own["fraction"] == own["fraction"].max())]
    slopes = own[own["kind"] == "doubling"]
    upper = slopes[slopes["fraction_from"] == slopes["fraction_from"].max()]
    texts = []
    for rows, what in (
        (last, "AUC with all training patients, compared with {} of them"),
        (upper, "Change of the AUC per doubling of the patients, from {} of them on"),
    ):
        if len(rows):
            start = percent(float(rows["fraction_from"].iloc[0]))
            found = [f"{one['cell']}: {_verdict(one)}" for one in rows.to_dict("records")]
            counts = counts_text(rows, ("value", "value_lo", "value_hi"), MARGINS["auc"])
            more = f". Together: {counts}" if len(rows) > 1 else ""
            texts.append(f"{what.format(start)}: {'; '.join(found)}{more}.")
    return [
        *texts,
        "The intervals are over test patients and over the random subsets. All subsets are taken "
        "from the training patients of this run, so how the curves would differ for other training "
        "patients is not included. A curve says nothing about more patients than it has, nor about "
        "patients of another source.",
    ]


def _verdict(one: Mapping[Hashable, Any]) -> str:
    return clause(one["value"], one["value_lo"], one["value_hi"], "auc")


def _table(done: pd.DataFrame, effects: pd.DataFrame) -> Table:
    lines = []
    for (cell, fraction), own in done.groupby(["cell", "fraction"], sort=False):
        cells = [Cell(str(cell)), Cell(f"{100 * float(fraction):.0f} %")]  # type: ignore[arg-type]
        cells += [Cell(f"{own[key].mean():.0f}") for key in ("patients", "images")]
        for metric in _METRICS:
            values = own[metric].astype(float)
            bounds = _bounds(effects, str(cell), metric, float(fraction))  # type: ignore[arg-type]
            between = f"{number(values.min())}–{number(values.max())}" if len(own) > 1 else ""
            cells += [Cell(number(values.mean()), interval(*bounds)), Cell(between)]
        lines.append(tuple(cells))
    names = [line[0].text for line in lines]
    return Table(
        name="learning",
        caption=(
            "Test scores after fitting on a subset of the training patients: mean over the random "
            "subsets with 95 % interval over test patients and subsets, and range over the subsets."
        ),
        header=("Cell", "Fraction", "Patients", "Images", *(("Mean", "Range") * len(_METRICS))),
        groups=(Group("", 4), *(Group(title, 2, title) for title in _METRICS.values())),
        rows=tuple(lines),
        labels=2,
        breaks=starts(names),
        note="" if len(effects) else "This run did not compute intervals that include the subsets.",
    )


def _bounds(effects: pd.DataFrame, cell: str, metric: str, fraction: float) -> tuple[float, float]:
    """Bounds of the mean of one size; NaN where the run has none."""
    if effects.empty:
        return math.nan, math.nan
    own = effects[
        (effects["cell"] == cell) & (effects["metric"] == metric) & (effects["kind"] == "mean")
        & (effects["fraction"] == fraction)
    ]  # fmt: skip
    return (
        (float(own["value_lo"].iloc[0]), float(own["value_hi"].iloc[0]))
        if len(own)
        else (math.nan, math.nan)
    )


def _gains_table(effects: pd.DataFrame) -> Table:
    kept = effects[effects["kind"] != "mean"]
    lines, names = [], []
    keys = ["cell", "kind", "fraction_from", "fraction"]
    for (cell, kind, _, _), own in kept.groupby(keys, sort=False):
        first = own.iloc[0]
        names.append(str(cell))
        cells = [
            Cell(str(cell)),
            Cell("difference" if kind == "step" else "per doubling"),
            Cell(f"{first['patients_from']:.0f}"),
            Cell(f"{first['patients']:.0f}"),
        ]
        values = own.set_index("metric").reindex(list(_METRICS))
        values = values[["value", "value_lo", "value_hi"]].astype(float)
        cells += [Cell(number(one), interval(low, high)) for one, low, high in values.to_numpy()]
        lines.append(tuple(cells))
    return Table(
        name="learning-gains",
        caption=(
            "Differences in test scores between successive training sizes, on the same test "
            "patients and nested subsets, and slope per doubling of the training patients (least "
            f"squares). Means over {int(kept['draws'].max())} series of subsets, with 95 % "
            "intervals over test patients and subsets."
        ),
        header=("Cell", "Effect", "From patients", "To patients", *_METRICS.values()),
        groups=(Group("", 4), Group("Change", len(_METRICS), "change")),
        rows=tuple(lines),
        labels=2,
        breaks=starts(names),
    )


def _figure(results: Results, done: pd.DataFrame, effects: pd.DataFrame) -> Figure:
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
                bounds = np.array(
                    [_bounds(effects, cell, metric, float(fraction)) for fraction in line.index]
                )
                place.fill_between(
                    line["patients"].to_numpy(dtype=float), *bounds.T,
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
            "lines: their means; bands: 95 % intervals of the means over test patients and subsets."
        ),
        alt=alt,
        svg=draw("learning", (9.2, 3.6), paint, alt, is_synthetic(results)),
    )
