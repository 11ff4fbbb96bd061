"""Pairwise comparisons of methods on the test set: differences, intervals and tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.fitting.cell import EXTERNAL
from benchmarks.io.columns import MORE_TABLES, OPERATING_POINTS
from benchmarks.io.results import Results
from benchmarks.metrics.arrays import Floats, Labels
from benchmarks.metrics.binary import RATES
from benchmarks.metrics.bootstrap import (
    QUANTILE,
    PatientBootstrap,
    paired_intervals,
    seed_error,
    with_seed_error,
)
from benchmarks.metrics.calibration import brier_score
from benchmarks.metrics.delong import (
    AucCovariance,
    auc_difference,
    clustered_delong,
    delong,
)
from benchmarks.metrics.hypothesis_tests import holm, mcnemar, sign_flip_test, wald_p
from benchmarks.metrics.ranking import ranking_metrics
from benchmarks.metrics.rates import confusion_in_draws
from benchmarks.statistics.split_scores import (
    CHOSEN_POINT,
    read_split,
    thresholds_with_draws,
)

COLUMNS = MORE_TABLES["comparisons"]
THRESHOLD_FREE = ("auc", "average_precision", "brier")
TESTED = {(metric, CHOSEN_POINT) for metric in ("specificity", "precision")}

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
    thresholds : dict of str to ndarray of shape (methods, 1 + draws)
        By operating point: the threshold, then that of each bootstrap draw, in which a chosen
        threshold is chosen again. NaN for a method without a threshold.
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
    """Compare all pairs of methods on the test set.

    Parameters
    ----------
    results : Results

    Returns
    -------
    dict of DataFrame
        ``comparisons``; see :func:`compare_pairs`. Empty with fewer than two methods. Cells are
        the first finished seed of each method.
    """
    done = results.scores[results.scores["status"] == "ok"]
    methods = [part for _, part in done.groupby(["features", "model"], sort=False)]
    seeds = [list(dict.fromkeys(part["cell"].astype(str))) for part in methods]
    fitted = [len(names) for part, names in zip(methods, seeds, strict=True)
              if part["features"].iloc[0] != EXTERNAL]  # fmt: skip
    scored = [  # an external model has no seeds: its one cell is compared with each
        _scored(results, [names[min(k, len(names) - 1)] for names in seeds])
        for k in range(min(fitted, default=min(1, len(seeds))))
    ]
    n = len(scored[0].cells) if scored else 0
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    return {"comparisons": compare_pairs(scored[0], pairs, scored[1:]) if pairs
            else pd.DataFrame(columns=COLUMNS)}  # fmt: skip


def _scored(results: Results, names: list[str]) -> Scored:
    split = read_split(results, "test", names)
    cells = list(split.scores)
    bootstrap = split.bootstrap()
    cuts = {
        point: thresholds_with_draws(results, point, cells, len(bootstrap.weights))
        for point in OPERATING_POINTS
    }
    return Scored(
        cells,
        split.label,
        split.group,
        np.array(list(split.scores.values())),
        {point: np.array([cut[cell] for cell in cells]) for point, cut in cuts.items()},
        bootstrap,
    )


def compare_pairs(
    scored: Scored, pairs: Sequence[Pair], more_seeds: Sequence[Scored] = ()
) -> pd.DataFrame:
    """Compare pairs of methods with every test.

    Parameters
    ----------
    scored : Scored
    pairs : sequence of (int, int)
        Positions of the methods; differences are first minus second.
    more_seeds : sequence of Scored
        The same methods fitted with other seeds.

    Returns
    -------
    DataFrame
        Columns as in ``benchmarks.io.columns.MORE_TABLES``. ``test`` is one of

        - ``clustered_delong``: AUC, assuming independent patients (Obuchowski 1997);
        - ``delong``: AUC, assuming independent images;
        - ``bootstrap``: every metric, resampling patients, with an interval; where the operating
          point is chosen on validation patients, these are resampled, too. For specificity and
          precision there, ``p`` is of a Wald test with the standard error over the draws;
        - ``sign_flip``: accuracy, recall and specificity at the threshold for a recall of 0.95 on
          the validation set, which is held fixed; exact test assuming independent patients;
        - ``mcnemar``: the same, exact test assuming independent images.

        With several seeds, values of the first three are means over them, and the variance between
        seeds is included; the last two are of the first seed. ``p_holm`` is adjusted over all
        pairs, separately for each test and metric.
    """
    if not pairs:
        return pd.DataFrame(columns=COLUMNS)
    i, j = (np.array(side, dtype=np.intp) for side in zip(*pairs, strict=True))
    seeds = [scored, *more_seeds]
    every = np.concatenate([one.scores for one in seeds])
    areas = {
        "clustered_delong": clustered_delong(scored.label, every, scored.group),
        "delong": delong(scored.label, every),
    }
    parts = [_area_rows(name, found, len(seeds), i, j) for name, found in areas.items()]
    parts += [*_mcnemar_rows(scored, i, j), *_bootstrap_rows(seeds, i, j)]
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
    test: str, areas: AucCovariance, seeds: int, i: NDArray[np.intp], j: NDArray[np.intp]
) -> pd.DataFrame:
    """Rows of a test of AUCs, from those of all methods of the first seed, the second and so on."""
    by_seed = areas.auc.reshape(seeds, -1)
    covariance = areas.covariance.reshape(*by_seed.shape, *by_seed.shape).mean(axis=(0, 2))
    mean = AucCovariance(by_seed.mean(axis=0), covariance)
    found = [auc_difference(mean, int(a), int(b)) for a, b in zip(i, j, strict=True)]
    difference, low, high, p = np.array(found).T
    if seeds > 1:
        of_seed = seed_error(by_seed[:, i] - by_seed[:, j])
        p = wald_p(difference, np.hypot((high - low) / 2 / QUANTILE, of_seed))
        p[np.isnan(low)] = np.nan
        low, high = with_seed_error(difference, low, high, of_seed)
    rows = _rows(test, "auc", "", mean.auc, i, j)
    return rows.assign(difference=difference, lo=low, hi=high, p=p, p_holm=holm(p))


def _mcnemar_rows(scored: Scored, i: NDArray[np.intp], j: NDArray[np.intp]) -> list[pd.DataFrame]:
    """Rows of McNemar's test and of its form for patients, on all images and on each class."""
    cut = scored.thresholds[CHOSEN_POINT][:, 0]
    positive = scored.label == 1
    right = ((scored.scores >= cut[:, None]) == positive).astype(np.int64)
    patient = scored.bootstrap.patient
    everyone = np.ones(len(positive), dtype=bool)
    parts = []
    for metric, member in (
        ("accuracy", everyone), ("recall", positive), ("specificity", ~positive)
    ):  # fmt: skip
        own = right[:, member]
        values = np.where(np.isnan(cut), np.nan, own.mean(axis=1))
        sums = np.array([np.bincount(patient[member], hits) for hits in own])
        flips = (sums[i] - sums[j]).round().astype(np.int64)
        p = {"sign_flip": np.array([sign_flip_test(row) for row in flips])}
        both = own @ own.T
        only_a, only_b = (np.diag(both)[k] - both[i, j] for k in (i, j))
        pairs = zip(only_a, only_b, strict=True)
        p["mcnemar"] = np.array([mcnemar(int(a), int(b)) for a, b in pairs])
        for test, found in p.items():
            rows = _rows(test, metric, CHOSEN_POINT, values, i, j)
            untested = rows["difference"].isna().to_numpy()
            found[untested] = np.nan
            rows["only_a"], rows["only_b"] = (
                pd.arrays.IntegerArray(count.astype(np.int64), untested)
                for count in (only_a, only_b)
            )
            parts.append(rows.assign(p=found, p_holm=holm(found)))
    return parts


def _bootstrap_rows(
    seeds: Sequence[Scored], i: NDArray[np.intp], j: NDArray[np.intp]
) -> list[pd.DataFrame]:
    parts = []
    found = [_draws(scored) for scored in seeds]
    for metric, point in found[0]:
        each = np.array([draws[metric, point] for draws in found])
        draws, values = each.mean(axis=0), each[..., 0]
        rows = _rows("bootstrap", metric, point, draws[:, 0], i, j)
        difference = rows["difference"].to_numpy()
        low, high = paired_intervals(draws[:, 1:], i, j)
        of_seed = seed_error(values[:, i] - values[:, j])
        if len(seeds) > 1:
            low, high = with_seed_error(difference, low, high, of_seed)
        rows = rows.assign(lo=low, hi=high)
        if (metric, point) in TESTED:
            error = np.hypot((draws[i] - draws[j])[:, 1:].std(axis=1), of_seed)
            p = wald_p(difference, error)
            rows = rows.assign(p=p, p_holm=holm(p))
        parts.append(rows)
    return parts


def _draws(scored: Scored) -> dict[tuple[str, str], Floats]:
    """Every metric of every method, on the original images (column 0) and in each draw."""
    weights = scored.bootstrap.with_original()
    found: dict[tuple[str, str], list[Floats]] = {}
    for k, score in enumerate(scored.scores):
        free = {**ranking_metrics(scored.label, score, weights)._asdict(),
                "brier": brier_score(scored.label, score, weights)}  # fmt: skip
        for metric in THRESHOLD_FREE:
            found.setdefault((metric, ""), []).append(free[metric])
        for point in OPERATING_POINTS:
            cut = scored.thresholds[point][k][:, None]
            counts = confusion_in_draws(scored.label, score >= cut, weights)
            for metric in RATES:
                values = getattr(counts, metric)
                # An external model without scores on the validation set has no threshold there.
                values = np.where(np.isnan(cut[:, 0]), np.nan, values)
                found.setdefault((metric, point), []).append(values)
    return {key: np.stack(draws) for key, draws in found.items()}
