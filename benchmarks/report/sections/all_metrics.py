"""Metrics that the main table leaves out."""

from __future__ import annotations

from benchmarks.io.columns import OPERATING_POINTS
from benchmarks.io.results import Results
from benchmarks.report.blocks import Group, Section, Table, paragraph, text_section
from benchmarks.report.method_tables import (
    breaks,
    estimate_cells,
    over_seeds,
    point_groups,
    table_rows,
)
from benchmarks.statistics.method_rows import POINT_TITLES, finished

_AT_POINT = {"f1": "F1", "accuracy": "Accuracy", "balanced_accuracy": "Balanced acc.", "mcc": "MCC"}


def render(results: Results) -> Section:
    """Tabulate F1, accuracies, MCC at both operating points, and the Brier score.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    title = "Additional metrics"
    table = finished(results)
    if not table:
        return text_section(title, "No cell finished, so there is nothing to tabulate.")
    text = (
        "F1 and accuracy depend on the prevalence; balanced accuracy and MCC depend "
        "on it less. The Brier score is the mean squared error of the predicted probability: lower "
        "is better."
    )
    columns = [
        estimate_cells(table, "test", point, metric)
        for point in OPERATING_POINTS
        for metric in _AT_POINT
    ]
    columns.append(estimate_cells(table, "test", "0.5", "brier"))
    both = Table(
        name="metrics",
        caption="Additional metrics on the test set, with 95 % intervals.",
        header=("Features", "Classifier", *_AT_POINT.values(), *_AT_POINT.values(), "Brier"),
        groups=point_groups(2, len(_AT_POINT), [Group("", 1)]),
        rows=table_rows(table, columns),
        labels=2,
        breaks=breaks(table),
        note=over_seeds(table),
    )
    short = Table(
        name="metrics-recall95",
        caption=f"Additional metrics on the test set, {POINT_TITLES['recall95']}.",
        header=("Features", "Classifier", *_AT_POINT.values(), "Brier"),
        rows=table_rows(table, columns[4:]),
        labels=2,
        breaks=breaks(table),
        note=over_seeds(table),
        formats=("latex",),
    )
    return Section(title, (paragraph(text), both, short))
