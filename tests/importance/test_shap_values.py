"""SHAP values against sums over all coalitions, and their way back to a pipeline's columns."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from benchmarks.importance.closed_form import logistic_weights
from benchmarks.importance.shap_values import NotExplainable, explain, mean_absolute
from features.backbone import MissingExtra
from models import MODELS
from models.forest import Forest
from tests.small_pipelines import Score, fitted, made, margin, probability, shapley

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "space", "score"),
    [("forest", "probability", probability), ("xgboost", "log-odds", margin)],
)
@pytest.mark.parametrize("balance", ["smote", "class_weight", "none"])
def test_trees_have_the_values_of_all_coalitions(
    name: str, space: str, score: Callable[[Any], Score], balance: str
) -> None:
    pipeline, X = fitted(name, balance, classify__n_estimators=20), made()[0]
    found = explain(pipeline, X[:3], X[100:])
    by_hand = [shapley(score(pipeline), row, X[100:], [[k] for k in range(5)]) for row in X[:3]]
    assert found.space == space
    assert np.ptp(by_hand) > 0.2
    np.testing.assert_allclose(found.values, by_hand, atol=1e-6)
    assert found.expected == pytest.approx(score(pipeline)(X[100:]).mean(), abs=1e-6)
    np.testing.assert_array_equal(found.output, score(pipeline)(X[:3]))


def test_full_boosting_adds_up_in_log_odds() -> None:
    pipeline, X = fitted("xgboost"), made()[0]
    found = explain(pipeline, X, X[:30])
    assert found.additivity < 1e-5 < np.std(found.output)
    np.testing.assert_allclose(expit(found.output), probability(pipeline)(X), atol=1e-6)


def test_logistic_has_weight_times_distance_from_the_mean() -> None:
    pipeline, X = fitted("logistic"), made()[0]
    found = explain(pipeline, X[:7], X[50:])
    weights, _ = logistic_weights(pipeline)
    by_hand = weights * (X[:7] - X[50:].mean(axis=0, dtype=np.float64))
    np.testing.assert_allclose(found.values, by_hand, atol=1e-5)
    np.testing.assert_allclose(expit(found.output), probability(pipeline)(X[:7]), atol=1e-12)


@pytest.mark.parametrize("name", ["forest", "xgboost"])
def test_dropped_columns_have_zero_and_kept_ones_their_place(name: str) -> None:
    pipeline, X = fitted(name, select__n_columns=2, classify__n_estimators=9), made()[0]
    kept = pipeline["select"].get_support()
    values = explain(pipeline, X[:6], X[60:90]).values
    assert values.shape == (6, 5)
    assert (values[:, ~kept] == 0).all()
    assert (np.abs(values[:, kept]).max(axis=0) > 0.01).all()


def test_all_rows_of_the_background_count() -> None:
    pipeline = fitted("xgboost", classify__n_estimators=5)
    X = np.tile(made()[0], (2, 1))
    X[150:] += 3  # shap itself would draw 100 of them
    found = explain(pipeline, X[:2], X)
    assert found.expected == pytest.approx(margin(pipeline)(X).mean(dtype=float), abs=1e-6)


def test_svm_and_several_classes_are_refused() -> None:
    X, label = made()
    with pytest.raises(NotExplainable, match="PlattScaled.*family_shap"):
        explain(fitted("svm"), X, X)
    three = MODELS["forest"].build(0, "none").fit(X, label + (X[:, 4] > 8))
    with pytest.raises(NotExplainable, match="3 classes"):
        explain(three, X, X)


class Boasting(Forest):
    """A forest that gives other probabilities than its trees."""

    def predict_proba(self, X: NDArray[np.floating]) -> NDArray[np.float64]:
        return np.asarray(super().predict_proba(X)) + 0.05


def test_values_that_do_not_add_up_are_refused() -> None:
    X, label = made()
    pipeline = MODELS["forest"].build(0, "none").set_params(classify=Boasting(5)).fit(X, label)
    with pytest.raises(ValueError, match=r"differs from the .* by 0\.05.*at most 0\.0001"):
        explain(pipeline, X[:4], X[:20])


def test_without_shap_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline, X = fitted("logistic"), made()[0]
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(MissingExtra, match=r"\.\[importance\]"):
        explain(pipeline, X, X)


def test_signs_cancel_within_a_group_before_its_size_is_taken() -> None:
    values = np.array([[1.0, -3.0, 5.0], [2.0, 2.0, -5.0], [4.0, -4.0, 2.0]])
    groups = {"a": np.array([0, 1]), "b": np.array([2]), "none": np.array([], dtype=int)}
    patient, label = np.array(["p", "p", "p"], dtype=object), np.array([0, 1, 1])
    table = mean_absolute(values, groups, patient, label, seed=0)
    assert table["group"].tolist() == ["a", "b", "none"]
    assert table["value"].tolist() == [2.0, 4.0, 0.0]
    # one patient: every draw is the images as they are
    assert table[["lo", "hi"]].to_numpy().tolist() == [[2.0, 2.0], [4.0, 4.0], [0.0, 0.0]]


def test_the_bootstrap_resamples_patients() -> None:
    values, label = np.array([[1.0], [3.0], [5.0], [7.0]]), np.array([0, 1, 0, 1])
    patient = np.array(["p", "p", "q", "q"], dtype=object)
    table = mean_absolute(values, {"a": np.array([0])}, patient, label, seed=0)
    # a quarter of the draws each is p or q alone: means 2 and 6; images alone could give 1 or 7
    assert table.iloc[0].tolist() == ["a", 4.0, 2.0, 6.0]


def test_the_largest_of_many_columns_come_first() -> None:
    values = np.zeros((6, 9400))
    values[:, [17, 4000, 9399]] = [[-3.0, 1.0, 2.0]] * 6
    groups = {f"c{k}": np.array([k]) for k in range(9400)}
    args = np.repeat(["p", "q"], 3).astype(object), np.tile([0, 1, 1], 2)
    table = mean_absolute(values, groups, *args, seed=0, keep=3)
    assert table["group"].tolist() == ["c17", "c9399", "c4000"]
    assert table["lo"].tolist() == [3.0, 2.0, 1.0]
