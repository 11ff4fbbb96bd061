from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import f_oneway

from models.select import BLOCK, BestColumns, f_statistics


def rows(n: int = 40, d: int = 2 * BLOCK + 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3 % 2
    X = rng.normal(size=(n, d)) + np.outer(y, rng.normal(size=d))
    return X.astype(np.float32), y


def test_statistic_by_hand() -> None:
    # Means 1 and 4, overall 2.5: between 4 * 1.5² / 1 = 9; within (2 * 1² + 2 * 1²) / 2 = 2.
    X = np.array([[0.0], [2.0], [3.0], [5.0]])
    np.testing.assert_allclose(f_statistics(X, np.array([0, 0, 1, 1])), [9 / 2])


def test_statistics_match_scipy_across_blocks() -> None:
    X, y = rows()
    expected = [f_oneway(c[y == 0], c[y == 1]).statistic for c in X.T.astype(np.float64)]
    np.testing.assert_allclose(f_statistics(X, y), expected, rtol=1e-9)


def test_a_constant_column_has_statistic_zero() -> None:
    X, y = rows(d=3)
    X[:, 1] = 0.1
    assert f_statistics(X, y)[1] == 0
    assert BestColumns(2).fit(X, y).kept_.tolist() == [True, False, True]


def test_a_column_that_separates_perfectly_is_kept() -> None:
    X, y = rows(d=3)
    X[:, 2] = y
    assert BestColumns(1).fit(X, y).kept_.tolist() == [False, False, True]


def test_kept_columns_have_their_values_and_order() -> None:
    X, y = rows()
    selector = BestColumns(100).fit(X, y)
    np.testing.assert_array_equal(selector.transform(X), X[:, selector.kept_])
    assert selector.kept_.sum() == 100
    assert selector.transform(X).dtype == np.float32
    lowest_kept = f_statistics(X, y)[selector.kept_].min()
    assert (f_statistics(X, y)[~selector.kept_] <= lowest_kept).all()


def test_get_feature_names_out_lists_kept_columns() -> None:
    X, y = rows(d=4)
    X[:, 2] = y
    names = BestColumns(1).fit(X, y).get_feature_names_out(["a", "b", "c", "d"])
    assert names.tolist() == ["c"]


@pytest.mark.parametrize("n_columns", [5, 6, 7])
def test_few_columns_are_all_kept(n_columns: int) -> None:
    X, y = rows(d=5)
    np.testing.assert_array_equal(BestColumns(n_columns).fit(X, y).transform(X), X)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_selection_ignores_row_order_and_scale(seed: int, n_columns: int) -> None:
    X, y = rows(30, 10)
    rng = np.random.default_rng(seed)
    order = rng.permutation(30)
    stretched = X[order] * 2.0 ** rng.integers(-3, 4, 10)
    np.testing.assert_array_equal(
        BestColumns(n_columns).fit(X, y).kept_,
        BestColumns(n_columns).fit(stretched, y[order]).kept_,
    )
