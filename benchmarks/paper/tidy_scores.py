"""The scores of a run in long form: one row per number, with its interval."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from benchmarks.io.columns import OPERATING_POINTS
from benchmarks.io.results import Results
from benchmarks.statistics.method_rows import Row, rows

COLUMNS = [
    "features", "classifier", "metric", "operating_point", "value", "lo", "hi", "split", "n",
    "n_positive", "threshold", "seeds", "sd",
]  # fmt: skip
AT_A_THRESHOLD = ("precision", "recall", "specificity")
AT_ALL_THRESHOLDS = ("auc", "average_precision")
SPLITS = ("validation", "test")


def tidy(results: Results) -> pd.DataFrame:
    """Tabulate every number of the main table, on validation and on test.

    Parameters
    ----------
    results : Results

    Returns
    -------
    DataFrame
        Columns ``COLUMNS``. ``operating_point`` and ``threshold`` are empty for metrics over all
        thresholds. With several seeds ``value``, ``lo``, ``hi`` and ``threshold`` are means over
        the ``seeds`` that finished, as in the report, whose intervals include the choice of a
        chosen threshold, and ``sd`` is the standard deviation of the
        value over them. Methods that did not finish have no rows.
    """
    lines = [line for row in rows(results) if row.ok for line in _lines(row)]
    return pd.DataFrame(lines, columns=COLUMNS)


def _lines(row: Row) -> Iterator[dict[str, Any]]:
    for split in SPLITS:
        for point in OPERATING_POINTS:
            for metric in AT_A_THRESHOLD:
                yield _line(row, split, point, metric, point)
        for metric in AT_ALL_THRESHOLDS:
            yield _line(row, split, OPERATING_POINTS[0], metric, "")


def _line(row: Row, split: str, point: str, metric: str, shown: str) -> dict[str, Any]:
    one, scores = row.estimate(split, point, metric), row.at(split, point)
    threshold = float(scores["threshold"].astype(float).mean()) if shown else math.nan
    return {
        "features": row.features, "classifier": row.classifier, "metric": metric,
        "operating_point": shown, "value": one.value, "lo": one.low, "hi": one.high,
        "split": split, "n": _count(scores, "n"), "n_positive": _count(scores, "n_positive"),
        "threshold": threshold, "seeds": len(scores), "sd": one.spread,
    }  # fmt: skip


def _count(scores: pd.DataFrame, column: str) -> int:
    known = scores[column].dropna()  # none of a split that an external model did not score
    return int(known.iloc[0]) if len(known) else 0
