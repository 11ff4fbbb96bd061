"""Contract of every classifier: build, fit, predict_proba, declaration."""

from __future__ import annotations

from dataclasses import replace
from string import Formatter
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from imblearn.pipeline import Pipeline
from sklearn.model_selection import ParameterGrid

from benchmarks.commands.list import choices
from benchmarks.config import RunConfig
from benchmarks.fitting.cell import Cell
from benchmarks.fitting.fit import fit_on_features
from benchmarks.fitting.split_indices import SplitIndices
from models import MODELS, declaration
from models.balance import BALANCES, resampling_record
from models.declaration import Declaration
from tests.helpers import textured

ON_IMAGES = [name for name in MODELS if declaration(name).on_images]
ON_FEATURES = [name for name in MODELS if not declaration(name).on_images]


def blobs(n: int = 90, d: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two overlapping Gaussian classes, a third of the rows negative, two rows per patient."""
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


@pytest.mark.parametrize("name", [n for n in ON_FEATURES if declaration(n).class_weight])
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
        set_to = pipeline.set_params(**parameters).get_params()
        assert {key: set_to[key] for key in parameters} == parameters


def test_class_weight_is_not_run_where_a_classifier_takes_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    X, y, patients = blobs()
    without = replace(declaration("logistic"), class_weight=False)
    monkeypatch.setattr(MODELS["logistic"], "DECLARATION", without)
    rows = SplitIndices(y, patients.astype(object), np.arange(90), {"test": np.arange(90)})
    for balance, status in (("class_weight", "not_run"), ("none", "ok")):
        result = fit_on_features(Cell("hog", "logistic", balance, 0), {"hog": X}, rows)
        assert result.status == status
        assert ("takes no class weights" in result.reason) == (status == "not_run")


def test_default_run_is_what_classifiers_declare(monkeypatch: pytest.MonkeyPatch) -> None:
    assert RunConfig().models == ("svm", "forest", "xgboost", "logistic", "cnn")
    added = ModuleType("knn")
    added.DECLARATION = Declaration("k nearest neighbours", references={})  # type: ignore[attr-defined]
    monkeypatch.setitem(MODELS, "knn", added)
    assert "knn" not in RunConfig().models
    assert RunConfig(models="knn").models == ("knn",)


@pytest.mark.parametrize("name", MODELS)
def test_declares_works_to_cite(name: str) -> None:
    declared = declaration(name)
    assert declared.title
    assert declared.references
    for work in declared.references.values():
        assert {"kind", "authors", "title", "year", "venue"} <= set(work)
        assert ("doi" in work) != ("url" in work)
    cited = {field for _, field, _, _ in Formatter().parse(declared.description) if field}
    assert cited <= set(declared.references)


def test_an_unknown_name_is_its_own_title() -> None:
    assert declaration("someone's network").title == "someone's network"


@pytest.mark.parametrize("name", MODELS)
def test_has_a_description_and_hyperparameters(name: str) -> None:
    assert choices()["Models (--models)"][name]
    assert MODELS[name].HYPERPARAMETERS


@pytest.mark.parametrize("name", ON_IMAGES)
@pytest.mark.slow
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
