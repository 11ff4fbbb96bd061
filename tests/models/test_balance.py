from __future__ import annotations

import numpy as np
import pytest
from imblearn.over_sampling import SMOTE

from models.balance import RESAMPLERS, Balancer


def rows(negatives: int, positives: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.r_[np.zeros(negatives, int), np.ones(positives, int)]
    return rng.normal(size=(len(y), 3)) + 0.5 * y[:, None], y


@pytest.mark.parametrize("method", [name for name in RESAMPLERS if name != "undersample"])
def test_minority_grows_to_about_the_majority(method: str) -> None:
    X, y = rows(15, 40)
    balancer = Balancer(method)
    X_new, y_new = balancer.fit_resample(X, y)
    assert balancer.counts_before_ == {0: 15, 1: 40}
    assert 30 <= balancer.counts_after_[0] <= 45
    np.testing.assert_array_equal(X_new[:55], X)
    np.testing.assert_array_equal(y_new[:55], y)


def test_oversampling_repeats_rows_of_the_minority() -> None:
    X, y = rows(3, 7)
    balancer = Balancer("oversample")
    X_new, y_new = balancer.fit_resample(X, y)
    assert balancer.counts_after_ == {0: 7, 1: 7}
    assert balancer.k_neighbors_ is None
    np.testing.assert_array_equal(y_new[10:], 0)
    assert {tuple(row) for row in X_new[10:]} <= {tuple(row) for row in X[:3]}


def test_undersampling_leaves_rows_of_the_majority_out() -> None:
    X, y = rows(3, 7)
    balancer = Balancer("undersample")
    X_new, y_new = balancer.fit_resample(X, y)
    assert balancer.counts_before_ == {0: 3, 1: 7}
    assert balancer.counts_after_ == {0: 3, 1: 3}
    found = [tuple(row) for row in X_new]
    assert set(found[:3]) == {tuple(row) for row in X[:3]}
    assert set(found[3:]) < {tuple(row) for row in X[3:]}
    assert len(set(found)) == 6
    np.testing.assert_array_equal(y_new, [0, 0, 0, 1, 1, 1])


def test_smote_stays_between_neighbours() -> None:
    X, y = rows(2, 6)
    balancer = Balancer("smote")
    X_new, _ = balancer.fit_resample(X, y)
    assert balancer.k_neighbors_ == 1
    line, start = X[1] - X[0], X[0]
    for row in X_new[8:]:
        t = (row - start) @ line / (line @ line)
        assert 0 <= t <= 1
        np.testing.assert_allclose(start + t * line, row)


def test_fewer_neighbours_where_the_minority_is_small() -> None:
    balancer = Balancer("smote")
    balancer.fit_resample(*rows(4, 20))
    assert balancer.k_neighbors_ == 3


def test_one_minority_row_is_an_error_that_names_the_remedy() -> None:
    with pytest.raises(ValueError, match=r"\{0: 1, 1: 20\}.*--balance class_weight"):
        Balancer("smote").fit_resample(*rows(1, 20))


@pytest.mark.parametrize("method", ["none", "class_weight"])
def test_rows_are_not_changed(method: str) -> None:
    X, y = rows(4, 20)
    X_new, y_new = Balancer(method).fit_resample(X, y)
    assert X_new is X
    assert y_new is y


def test_adasyn_without_hard_rows_is_an_error() -> None:
    X, y = rows(10, 20)
    with pytest.raises(ValueError, match="adasyn could make no rows"):
        Balancer("adasyn").fit_resample(X + 100 * y[:, None], y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_smote_gives_imbalanced_learns_rows(dtype: type) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(90, 7)).astype(dtype), (np.arange(90) % 4 == 1).astype(np.int64)
    got_X, got_y = Balancer("smote", 3).fit_resample(X, y)
    expected_X, expected_y = SMOTE(random_state=3).fit_resample(X, y)
    np.testing.assert_array_equal(got_X, expected_X)
    np.testing.assert_array_equal(got_y, expected_y)
    assert got_X.dtype == dtype
