"""Exchanged rows are scored as the pipeline scores them; drops of hand-computed examples."""

from __future__ import annotations

import numpy as np
import pytest
from imblearn.pipeline import Pipeline
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import MinMaxScaler

from benchmarks.importance.permutation import permutation_importance, permutations
from benchmarks.importance.scorers import FoldScorer, PlainScorer, make_scorer
from models import MODELS

QUICK = {"svm": "SvmScorer", "logistic": "LogisticScorer", "forest": "TreeScorer",
         "xgboost": "TreeScorer"}  # fmt: skip
N, D = 90, 30


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    label = np.arange(N) % 3 // 2
    X = rng.normal(size=(N, D)).astype(np.float32) * np.arange(1, D + 1, dtype=np.float32)
    X[:, :4] += 2 * label[:, None]
    return X, label


@pytest.mark.parametrize("name", QUICK)
def test_permuted_rows_have_the_scores_of_the_pipeline(
    name: str, rows: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    X, label = rows
    monkeypatch.setitem(MODELS["xgboost"].HYPERPARAMETERS, "columns_of_largest_F", 20)
    monkeypatch.setitem(MODELS["forest"].HYPERPARAMETERS, "columns_of_largest_F", 20)
    pipeline = MODELS[name].build(0, "smote")
    pipeline.fit(X, label, **({"classify__groups": np.arange(N)} if name == "svm" else {}))
    scorer, plain = make_scorer(pipeline, X), PlainScorer(pipeline, X)
    assert type(scorer).__name__ == QUICK[name]
    orders = permutations(N, 3, seed=1)
    for columns in (np.array([0, 2]), np.arange(D), np.arange(5, 25)):
        np.testing.assert_allclose(
            scorer.permuted(columns, orders), plain.permuted(columns, orders), atol=2e-6
        )


def test_an_unknown_step_is_refused(rows: tuple[np.ndarray, np.ndarray]) -> None:
    X, label = rows
    steps = [("scale", MinMaxScaler()), ("classify", LogisticRegression())]
    assert type(make_scorer(Pipeline(steps).fit(X, label), X)) is PlainScorer
    pipeline = MODELS["logistic"].build(0, "none").fit(X, label)
    pipeline.named_steps["scale"].set_params(with_mean=False)  # which the scorer does not know
    with pytest.raises(ValueError, match="differ from the pipeline's"):
        make_scorer(pipeline, X)


class Sum:
    """Scores are columns 0 and 1 together; nothing else is looked at."""

    def __init__(self, X: np.ndarray) -> None:
        self.X, self.score = X, X[:, :2].sum(axis=1)

    def permuted(self, columns: np.ndarray, orders: np.ndarray) -> np.ndarray:
        rows = np.stack([self.X] * len(orders))
        rows[:, :, columns] = self.X[orders][:, :, columns]
        return rows[:, :, :2].sum(axis=2)


def test_a_group_takes_everything_and_another_nothing() -> None:
    label = np.arange(400) % 2
    patient = np.array([f"p{k // 2}" for k in range(400)], dtype=object)
    X = np.column_stack([label / 4, label / 4, label / 2])
    groups = {"both": np.array([0, 1]), "one": np.array([0]), "none": np.array([2])}
    table = permutation_importance(Sum(X), groups, label, patient, threshold=0.5, seed=0)
    value = table.set_index(["group", "metric"])["value"]
    assert value["none", "auc"] == 0
    # Permuted together, the columns are uninformative: AUC and precision fall from 1 to about 0.5.
    assert value["both", "auc"] == pytest.approx(0.5, abs=0.05)
    assert value["both", "precision"] == pytest.approx(0.5, abs=0.05)
    # One permuted: positives score 1/4 or 1/2, negatives 0 or 1/4, each half the time, so one
    # pair in four is a tie and counts half: AUC 7/8.
    assert value["one", "auc"] == pytest.approx(1 / 8, abs=0.03)
    bounds = table.set_index(["group", "metric"]).loc[("both", "auc")]
    assert bounds["lo"] < bounds["value"] < bounds["hi"]


def test_same_seed_same_numbers() -> None:
    label = np.arange(60) % 2
    patient = np.arange(60).astype(str).astype(object)
    X = np.random.default_rng(2).normal(size=(60, 3)) + label[:, None]
    groups = {"a": np.array([0]), "b": np.array([1, 2])}
    one, two, other = (
        permutation_importance(Sum(X), groups, label, patient, 0.5, seed) for seed in (0, 0, 1)
    )
    assert one.equals(two)
    assert not one.equals(other)


def test_permutations_stay_within_folds() -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(20, 3))
    fold = np.arange(20) % 2 + 1
    scorer = FoldScorer({k: Sum(X[fold == k]) for k in (1, 2)}, fold)
    np.testing.assert_allclose(scorer.score, Sum(X).score)
    orders = permutations(20, 2, seed=0, fold=fold)
    columns = np.array([1])
    np.testing.assert_allclose(scorer.permuted(columns, orders), Sum(X).permuted(columns, orders))
    with pytest.raises(ValueError, match="permutation between folds"):
        scorer.permuted(columns, permutations(20, 2, seed=0))
