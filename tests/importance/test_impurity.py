"""Impurity importances against gains worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.importance.impurity import impurity
from benchmarks.importance.shap_values import NotExplainable
from models import MODELS
from tests.small_pipelines import fitted, made

ALONE = {"classify__n_estimators": 1}
ONE_TREE: dict[str, dict[str, Any]] = {
    "forest": {**ALONE, "classify__bootstrap": False, "classify__max_features": None},
    "xgboost": {
        **ALONE, "classify__base_score": 0.5, "classify__min_child_weight": 0,
        "classify__subsample": 1, "classify__colsample_bytree": 1, "classify__max_depth": 2,
    },
}  # fmt: skip
# Four negatives; four positives, separated from them by column 0; two more negatives, separated
# from the positives by column 2. Column 1 is constant. Both models split on column 0, then on 2.
X = np.array([[0, 7, 0]] * 4 + [[1, 7, 0]] * 4 + [[1, 7, 1]] * 2, dtype=np.float32)
Y = np.array([0] * 4 + [1] * 4 + [0] * 2)


def test_gini_by_hand() -> None:
    pipeline = MODELS["forest"].build(0, "none").set_params(**ONE_TREE["forest"]).fit(X, Y)
    root, right = 1 - 0.4**2 - 0.6**2, 1 - (4 / 6) ** 2 - (2 / 6) ** 2
    first, second = root - 0.6 * right, 0.6 * right
    expected = np.array([first, 0, second]) / (first + second)
    np.testing.assert_allclose(impurity(pipeline), expected, atol=1e-12)


def test_gain_by_hand() -> None:
    pipeline = MODELS["xgboost"].build(0, "none").set_params(**ONE_TREE["xgboost"]).fit(X, Y)

    def quality(negatives: int, positives: int) -> float:
        # squared sum of gradients, ±1/2 each, over the sum of Hessians, 1/4 each, + lambda = 1
        return ((negatives - positives) / 2) ** 2 / ((negatives + positives) / 4 + 1)

    first = quality(4, 0) + quality(2, 4) - quality(6, 4)
    second = quality(0, 4) + quality(2, 0) - quality(2, 4)
    expected = np.array([first, 0, second]) / (first + second)
    np.testing.assert_allclose(impurity(pipeline), expected, rtol=1e-6)


def test_gain_is_summed_over_all_splits_of_a_column() -> None:
    pipeline = fitted("xgboost", classify__n_estimators=30)
    nodes = pipeline[-1].get_booster().trees_to_dataframe()
    gains = nodes[nodes["Feature"] != "Leaf"].groupby("Feature")["Gain"]
    assert gains.size().nunique() > 1
    np.testing.assert_allclose(impurity(pipeline), gains.sum() / gains.sum().sum(), rtol=1e-4)


@pytest.mark.parametrize("name", ["forest", "xgboost"])
def test_dropped_columns_have_zero_and_kept_ones_their_place(name: str) -> None:
    pipeline = fitted(name, select__n_columns=2, classify__n_estimators=9)
    values, kept = impurity(pipeline), pipeline["select"].get_support()
    assert (values[~kept] == 0).all()
    assert (values[kept] > 0).all()
    assert values.sum() == pytest.approx(1)


def test_trees_without_a_split_have_none() -> None:
    rows, label = made()
    pipeline = MODELS["xgboost"].build(0, "none").set_params(classify__gamma=1e9).fit(rows, label)
    assert impurity(pipeline).tolist() == [0.0] * 5


@pytest.mark.parametrize("name", ["svm", "logistic"])
def test_models_without_trees_are_refused(name: str) -> None:
    with pytest.raises(NotExplainable, match="permutation_importance"):
        impurity(fitted(name))
