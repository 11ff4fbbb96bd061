"""Methods at the same recall: what validation promised, and what test gave."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmarks.io.columns import MORE_TABLES
from benchmarks.io.results import Results
from benchmarks.metrics.bootstrap import Floats, PatientBootstrap
from benchmarks.metrics.operating import rates, thresholds_at_recalls
from benchmarks.statistics.common import SplitScores, methods, split_of

COLUMNS = MORE_TABLES["matched"]
TARGETS = (0.90, 0.95, 0.98)


def tabulate(results: Results) -> dict[str, pd.DataFrame]:
    """Rates of every method at thresholds for three recalls on validation.

    Parameters
    ----------
    results : Results

    Returns
    -------
    dict of DataFrame
        ``matched``: a row for each method, target and split. Thresholds stay as they are in the
        draws of the bootstrap, so that an interval on validation leaves out their choice.
    """
    cells = methods(results)
    validation, test = (split_of(results, name, cells) for name in ("validation", "test"))
    lines: list[dict[str, Any]] = []
    for cell in validation.scores:
        thresholds = thresholds_at_recalls(validation.label, validation.scores[cell], TARGETS)
        for split, scores in (("validation", validation), ("test", test)):
            lines += _lines(cell, split, scores, thresholds)
    return {"matched": pd.DataFrame(lines, columns=COLUMNS)}


def _lines(cell: str, split: str, data: SplitScores, thresholds: Floats) -> list[dict[str, Any]]:
    bootstrap: PatientBootstrap = data.bootstrap()
    value = rates(data.label, data.scores[cell], thresholds)
    drawn = rates(data.label, data.scores[cell], thresholds, bootstrap.weights)
    lines = []
    for k, (target, threshold) in enumerate(zip(TARGETS, thresholds, strict=True)):
        line = {"cell": cell, "split": split, "target_recall": target, "threshold": threshold}
        for name in ("recall", "specificity", "precision"):
            low, high = bootstrap.interval(getattr(drawn, name)[:, k])
            line |= {name: getattr(value, name)[k], f"{name}_lo": low, f"{name}_hi": high}
        lines.append(line)
    return lines
