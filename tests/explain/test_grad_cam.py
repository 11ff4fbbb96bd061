"""Grad-CAM where its answer can be computed by hand, and on timm's networks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.explain.explanation import Explained
from benchmarks.explain.grad_cam import NoSpatialOutputError, add_grad_cam, enlarge, grad_cam
from benchmarks.importance.closed_form import NoGradientError, log_odds_gradient
from features.embedding import FrozenEmbedding, RandomEmbedding
from features.hog import Hog
from models import MODELS

torch = pytest.importorskip("torch")
pytest.importorskip("captum")

pytestmark = pytest.mark.slow


class Tiny(torch.nn.Module):  # type: ignore[misc]
    """Two maps of the image, their means, a linear head."""

    def __init__(self, head: list[list[float]], channels_last: bool = False) -> None:
        super().__init__()
        self.head = torch.tensor(head)
        self.output_fmt = "NHWC" if channels_last else "NCHW"

    def forward_features(self, images: Any) -> Any:
        maps = torch.cat([images[:, :1], torch.relu(images[:, 1:2])], dim=1)
        return maps.permute(0, 2, 3, 1) if self.output_fmt == "NHWC" else maps

    def forward_head(self, maps: Any) -> Any:
        places = (1, 2) if self.output_fmt == "NHWC" else (2, 3)
        return maps.mean(places) @ self.head.T

    def forward(self, images: Any) -> Any:
        return self.forward_head(self.forward_features(images))


INPUTS = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]], [[-1.0, 2.0], [0.0, 5.0]], [[0.0] * 2] * 2]])


@pytest.mark.parametrize("channels_last", [False, True])
def test_a_linear_head_on_means_gives_the_class_activation_map(channels_last: bool) -> None:
    network = Tiny([[0.0, 0.0], [2.0, -1.0]], channels_last)
    # 2 A_1 - A_2, below 0 cut off.
    found = grad_cam(network, INPUTS, np.array([-1.0, 1.0]))
    np.testing.assert_allclose(found, [[2, 2], [6, 3]], rtol=1e-6)
    against = grad_cam(network, INPUTS, np.array([1.0, -1.0]))
    np.testing.assert_array_equal(against, np.zeros((2, 2)))
    signed = grad_cam(network, INPUTS, np.array([1.0, -1.0]), signed=True)
    np.testing.assert_allclose(signed, [[-2, -2], [-6, -3]], rtol=1e-6)
    assert signed.mean() == pytest.approx(float(network(INPUTS)[0] @ torch.tensor([1.0, -1.0])))


def test_a_nonlinear_head_uses_its_gradient() -> None:
    """Output = mean(A_1)², whose gradient at each of 4 places is 2 · 2.5 / 4."""

    class Squared(Tiny):
        def forward_head(self, maps: Any) -> Any:
            return super().forward_head(maps) ** 2

    found = grad_cam(Squared([[1.0, 0.0]]), INPUTS, np.array([1.0]))
    np.testing.assert_allclose(found, 5 * np.array([[1, 2], [3, 4]]), rtol=1e-6)


def test_a_map_is_resized_by_bilinear_interpolation() -> None:
    large = enlarge(np.arange(9.0).reshape(3, 3), (96, 96))
    assert large[16, 16] == pytest.approx(0, abs=0.1)
    assert large[48, 48] == pytest.approx(4, abs=0.1)
    assert large.mean() == pytest.approx(4)


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv2_050", "mobilenetv3_small_050"])
def test_timms_networks_have_maps(name: str) -> None:
    from features.backbone import create_backbone

    network = create_backbone(name, pretrained=False)
    inputs = network.prepare(torch.rand(1, 64, 64))
    with torch.no_grad():
        outputs = network.model(inputs)[0].double().numpy()
    weights = np.random.default_rng(0).normal(size=len(outputs))
    signed = grad_cam(network.model, inputs, weights, signed=True)
    assert signed.shape == (2, 2)
    assert all(parameter.grad is None for parameter in network.model.parameters())
    if name != "mobilenetv3_small_050":  # which has a layer behind its mean
        assert signed.mean() == pytest.approx(float(outputs @ weights), rel=1e-4)


def test_the_mean_without_the_head_gives_the_class_activation_map() -> None:
    """ConvNeXt's own head normalises behind its mean; with that left out, the map is exact."""
    descriptor = FrozenEmbedding("test_convnext", pretrained=False, pooling="avg")
    [network] = descriptor.build_networks()
    inputs = network.prepare(torch.rand(1, 64, 64))
    with torch.no_grad():
        outputs = network.model(inputs)[0].double().numpy()
    weights = np.random.default_rng(0).normal(size=len(outputs))
    signed = grad_cam(network.model, inputs, weights, signed=True)
    assert signed.shape == (2, 2)
    assert signed.mean() == pytest.approx(float(outputs @ weights), rel=1e-4)


@pytest.mark.parametrize("pooling", ["max", "gem", "cls+avg"])
def test_another_pooling_than_the_mean_has_a_reason_in_place_of_the_map(pooling: str) -> None:
    cell: Any = SimpleNamespace(families=("embedding",))
    one = Explained(cell, 0.5, pd.DataFrame())
    descriptors = {"embedding": FrozenEmbedding("test_vit", pretrained=False, pooling=pooling)}
    add_grad_cam(one, np.zeros((64, 64), np.uint8), np.zeros(8, np.float32), descriptors)
    assert one.maps == {}
    assert one.notes["grad_cam"].startswith(f"the embedding is pooled by {pooling}, but Grad-CAM")


def test_several_layers_have_a_reason_in_place_of_the_map() -> None:
    cell: Any = SimpleNamespace(families=("embedding",))
    one = Explained(cell, 0.5, pd.DataFrame())
    descriptors = {"embedding": FrozenEmbedding("test_resnet", pretrained=False, layers=(1, -1))}
    add_grad_cam(one, np.zeros((64, 64), np.uint8), np.zeros(8, np.float32), descriptors)
    assert one.maps == {}
    assert one.notes["grad_cam"].startswith("the embedding is of the layers 1, -1 (--layers), but")


def test_two_families_of_networks_have_a_reason_in_place_of_the_map() -> None:
    cell: Any = SimpleNamespace(families=("embedding", "hog", "embedding_random"))
    one = Explained(cell, 0.5, pd.DataFrame())
    descriptors: Any = {
        "embedding": FrozenEmbedding("test_resnet", pretrained=False),
        "hog": Hog(), "embedding_random": RandomEmbedding("test_resnet"),
    }  # fmt: skip
    add_grad_cam(one, np.zeros((64, 64), np.uint8), np.zeros(8, np.float32), descriptors)
    assert one.maps == {}
    assert one.notes["grad_cam"].startswith("the cell has the networks of embedding and embedding_")


def test_a_network_without_spatial_output_is_refused() -> None:
    import timm

    network = timm.create_model("vit_tiny_patch16_224", img_size=32, num_classes=2).eval()
    with pytest.raises(NoSpatialOutputError, match="VisionTransformer.*no Grad-CAM"):
        grad_cam(network, torch.rand(1, 3, 32, 32), np.array([-1.0, 1.0]))


@pytest.mark.parametrize("name", ["logistic", "svm"])
def test_the_gradient_is_that_of_the_log_odds(name: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 6)) * [1, 2, 3, 1, 1, 5]
    y = (X[:, 0] + X[:, 1] ** 2 / 4 + rng.normal(size=90) > 1).astype(np.int64)
    pipeline = MODELS[name].build(0, "smote", 1).fit(X, y)

    def log_odds(row: Any) -> float:
        p = float(pipeline.predict_proba(row[None])[0, 1])
        return float(np.log(p / (1 - p)))

    gradient = log_odds_gradient(pipeline, X[3])
    steps = 1e-4 * np.eye(6)
    numeric = [(log_odds(X[3] + step) - log_odds(X[3] - step)) / 2e-4 for step in steps]
    np.testing.assert_allclose(gradient, numeric, rtol=1e-4, atol=1e-6)


def test_trees_have_no_gradient() -> None:
    X, y = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 2
    pipeline = MODELS["xgboost"].build(0, "none", 1).fit(X, y)
    with pytest.raises(NoGradientError, match="ends in WeightedXgb.*no gradient"):
        log_odds_gradient(pipeline, X[0])
