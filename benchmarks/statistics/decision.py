"""Decision curves: net benefit of each method and of treating all patients."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.io.columns import MORE_TABLES
from benchmarks.io.results import Results
from benchmarks.metrics.bootstrap import percentile_interval
from benchmarks.metrics.net_benefit import net_benefit
from benchmarks.statistics.split_scores import methods, read_split

COLUMNS = MORE_TABLES["decision"]
THRESHOLDS = np.arange(1, 100) / 100
TREAT_ALL = "treat_all"


def tabulate(results: Results) -> dict[str, pd.DataFrame]:
    """Tabulate decision curves on the test set, at thresholds from 0.01 to 0.99.

    Parameters
    ----------
    results : Results

    Returns
    -------
    dict of DataFrame
        ``decision``: one row per method or ``treat_all``, and threshold. Scores are read as
        probabilities without recalibration.
    """
    test = read_split(results, "test", methods(results))
    policies = {TREAT_ALL: np.ones(len(test.label)), **test.scores} if test.scores else {}
    parts = []
    for name, score in policies.items():
        drawn = net_benefit(test.label, score, THRESHOLDS, test.bootstrap().weights)
        bounds = np.array([percentile_interval(values) for values in drawn.T])
        parts.append(pd.DataFrame({
            "cell": name, "threshold": THRESHOLDS,
            "net_benefit": net_benefit(test.label, score, THRESHOLDS),
            "lo": bounds[:, 0], "hi": bounds[:, 1],
        }))  # fmt: skip
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)
    return {"decision": table[COLUMNS]}
