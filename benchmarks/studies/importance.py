"""Feature importance: which features matter to the best cells, and where on the radiograph.

The command ``run_benchmark.py importance`` measures all cells, and adds refits and stability.
"""

from __future__ import annotations

from benchmarks.fitting.study_context import StudyContext
from benchmarks.importance import measure
from benchmarks.importance.measured_cell import Tables
from benchmarks.importance.measuring import chosen_cells, feature_columns


def run(context: StudyContext) -> Tables:
    """Measure the importance of features in the best cell of each feature set.

    Parameters
    ----------
    context : StudyContext
        The run folder holds the fitted models.

    Returns
    -------
    dict of DataFrame
        ``importance``, ``importance_checks``, ``importance_swarm`` and ``importance_regions``.
    """
    results = chosen_cells(context)
    return measure(context, results, feature_columns(context, results))
