from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import OptimizeResult, check_grad, minimize
from sklearn.linear_model import LogisticRegression

from models import logistic
from models.logistic import LeanLogistic, build, penalised_loss


def data(n: int = 200, d: int = 30) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = (rng.random(n) < 0.7).astype(np.int64)
    X = rng.normal(size=(n, d)) + y[:, None] * (np.arange(d) < 3)
    return X.astype(np.float32), y


@pytest.mark.parametrize("classes", [2, 3])
def test_gradient_is_that_of_the_loss(classes: int) -> None:
    X, _ = data(40, 4)
    rng = np.random.default_rng(1)
    target = np.eye(classes)[np.arange(40) % classes]
    arguments = (X.astype(np.float64), target, rng.random(40) + 0.5, 0.3)
    error = check_grad(
        lambda w: penalised_loss(w, *arguments)[0],
        lambda w: penalised_loss(w, *arguments)[1],
        rng.normal(size=5 if classes == 2 else 15),
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


def test_labels_may_be_strings() -> None:
    X, y = data()
    named = LeanLogistic().fit(X, np.array(["normal", "pneumonia"])[y])
    assert named.classes_.tolist() == ["normal", "pneumonia"]
    assert named.predict(X[:1])[0] in named.classes_


def test_a_single_class_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"labels \[1\].*needs two"):
        LeanLogistic().fit(data()[0], np.ones(200, int))


def test_too_few_iterations_are_an_error() -> None:
    X, y = data()
    with pytest.raises(ValueError, match=r"stopped after 2 iterations at a gradient of .*max_iter"):
        LeanLogistic(max_iter=2).fit(X, y)


def test_an_abnormal_stop_of_the_solver_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*args: object, **kwargs: object) -> OptimizeResult:
        found = minimize(*args, **{**kwargs, "options": {"maxiter": 9}})
        found.message = "ABNORMAL: "
        return found

    X, y = data()
    monkeypatch.setattr(logistic, "minimize", stopped)
    with pytest.raises(ValueError, match=r"gradient of .* at most 1e-06 \(ABNORMAL"):
        LeanLogistic(tol=1e-6, max_iter=2000).fit(X, y)


def test_converges_to_its_tolerance_where_float32_sums_do_not() -> None:
    """Columns that are nearly the same, and more of them than rows."""
    rng = np.random.default_rng(3)
    y = np.arange(500) % 3 % 2
    X = rng.normal(size=(500, 6)) @ rng.normal(size=(6, 800)) + y[:, None]
    X = (X + 0.01 * rng.normal(size=X.shape)).astype(np.float32)
    fitted = LeanLogistic(C=0.01, tol=1e-7, max_iter=2000).fit(X, y)
    found = np.append(fitted.coef_[0], fitted.intercept_)
    rows = X.astype(np.float64)
    residual = (fitted.predict_proba(rows)[:, 1] - y) / 500
    penalty = np.append(found[:-1], 0) / (0.01 * 500)
    gradient = np.append(residual @ rows, residual.sum()) + penalty
    assert np.abs(gradient).max() < 1.01e-7


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
