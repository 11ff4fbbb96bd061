"""Which features matter, and where on the radiograph: one method per file."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.study_context import StudyContext
from benchmarks.importance import (
    family_refits,
    family_shap,
    impurity,
    permutation,
    redundancy,
    shap_values,
    stability,
)
from benchmarks.importance.measured_cell import Tables
from benchmarks.importance.measuring import Columns, Method, measure_cells, regions_table

METHODS: dict[str, Method] = {
    "permutation": permutation.measure,
    "impurity": impurity.measure,
    "shap": shap_values.measure,
}
"""Measured in every run, on its best cells."""

MORE_METHODS: dict[str, Method] = {
    "clusters": redundancy.measure,
    "family_shap": family_shap.measure,
}
"""Measured by the command ``importance`` only, on the best cell of each feature set."""

REFITS: dict[str, Callable[[StudyContext, Columns], Tables]] = {
    "cross-validation": permutation.measure_held_out,
    "families": family_refits.measure,
    "stability": stability.measure,
}
"""Measured by the command ``importance`` only, since they fit cells again."""


def measure(context: StudyContext, results: Sequence[CellResult], columns: Columns) -> Tables:
    """Measure fitted cells with all ``METHODS``.

    Parameters
    ----------
    context : StudyContext
    results : sequence of CellResult
    columns : dict of DataFrame
        From :func:`benchmarks.importance.measuring.feature_columns`, of the cells' feature sets.

    Returns
    -------
    dict of DataFrame
        ``importance``, ``importance_checks``, ``importance_swarm`` and ``importance_regions``.
    """
    tables = measure_cells(context, results, METHODS, columns)
    return {**tables, "importance_regions": regions_table(columns)}
