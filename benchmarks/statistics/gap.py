"""Difference between cross-validation and the official test split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from benchmarks.fitting.cross_validation import CV, cross_fitted_thresholds
from benchmarks.io.columns import MORE_TABLES, OPERATING_POINTS
from benchmarks.io.results import Results
from benchmarks.metrics.arrays import Floats
from benchmarks.metrics.bootstrap import percentile_interval
from benchmarks.metrics.calibration import brier_score
from benchmarks.metrics.ranking import ranking_metrics
from benchmarks.metrics.rates import MAIN_RATES, confusion
from benchmarks.statistics.split_scores import SplitScores, methods, read_split, thresholds

TEST = "test"
WITHOUT_POINT = ("auc", "average_precision", "brier")
Key = tuple[str, str, str]  # cell, metric, operating point


def tabulate(results: Results) -> dict[str, pd.DataFrame]:
    """Tabulate metrics in cross-validation and on the official test split, and their difference.

    Parameters
    ----------
    results : Results
        Methods that were not cross-validated are left out.

    Returns
    -------
    dict of DataFrame
        ``gap``: one row per method, metric and operating point. Values and their intervals are
        those of ``scores.csv``. The interval of the difference is a percentile interval over pairs
        of draws: training and test patients are different people, so they are drawn independently.
    """
    crossed = set(results.scores.loc[results.scores["split"] == CV, "cell"])
    cells = [cell for cell in methods(results) if cell in crossed]
    lines = list(_lines(results, cells)) if cells else []
    return {"gap": pd.DataFrame(lines, columns=MORE_TABLES["gap"])}


def gap_draws(cv: Floats, official: Floats) -> Floats:
    """Compute differences between the draws of two independent bootstraps.

    Parameters
    ----------
    cv, official : ndarray of shape (draws,)
        Values of a metric. If one bootstrap has more draws, its surplus is not used.

    Returns
    -------
    ndarray
        ``cv`` minus ``official`` in reverse order. Both bootstraps have the same seed, so for two
        splits with equally many patients the k-th draws would not be independent.

    Examples
    --------
    >>> gap_draws(np.array([0.9, 0.8, 0.7]), np.array([0.5, 0.6]))
    array([0.3, 0.3])
    """
    n = min(len(cv), len(official))
    return cv[:n] - official[:n][::-1]


def draws_of(
    split: SplitScores, chosen: Mapping[tuple[str, str], float | Floats]
) -> dict[Key, Floats]:
    """Compute the metrics of all cells in every draw of a split's patients.

    Parameters
    ----------
    split : SplitScores
        AUC and average precision are means over its folds.
    chosen : dict of float or ndarray of shape (n,)
        Threshold, common or of each image, by cell and operating point.

    Returns
    -------
    dict of ndarray of shape (draws,)
        By cell, metric and operating point; the latter is empty for threshold-free metrics.
    """
    label, weights = split.label, split.bootstrap().weights
    draws: dict[Key, Floats] = {}
    for cell, score in split.scores.items():
        ranking = ranking_metrics(label, score, weights, split.fold)
        values = (*ranking, brier_score(label, score, weights))
        draws |= {(cell, name, ""): v for name, v in zip(WITHOUT_POINT, values, strict=True)}
    predicted = [split.scores[cell] >= threshold for (cell, _), threshold in chosen.items()]
    counts = confusion(label, np.column_stack(predicted), weights)
    for name in MAIN_RATES:
        found = getattr(counts, name).T
        draws |= {(cell, name, point): v for (cell, point), v in zip(chosen, found, strict=True)}
    return draws


def _lines(results: Results, cells: list[str]) -> Iterator[dict[str, object]]:
    cv, test = read_split(results, CV, cells), read_split(results, TEST, cells)
    at_cv: dict[tuple[str, str], float | Floats] = {(cell, "0.5"): 0.5 for cell in cells}
    for cell, score in cv.scores.items():
        at_cv[cell, "recall95"] = cross_fitted_thresholds(cv.label, score, cv.fold)
    on_test = {point: thresholds(results, point) for point in OPERATING_POINTS}
    at_test = {(cell, point): on_test[point][cell] for cell, point in at_cv}
    drawn, official = draws_of(cv, at_cv), draws_of(test, at_test)
    keys = results.scores[["cell", "split", "operating_point"]].itertuples(index=False, name=None)
    scores = dict(zip(keys, results.scores.to_dict("records"), strict=True))
    for cell in cells:
        for metric, point in _METRICS:
            key = (cell, metric, point)
            low, high = percentile_interval(gap_draws(drawn[key], official[key]))
            values = {
                name + end: scores[cell, split, point or "0.5"][metric + end]
                for name, split in (("cv", CV), ("official", TEST)) for end in ("", "_lo", "_hi")
            }  # fmt: skip
            yield {
                "cell": cell, "metric": metric, "operating_point": point, **values,
                "gap": values["cv"] - values["official"], "gap_lo": low, "gap_hi": high,
            }  # fmt: skip


_METRICS = [
    *((metric, point) for point in OPERATING_POINTS for metric in MAIN_RATES),
    *((metric, "") for metric in WITHOUT_POINT),
]
