"""Poolings of an embedding, against the last features of timm's own networks."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
import pytest

pytest.importorskip("timm")

import torch

from features.backbone import create_backbone
from features.embedding import FrozenEmbedding
from features.pooling import POOLINGS, PoolingError, pooled

MAPS, TOKENS = ("test_resnet", "test_convnext"), "test_vit"


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 96, 96), dtype=np.uint8)


def last_features(name: str, images: np.ndarray) -> np.ndarray:
    """Activations of shape (n, positions, channels); for a transformer, the class token first."""
    network = create_backbone(name, pretrained=False)
    with torch.inference_mode():
        inputs = network.prepare(torch.from_numpy(images).float() / 255)
        found = network.model.forward_features(inputs).double().numpy()
    return found if found.ndim == 3 else found.reshape(*found.shape[:2], -1).swapaxes(1, 2)


def describe(name: str, pooling: str, images: np.ndarray) -> np.ndarray:
    descriptor = FrozenEmbedding(name, pretrained=False, pooling=pooling).fit(images)
    assert descriptor.engine_ == "graph"
    return descriptor.transform(images)


EXPECTED = {
    "avg": lambda x: x.mean(1),
    "max": lambda x: x.max(1),
    "gem": lambda x: np.cbrt((np.maximum(x, 1e-6) ** 3).mean(1)),
}


@pytest.mark.parametrize("pooling", EXPECTED)
@pytest.mark.parametrize("name", [*MAPS, TOKENS])
def test_positions_are_pooled_per_channel(name: str, pooling: str, images: np.ndarray) -> None:
    found = last_features(name, images)
    expected = EXPECTED[pooling](found[:, 1:] if name == TOKENS else found)
    tolerance = {"rtol": 1e-4, "atol": 1e-5 * np.abs(found).max()}
    np.testing.assert_allclose(describe(name, pooling, images), expected, **tolerance)


def test_the_class_token_comes_before_the_mean(images: np.ndarray) -> None:
    found = last_features(TOKENS, images)
    expected = np.hstack([found[:, 0], found[:, 1:].mean(1)])
    matrix = describe(TOKENS, "cls+avg", images)
    np.testing.assert_allclose(matrix, expected, rtol=1e-4, atol=1e-5)
    own = describe(TOKENS, "network", images)  # this network's head takes the class token
    np.testing.assert_allclose(matrix[:, : own.shape[1]], own, rtol=1e-4, atol=1e-5)


def test_the_mean_of_a_plain_head_is_the_default(images: np.ndarray) -> None:
    own, mean = (describe("test_resnet", pooling, images) for pooling in ("network", "avg"))
    np.testing.assert_allclose(mean, own, rtol=1e-4, atol=1e-5)


def test_channels_may_come_last() -> None:
    class Last(torch.nn.Module):
        output_fmt = "NHWC"
        pretrained_cfg: ClassVar = {"input_size": (3, 8, 8)}

        def forward_features(self, images: torch.Tensor) -> torch.Tensor:
            return images.permute(0, 2, 3, 1)

    plain = create_backbone("test_resnet", pretrained=False)
    network = pooled(dataclasses.replace(plain, model=Last()), "max")
    inputs = torch.rand(2, 3, 5, 4)
    assert torch.equal(network.model(inputs), inputs.amax((2, 3)))


@pytest.mark.parametrize(
    ("name", "pooling", "reason"),
    [
        ("test_resnet", "cls+avg", "test_resnet, but expected a network with a class token"),
        ("pit_ti_224", "avg", "only the class token as the last features of pit_ti_224"),
        ("crossvit_tiny_240", "max", "shape list from crossvit_tiny_240"),
    ],
)
def test_a_network_without_such_features_is_refused(name: str, pooling: str, reason: str) -> None:
    with pytest.raises(PoolingError, match=f"{reason}.*--pooling network"):
        pooled(create_backbone(name, pretrained=False), pooling)


def test_an_unknown_pooling_is_refused(images: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"pooling='sum', but expected one of \('network',"):
        FrozenEmbedding(pretrained=False, pooling="sum").fit(images)


def test_columns_name_the_pooling(images: np.ndarray) -> None:
    names = {}
    for pooling in POOLINGS:
        descriptor = FrozenEmbedding(TOKENS, pretrained=False, pooling=pooling, engine="eager")
        matrix = descriptor.fit_transform(images)
        names[pooling] = list(descriptor.get_feature_names_out())
        assert len(set(names[pooling])) == matrix.shape[1]
    assert names["network"][-1] == "embedding_random/test_vit/0063"
    assert names["gem"][-1] == "embedding_random/test_vit/gem/0063"
    both = names["cls+avg"]
    ends = [name.removeprefix("embedding_random/test_vit/") for name in both]
    assert [ends[i] for i in (0, 63, 64, 127)] == ["cls/0000", "cls/0063", "avg/0000", "avg/0063"]
    assert descriptor.part(both[-1]) == "test_vit/avg/00xx"
    assert descriptor.in_words(both[70]) == (
        "mean of channel 6 of the network test_vit with random weights"
    )
    assert descriptor.in_words(names["network"][5]).startswith("output 5 of the network test_vit")
