"""Shapley values of families against hand-computed games, for every classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.importance.closed_form import FittedSvm
from benchmarks.importance.family_shap import family_shap, make_mixture
from models import MODELS
from tests.small_pipelines import fitted, made, probability, shapley

GROUPS = {"a": np.array([0, 3]), "b": np.array([1]), "c": np.array([2, 4])}


class Formula:
    """A pipeline of one step that computes a formula."""

    def __init__(self, formula: Any) -> None:
        self.formula = formula
        self.named_steps = {"classify": self}
        self.steps = [("classify", self)]

    def predict_proba(self, X: NDArray[np.floating]) -> NDArray[np.floating]:
        score = self.formula(*X.T)
        return np.column_stack([1 - score, score])


def one(*positions: int) -> NDArray[np.intp]:
    return np.array(positions, dtype=np.intp)


def test_hand_computed_game_of_three_players() -> None:
    model = Formula(lambda p, q, r: p * q / 2 + r / 8)
    groups = {"p": one(0), "q": one(1), "r": one(2)}
    found = family_shap(model, np.array([[1.0, 0.5, 0.5]]), groups, np.zeros((1, 3)))
    # p and q bring nothing alone and 1/4 together: half each; r brings 1/16 to any coalition
    np.testing.assert_allclose(found.values, [[0.125, 0.125, 0.0625]], atol=1e-12)
    assert (found.expected, found.output.tolist(), found.space) == (0.0, [0.3125], "probability")


def test_background_is_averaged_after_scoring() -> None:
    model = Formula(lambda p, q: p * q)
    background = np.array([[0.0, 1.0], [1.0, 0.0]])
    groups = {"p": one(0), "q": one(1)}
    found = family_shap(model, np.array([[1.0, 0.6]]), groups, background)
    # means: none 0, p (1 + 0) / 2, q (0 + .6) / 2, both .6; at a mean background none were .25
    np.testing.assert_allclose(found.values, [[0.4, 0.2]], atol=1e-12)
    assert found.expected == 0.0


@pytest.mark.parametrize("name", ["svm", "logistic", "forest", "xgboost"])
def test_every_classifier_has_the_values_of_all_coalitions(name: str) -> None:
    settings = {"classify__n_estimators": 10} if name in ("forest", "xgboost") else {}
    pipeline, X = fitted(name, **settings), made()[0]
    found = family_shap(pipeline, X[:4], GROUPS, X[90:])
    groups = [columns.tolist() for columns in GROUPS.values()]
    by_hand = [shapley(probability(pipeline), row, X[90:], groups) for row in X[:4]]
    assert np.ptp(by_hand) > 0.1
    np.testing.assert_allclose(found.values, by_hand, atol=1e-6)
    assert found.additivity < 1e-6


def test_dropped_columns_contribute_nothing() -> None:
    X, label = made()
    X[:, 1] = 7.0
    pipeline = MODELS["forest"].build(0, "none").set_params(select__n_columns=4).fit(X, label)
    other = X[:30].copy()
    other[:, 1] = 0.0
    found = family_shap(pipeline, X[60:], GROUPS, other)
    assert (np.abs(found.values[:, 1]) < 1e-12).all()
    assert np.abs(found.values[:, 0]).max() > 0.1


def test_one_group_has_all() -> None:
    pipeline, X = fitted("logistic"), made()[0]
    found = family_shap(pipeline, X[:5], {"all": np.arange(5)}, X)
    np.testing.assert_allclose(found.values[:, 0], found.output - found.expected, atol=1e-6)


@pytest.mark.parametrize(("factor", "apart"), [(1.0, 1.0), (50.0, 9.0)])
def test_sums_have_the_decision_values_of_the_svm(factor: float, apart: float) -> None:
    """Also where the three exponentials would not be finite."""
    svm = FittedSvm(fitted("svm"))
    svm.gamma *= factor
    q = apart + np.random.default_rng(0).normal(size=(9, svm.vectors.shape[1])) / 20
    p = svm.vectors[:6] - apart
    by_hand = svm.decision((p[:, None] + q).reshape(54, -1)).reshape(6, 9)
    assert by_hand.std() > 1e-3
    np.testing.assert_allclose(svm.decisions_of_sums(p, q), by_hand, atol=1e-9)


def test_groups_must_hold_every_column_once() -> None:
    pipeline, X = fitted("logistic"), made()[0]
    with pytest.raises(ValueError, match=r"hold 3 of 5 columns, 3 in all"):
        make_mixture(pipeline, X, X, {"a": one(0, 3), "b": one(1)})
    with pytest.raises(ValueError, match=r"hold 5 of 5 columns, 6 in all"):
        make_mixture(pipeline, X, X, {**GROUPS, "again": one(1)})
    with pytest.raises(ValueError, match=r"Got 9 groups, but expected 1 to 8"):
        family_shap(pipeline, X, dict.fromkeys("abcdefghi", one(0)), X)


def test_global_random_state_is_not_touched() -> None:
    pipeline, X = fitted("xgboost", classify__n_estimators=3), made()[0]
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    family_shap(pipeline, X[:3], GROUPS, X[:9])
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
