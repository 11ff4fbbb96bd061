"""Precision of each method at other prevalences than that of the test set."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.io.columns import MORE_TABLES, OPERATING_POINTS
from benchmarks.io.results import Results
from benchmarks.metrics.bootstrap import percentile_interval
from benchmarks.metrics.rates import confusion_in_draws, precision_at_prevalence
from benchmarks.statistics.split_scores import methods, read_split, thresholds_with_draws

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
        ``prevalence``: one row per method, operating point and prevalence. A threshold that was
        chosen on the validation set is chosen again in each draw.
    """
    test = read_split(results, "test", methods(results))
    weights = test.bootstrap().with_original()
    cells = list(test.scores)
    found = {point: thresholds_with_draws(results, point, cells, len(weights) - 1)
             for point in OPERATING_POINTS}  # fmt: skip
    lines: list[dict[str, Any]] = []
    for cell, score in test.scores.items():
        for point in OPERATING_POINTS:
            cut = found[point][cell]
            if np.isnan(cut[0]):  # an external model without scores on validation
                continue
            counts = confusion_in_draws(test.label, score >= cut[:, None], weights)
            for prevalence in PREVALENCES:
                draws = precision_at_prevalence(counts.recall, counts.specificity, prevalence)
                low, high = percentile_interval(draws[1:])
                lines.append({
                    "cell": cell, "operating_point": point, "prevalence": prevalence,
                    "precision": float(draws[0]), "lo": low, "hi": high,
                })  # fmt: skip
    return {"prevalence": pd.DataFrame(lines, columns=COLUMNS)}
