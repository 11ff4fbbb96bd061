"""Pairwise comparisons of methods on the test set: differences, intervals and tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.io.columns import METRICS, MORE_TABLES, OPERATING_POINTS
from benchmarks.io.results import Results
from benchmarks.metrics.arrays import Floats, Labels
from benchmarks.metrics.binary import bootstrap_metrics
from benchmarks.metrics.bootstrap import PatientBootstrap, paired_intervals
from benchmarks.metrics.delong import AucCovariance, auc_difference, clustered_delong, delong
from benchmarks.metrics.holm import holm
from benchmarks.metrics.mcnemar import mcnemar
from benchmarks.metrics.ranking import ranking_metrics
from benchmarks.statistics.split_scores import methods, read_split, thresholds

COLUMNS = MORE_TABLES["comparisons"]
THRESHOLD_FREE = ("auc", "average_precision", "brier")
MCNEMAR_POINT = "recall95"

Pair = tuple[int, int]


@dataclass(frozen=True)
class Scored:
    """Scores of several methods on the same images.

    Attributes
    ----------
    cells : list of str
        Names; they may repeat if the methods come from two runs.
    label : ndarray of shape (n,), 1 = positive
    group : ndarray of shape (n,)
        Patient of each image.
    scores : ndarray of shape (methods, n)
    thresholds : dict of str to ndarray of shape (methods,)
        By operating point.
    bootstrap : PatientBootstrap
        Draws of these images' patients.
    """

    cells: list[str]
    label: Labels
    group: NDArray[np.object_]
    scores: Floats
    thresholds: dict[str, Floats]
    bootstrap: PatientBootstrap


def tabulate(results: Results) -> dict[str, pd.DataFrame]:
    """Compare all pairs of methods on the test set, by the first finished seed of each.

    Parameters
    ----------
    results : Results

    Returns
    -------
    dict of DataFrame
        ``comparisons``; see :func:`compare_pairs`. Empty with fewer than two methods.
    """
    split = read_split(results, "test", methods(results))
    cells = list(split.scores)
    if len(cells) < 2:
        return {"comparisons": pd.DataFrame(columns=COLUMNS)}
    cuts = {point: thresholds(results, point) for point in OPERATING_POINTS}
    scored = Scored(
        cells,
        split.label,
        split.group,
        np.stack(list(split.scores.values())),
        {point: np.array([cut[cell] for cell in cells]) for point, cut in cuts.items()},
        split.bootstrap(),
    )
    pairs = [(i, j) for i in range(len(cells)) for j in range(i + 1, len(cells))]
    return {"comparisons": compare_pairs(scored, pairs)}


def compare_pairs(scored: Scored, pairs: Sequence[Pair]) -> pd.DataFrame:
    """Compare pairs of methods with every test.

    Parameters
    ----------
    scored : Scored
    pairs : sequence of (int, int)
        Positions of the methods; differences are first minus second.

    Returns
    -------
    DataFrame
        Columns as in ``benchmarks.io.columns.MORE_TABLES``. ``test`` is one of

        - ``clustered_delong``: AUC, assuming independent patients (Obuchowski 1997);
        - ``delong``: AUC, assuming independent images;
        - ``mcnemar``: accuracy at the threshold for a recall of 0.95 on the validation set; exact
          test assuming independent images; the interval is in the rows of ``bootstrap``;
        - ``bootstrap``: every metric, resampling patients, with an interval and no p value.

        ``p_holm`` is adjusted over all pairs, separately for each test.
    """
    if not pairs:
        return pd.DataFrame(columns=COLUMNS)
    i, j = (np.array(side, dtype=np.intp) for side in zip(*pairs, strict=True))
    areas = {
        "clustered_delong": clustered_delong(scored.label, scored.scores, scored.group),
        "delong": delong(scored.label, scored.scores),
    }
    parts = [_area_rows(name, found, i, j) for name, found in areas.items()]
    parts += [_mcnemar_rows(scored, i, j), *_bootstrap_rows(scored, i, j)]
    table = pd.concat(parts, ignore_index=True)
    names = np.array(scored.cells, dtype=object)
    repeats = len(parts)
    table["cell_a"], table["cell_b"] = np.tile(names[i], repeats), np.tile(names[j], repeats)
    return table[COLUMNS]


def _rows(
    test: str, metric: str, point: str, values: Floats, i: NDArray[np.intp], j: NDArray[np.intp]
) -> pd.DataFrame:
    """One row per pair; columns that the test does not provide are empty."""
    empty = np.full(len(i), np.nan)
    counts = pd.array([pd.NA] * len(i), dtype="Int64")
    return pd.DataFrame({
        "test": test, "metric": metric, "operating_point": point, "value_a": values[i],
        "value_b": values[j], "difference": values[i] - values[j], "lo": empty, "hi": empty,
        "only_a": counts, "only_b": counts, "p": empty, "p_holm": empty,
    })  # fmt: skip


def _area_rows(
    test: str, areas: AucCovariance, i: NDArray[np.intp], j: NDArray[np.intp]
) -> pd.DataFrame:
    found = [auc_difference(areas, int(a), int(b)) for a, b in zip(i, j, strict=True)]
    difference, low, high, p = np.array(found).T
    rows = _rows(test, "auc", "", areas.auc, i, j)
    return rows.assign(difference=difference, lo=low, hi=high, p=p, p_holm=holm(p))


def _mcnemar_rows(scored: Scored, i: NDArray[np.intp], j: NDArray[np.intp]) -> pd.DataFrame:
    predicted = scored.scores >= scored.thresholds[MCNEMAR_POINT][:, None]
    right = (predicted == (scored.label == 1)).astype(np.int64)
    both = right @ right.T
    only_a = np.diag(both)[i] - both[i, j]
    only_b = np.diag(both)[j] - both[i, j]
    p = np.array([mcnemar(int(a), int(b)) for a, b in zip(only_a, only_b, strict=True)])
    accuracy = np.where(np.isnan(scored.thresholds[MCNEMAR_POINT]), np.nan, right.mean(axis=1))
    rows = _rows("mcnemar", "accuracy", MCNEMAR_POINT, accuracy, i, j)
    untested = rows["difference"].isna().to_numpy()
    p[untested] = np.nan
    counts = {"only_a": only_a, "only_b": only_b}
    return rows.assign(
        **{
            name: pd.arrays.IntegerArray(count.astype(np.int64), untested)
            for name, count in counts.items()
        },
        p=p, p_holm=holm(p),
    )  # fmt: skip


def _bootstrap_rows(scored: Scored, i: NDArray[np.intp], j: NDArray[np.intp]) -> list[pd.DataFrame]:
    parts = []
    for (metric, point), draws in _draws(scored).items():
        low, high = paired_intervals(draws[:, 1:], i, j)
        rows = _rows("bootstrap", metric, point, draws[:, 0], i, j)
        parts.append(rows.assign(lo=low, hi=high))
    return parts


def _draws(scored: Scored) -> dict[tuple[str, str], Floats]:
    """Every metric of every method, on the original images (column 0) and in each draw."""
    weights = scored.bootstrap.with_original()
    found: dict[tuple[str, str], list[Floats]] = {}
    for k, score in enumerate(scored.scores):
        ranking = ranking_metrics(scored.label, score, weights)
        for point in OPERATING_POINTS:
            threshold = float(scored.thresholds[point][k])
            values = bootstrap_metrics(scored.label, score, threshold, weights, ranking)
            for metric in METRICS:
                free = metric in THRESHOLD_FREE
                if np.isnan(threshold) and not free:  # an external model without validation scores
                    values[metric] = np.full(len(weights), np.nan)
                if not (free and point != OPERATING_POINTS[0]):
                    found.setdefault((metric, "" if free else point), []).append(values[metric])
    return {key: np.stack(draws) for key, draws in found.items()}
