"""Precision of each method at other prevalences than that of the test set."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.io.columns import MORE_TABLES, OPERATING_POINTS
from benchmarks.io.results import Results
from benchmarks.metrics.bootstrap import percentile_interval
from benchmarks.metrics.rates import confusion, precision_at_prevalence
from benchmarks.statistics.split_scores import methods, read_split, thresholds

COLUMNS = MORE_TABLES["prevalence"]
PREVALENCES = (0.05, 0.10, 0.25, 0.50)


def tabulate(results: Results) -> dict[str, pd.DataFrame]:
    """Tabulate precision at four prevalences, from recall and specificity on the test set.

    Parameters
    ----------
    results : Results

    Returns
    -------
    dict of DataFrame
        ``prevalence``: one row per method, operating point and prevalence.
    """
    test = read_split(results, "test", methods(results))
    lines: list[dict[str, Any]] = []
    for cell, score in test.scores.items():
        at = np.array([thresholds(results, point)[cell] for point in OPERATING_POINTS])
        counts = confusion(test.label, score[:, None] >= at, test.bootstrap().with_original())
        for k, point in enumerate(OPERATING_POINTS):
            if np.isnan(at[k]):  # an external model without scores on validation
                continue
            for prevalence in PREVALENCES:
                draws = precision_at_prevalence(
                    counts.recall[:, k], counts.specificity[:, k], prevalence
                )
                low, high = percentile_interval(draws[1:])
                lines.append({
                    "cell": cell, "operating_point": point, "prevalence": prevalence,
                    "precision": float(draws[0]), "lo": low, "hi": high,
                })  # fmt: skip
    return {"prevalence": pd.DataFrame(lines, columns=COLUMNS)}
