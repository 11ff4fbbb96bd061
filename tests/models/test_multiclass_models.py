"""Every model with three classes: learning, probabilities, saving."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from imblearn.pipeline import Pipeline
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.svm import SVC

from benchmarks.fitting.scoring import score
from benchmarks.saved.model_files import load_cell, save_cell
from models import MODELS, declaration
from models.balance import RESAMPLERS, Balancer, resampling_record
from models.logistic import LeanLogistic
from models.platt import PlattScaled

pytestmark = pytest.mark.slow

ON_FEATURES = [name for name in MODELS if not declaration(name).on_images]


def corners(n: int = 120, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three overlapping Gaussian classes, 1 : 2 : 3, two rows per patient."""
    rng = np.random.default_rng(seed)
    y = np.array([0, 1, 1, 2, 2, 2])[np.arange(n) // 2 % 6]
    X = rng.normal(size=(n, 12))
    X[:, :3] += 2.5 * np.eye(3)[y]
    return X.astype(np.float32), y, np.arange(n) // 2


def fitted(name: str, balance: str = "smote") -> Pipeline:
    X, y, patients = corners()
    wanted = {"classify__groups": patients} if name == "svm" else {}
    return MODELS[name].build(3, balance, 1).fit(X, y, **wanted)


@pytest.mark.parametrize("balance", ["smote", "class_weight"])
@pytest.mark.parametrize("name", ON_FEATURES)
def test_learns_three_classes_and_reloads(name: str, balance: str, tmp_path: Path) -> None:
    X, y, _ = corners(seed=1)
    model = fitted(name, balance)
    proba = model.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)
    found = [(proba.argmax(axis=1) == k)[y == k].mean() for k in range(3)]
    assert min(found) > 0.5  # every class, not the largest alone
    save_cell(tmp_path, f"hog/{name}/seed3", model, columns=12)
    again = load_cell(tmp_path, f"hog/{name}/seed3")
    assert again.predict_proba(X).tobytes() == proba.tobytes()


@pytest.mark.parametrize("name", ON_FEATURES)
def test_a_row_scores_the_same_alone(name: str) -> None:
    X, _, _ = corners(12, seed=1)
    model = fitted(name)
    together = score(name, model, X)
    assert together.shape == (12, 3)
    assert together.dtype == np.float64
    for k, row in enumerate(X):
        np.testing.assert_array_equal(score(name, model, row[None])[0], together[k])


@pytest.mark.parametrize("name", ON_FEATURES)
def test_every_class_grows_to_the_largest(name: str) -> None:
    record = resampling_record(fitted(name))
    assert record["before"] == {"0": 20, "1": 40, "2": 60}
    assert record["after"] == {"0": 60, "1": 60, "2": 60}


@pytest.mark.parametrize("method", [name for name in RESAMPLERS if name != "undersample"])
def test_made_rows_follow_the_given_ones(method: str) -> None:
    X, y, _ = corners()
    balancer = Balancer(method)
    X_new, y_new = balancer.fit_resample(X, y)
    np.testing.assert_array_equal(X_new[:120], X)
    np.testing.assert_array_equal(y_new[:120], y)
    assert min(balancer.counts_after_.values()) >= 50


def test_a_class_of_one_row_is_an_error_that_names_the_remedy() -> None:
    X, y, _ = corners()
    rows = np.append(np.flatnonzero(y == 0)[:1], np.flatnonzero(y > 0))
    with pytest.raises(ValueError, match=r"\{0: 1, 1: 40, 2: 60\}.*--balance class_weight"):
        Balancer("smote").fit_resample(X[rows], y[rows])


@pytest.mark.parametrize("weight", [None, "balanced"])
@pytest.mark.parametrize("C", [0.01, 1.0])
def test_agrees_with_scikit_learn_in_double_precision(weight: str | None, C: float) -> None:
    X, y, _ = corners()
    exact = LogisticRegression(C=C, tol=1e-9, max_iter=5000, class_weight=weight)
    exact.fit(X.astype(np.float64), y)
    lean = LeanLogistic(C=C, tol=1e-6, max_iter=2000, class_weight=weight).fit(X, y)
    np.testing.assert_allclose(lean.coef_, exact.coef_, atol=1e-4)
    np.testing.assert_allclose(lean.predict_proba(X), exact.predict_proba(X), atol=1e-4)


def test_platt_probabilities_match_prevalence_unless_balanced() -> None:
    X, y, _ = corners(600)
    plain = PlattScaled(SVC(), balanced=False).fit(X, y).predict_proba(X).mean(axis=0)
    balanced = PlattScaled(SVC(), balanced=True).fit(X, y).predict_proba(X).mean(axis=0)
    np.testing.assert_allclose(plain, [1 / 6, 2 / 6, 3 / 6], atol=0.05)
    assert balanced[0] > plain[0]
    assert balanced[2] < plain[2]


def test_platt_needs_all_classes_in_every_fold() -> None:
    """Two patients hold all of class 0; the third, who has one row, can't fill a fold."""
    X, y, patients = corners(60)
    patients = np.where(y == 0, np.arange(60) % 2, patients + 100)
    with pytest.raises(ValueError, match="2 patients of one class"):
        PlattScaled(SVC()).fit(X, y, groups=patients)


@pytest.mark.slow
def test_network_learns_three_classes_and_reloads(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from models.network_file import load_network, save_network

    rng = np.random.default_rng(0)
    y = np.arange(72) % 3
    images = rng.integers(0, 60, (72, 32, 32), dtype=np.uint8)
    images += (y * 90).astype(np.uint8)[:, None, None]  # dark, grey, bright
    build = MODELS["cnn"].build
    network = build(0, "smote", backbone="resnet10t", epochs=4, batch_size=12)
    network.set_params(pretrained=False)
    network.fit(images[:48], y[:48], validation=(images[48:], y[48:]))
    proba = network.predict_proba(images[48:])
    assert proba.shape == (24, 3)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)
    best = network.history_[network.best_epoch_ - 1]["validation_average_precision"]
    each = [average_precision_score(y[48:] == k, proba[:, k]) for k in range(3)]
    assert best == pytest.approx(np.mean(each))
    assert best > 0.6
    save_network(network, tmp_path / "network.safetensors")
    again = load_network(tmp_path / "network.safetensors")
    assert again.predict_proba(images[48:]).tobytes() == proba.tobytes()
