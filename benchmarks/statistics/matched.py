"""Methods at matched recall: rates on the validation and the test set."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.io.columns import MORE_TABLES
from benchmarks.io.results import Results
from benchmarks.metrics.arrays import Floats
from benchmarks.metrics.bootstrap import with_interval
from benchmarks.metrics.operating_points import threshold_at_recall
from benchmarks.metrics.rates import MAIN_RATES, confusion
from benchmarks.statistics.split_scores import SplitScores, methods, read_split

COLUMNS = MORE_TABLES["matched"]
TARGETS = (0.90, 0.95, 0.98)


def tabulate(results: Results) -> dict[str, pd.DataFrame]:
    """Tabulate the rates of every method at thresholds for three recalls on validation.

    Parameters
    ----------
    results : Results

    Returns
    -------
    dict of DataFrame
        ``matched``: one row per method, target and split. Thresholds are fixed in the bootstrap
        draws, so the intervals on validation do not include the uncertainty of their selection.
    """
    cells = methods(results)
    validation, test = (read_split(results, name, cells) for name in ("validation", "test"))
    lines: list[dict[str, Any]] = []
    for cell in validation.scores:
        label, score = validation.label, validation.scores[cell]
        thresholds = np.array([threshold_at_recall(label, score, recall) for recall in TARGETS])
        for split, scores in (("validation", validation), ("test", test)):
            lines += _lines(cell, split, scores, thresholds)
    return {"matched": pd.DataFrame(lines, columns=COLUMNS)}


def _lines(cell: str, split: str, data: SplitScores, thresholds: Floats) -> list[dict[str, Any]]:
    predicted = data.scores[cell][:, None] >= thresholds
    counts = confusion(data.label, predicted, data.bootstrap().with_original())
    lines = []
    for k, (target, threshold) in enumerate(zip(TARGETS, thresholds, strict=True)):
        line = {"cell": cell, "split": split, "target_recall": target, "threshold": threshold}
        for name in MAIN_RATES:
            line |= with_interval(name, getattr(counts, name)[:, k])
        lines.append(line)
    return lines
