"""Precision of each method where pneumonia is rarer or more frequent than on test."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.io.columns import MORE_TABLES, OPERATING_POINTS
from benchmarks.io.results import Results
from benchmarks.metrics.operating import precision_at_prevalence, rates
from benchmarks.statistics.common import methods, split_of, thresholds

COLUMNS = MORE_TABLES["prevalence"]
PREVALENCES = (0.05, 0.10, 0.25, 0.50)


def tabulate(results: Results) -> dict[str, pd.DataFrame]:
    """Precision at four prevalences, from recall and specificity on the test images.

    Parameters
    ----------
    results : Results

    Returns
    -------
    dict of DataFrame
        ``prevalence``: a row for each method, operating point and prevalence.
    """
    test = split_of(results, "test", methods(results))
    lines: list[dict[str, Any]] = []
    for cell, score in test.scores.items():
        bootstrap = test.bootstrap()
        at = np.array([thresholds(results, point)[cell] for point in OPERATING_POINTS])
        value, drawn = (rates(test.label, score, at, w) for w in (None, bootstrap.weights))
        for k, point in enumerate(OPERATING_POINTS):
            if np.isnan(at[k]):  # an external model without scores on validation
                continue
            for prevalence in PREVALENCES:
                one, all_draws = (
                    precision_at_prevalence(r.recall[..., k], r.specificity[..., k], prevalence)
                    for r in (value, drawn)
                )
                low, high = bootstrap.interval(all_draws)
                lines.append({
                    "cell": cell, "operating_point": point, "prevalence": prevalence,
                    "precision": float(one), "lo": low, "hi": high,
                })  # fmt: skip
    return {"prevalence": pd.DataFrame(lines, columns=COLUMNS)}
