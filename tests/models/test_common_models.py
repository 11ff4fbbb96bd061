"""Every entry of MODELS keeps the contract of build, fit and predict_proba."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from imblearn.pipeline import Pipeline
from sklearn.model_selection import ParameterGrid

from benchmarks.commands.listing import choices
from models import IMAGE_MODELS, MODELS
from models.balance import BALANCES, resampling_record
from tests.helpers import textured

ON_FEATURES = [name for name in MODELS if name not in IMAGE_MODELS]


def blobs(n: int = 90, d: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two overlapping Gaussian classes, a third of the rows negative, two rows a patient."""
    rng = np.random.default_rng(seed)
    y = (np.arange(n) // 2 % 3 > 0).astype(np.int64)
    X = rng.normal(size=(n, d)) + 1.2 * y[:, None] * (np.arange(d) < 4)
    return X.astype(np.float32), y, np.arange(n) // 2


def fitted(name: str, balance: str = "smote", seed: int = 3) -> Pipeline:
    X, y, _ = blobs()
    return MODELS[name].build(seed, balance, 1).fit(X, y)


@pytest.mark.parametrize("name", ON_FEATURES)
def test_learns_and_gives_probabilities(name: str) -> None:
    X, y, _ = blobs(seed=1)
    proba = fitted(name).predict_proba(X)
    assert proba.shape == (90, 2)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)
    assert ((proba[:, 1] >= 0.5) == y).mean() > 0.75


@pytest.mark.parametrize("balance", BALANCES)
@pytest.mark.parametrize("name", ON_FEATURES)
def test_every_balance_is_deterministic(name: str, balance: str) -> None:
    X, _, _ = blobs(seed=1)
    first, second = fitted(name, balance), fitted(name, balance)
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))


@pytest.mark.parametrize("name", ON_FEATURES)
def test_resampling_touches_training_rows_only(name: str) -> None:
    pipeline = fitted(name)
    record = resampling_record(pipeline)
    assert record["before"] == {"0": 30, "1": 60}
    assert record["after"] == {"0": 60, "1": 60}
    assert record["k_neighbors"] == 5
    assert len(pipeline.predict_proba(blobs(31)[0])) == 31


@pytest.mark.parametrize("name", ON_FEATURES)
def test_class_weight_shifts_scores_towards_the_minority(name: str) -> None:
    X, _, _ = blobs(seed=1)
    plain, weighted = fitted(name, "none"), fitted(name, "class_weight")
    assert weighted.predict_proba(X)[:, 0].mean() > plain.predict_proba(X)[:, 0].mean()


def test_last_bits_of_features_hardly_move_the_logistic_score() -> None:
    X, y, _ = blobs(60, 400)
    scores = [
        MODELS["logistic"].build(0, "smote", 1).fit(rows, y).predict_proba(X)[:, 1]
        for rows in (X, np.nextafter(X, np.float32(9)))
    ]
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-4)


@pytest.mark.parametrize("name", ON_FEATURES)
def test_more_columns_than_rows(name: str) -> None:
    X, y, _ = blobs(24, 500)
    assert MODELS[name].build(0, "smote", 1).fit(X, y).predict_proba(X).shape == (24, 2)


@pytest.mark.parametrize("name", ON_FEATURES)
def test_search_grid_names_parameters(name: str) -> None:
    pipeline = MODELS[name].build(0, "smote", 1)
    for parameters in ParameterGrid(MODELS[name].GRID):
        pipeline.set_params(**parameters)


@pytest.mark.parametrize("name", MODELS)
def test_has_a_line_and_stated_hyperparameters(name: str) -> None:
    assert choices()["Models (--models)"][name]
    assert MODELS[name].HYPERPARAMETERS


@pytest.mark.parametrize("name", IMAGE_MODELS)
def test_image_models_learn_from_images(name: str) -> None:
    pytest.importorskip("torch")
    images, label = textured(48, 32)
    build: Any = MODELS[name].build
    network = build(0, "smote", backbone="mobilenetv2_050", epochs=1, batch_size=16)
    network.set_params(pretrained=False)
    network.fit(images[:36], label[:36], validation=(images[36:], label[36:]))
    proba = network.predict_proba(images[36:])
    assert proba.shape == (12, 2)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)
    assert network.record()["initialised_from"]
