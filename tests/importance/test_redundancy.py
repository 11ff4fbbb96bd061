"""Clusters of columns whose correlations are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr

from benchmarks.importance.permutation import permutation_importance
from benchmarks.importance.redundancy import cluster_columns, name_clusters, rank_correlations
from benchmarks.importance.scorers import make_scorer
from models import MODELS


def normal(n: int, d: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(n, d))


def test_rho_equals_scipy_with_ties() -> None:
    X = np.round(normal(200, 6), 0)
    X[:, 1] += X[:, 0]
    np.testing.assert_allclose(rank_correlations(X), spearmanr(X).statistic, atol=1e-12)


def test_copies_monotone_and_mirrored_are_one_cluster() -> None:
    X = normal(300, 3)
    wide = np.column_stack([X[:, 0], X[:, 1], np.exp(X[:, 0]), -(X[:, 1] ** 3), X[:, 2], X[:, 0]])
    assert cluster_columns(wide).tolist() == [0, 1, 0, 1, 2, 0]


def test_the_threshold_is_of_the_mean_correlation() -> None:
    """Rho of 0 and 1 is .8, of 1 and 2 .8, of 0 and 2 .5 or so: 2 joins at a mean of .65."""
    rng = np.random.default_rng(0)
    base = np.cumsum(rng.normal(size=(5000, 3)) * [1, 0.72, 0.72], axis=1)
    rho = np.abs(rank_correlations(base))
    first = max(rho[0, 1], rho[1, 2])
    joined = (rho.sum() / 2 - 1.5 - first) / 2  # mean of the two others
    assert joined < 0.75 < first
    assert len(set(cluster_columns(base, threshold=joined - 0.001))) == 1
    assert len(set(cluster_columns(base, threshold=joined + 0.001))) == 2
    assert len(set(cluster_columns(base, threshold=first - 0.001))) == 2
    assert len(set(cluster_columns(base, threshold=first + 0.001))) == 3


def test_constant_columns_are_excluded() -> None:
    X = np.insert(normal(50, 2), 1, 3.0, axis=1)
    assert cluster_columns(X).tolist() == [0, -1, 1]
    assert cluster_columns(np.ones((5, 3))).tolist() == [-1] * 3
    assert cluster_columns(X[:, :2]).tolist() == [0, -1]


def test_only_the_columns_of_largest_f_are_clustered() -> None:
    y = np.arange(100) % 2
    X = normal(100, 6)
    X[:, [1, 4]] += 3 * y[:, None]
    X[:, 3] = X[:, 4] * 2 + 1
    assert cluster_columns(X, y, most=3, threshold=0.9).tolist() == [-1, 0, -1, 1, 1, -1]
    with pytest.raises(ValueError, match="6 columns that vary and no labels.*select 3 of"):
        cluster_columns(X, most=3)


def test_names_contain_the_typical_column_and_the_families() -> None:
    rng = np.random.default_rng(2)
    core = rng.normal(size=400)
    near = core[:, None] + rng.normal(size=(400, 3)) * [0.5, 0.05, 0.5]
    X = np.column_stack([near, rng.normal(size=400), np.ones(400)])
    names = ["hog/a", "lbp/b", "hog/c", "glcm/d", "glcm/e"]
    named = name_clusters(X, names, np.array([0, 0, 0, 1, -1]))
    assert {name: columns.tolist() for name, columns in named.items()} == {
        "lbp/b [hog 2, lbp 1]": [0, 1, 2],
        "glcm/d": [3],
    }
    assert name_clusters(X, names, np.full(5, -1)) == {}


def test_copies_have_importance_only_if_permuted_together() -> None:
    label = np.arange(400) % 2
    X = normal(400, 4)
    X[:, 0] += 2 * label
    X[:, 1:3] = X[:, :1] + normal(400, 2, seed=1) / 10
    pipeline = MODELS["logistic"].build(0, "none").fit(X, label)
    names = [f"hog/{letter}" for letter in "abcd"]
    groups = {**name_clusters(X, names, cluster_columns(X)), "alone": np.array([0])}
    assert sorted(map(len, groups.values())) == [1, 1, 3]
    patient = np.arange(400).astype(str).astype(object)
    table = permutation_importance(make_scorer(pipeline, X), groups, label, patient, 0.5, 0, 2)
    drop = table[table["metric"] == "auc"].set_index("group")["value"]
    assert drop.max() == drop[next(name for name in groups if "hog 3" in name)]
    assert drop.max() > 4 * drop["alone"]
