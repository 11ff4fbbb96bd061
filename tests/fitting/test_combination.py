"""Combinations of cells, by known answers and against other solvers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from benchmarks.fitting.cell import COMBINED, Cell
from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.combination import (
    Combination,
    combine,
    cross_fitted_stack,
    fit_stack,
    mean_of,
    members_of,
    read_combination,
)
from benchmarks.metrics.calibration import logit

NAMES = ["a", "b", "c"]
RNG = np.random.default_rng(0)
LABEL = RNG.integers(0, 2, 300)
SCORES = [expit(slope * (2 * LABEL - 1) + RNG.normal(0, 2, 300)) for slope in (1.0, 0.7, 0.4)]
FOLD = np.arange(300) % 3 + 1


def result(features: str, model: str, seed: int = 0, **more: object) -> CellResult:
    k = sum(map(ord, features + model)) % 3
    folds = {fold: SCORES[k][fold == FOLD] for fold in (1, 2, 3)}
    scores = {"validation": SCORES[k][:40], "test": SCORES[k][40:90]}
    cell = Cell(features, model, "smote", seed)
    return CellResult(cell, **{"scores": scores, "folds": folds, **more})  # type: ignore[arg-type]


def test_known_answers() -> None:
    scores = [np.array([0.2, 0.5]), np.array([0.6, 0.5])]
    np.testing.assert_allclose(mean_of(["a", "b"]).scores(scores), [0.4, 0.5])
    stack = Combination("stack", ("a", "b"), (2.0, 0.5), -1.0)
    odds = -1 + 2 * np.log([0.2 / 0.8, 1]) + 0.5 * np.log([0.6 / 0.4, 1])
    np.testing.assert_allclose(stack.scores(scores), 1 / (1 + np.exp(-odds)))


@pytest.mark.parametrize("method", ["mean", "stack"])
def test_a_score_does_not_depend_on_the_other_images(method: str) -> None:
    made = mean_of(NAMES) if method == "mean" else fit_stack(NAMES, LABEL, SCORES)
    alone = [made.scores([score[k : k + 1] for score in SCORES])[0] for k in range(len(LABEL))]
    np.testing.assert_array_equal(made.scores(SCORES), alone)


def test_stacking_is_ridge_regression_where_no_weight_is_bounded() -> None:
    found = fit_stack(NAMES, LABEL, SCORES)
    other = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000)
    other.fit(np.column_stack([logit(score) for score in SCORES]), LABEL)
    assert (other.coef_ > 0).all()
    np.testing.assert_allclose(found.weights, other.coef_[0], atol=1e-5)
    np.testing.assert_allclose(found.intercept, other.intercept_[0], atol=1e-5)


def test_weights_are_not_negative_and_another_solver_agrees() -> None:
    scores = [*SCORES, 1 - SCORES[0], SCORES[0]]  # one reversed, and one twice
    x = np.column_stack([logit(score) for score in scores])
    sign = 2 * LABEL - 1

    def loss(w: np.ndarray) -> float:
        return float(np.logaddexp(0, -sign * (w[0] + x @ w[1:])).sum() + (w[1:] ** 2).sum() / 2)

    found = fit_stack([*NAMES, "reversed", "again"], LABEL, scores)
    bounds = [(None, None)] + [(0, None)] * 5
    other = minimize(
        loss, np.zeros(6), bounds=bounds, method="SLSQP", options={"ftol": 1e-13, "maxiter": 500}
    )
    assert found.weights[3] == 0
    assert found.weights[0] == pytest.approx(found.weights[4], abs=1e-6)
    np.testing.assert_allclose(found.weights, other.x[1:], atol=1e-4)
    assert loss(np.array([found.intercept, *found.weights])) <= other.fun + 1e-9


def test_labels_of_a_fold_do_not_change_its_scores() -> None:
    changed = np.where(FOLD == 2, 1 - LABEL, LABEL)
    one, two = (cross_fitted_stack(NAMES, label, SCORES, FOLD) for label in (LABEL, changed))
    np.testing.assert_array_equal(one[2], two[2])
    assert not np.array_equal(one[1], two[1])


def test_members_are_finished_classifiers_of_the_seed_without_controls() -> None:
    results = [
        result("hog", "svm"), result("hog", "forest", status="failed"), result("lbp", "svm", 1),
        result("embedding_random", "svm"), result("pixels", "cnn"), result("external", "other"),
        result(COMBINED, "mean"), result("hybrid", "svm"),
    ]  # fmt: skip
    found = members_of(Cell(COMBINED, "mean", "none", 0), results)
    assert [one.cell.name for one in found] == ["hog/svm/seed0", "hybrid/svm/seed0"]


def test_combined_results() -> None:
    members = [result("hog", "svm"), result("lbp", "svm")]
    mean = combine(Cell(COMBINED, "mean", "none", 0), members, LABEL, FOLD)
    for k in (1, 2, 3):
        np.testing.assert_allclose(mean.folds[k], (members[0].folds[k] + members[1].folds[k]) / 2)
    stack = combine(Cell(COMBINED, "stack", "none", 0), members, LABEL, FOLD)
    assert (mean.status, stack.status) == ("ok", "ok")
    assert read_combination("stack", stack.details).scores(
        [one.scores["test"] for one in members]
    ).tolist() == stack.scores["test"].tolist()  # fmt: skip


def test_reasons_why_nothing_is_combined() -> None:
    mean, stack = (Cell(COMBINED, name, "none", 0) for name in ("mean", "stack"))
    two = [result("hog", "svm"), result("lbp", "svm")]
    assert "there is 1" in combine(mean, two[:1], LABEL, FOLD).reason
    assert "there are none" in combine(stack, [], LABEL, FOLD).reason
    assert "--folds 0" in combine(stack, two, LABEL).reason
    lacking = [two[0], result("gabor", "svm", folds={1: SCORES[0][FOLD == 1]})]
    assert "of gabor/svm/seed0 has not" in combine(stack, lacking, LABEL, FOLD).reason
    assert combine(mean, lacking, LABEL, FOLD).folds == {}


@pytest.mark.parametrize(
    "details",
    [
        {},
        {"members": ["a", "a"], "weights": [0.5, 0.5], "intercept": 0.0},
        {"members": ["a", "b"], "weights": [0.4, 0.6], "intercept": 0.0},
        {"members": ["a", "b"], "weights": [0.5, True], "intercept": 0.0},
        {"members": ["a"], "weights": [1.0], "intercept": 0.0},
    ],
)
def test_a_record_that_no_run_writes_is_refused(details: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="members|weights"):
        read_combination("mean", details)
