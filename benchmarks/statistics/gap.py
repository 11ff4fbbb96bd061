"""How much better a method looks in cross-validation than on the official test split."""

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
    """Table ``gap``: cross-validation, official test and their difference, each with its interval.

    Parameters
    ----------
    results : Results
        Methods without scores of a cross-validation are left out.

    Returns
    -------
    dict of DataFrame
        ``gap``. Values and their intervals are those of ``scores.csv``; the interval of the
        difference is the percentile interval over pairs of draws, one of training and one of test
        patients, who are different people and so drawn independently.
    """
    crossed = set(results.scores.loc[results.scores["split"] == CV, "cell"])
    cells = [cell for cell in methods(results) if cell in crossed]
    lines = list(_lines(results, cells)) if cells else []
    return {"gap": pd.DataFrame(lines, columns=MORE_TABLES["gap"])}


def gap_draws(cv: Floats, official: Floats) -> Floats:
    """Differences of paired draws of two independent bootstraps.

    Parameters
    ----------
    cv, official : ndarrays of shape (draws,)
        Values of a metric; if one bootstrap has fewer draws, only so many of the other are taken.

    Returns
    -------
    ndarray
        ``cv`` minus ``official``, whose draws are taken from the last to the first: both come from
        one seed, so that of two splits with as many patients the k-th draws would be alike.

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
    """Metrics of all cells in every draw of a split's patients, by one product of matrices.

    Parameters
    ----------
    split : SplitScores
        AUC and average precision are means over its folds.
    chosen : dict of float or ndarray of shape (n,)
        Threshold, or that of each image, by cell and operating point.

    Returns
    -------
    dict of ndarray of shape (draws,)
        By cell, metric and operating point, which is empty for metrics without a threshold.
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
