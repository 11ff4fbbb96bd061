"""Tables computed from predictions and scores; each file has ``tabulate(results) -> tables``."""

from __future__ import annotations

from types import ModuleType

from benchmarks.io.results import Results, write_table
from benchmarks.statistics import (
    calibration,
    comparisons,
    decision,
    gap,
    leading,
    matched,
    patients,
    prevalence,
    sample_size,
    subgroups,
)

STATISTICS: dict[str, ModuleType] = {
    "leading": leading,
    "comparisons": comparisons,
    "matched": matched,
    "calibration": calibration,
    "decision": decision,
    "prevalence": prevalence,
    "gap": gap,
    "subgroups": subgroups,
    "patients": patients,
    "sample_size": sample_size,
}


def tabulate_all(results: Results) -> None:
    """Compute all statistics and write their tables into the run folder.

    Parameters
    ----------
    results : Results
        Results of a finished run.
    """
    for module in STATISTICS.values():
        for name, table in module.tabulate(results).items():
            write_table(results.folder, name, table)
