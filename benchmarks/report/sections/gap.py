"""Differences between cross-validation, the validation set and the test split."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmarks.io.formatting import number, percent
from benchmarks.io.results import Results
from benchmarks.io.run_record import (
    class_pair,
    is_synthetic,
    prevalence,
    test_drawn,
    validation_drawn,
)
from benchmarks.metrics.operating_points import TARGET_RECALL
from benchmarks.report.blocks import (
    ALL_FORMATS,
    Block,
    Cell,
    Figure,
    Group,
    Section,
    Table,
    paragraph,
    text_section,
)
from benchmarks.report.method_tables import breaks, over_seeds, table_rows, value_cells
from benchmarks.report.plots import BLUE, GREEN, VERMILION, Look, draw, frame, legend, name_rows
from benchmarks.statistics.equivalence import MARGINS, counts_text
from benchmarks.statistics.method_rows import Row, finished

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

_TITLE = "Cross-validation versus test split"
_TITLE_WITHOUT_CV = "Validation set versus test split"
_SHOWN = (("recall", "Recall"), ("specificity", "Specificity"), ("precision", "Precision"),
          ("auc", "AUC"))  # fmt: skip
_WITH_GAP = (("auc", "AUC"), ("specificity", "Specificity"), ("recall", "Recall"))
_LOOKS = {
    "cv": ("cross-validation", Look(GREEN, "-", "^")),
    "validation": ("validation set", Look(BLUE, "-", "o")),
    "test": ("test set", Look(VERMILION, "-", "D")),
}
GAP_SEEDS = (
    " Values and gaps are means over seeds; the intervals of the gaps include the variance between "
    "seeds."
)
_HEADS = {"cv": "CV", "validation": "Val.", "test": "Test"}


def render(results: Results) -> Section:
    """Compare cross-validation, if the run has one, and the validation set with the test set.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    table = finished(results)
    gaps = results.table("gap")
    if not table:
        return text_section(title(results), "No cell finished, so there is no difference to show.")
    blocks: list[Block] = []
    if len(gaps):
        several = bool(over_seeds(table))
        text = from_cross_validation(gaps, results.table("gap_ranks"), several)
        blocks.append(paragraph(text))
    texts = [_from_validation(results, table), recall_text(table)]
    blocks += [*(paragraph(text) for text in texts if text), _figure(results, table, gaps)]
    if len(gaps):
        blocks += [
            _gap_table(table, gaps, ("cv", "validation", "test"), ("html", "markdown")),
            _gap_table(table, gaps, ("cv", "test"), ("latex",)),
        ]
    else:
        blocks.append(_table(table))
    return Section(title(results), tuple(blocks))


def title(results: Results) -> str:
    """Return the title of the section, which depends on whether the run has a cross-validation.

    Parameters
    ----------
    results : Results

    Returns
    -------
    str
    """
    return _TITLE if len(results.table("gap")) else _TITLE_WITHOUT_CV


def from_cross_validation(
    gaps: pd.DataFrame, ranks: pd.DataFrame, several_seeds: bool = False
) -> str:
    """Report the size of the gap, its sign by method, and the rank correlation of the methods.

    Parameters
    ----------
    gaps, ranks : DataFrame
        Tables ``gap`` and ``gap_ranks`` of a run; the first is not empty.
    several_seeds : bool
        Whether methods were fitted with several seeds.

    Returns
    -------
    str
    """
    area = gaps[gaps["metric"] == "auc"]
    strict = gaps[(gaps["metric"] == "specificity") & (gaps["operating_point"] == "recall95")]
    columns = ("gap", "gap_lo", "gap_hi")
    return (
        "The gap is the score of a method in cross-validation by patient on the training images "
        f"minus its score on the test split. In AUC, it is {_median_range(area)}; "
        f"{counts_text(area, columns, MARGINS['auc'])}. In specificity at the threshold for a "
        f"recall of 0.95, it is {_median_range(strict)}; "
        f"{counts_text(strict, columns, MARGINS['specificity'])}. The intervals are over "
        f"patients{' and seeds' if several_seeds else ''}. "
        "The models of cross-validation are not fitted again in the resamples, so the intervals do "
        "not include how scores vary with the training patients. "
        f"{_rank_text(ranks)}{' Only one method was cross-validated.' if len(area) == 1 else ''}"
    ).strip()


def _rank_text(ranks: pd.DataFrame) -> str:
    if ranks.empty:
        return ""
    one = ranks.iloc[0]
    return (
        "Spearman's rank correlation between the methods' AUC in both is "
        f"{number(one['rho'], 2)} ({one['methods']:.0f} methods; 95 % interval "
        f"{number(one['rho_lo'], 2)} to {number(one['rho_hi'], 2)}, in which the noise of "
        "resampling moves the correlation towards 0)."
    )


def recall_text(table: Sequence[Row]) -> str:
    """Count the methods whose test recall lies above or below the target of the threshold.

    Parameters
    ----------
    table : sequence of Row
        Finished methods.

    Returns
    -------
    str
        Empty if no method has a test recall.
    """
    found = [row.estimate("test", "recall95", "recall") for row in table]
    known = pd.DataFrame(
        [(one.value, one.low, one.high) for one in found if not math.isnan(one.value)],
        columns=["recall", "lo", "hi"],
    )
    if known.empty:
        return ""
    above, below = ((sign * (known["recall"] - TARGET_RECALL) > 0).sum() for sign in (1, -1))
    counts = counts_text(known, ("recall", "lo", "hi"), MARGINS["recall"], TARGET_RECALL)
    return (
        f"The threshold was selected for a recall of at least {TARGET_RECALL:g} on the validation "
        f"set. On the test set, the recall is above {TARGET_RECALL:g} for {above} and below it for "
        f"{below} of {len(known)} method{'s' * (len(known) > 1)}, from "
        f"{number(known['recall'].min())} to {number(known['recall'].max())}; {counts}."
    )


def medians(table: Sequence[Row], metric: str) -> tuple[float, float]:
    """Compute the median over methods of a metric on the validation and test sets.

    Parameters
    ----------
    table : sequence of Row
    metric : str
        AUC, or a metric at the threshold for a recall of 0.95.

    Returns
    -------
    (float, float)
        NaN where no method has a value.
    """
    values = []
    for split in ("validation", "test"):
        found = [_value(row, split, metric) for row in table]
        finite = [value for value in found if not math.isnan(value)]
        values.append(float(np.median(finite)) if finite else math.nan)
    return values[0], values[1]


def medians_text(table: Sequence[Row], metric: str) -> str:
    """Write the median over methods of a metric on the validation and test sets.

    Parameters
    ----------
    table : sequence of Row
    metric : str
        As for :func:`medians`.

    Returns
    -------
    str
    """
    before, after = medians(table, metric)
    return f"{number(before)} on the validation set and {number(after)} on the test set"


def gap_cells(table: Sequence[Row], gaps: pd.DataFrame, metric: str) -> list[Cell]:
    """Make the column with the gap of each method and its interval.

    Parameters
    ----------
    table : sequence of Row
    gaps : DataFrame
        Table ``gap`` of the run.
    metric : str
        AUC, or a metric at the threshold for a recall of 0.95.

    Returns
    -------
    list of Cell
        A dash for a method that was not cross-validated.
    """
    own = gaps[(gaps["metric"] == metric) & gaps["operating_point"].isin(("", "recall95"))]
    lines = [own[own["cell"].isin(row.cells())] for row in table]
    return value_cells(lines, "gap", ("gap_lo", "gap_hi"))


def _value(row: Row, split: str, metric: str) -> float:
    # AUC has no operating point; it is in every row of threshold 0.5.
    return row.estimate(split, "0.5" if metric == "auc" else "recall95", metric).value


def _from_validation(results: Results, table: Sequence[Row]) -> str:
    both = {metric: medians_text(table, metric) for metric in ("specificity", "recall", "auc")}
    test = (
        "the test images were drawn from the same data before"
        if test_drawn(results)
        else "the test images are a separate split"
    )
    origin = (
        f"The validation images were taken from the training split by patient; {test}."
        if validation_drawn(results)
        else "The validation and test splits came with the data."
    )
    return (
        f"{origin} At the threshold selected on the validation set, the median specificity over "
        f"methods is {both['specificity']}, and the median recall {both['recall']}; the median AUC "
        f"is {both['auc']}. These medians have no intervals. {class_pair(results)[1]} "
        "makes up "
        f"{percent(prevalence(results, 'validation'))} of the validation images and "
        f"{percent(prevalence(results))} of the test images, and precision depends on this "
        "prevalence. A threshold selected on one source of images need not hold on another. "
        "No setting was selected on test images."
    )


def _median_range(table: pd.DataFrame) -> str:
    values = table["gap"].to_numpy(dtype=float)
    if len(values) == 1:
        return number(values[0])
    return (
        f"{number(float(np.median(values)))} in the median of {len(values)} methods "
        f"({number(values.min())} to {number(values.max())})"
    )


def _gap_table(
    table: Sequence[Row], gaps: pd.DataFrame, splits: Sequence[str], formats: tuple[str, ...]
) -> Table:
    columns = []
    for metric, _ in _WITH_GAP:
        columns += [[Cell(number(_value(row, split, metric))) for row in table] for split in splits]
        columns.append(gap_cells(table, gaps, metric))
    return Table(
        name="gap",
        caption=(
            "Cross-validation and the test split, at the threshold for a recall of 0.95. "
            "Gap: cross-validation minus test, with 95 % interval over patients, without refitting."
        ),
        header=("Features", "Classifier",
                *([*(_HEADS[split] for split in splits), "Gap"] * len(_WITH_GAP))),
        groups=(Group("", 2),
                *(Group(title, len(splits) + 1, title) for _, title in _WITH_GAP)),
        rows=table_rows(table, columns),
        labels=2,
        breaks=breaks(table),
        note=(
            "In cross-validation, the threshold of a fold is selected on the held-out scores of "
            "the other folds, and AUC is the mean over folds. The validation and test sets share "
            "one threshold, selected on the validation set."
            + GAP_SEEDS * bool(over_seeds(table))
        ),
        formats=formats,
    )  # fmt: skip


def _table(table: Sequence[Row]) -> Table:
    columns = [[_threshold(row) for row in table]]
    columns += [
        [Cell(number(_value(row, split, metric))) for row in table]
        for metric, _ in _SHOWN
        for split in ("validation", "test")
    ]
    return Table(
        name="gap",
        caption=(
            "Validation and test sets, at the threshold for a recall of 0.95 on the validation set."
        ),
        header=("Features", "Classifier", "Threshold", *(("Val.", "Test") * len(_SHOWN))),
        groups=(Group("", 3), *(Group(title, 2, title) for _, title in _SHOWN)),
        rows=table_rows(table, columns),
        labels=2,
        breaks=breaks(table),
        formats=ALL_FORMATS,
    )


def _threshold(row: Row) -> Cell:
    values = row.at("test", "recall95")["threshold"].astype(float)
    return Cell(number(float(values.mean()) if len(values) else math.nan))


def _figure(results: Results, table: Sequence[Row], gaps: pd.DataFrame) -> Figure:
    splits = list(_LOOKS)[0 if len(gaps) else 1 :]
    shown = dict(_LOOKS[split] for split in splits)

    def paint(figure: MplFigure) -> None:
        places = figure.subplots(1, len(_SHOWN), sharey=True)
        for place, (metric, title) in zip(places, _SHOWN, strict=True):
            for k, row in enumerate(table):
                ends = [_value(row, split, metric) for split in splits]
                known = [value for value in ends if not math.isnan(value)]
                if known:
                    place.plot([min(known), max(known)], [k, k], color="#9aa3ad", linewidth=1.2,
                               zorder=1)  # fmt: skip
                for value, look in zip(ends, shown.values(), strict=True):
                    place.plot([value], [k], look.marker, color=look.colour, zorder=3)
            place.set_xlim(right=1.02)
            place.locator_params(axis="x", nbins=4)
            frame(place, title, grid="x")
        name_rows(places, [row.label for row in table], breaks(table))
        legend(figure, shown, marks=True)

    before, after = medians(table, "specificity")
    alt = (
        f"Recall, specificity, precision and AUC of every method: {', '.join(shown)}; "
        f"median specificity on the validation set {number(before)}, on the test set "
        f"{number(after)}."
    )
    refitted = " In cross-validation, each method was refitted for every fold." * bool(len(gaps))
    return Figure(
        name="gap",
        caption=(
            "The same fitted methods at the same thresholds on the validation and test sets."
            f"{refitted} The scales differ between panels."
        ),
        alt=alt,
        svg=draw("gap", (9.2, 1.3 + 0.215 * len(table)), paint, alt, is_synthetic(results)),
    )
