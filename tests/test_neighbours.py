"""The nearest training images, and what exchanged columns are worth."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from benchmarks.importance.exchange import exchange, typical_row
from benchmarks.importance.neighbours import nearest, squared_distances, standardised
from models import MODELS


def test_distances_are_those_of_standardised_columns() -> None:
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(700, 5)) * [1, 100, 1e-3, 1, 1] + 50).astype(np.float32)
    rows[:, 3] = 50
    row = rows[0] + np.float32(0.5)
    z, scale = standardised(rows, row)
    scaler = StandardScaler().fit(rows[:, [0, 1, 2, 4]].astype(np.float64))
    np.testing.assert_allclose(
        z[[0, 1, 2, 4]], scaler.transform(row[None, [0, 1, 2, 4]].astype(np.float64))[0], rtol=1e-6
    )
    assert z[3] == 0
    there = scaler.transform(rows[:, [0, 1, 2, 4]])
    expected = ((there - z[[0, 1, 2, 4]]) ** 2).sum(axis=1)
    np.testing.assert_allclose(squared_distances(rows, row, scale), expected, rtol=1e-5)


def test_the_nearest_come_first_and_the_image_itself_is_left_out() -> None:
    squared = np.array([4.0, 0.0, 9.0, 1.0, 1.0])
    itself = np.array([False, True, False, False, False])
    assert nearest(squared, 3, itself).tolist() == [3, 4, 0]
    assert nearest(squared, 9, itself).tolist() == [3, 4, 0, 2]


@pytest.mark.parametrize("name", ["logistic", "svm", "xgboost", "forest"])
def test_exchanged_columns(name: str) -> None:
    """All columns together are worth the whole difference; a column of no use is worth nothing."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(120, 4)).astype(np.float32)
    y = (X[:, 0] + X[:, 1] > 0).astype(np.int64)
    pipeline = MODELS[name].build(0, "none", 1)
    if name in ("forest", "xgboost"):
        pipeline.set_params(classify__n_estimators=20)
    pipeline.fit(X, y)
    groups = {"all": np.arange(4), "first": np.array([0]), "rest": np.arange(1, 4)}
    found = exchange(pipeline, X[5], X[:50], groups)
    assert found.space == ("probability" if name == "forest" else "log-odds")
    p = pipeline.predict_proba(X[[5]])[0, 1]
    output = p if name == "forest" else np.log(p / (1 - p))
    assert found.output == pytest.approx(output, abs=1e-4)
    assert found.values["all"] == pytest.approx(found.output - found.expected, abs=1e-6)
    if name == "logistic":
        assert found.values["first"] + found.values["rest"] == pytest.approx(found.values["all"])
    by_hand = np.repeat(X[[5]], 50, axis=0)
    by_hand[:, 0] = X[:50, 0]
    q = pipeline.predict_proba(by_hand)[:, 1].astype(float)
    mean = q.mean() if name == "forest" else np.log(q / (1 - q)).mean()
    assert found.values["first"] == pytest.approx(output - mean, abs=1e-4)


def test_the_typical_row_is_the_mean_of_the_training_rows() -> None:
    X = np.random.default_rng(0).normal(size=(60, 2100)).astype(np.float32)
    y = np.arange(60) % 2
    for name in ("logistic", "xgboost"):
        pipeline = MODELS[name].build(0, "none", 1)
        if name == "xgboost":
            pipeline.set_params(classify__n_estimators=2)
        row = typical_row(pipeline.fit(X, y), 2100)
        kept = row[0] != 0
        assert kept.sum() == (2000 if name == "xgboost" else 2100)
        np.testing.assert_allclose(row[0, kept], X.mean(axis=0)[kept], atol=1e-6)
