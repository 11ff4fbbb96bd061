from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.svm import SVC

from benchmarks.importance.closed_form import FittedSvm
from benchmarks.saved.pipeline_file import pack, unpack
from models import accelerate, svm
from models.accelerate import fit_svm, svm_engine
from models.svm import SupportVectors

needs_onedal = pytest.mark.skipif(not find_spec("sklearnex"), reason="the extra 'fast' is missing")
PLAIN = {"sklearn", "numpy", "builtins", "models"}


def data(n: int = 160, d: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.7).astype(np.int64)
    return rng.normal(size=(n, d)) + 0.8 * y[:, None] * (np.arange(d) < 4), y


@pytest.fixture
def without_onedal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearnex.svm", None)


def libsvm_values(fitted: SVC, X: np.ndarray) -> np.ndarray:
    """Decision values that libsvm computes from the fitted attributes."""
    plain = SVC(**fitted.get_params())
    vars(plain).update(vars(fitted))
    return plain.decision_function(X)


@needs_onedal
@pytest.mark.parametrize(
    "settings",
    [{}, {"class_weight": "balanced"}, {"C": 10.0}, {"C": 0.3}, {"gamma": 0.01},
     {"class_weight": {0: 5.0, 1: 0.5}}, {"tol": 1e-5}],
)  # fmt: skip
def test_finds_the_solution_of_libsvm(settings: dict[str, Any]) -> None:
    X, y = data()
    ours = SupportVectors(**settings).fit(X, y)
    exact = SVC(**{**settings, "tol": 1e-10}).fit(X, y)
    new = data(80, seed=1)[0]
    assert ours._gamma == exact._gamma
    np.testing.assert_array_equal(ours.classes_, exact.classes_)
    np.testing.assert_array_equal(ours.n_support_, exact.n_support_)
    np.testing.assert_array_equal(ours.support_, exact.support_)
    np.testing.assert_array_equal(ours.support_vectors_, exact.support_vectors_)
    np.testing.assert_allclose(ours.dual_coef_, exact.dual_coef_, atol=2e-4)
    np.testing.assert_allclose(ours.decision_function(new), exact.decision_function(new), atol=1e-4)
    np.testing.assert_array_equal(ours.predict(new), exact.predict(new))


@needs_onedal
def test_decision_values_are_onedals() -> None:
    from sklearnex import svm as onedal

    X, y = data()
    new = data(80, seed=1)[0]
    ours = SupportVectors(class_weight="balanced", tol=1e-3).fit(X, y)
    theirs = onedal.SVC(class_weight="balanced", tol=1e-5, n_jobs=1).fit(X, y)
    np.testing.assert_allclose(
        ours.decision_function(new), theirs.decision_function(new), atol=1e-9
    )


@needs_onedal
def test_onedal_fits_only_two_classes_and_an_rbf_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def counted(*args: Any) -> Any:
        calls.append(1)
        return fit_svm(*args)

    monkeypatch.setattr(svm, "fit_svm", counted)
    X, y = data()
    three = np.r_[y[:100], np.full(60, 2)]
    for labels, settings in [(y, {"kernel": "linear"}), (three, {}), (y, {"max_iter": 10**6})]:
        ours = SupportVectors(**settings).fit(X, labels)
        plain = SVC(**settings).fit(X, labels)
        np.testing.assert_allclose(
            ours.decision_function(X), plain.decision_function(X), atol=1e-11
        )
    SupportVectors().fit(X, y, sample_weight=np.ones(len(y)))
    assert not calls
    SupportVectors().fit(X, y)
    assert calls


@needs_onedal
def test_libsvm_fits_where_onedal_does_not_converge(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = data()
    monkeypatch.setattr(accelerate, "MOST_ITERATIONS", 1)
    np.testing.assert_array_equal(SupportVectors().fit(X, y).dual_coef_, SVC().fit(X, y).dual_coef_)


@pytest.mark.usefixtures("without_onedal")
def test_without_onedal_it_is_scikit_learns() -> None:
    X, y = data()
    assert svm_engine().startswith("scikit-learn ")
    assert fit_svm(X, y, 1.0, 0.1, 1e-3, np.ones(2)) is None
    np.testing.assert_array_equal(SupportVectors().fit(X, y).dual_coef_, SVC().fit(X, y).dual_coef_)


@needs_onedal
def test_engine_names_onedal() -> None:
    assert svm_engine().startswith("oneDAL 2")


@pytest.mark.parametrize("rows", [1, 80])
def test_decision_values_are_libsvms(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svm, "KERNEL_VALUES", 1000)  # a few rows at once
    X, y = data()
    new = 30 * data(rows, seed=1)[0]  # some far away
    fitted = SupportVectors(class_weight="balanced").fit(X, y)
    for matrix in (new, X):
        np.testing.assert_allclose(
            fitted.decision_function(matrix), libsvm_values(fitted, matrix), rtol=0, atol=1e-11
        )


def test_degenerate_data() -> None:
    new = np.array([[0.0, 0.0], [2.0, 1.0], [1.0, 0.5]])
    twice = np.array([[0.0, 0.0], [2.0, 1.0]])
    cases = [
        (twice, [0, 1]),  # one support vector per class
        (np.repeat(twice, 20, axis=0), np.repeat([0, 1], 20)),  # duplicates
        (np.repeat(twice, 20, axis=0), np.tile([0, 1], 20)),  # of both classes
        (np.ones((8, 2)), [0, 0, 0, 0, 0, 1, 1, 1]),  # constant columns
    ]
    for X, y in cases:
        ours, plain = SupportVectors(tol=1e-6).fit(X, y), SVC(tol=1e-8).fit(X, y)
        np.testing.assert_allclose(
            ours.decision_function(new), plain.decision_function(new), atol=1e-5
        )


def test_fit_does_not_depend_on_memory_order_or_repetition() -> None:
    X, y = data()
    first = SupportVectors(class_weight="balanced").fit(X, y)
    wide = np.zeros((len(X), 2 * X.shape[1]))
    wide[:, ::2] = X
    for matrix in (X, np.asfortranarray(X), wide[:, ::2]):
        second = clone(first).fit(matrix, y)
        np.testing.assert_array_equal(first.dual_coef_, second.dual_coef_)
        np.testing.assert_array_equal(first.intercept_, second.intercept_)
        np.testing.assert_array_equal(first.support_, second.support_)


@needs_onedal
def test_fit_does_not_depend_on_threads() -> None:
    import daal4py

    X, y = data(1200)
    first = SupportVectors().fit(X, y)
    before = daal4py.num_threads()
    try:
        daal4py.daalinit(2)
        second = SupportVectors().fit(X, y)
    finally:
        daal4py.daalinit(before)
    np.testing.assert_array_equal(first.dual_coef_, second.dual_coef_)
    np.testing.assert_array_equal(first.intercept_, second.intercept_)


def test_labels_may_be_strings() -> None:
    X, y = data()
    named = SupportVectors().fit(X, np.array(["normal", "pneumonia"])[y])
    assert named.classes_.tolist() == ["normal", "pneumonia"]
    np.testing.assert_array_equal(
        named.decision_function(X), SupportVectors().fit(X, y).decision_function(X)
    )


def test_saved_pipeline_scores_the_same_without_onedal(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = data()
    fitted = svm.build(0, "smote").fit(X.astype(np.float32), y)
    machine = fitted.named_steps["classify"].estimator_.named_steps["svc"]
    assert {type(part).__module__.split(".")[0] for part in vars(machine).values()} <= PLAIN
    saved, scores = pack(fitted), fitted.predict_proba(X.astype(np.float32))
    monkeypatch.setitem(sys.modules, "sklearnex.svm", None)
    again = unpack(saved, "model").predict_proba(X.astype(np.float32))
    np.testing.assert_array_equal(scores, again)


def test_closed_form_gives_the_same_scores() -> None:
    X, y = data()
    fitted = svm.build(0, "class_weight").fit(X, y)
    reduced = fitted.named_steps["reduce"].transform(fitted.named_steps["scale"].transform(X))
    np.testing.assert_allclose(
        FittedSvm(fitted).score(reduced), fitted.predict_proba(X)[:, 1], atol=1e-12
    )
