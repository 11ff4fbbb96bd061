"""Difference between cross-validation and the official test split."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from benchmarks.fitting.cross_validation import CV, cross_fitted_thresholds_in_draws
from benchmarks.io.columns import MORE_TABLES, OPERATING_POINTS
from benchmarks.io.results import Results
from benchmarks.metrics.arrays import Floats
from benchmarks.metrics.bootstrap import (
    percentile_interval,
    seed_error,
    with_interval,
    with_seed_error,
)
from benchmarks.metrics.calibration import brier_score
from benchmarks.metrics.ranking import ranking_metrics
from benchmarks.metrics.rates import MAIN_RATES, confusion_in_draws
from benchmarks.statistics.method_rows import Estimate, Row, finished
from benchmarks.statistics.split_scores import (
    CHOSEN_POINT,
    SplitScores,
    read_split,
    thresholds_with_draws,
)

TEST = "test"
WITHOUT_POINT = ("auc", "average_precision", "brier")
FEWEST = 3  # methods for a rank correlation
Line = dict[str, Any]
Key = tuple[str, str, str]  # cell, metric, operating point


def tabulate(results: Results) -> dict[str, pd.DataFrame]:
    """Tabulate metrics in cross-validation and on the official test split, and their difference.

    Parameters
    ----------
    results : Results
        Methods that were not cross-validated are left out, and so are seeds that were not.

    Returns
    -------
    dict of DataFrame
        ``gap``: one row per method, metric and operating point; ``cell`` is the first seed. Values
        are means over seeds, with intervals as from
        :meth:`~benchmarks.statistics.method_rows.Row.estimate`. The interval of the difference is a
        percentile interval over pairs of draws: training and test patients are different people, so
        they are drawn independently. With several seeds, each draw is averaged over them, and the
        interval includes the variance of the difference between seeds. The draws do not refit the
        models, in neither evaluation. ``gap_ranks``: Spearman's rank correlation of the methods'
        AUC, if there are at least three methods; its interval does not include the variance between
        seeds.
    """
    crossed = set(results.scores.loc[results.scores["split"] == CV, "cell"])
    own = [
        replace(row, scores=row.scores[row.scores["cell"].isin(crossed)])
        for row in finished(results)
    ]
    table = [row for row in own if row.ok]
    lines, ranks = _rows(results, table) if table else ([], [])
    return {
        "gap": pd.DataFrame(lines, columns=MORE_TABLES["gap"]),
        "gap_ranks": pd.DataFrame(ranks, columns=MORE_TABLES["gap_ranks"]),
    }


def rank_correlation(cv: Floats, official: Floats) -> Floats:
    """Compute Spearman's rank correlation of methods between two evaluations, in each draw.

    Parameters
    ----------
    cv, official : ndarray of shape (methods, draws)
        Values of a metric in draws of two independent bootstraps.

    Returns
    -------
    ndarray of shape (draws,)
        NaN where all methods have the same value in one evaluation. Tied values share their mean
        rank.

    References
    ----------
    Spearman C. The proof and measurement of association between two things. Am J Psychol
    1904;15:72-101. doi:10.2307/1412159

    Examples
    --------
    >>> auc = np.array([[0.9, 0.9], [0.8, 0.8], [0.7, 0.7]])
    >>> rank_correlation(auc, np.array([[0.6, 0.9], [0.65, 0.8], [0.7, 0.7]])).round(9).tolist()
    [-1.0, 1.0]
    """
    ranks = [rankdata(values, axis=0) for values in (cv, official)]
    a, b = (one - one.mean(axis=0) for one in ranks)
    with np.errstate(invalid="ignore"):
        rho: Floats = (a * b).sum(axis=0) / np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    return rho


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


def draws_of(split: SplitScores, chosen: Iterable[tuple[str, str, Floats]]) -> dict[Key, Floats]:
    """Compute the metrics of all cells in every draw of a split's patients.

    Parameters
    ----------
    split : SplitScores
        AUC and average precision are means over its folds.
    chosen : iterable of (str, str, ndarray)
        Cell, operating point and threshold of each draw, of shape (1, 1), (draws, 1) or (draws, n).

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
    for cell, point, threshold in chosen:
        counts = confusion_in_draws(label, split.scores[cell] >= threshold, weights)
        draws |= {(cell, name, point): getattr(counts, name) for name in MAIN_RATES}
    return draws


def _rows(results: Results, table: Sequence[Row]) -> tuple[list[Line], list[Line]]:
    """Rows of both tables."""
    cells = [cell for row in table for cell in row.cells()]
    cv, test = read_split(results, CV, cells), read_split(results, TEST, cells)
    drawn = _over_seeds(draws_of(cv, _cv_thresholds(cv, cells)), table)
    official = _over_seeds(draws_of(test, _test_thresholds(results, test, cells)), table)
    lines = []
    for row, (metric, point) in product(table, _METRICS):
        key = (row.cells()[0], metric, point)
        low, high = percentile_interval(gap_draws(drawn[key], official[key]))
        lines.append(_line(row, metric, point, (low, high)))
    auc = [line for line in lines if line["metric"] == "auc"]
    own = [np.array([line[name] for line in auc], dtype=float) for name in ("cv", "official")]
    draws = [
        np.array([one[row.cells()[0], "auc", ""] for row in table]) for one in (drawn, official)
    ]
    return lines, _ranks(own[0], own[1], draws[0], draws[1])


def _over_seeds(draws: Mapping[Key, Floats], table: Sequence[Row]) -> dict[Key, Floats]:
    """Average each draw over the seeds of a method, under the name of its first cell."""
    return {
        (row.cells()[0], metric, point): np.mean(
            [draws[cell, metric, point] for cell in row.cells()], axis=0
        )
        for row in table
        for metric, point in _METRICS
    }


def _line(row: Row, metric: str, point: str, bounds: tuple[float, float]) -> Line:
    """Row of ``gap``, from the interval of the mean gap over patients."""
    found = {
        name: row.estimate(split, point or OPERATING_POINTS[0], metric)
        for name, split in (("cv", CV), ("official", TEST))
    }
    by_seed = [
        row.at(split, point or OPERATING_POINTS[0]).set_index("cell")[metric].astype(float)
        for split in (CV, TEST)
    ]
    gap = found["cv"].value - found["official"].value
    error = seed_error(np.array(by_seed[0] - by_seed[1], dtype=np.float64))
    if len(by_seed[0]) > 1:
        low, high = with_seed_error(gap, *bounds, error)
        bounds = float(low), float(high)
    return {
        "cell": row.cells()[0], "metric": metric, "operating_point": point,
        **{name + end: value for name, one in found.items() for end, value in _ends(one).items()},
        "gap": gap, "gap_lo": bounds[0], "gap_hi": bounds[1],
    }  # fmt: skip


def _ends(one: Estimate) -> dict[str, float]:
    return {"": one.value, "_lo": one.low, "_hi": one.high}


def _ranks(cv: Floats, official: Floats, cv_draws: Floats, test_draws: Floats) -> list[Line]:
    """Row of ``gap_ranks``; none if there are few methods or all values are equal."""
    if len(cv) < FEWEST or len(set(cv)) == 1 or len(set(official)) == 1:
        return []
    n = min(cv_draws.shape[1], test_draws.shape[1])
    drawn = rank_correlation(cv_draws[:, :n], test_draws[:, :n][:, ::-1])
    value = rank_correlation(cv[:, None], official[:, None])
    return [{"metric": "auc", "methods": len(cv), **with_interval("rho", np.append(value, drawn))}]


def _cv_thresholds(cv: SplitScores, cells: list[str]) -> Iterator[tuple[str, str, Floats]]:
    weights = cv.bootstrap().weights
    for cell in cells:
        yield cell, "0.5", np.full((1, 1), 0.5)
        drawn = cross_fitted_thresholds_in_draws(cv.label, cv.scores[cell], cv.fold, weights)
        yield cell, CHOSEN_POINT, drawn


def _test_thresholds(
    results: Results, test: SplitScores, cells: list[str]
) -> Iterator[tuple[str, str, Floats]]:
    draws = len(test.bootstrap().weights)
    for point in OPERATING_POINTS:
        found = thresholds_with_draws(results, point, cells, draws)
        for cell in cells:
            yield cell, point, found[cell][1:, None]


_METRICS = [
    *((metric, point) for point in OPERATING_POINTS for metric in MAIN_RATES),
    *((metric, "") for metric in WITHOUT_POINT),
]
