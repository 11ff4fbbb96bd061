from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.tree import DecisionTreeClassifier

from models import forest
from models.accelerate import forest_engine, grow_trees
from models.forest import Forest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
needs_onedal = pytest.mark.skipif(not find_spec("sklearnex"), reason="the extra 'fast' is missing")
PLAIN = {"sklearn", "numpy", "builtins", "models"}


def data(n: int = 150, d: int = 20, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.6).astype(np.int64)
    X = rng.normal(size=(n, d)) + 0.9 * y[:, None] * (np.arange(d) < 4)
    return X.astype(np.float32), y


@pytest.fixture
def without_onedal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearnex.ensemble", None)


def settings(**changes: Any) -> dict[str, Any]:
    return {"n_estimators": 40, "max_samples": 0.7, "random_state": 5, **changes}


@needs_onedal
def test_trees_are_scikit_learns_and_score_as_onedal_does() -> None:
    from sklearnex.ensemble import RandomForestClassifier as OneDal

    from models.accelerate import BINS

    X, y = data()
    theirs = OneDal(n_jobs=1, max_bins=BINS, **settings()).fit(X, y)
    ours = Forest(n_jobs=1, **settings()).fit(X, y)
    new = data(80, seed=1)[0]
    assert {type(tree) for tree in ours.estimators_} == {DecisionTreeClassifier}
    np.testing.assert_allclose(ours.predict_proba(new), theirs.predict_proba(new), atol=1e-6)


@needs_onedal
def test_fitted_forest_holds_nothing_of_onedal() -> None:
    X, y = data()
    fitted = Forest(**settings()).fit(X, y)
    parts = [
        *vars(fitted).values(),
        *(v for tree in fitted.estimators_ for v in vars(tree).values()),
    ]
    assert {type(part).__module__.split(".")[0] for part in parts} <= PLAIN
    assert {type(tree.tree_).__module__ for tree in fitted.estimators_} == {"sklearn.tree._tree"}


@needs_onedal
def test_leaves_are_pure() -> None:
    """oneDAL returns only the majority class of a mixed leaf, so there must be none."""
    X, y = data()
    for tree in Forest(**settings()).fit(X, y).estimators_:
        leaves = tree.tree_.children_left == -1
        assert set(tree.tree_.value[leaves].ravel()) == {0.0, 1.0}
        np.testing.assert_allclose(tree.tree_.impurity[leaves], 0, atol=1e-12)


@needs_onedal
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_scores_do_not_depend_on_threads(n_jobs: int) -> None:
    X, y = data()
    first = Forest(n_jobs=1, **settings()).fit(X, y)
    second = Forest(n_jobs=n_jobs, **settings()).fit(X, y)
    for one, other in zip(first.estimators_, second.estimators_, strict=True):
        np.testing.assert_array_equal(one.tree_.threshold, other.tree_.threshold)
        np.testing.assert_array_equal(one.tree_.feature, other.tree_.feature)
    new = data(50, seed=1)[0]
    np.testing.assert_array_equal(first.predict_proba(new), second.predict_proba(new))


def test_scores_do_not_depend_on_the_process() -> None:
    code = (
        "import numpy as np\nfrom tests.models.test_forest import Forest, data, settings\n"
        "X, y = data()\nscores = Forest(**settings()).fit(X, y).predict_proba(X)\n"
        "print(scores.tobytes().hex())"
    )
    X, y = data()
    here = Forest(**settings()).fit(X, y).predict_proba(X)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == here.tobytes().hex()


def test_seed_changes_the_trees() -> None:
    X, y = data()
    first, second = (Forest(**settings(random_state=seed)).fit(X, y) for seed in (1, 2))
    assert (first.predict_proba(X) != second.predict_proba(X)).any()


@pytest.mark.usefixtures("without_onedal")
def test_without_onedal_it_is_scikit_learns_forest() -> None:
    X, y = data()
    assert forest_engine().startswith("scikit-learn ")
    assert grow_trees(X, y, 1, n_estimators=2) is None
    ours = Forest(**settings()).fit(X, y)
    plain = RandomForestClassifier(**settings()).fit(X, y)
    np.testing.assert_array_equal(ours.predict_proba(X), plain.predict_proba(X))


@needs_onedal
def test_engine_names_onedal() -> None:
    assert forest_engine().startswith("oneDAL 2")


@needs_onedal
def test_both_engines_rank_similarly(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = data(600)
    new, truth = data(600, seed=1)
    fast = forest.build(0, "smote").fit(X, y).predict_proba(new)[:, 1]
    monkeypatch.setitem(sys.modules, "sklearnex.ensemble", None)
    plain = forest.build(0, "smote").fit(X, y).predict_proba(new)[:, 1]
    assert roc_auc_score(truth, fast) == pytest.approx(roc_auc_score(truth, plain), abs=0.01)
    assert np.corrcoef(fast, plain)[0, 1] > 0.97


@pytest.mark.parametrize(
    "change", [{"min_samples_leaf": 3}, {"class_weight": "balanced"}, {"max_depth": 3}]
)
def test_scikit_learn_grows_trees_that_onedal_can_not_convert(change: dict[str, Any]) -> None:
    X, y = data()
    ours = Forest(**settings(**change)).fit(X, y)
    plain = RandomForestClassifier(**settings(**change)).fit(X, y)
    np.testing.assert_array_equal(ours.predict_proba(X), plain.predict_proba(X))


def test_labels_may_be_strings() -> None:
    X, y = data()
    named = Forest(**settings()).fit(X, np.array(["normal", "pneumonia"])[y])
    coded = Forest(**settings()).fit(X, y)
    assert named.classes_.tolist() == ["normal", "pneumonia"]
    np.testing.assert_array_equal(named.predict_proba(X), coded.predict_proba(X))
    assert (named.predict(X) == np.array(["normal", "pneumonia"])[y]).mean() > 0.9


def test_importances_sum_to_one_and_find_the_signal() -> None:
    X, y = data(400)
    importances = Forest(**settings()).fit(X, y).feature_importances_
    assert importances.sum() == pytest.approx(1)
    assert importances[:4].min() > importances[4:].mean()
