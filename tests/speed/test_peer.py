from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.config import RunConfig
from benchmarks.speed import peer, peer_features
from benchmarks.speed.peer_models import classifiers
from features import FEATURES
from tests.helpers import textured

pytestmark = pytest.mark.slow

SIZE = 48


@pytest.mark.parametrize("family", peer_features.FAMILIES)
def test_a_family_has_as_many_columns_as_ours(family: str) -> None:
    image = textured(1, SIZE)[0][0]
    ours = FEATURES[family]().fit_transform(image[None]).shape[1]
    extra = {"glcm": ours // 7}.get(family, 0)  # ours has entropy as a seventh property
    assert len(peer_features.FAMILIES[family](image)) == ours - extra


def test_intensity_agrees_with_ours() -> None:
    image = textured(1, SIZE)[0][0]
    ours = FEATURES["intensity"]().fit_transform(image[None])[0]
    np.testing.assert_allclose(peer_features.intensity(image), ours, rtol=1e-5, atol=1e-5)


def test_constant_images_have_finite_features() -> None:
    flat = np.full((SIZE, SIZE), 7, np.uint8)
    for family, describe in peer_features.FAMILIES.items():
        assert np.isfinite(describe(flat)).all(), family
    np.testing.assert_array_equal(peer_features.stretch(flat), flat)


def test_stretching_reaches_both_ends() -> None:
    image = np.linspace(60, 180, SIZE * SIZE).reshape(SIZE, SIZE).astype(np.uint8)
    stretched = peer_features.stretch(image)
    assert stretched.dtype == np.uint8
    assert (stretched.min(), stretched.max()) == (0, 255)


def test_pretrained_embedding_is_that_of_our_backbone(real_weights: Path) -> None:
    pytest.importorskip("timm")
    images = textured(2, 64)[0]
    ours = FEATURES["embedding"]("mobilenetv2_100", real_weights).fit_transform(images)
    theirs = peer_features.embed(images, "mobilenetv2_100", real_weights, pretrained=True)
    np.testing.assert_allclose(theirs, ours, atol=1e-3)


def test_embedding_does_not_change_the_global_random_state() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("timm")
    before = torch.random.get_rng_state()
    first, second = (
        peer_features.embed(textured(2, 64)[0], "mobilenetv2_050", None, pretrained=False)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_classifiers_give_probabilities() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3 // 2
    X = (rng.normal(size=(60, 6)) + y[:, None]).astype(np.float32)
    for name, pipeline in classifiers(60, 6).items():
        proba = pipeline.fit(X, y).predict_proba(X)
        np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6, err_msg=name)


def no_network(*_: object) -> None:
    raise FileNotFoundError


def test_a_run_times_every_stage_and_scores_every_cell(
    radiograph_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer, "FAMILIES", {"intensity": peer_features.intensity})
    monkeypatch.setattr(peer, "NETWORKS", {"embedding": True})
    monkeypatch.setattr(peer, "DEFAULT_FEATURE_SETS", ("intensity", "embedding"))
    monkeypatch.setattr(peer, "embed", no_network)
    config = RunConfig(data=str(radiograph_folder), image_size=SIZE, quiet=True)
    times, scores = peer.run_peer(config)
    cells = [f"intensity/{model}" for model in ("svm", "forest", "xgboost", "logistic")]
    assert times["stage"].tolist() == ["reading", "intensity", *cells, "total"]
    assert times["seconds"].iloc[-1] == pytest.approx(times["seconds"].iloc[:-1].sum())
    assert scores["model"].tolist() == ["svm", "forest", "xgboost", "logistic"]
    assert isinstance(scores, pd.DataFrame)
    for name in ("auc", "precision", "recall"):
        assert (scores[f"{name}_lo"] <= scores[name]).all()
        assert (scores[name] <= scores[f"{name}_hi"]).all()
