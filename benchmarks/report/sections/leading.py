"""The methods that the validation set cannot tell apart from the best one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from benchmarks.io.formatting import count_of, interval, number, percent
from benchmarks.io.results import Results
from benchmarks.report.blocks import Cell, Section, Table, paragraph, text_section
from benchmarks.report.method_tables import label_cells, measured, part
from benchmarks.statistics.method_rows import Row

TITLE = "Methods that validation cannot tell apart"
_METHOD = (
    "The method named first is the one with the highest average precision on the validation set. "
    "To see how much this depends on the validation patients, they were resampled (bootstrap, the "
    "models unchanged). A method is in the set if no other is better by more than the validation "
    "patients can tell: the largest difference from it, in standard errors, is at most the 95 % "
    "quantile that resampling gives if none is better (multiple comparisons with the best; Hsu, "
    "doi:10.1214/aos/1176345523). The set contains the truly best method with a confidence of "
    "about 95 %. Its members are not shown to be equally good. No test score was used for it."
)
_NOTE = (
    "Difference: to the first row, with its paired 95 % interval, which does not allow for the "
    "choice of the first row. Chosen: proportion of resamples of the validation patients in which "
    "the method has the highest average precision; ties are shared. Precision and recall: at the "
    "threshold selected on the validation set for a recall of 0.95. leading.csv has all methods."
)


def render(results: Results) -> Section:
    """List the methods that validation cannot tell apart from the best, with their test results.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    methods = measured(results, "leading")
    if len(methods) < 2:
        return text_section(TITLE, "Fewer than two classical methods have validation scores.")
    own = [row for row in methods if _is_member(results, row)]
    first = (
        f"{count_of(len(own), len(methods), 'classical methods')} are in the 95 % confidence set "
        "of the best method on the validation set. "
    )
    return Section(TITLE, (paragraph(first[0].upper() + first[1:] + _METHOD), _table(results, own)))


def headline(results: Results, lead: Row) -> str:
    """Describe the set of methods that validation cannot tell apart from the first.

    Parameters
    ----------
    results : Results
    lead : Row
        The method with the highest average precision on the validation set.

    Returns
    -------
    str
        A sentence on the set, if it has several methods, and the start of one on the first, which
        "reaches" continues; empty without a table of at least two methods.
    """
    methods = measured(results, "leading")
    found = part(results, "leading", lead)
    if len(methods) < 2 or found.empty:
        return ""
    often = (
        f"highest in {percent(round(float(found['chosen'].iloc[0]), 2))} of bootstrap resamples of "
        "the validation patients"
    )
    own = [row for row in methods if _is_member(results, row)]
    if len(own) < 2:
        return (
            f"{lead.label} has the highest average precision on the validation set, and it is the "
            f"only one of {len(methods)} classical methods in the 95 % confidence set of the best "
            f"there ({often}). With the threshold selected there for a recall of 0.95, it"
        )
    table = pd.concat([part(results, "leading", row) for row in own])
    ranges = {name: _range(table[name]) for name in ("auc", "precision")}
    which = f"the {len(own)}" if len(own) == len(methods) else f"{len(own)} of the {len(methods)}"
    text = (
        f"The validation set cannot tell which of {which} classical methods has the highest "
        "average precision (95 % confidence set); on the test images, their AUCs are "
        f"{ranges['auc']} and, with the threshold selected on the validation set for a recall of "
        f"0.95, their precisions {ranges['precision']}."
    )
    return f"{text} The first of them on the validation set, {lead.label} ({often}),"


def _is_member(results: Results, row: Row) -> bool:
    return bool(part(results, "leading", row)["in_set"].iloc[0] == 1)


def _range(values: pd.Series) -> str:
    return interval(float(values.min()), float(values.max())) or number(float("nan"))


def _table(results: Results, own: Sequence[Row]) -> Table:
    lines = [(row, part(results, "leading", row).iloc[0].to_dict()) for row in own]
    lines.sort(key=lambda pair: -pair[1]["validation"])
    top = max((one["validation"] for _, one in lines), default=0.0)
    return Table(
        name="leading",
        caption=(
            "The 95 % confidence set of the best method on the validation set, and what its "
            "members reach on the test images."
        ),
        header=("Features", "Classifier", "Average precision", "Difference", "Chosen",
                "Test AUC", "Test precision", "Test recall"),
        rows=tuple((*label_cells(row), *_cells(one, top)) for row, one in lines),
        labels=2,
        note=_NOTE,
    )  # fmt: skip


def _cells(one: dict[Any, Any], top: float) -> list[Cell]:
    """Make the cells of one method; average precisions need four decimals to differ."""
    found = [
        Cell(number(one["validation"], 4), interval(one["validation_lo"], one["validation_hi"], 4)),
        Cell("–")
        if one["validation"] == top
        else Cell(number(one["difference"], 4), interval(one["lo"], one["hi"], 4)),
        Cell(percent(round(one["chosen"], 2))),
    ]
    return found + [
        Cell(number(one[name]), interval(one[f"{name}_lo"], one[f"{name}_hi"]))
        for name in ("auc", "precision", "recall")
    ]  # fmt: skip
