"""The contribution of a group of columns to the score of one image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import logit

from benchmarks.explain.replacement import local_change, log_odds, typical_row
from benchmarks.importance.closed_form import skip_columnwise_steps
from benchmarks.importance.shap_values import PROBABILITY, space_of
from models import MODELS

pytestmark = pytest.mark.slow

Rows = NDArray[np.float32]
GROUPS = {"first": np.arange(0, 4), "second": np.arange(4, 9), "rest": np.arange(9, 30)}


def rows(n: int = 120) -> tuple[Rows, NDArray[np.int64]]:
    """Thirty correlated columns; the first group separates the classes."""
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
        return float(log_odds(pipeline[-1], pipeline.predict_proba(row[None])[:, 1])[0])

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
    found = local_change(pipeline, X[90:96], X[:5], GROUPS).changes
    assert found.shape == (6, 3)
    for place, columns in enumerate(GROUPS.values()):
        np.testing.assert_allclose(
            found[:, place], by_hand(pipeline, X[90:96], X[:5], columns), rtol=2e-4, atol=2e-4
        )
    assert np.abs(found[:, 0]).max() > 0.05


@pytest.mark.parametrize("model", ["svm", "forest", "xgboost", "logistic"])
def test_values_do_not_depend_on_other_images(model: str) -> None:
    pipeline, X = fitted(model)
    one = local_change(pipeline, X[95:96], X[:5], GROUPS)
    many = local_change(pipeline, X[94:97], X[:5], GROUPS)
    np.testing.assert_allclose(one.changes[0], many.changes[1], rtol=1e-4, atol=1e-5)
    assert one.output[0] == pytest.approx(many.output[1])
    assert one.expected == pytest.approx(many.expected)


def test_logistic_values_add_up_to_the_decision() -> None:
    pipeline, X = fitted("logistic")
    change = local_change(pipeline, X[90:], X[:10], GROUPS).changes
    apart = pipeline.decision_function(X[90:]) - pipeline.decision_function(X[:10]).mean()
    np.testing.assert_allclose(change.sum(axis=1), apart, atol=1e-5)


@pytest.mark.parametrize("model", ["svm", "forest"])
def test_values_are_independent_of_block_size(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline, X = fitted(model)
    whole = local_change(pipeline, X[90:], X[:7], GROUPS).changes
    monkeypatch.setattr("benchmarks.explain.replacement.ROWS", 20)
    np.testing.assert_array_equal(local_change(pipeline, X[90:], X[:7], GROUPS).changes, whole)
    part = local_change(pipeline, X[95:99], X[:7], GROUPS).changes
    np.testing.assert_allclose(part, whole[5:9], atol=1e-9)


def test_an_image_replaced_by_itself_does_not_change() -> None:
    pipeline, X = fitted("svm")
    np.testing.assert_allclose(local_change(pipeline, X[:1], X[:1], GROUPS).changes, 0, atol=1e-9)


def test_dropped_columns_have_no_importance() -> None:
    X, y = rows()
    pipeline = MODELS["forest"].build(seed=0, balance="none").set_params(select__n_columns=4)
    pipeline.fit(X, y)
    kept = np.flatnonzero(pipeline.named_steps["select"].get_support())
    others = np.setdiff1d(np.arange(30), kept)
    groups = {"kept": kept, "others": others, "mixed": np.r_[kept[:1], others[:3]]}
    model, (small,), place = skip_columnwise_steps(pipeline, X)
    assert small.shape[1] == 4
    assert place[kept].tolist() == [0, 1, 2, 3]
    assert (place[others] == -1).all()
    np.testing.assert_array_equal(model.predict_proba(small), pipeline.predict_proba(X))
    change = local_change(pipeline, X[:20], X[50:55], groups).changes
    assert (change[:, 1] == 0).all()
    np.testing.assert_allclose(change[:, 2], by_hand(pipeline, X[:20], X[50:55], kept[:1]))


def test_log_odds_of_unanimous_votes_are_bounded() -> None:
    pipeline, _ = fitted("forest")
    found = log_odds(pipeline[-1], np.array([0.0, 0.25, 1.0]))
    np.testing.assert_allclose(found, [logit(1 / 400), logit(0.25), logit(399 / 400)])
    boosted, _ = fitted("xgboost")
    np.testing.assert_allclose(log_odds(boosted[-1], np.array([1.0])), logit(1 - 1e-6))


def test_unusable_input_is_refused() -> None:
    pipeline, X = fitted("logistic")
    with pytest.raises(ValueError, match=r"shape \(3, 30\) and a background of shape \(2, 29\)"):
        local_change(pipeline, X[:3], X[:2, :29], GROUPS)
    with pytest.raises(ValueError, match="no background image"):
        local_change(pipeline, X[:3], X[:0], GROUPS)
    three = MODELS["logistic"].build(seed=0, balance="none").fit(X, np.arange(len(X)) % 3)
    with pytest.raises(ValueError, match="3 classes, but expected two"):
        local_change(three, X, X, GROUPS)


@pytest.mark.parametrize("name", ["logistic", "svm", "xgboost", "forest"])
def test_all_columns_together_give_the_whole_difference(name: str) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(120, 4)).astype(np.float32)
    y = (X[:, 0] + X[:, 1] > 0).astype(np.int64)
    pipeline = MODELS[name].build(0, "none", 1)
    if name in ("forest", "xgboost"):
        pipeline.set_params(classify__n_estimators=20)
    pipeline.fit(X, y)
    groups = {"all": np.arange(4), "first": np.array([0]), "rest": np.arange(1, 4)}
    found = local_change(pipeline, X[5:6], X[:50], groups, space_of(pipeline))
    parts = dict(zip(groups, found.changes[0], strict=True))
    output, background = (output_of(pipeline, rows) for rows in (X[5:6], X[:50]))
    assert found.space == ("probability" if name == "forest" else "log-odds")
    assert found.output == pytest.approx(output, abs=1e-4)
    assert found.expected == pytest.approx(background.mean(), abs=1e-4)
    assert parts["all"] == pytest.approx(found.output[0] - found.expected, abs=1e-6)
    if name == "logistic":
        assert parts["first"] + parts["rest"] == pytest.approx(parts["all"])
    mixed = np.repeat(X[[5]], 50, axis=0)
    mixed[:, 0] = X[:50, 0]
    assert parts["first"] == pytest.approx(output[0] - output_of(pipeline, mixed).mean(), abs=1e-4)


def output_of(pipeline: Any, rows: Rows) -> NDArray[np.float64]:
    """Forest's probabilities, others' log odds."""
    score = pipeline.predict_proba(rows)[:, 1].astype(np.float64)
    return score if space_of(pipeline) == PROBABILITY else logit(score)


@pytest.mark.parametrize("model", ["svm", "logistic"])
def test_values_may_be_probabilities(model: str) -> None:
    pipeline, X = fitted(model)
    found = local_change(pipeline, X[90:92], X[:5], GROUPS, PROBABILITY)
    mixed = np.repeat(X[90:91], 5, axis=0)
    mixed[:, GROUPS["first"]] = X[:5, GROUPS["first"]]
    score = pipeline.predict_proba(X)[:, 1]
    np.testing.assert_allclose(found.output, score[90:92])
    assert found.expected == pytest.approx(score[:5].mean())
    change = score[90] - pipeline.predict_proba(mixed)[:, 1].mean()
    assert found.changes[0, 0] == pytest.approx(change)


def test_the_typical_row_is_the_mean_of_the_training_rows() -> None:
    X = np.random.default_rng(0).normal(size=(60, 2100)).astype(np.float32)
    y = np.arange(60) % 2
    for name in ("logistic", "xgboost"):
        pipeline = MODELS[name].build(0, "none", 1)
        if name == "xgboost":
            pipeline.set_params(classify__n_estimators=2)
        row = typical_row(pipeline.fit(X, y), 2100)
        kept = row[0] != 0
        assert kept.sum() == (2000 if name == "xgboost" else 2100)
        np.testing.assert_allclose(row[0, kept], X.mean(axis=0)[kept], atol=1e-6)
