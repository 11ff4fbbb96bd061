"""What one image's decision owes to a group of columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import logit

from benchmarks.importance.exchange import exchange
from benchmarks.importance.local import drop_unused, log_odds, regional_change
from models import MODELS

Rows = NDArray[np.float32]
GROUPS = {"first": np.arange(0, 4), "second": np.arange(4, 9), "rest": np.arange(9, 30)}


def rows(n: int = 120) -> tuple[Rows, NDArray[np.int64]]:
    """Thirty correlated columns, of which the first group tells the classes apart."""
    rng = np.random.default_rng(3)
    y = np.arange(n) % 2
    X = rng.normal(size=(n, 30)) @ rng.normal(size=(30, 30)) / 5
    X[:, :4] += 0.8 * y[:, None]
    return X.astype(np.float32), y


def fitted(model: str) -> tuple[Any, Rows]:
    X, y = rows()
    pipeline = MODELS[model].build(seed=0, balance="none")
    extra = {"classify__groups": np.arange(90) // 2} if model == "svm" else {}
    return pipeline.fit(X[:90], y[:90], **extra), X


def by_hand(pipeline: Any, X: Rows, background: Rows, columns: NDArray[np.intp]) -> Any:
    """One image and one background image at a time."""

    def odds(row: Rows) -> float:
        return float(log_odds(pipeline, pipeline.predict_proba(row[None])[:, 1])[0])

    result = []
    for row in X:
        after = []
        for other in background:
            mixed = row.copy()
            mixed[columns] = other[columns]
            after.append(odds(mixed))
        result.append(odds(row) - np.mean(after))
    return result


@pytest.mark.parametrize("model", ["svm", "forest", "xgboost", "logistic"])
def test_values_are_those_of_rows_replaced_one_by_one(model: str) -> None:
    pipeline, X = fitted(model)
    found = regional_change(pipeline, X[90:96], X[:5], GROUPS)
    assert found.shape == (6, 3)
    for place, columns in enumerate(GROUPS.values()):
        np.testing.assert_allclose(
            found[:, place], by_hand(pipeline, X[90:96], X[:5], columns), rtol=2e-4, atol=2e-4
        )
    assert np.abs(found[:, 0]).max() > 0.05


@pytest.mark.parametrize("model", ["svm", "xgboost", "logistic"])
def test_values_are_those_of_one_image_explained_by_itself(model: str) -> None:
    pipeline, X = fitted(model)
    one = exchange(pipeline, X[95], X[:5], GROUPS).values
    found = regional_change(pipeline, X[94:97], X[:5], GROUPS)[1]
    np.testing.assert_allclose(found, [one[name] for name in GROUPS], rtol=1e-4, atol=1e-5)


def test_logistic_values_add_up_to_the_decision() -> None:
    pipeline, X = fitted("logistic")
    change = regional_change(pipeline, X[90:], X[:10], GROUPS)
    apart = pipeline.decision_function(X[90:]) - pipeline.decision_function(X[:10]).mean()
    np.testing.assert_allclose(change.sum(axis=1), apart, atol=1e-5)


@pytest.mark.parametrize("model", ["svm", "forest"])
def test_many_images_at_once_change_nothing(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline, X = fitted(model)
    whole = regional_change(pipeline, X[90:], X[:7], GROUPS)
    monkeypatch.setattr("benchmarks.importance.local.ROWS", 20)
    np.testing.assert_array_equal(regional_change(pipeline, X[90:], X[:7], GROUPS), whole)
    part = regional_change(pipeline, X[95:99], X[:7], GROUPS)
    np.testing.assert_allclose(part, whole[5:9], atol=1e-9)


def test_an_image_replaced_by_itself_does_not_change() -> None:
    pipeline, X = fitted("svm")
    np.testing.assert_allclose(regional_change(pipeline, X[:1], X[:1], GROUPS), 0, atol=1e-9)


def test_columns_that_the_model_left_out_are_worth_nothing() -> None:
    X, y = rows()
    pipeline = MODELS["forest"].build(seed=0, balance="none").set_params(select__n_columns=4)
    pipeline.fit(X, y)
    kept = np.flatnonzero(pipeline.named_steps["select"].get_support())
    others = np.setdiff1d(np.arange(30), kept)
    groups = {"kept": kept, "others": others, "mixed": np.r_[kept[:1], others[:3]]}
    tail, (small,), left = drop_unused(pipeline, [X], groups)
    assert [len(columns) for columns in left.values()] == [4, 0, 1]
    np.testing.assert_array_equal(tail.predict_proba(small), pipeline.predict_proba(X))
    change = regional_change(pipeline, X[:20], X[50:55], groups)
    assert (change[:, 1] == 0).all()
    np.testing.assert_allclose(change[:, 2], by_hand(pipeline, X[:20], X[50:55], kept[:1]))


def test_log_odds_of_unanimous_votes_are_bounded() -> None:
    pipeline, _ = fitted("forest")
    found = log_odds(pipeline, np.array([0.0, 0.25, 1.0]))
    np.testing.assert_allclose(found, [logit(1 / 400), logit(0.25), logit(399 / 400)])
    boosted, _ = fitted("xgboost")
    np.testing.assert_allclose(log_odds(boosted, np.array([1.0])), logit(1 - 1e-6))


def test_what_it_can_not_explain_is_refused() -> None:
    pipeline, X = fitted("logistic")
    with pytest.raises(ValueError, match=r"shape \(3, 30\) and a background of shape \(2, 29\)"):
        regional_change(pipeline, X[:3], X[:2, :29], GROUPS)
    with pytest.raises(ValueError, match="no background image"):
        regional_change(pipeline, X[:3], X[:0], GROUPS)
    three = MODELS["logistic"].build(seed=0, balance="none").fit(X, np.arange(len(X)) % 3)
    with pytest.raises(ValueError, match="3 classes, but expected two"):
        regional_change(three, X, X, GROUPS)
