"""The simulation of interval coverage near 1 and at chosen thresholds, and its table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.checks.rate_coverage import (
    AUCS,
    COLUMNS,
    CORRELATIONS,
    OVER_THRESHOLDS,
    REDRAWN,
    WILSON,
    check,
    resample,
    simulate,
)

TABLE = Path(__file__).parents[2] / "docs" / "checks" / "rate_coverage.csv"


def test_simulated_scores_have_the_given_auc() -> None:
    sample = simulate(0.97, 0.3, {0: 20_000, 1: 10_000}, np.random.default_rng(0))
    assert roc_auc_score(sample.label, sample.score) == pytest.approx(0.97, abs=0.005)
    assert len(set(sample.group)) == 30_000
    assert pd.Series(sample.label).groupby(sample.group).nunique().max() == 1


def test_class_sizes_differ_between_data_sets() -> None:
    rng = np.random.default_rng(1)
    samples = [simulate(0.9, 0.3, {0: 30, 1: 50}, rng) for _ in range(400)]
    assert {len(np.unique(sample.group)) for sample in samples} == {80}
    positive = [len(np.unique(sample.group[sample.label == 1])) for sample in samples]
    assert np.mean(positive) == pytest.approx(50, abs=1)
    assert np.std(positive) == pytest.approx(np.sqrt(80 * 5 / 8 * 3 / 8), rel=0.12)


def test_resamples_have_whole_patients_and_the_variance_of_the_bootstrap() -> None:
    rng = np.random.default_rng(2)
    sample = simulate(0.9, 0.3, {0: 100, 1: 100}, rng)
    weights = resample(sample, rng).weights
    first = np.unique(sample.group, return_index=True)[1]
    np.testing.assert_array_equal(weights, weights[:, first][:, sample.group])
    assert (weights[:, first].sum(axis=1) == 200).all()
    assert weights[:, first].var() == pytest.approx(1 - 1 / 200, rel=0.03)


def test_every_interval_is_counted() -> None:
    table = check(0.95, 0.3, repetitions=2, seed=0)
    assert table.columns.tolist() == COLUMNS
    # AUC twice; at 4 fixed thresholds 3 bootstrap and 2 Wilson; at the chosen one 3 × 2 and 2.
    assert len(table) == 2 + 4 * 5 + 8
    assert (table["repetitions"] == 2).all()
    assert (table["coverage"] + table["below"] + table["above"]).to_numpy() == pytest.approx(1)


def test_committed_coverage() -> None:
    """The intervals that the report shows cover the truth in about 95 %."""
    table = pd.read_csv(TABLE)
    assert len(table) == len(AUCS) * len(CORRELATIONS) * 30
    shown = table[table["method"].isin([WILSON, OVER_THRESHOLDS])]
    assert shown["coverage"].min() > 0.92
    assert shown["coverage"].mean() == pytest.approx(0.955, abs=0.01)
    precision = table[(table["quantity"] == "precision") & (table["method"] == REDRAWN)]
    assert precision["coverage"].between(0.93, 0.98).all()
