"""Decision curves: net benefit of each method and of treating all patients."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.io.columns import MORE_TABLES
from benchmarks.io.results import Results
from benchmarks.metrics.arrays import Floats
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
        ``decision``: one row per method or ``treat_all``, and threshold: the net benefit, which is
        its difference to treating none, and ``minus_all``, its difference to treating all, with
        paired intervals from shared bootstrap draws of patients. Scores are read as probabilities
        without recalibration.
    """
    test = read_split(results, "test", methods(results))
    policies = {TREAT_ALL: np.ones(len(test.label)), **test.scores} if test.scores else {}
    parts = []
    everyone = np.zeros(())
    for name, score in policies.items():
        drawn = net_benefit(test.label, score, THRESHOLDS, test.bootstrap().with_original())
        if name == TREAT_ALL:
            everyone = drawn
        parts.append(pd.DataFrame({
            "cell": name, "threshold": THRESHOLDS,
            **dict(zip(COLUMNS[2:5], _with_bounds(drawn), strict=True)),
            **dict(zip(COLUMNS[5:], _with_bounds(drawn - everyone), strict=True)),
        }))  # fmt: skip
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)
    return {"decision": table[COLUMNS]}


def _with_bounds(drawn: Floats) -> tuple[Floats, Floats, Floats]:
    """Values on the original images and their bounds, at each threshold."""
    low, high = np.array([percentile_interval(values) for values in drawn[1:].T]).T
    return drawn[0], low, high
