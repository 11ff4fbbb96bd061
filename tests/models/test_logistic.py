from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad
from sklearn.linear_model import LogisticRegression

from models.logistic import LeanLogistic, build, penalised_loss


def data(n: int = 200, d: int = 30) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = (rng.random(n) < 0.7).astype(np.int64)
    X = rng.normal(size=(n, d)) + y[:, None] * (np.arange(d) < 3)
    return X.astype(np.float32), y


def test_gradient_is_that_of_the_loss() -> None:
    X, y = data(20, 4)
    rng = np.random.default_rng(1)
    arguments = (X.astype(np.float64), y.astype(float), rng.random(20) + 0.5, 0.3)
    error = check_grad(
        lambda w: penalised_loss(w, *arguments)[0],
        lambda w: penalised_loss(w, *arguments)[1],
        rng.normal(size=5),
    )
    assert error < 1e-6


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weight", [None, "balanced"])
@pytest.mark.parametrize("C", [0.01, 1.0])
def test_agrees_with_scikit_learn_in_double_precision(dtype: type, weight: str, C: float) -> None:
    X, y = data()
    exact = LogisticRegression(C=C, tol=1e-9, max_iter=5000, class_weight=weight)
    exact.fit(X.astype(np.float64), y)
    lean = LeanLogistic(C=C, tol=1e-6, max_iter=2000, class_weight=weight).fit(X.astype(dtype), y)
    np.testing.assert_allclose(lean.coef_, exact.coef_, atol=3e-4)
    np.testing.assert_allclose(lean.intercept_, exact.intercept_, atol=3e-4)
    np.testing.assert_allclose(lean.predict_proba(X), exact.predict_proba(X), atol=3e-4)
    assert lean.coef_.dtype == np.float64


def test_a_weight_of_two_is_the_row_twice() -> None:
    X, y = data(60, 5)
    twice = np.arange(60) % 4 == 0
    weighted = LeanLogistic(C=0.1, tol=1e-7).fit(X, y, sample_weight=1.0 + twice)
    doubled = LeanLogistic(C=0.1, tol=1e-7).fit(np.r_[X, X[twice]], np.r_[y, y[twice]])
    np.testing.assert_allclose(weighted.coef_, doubled.coef_, atol=3e-4)


def test_labels_may_be_any() -> None:
    X, y = data()
    named = LeanLogistic().fit(X, np.array(["normal", "pneumonia"])[y])
    assert named.classes_.tolist() == ["normal", "pneumonia"]
    assert named.predict(X[:1])[0] in named.classes_


def test_a_single_class_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"labels \[1\].*needs two"):
        LeanLogistic().fit(data()[0], np.ones(200, int))


def test_want_of_convergence_is_an_error() -> None:
    X, y = data()
    with pytest.raises(ValueError, match="did not converge in 2 iterations"):
        LeanLogistic(max_iter=2).fit(X, y)


def test_rounding_of_features_hardly_moves_the_scores() -> None:
    """Far more columns than rows, as with real feature sets; changes of 1e-7, relative."""
    X, y = data(300, 2500)
    rng = np.random.default_rng(2)
    shaken = (X * (1 + 1e-7 * rng.choice([-1.0, 1.0], X.shape))).astype(np.float32)
    assert (shaken != X).any()
    scores = [build(0, "smote").fit(rows, y).predict_proba(X)[:, 1] for rows in (X, shaken)]
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-3)


def test_the_given_rows_are_not_changed() -> None:
    X, y = data()
    before = X.copy()
    build(0, "smote").fit(X, y)
    np.testing.assert_array_equal(X, before)
