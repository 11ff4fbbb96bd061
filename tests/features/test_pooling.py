"""Poolings of an embedding, against the last features of timm's own networks."""

from __future__ import annotations

import dataclasses
import re
from typing import ClassVar

import numpy as np
import pytest

pytest.importorskip("timm")

import torch

from features.backbone import create_backbone
from features.embedding import FrozenEmbedding
from features.pooling import POOLINGS, LayersError, PoolingError, pooled

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


# Several layers

# For each network the number of a layer, and the name of the module that computes it.
INNER = {
    "test_resnet": (3, "layer3"),
    "test_convnext": (1, "stages.1"),
    "test_efficientnet": (2, "blocks.2"),
    TOKENS: (2, "blocks.2"),
}


def inner_features(name: str, images: np.ndarray) -> np.ndarray:
    """Outputs of an inner module, with the axes of :func:`last_features`."""
    network = create_backbone(name, pretrained=False)
    found: list[torch.Tensor] = []
    module = network.model.get_submodule(INNER[name][1])
    module.register_forward_hook(lambda *call: found.append(call[-1]))
    network.infer(torch.from_numpy(images))
    [one] = found
    array = one.double().numpy()
    return array if array.ndim == 3 else array.reshape(*array.shape[:2], -1).swapaxes(1, 2)


def layered(
    name: str, layers: tuple[int, ...], pooling: str = "network", engine: str = "graph"
) -> FrozenEmbedding:
    return FrozenEmbedding(name, pretrained=False, pooling=pooling, layers=layers, engine=engine)


@pytest.mark.parametrize(
    ("name", "pooling"),
    [(name, "network") for name in INNER]
    + [(name, pooling) for name in ("test_efficientnet", TOKENS) for pooling in EXPECTED],
)
def test_an_inner_layer_is_pooled_per_channel(name: str, pooling: str, images: np.ndarray) -> None:
    found = inner_features(name, images)
    how = EXPECTED["avg" if pooling == "network" else pooling]
    expected = how(found[:, 1:] if name == TOKENS else found)
    matrix = layered(name, (INNER[name][0],), pooling, "eager").fit_transform(images)
    tolerance = {"rtol": 1e-4, "atol": 1e-5 * np.abs(found).max()}
    np.testing.assert_allclose(matrix, expected, **tolerance)


def test_the_last_layer_lies_before_the_last_convolution(images: np.ndarray) -> None:
    """With it there is nothing behind the last layer of a ResNet, but there is of EfficientNet."""
    alone = FrozenEmbedding("test_resnet", pretrained=False, engine="eager").fit_transform(images)
    same = layered("test_resnet", (-1,), engine="eager").fit_transform(images)
    np.testing.assert_allclose(same, alone, rtol=1e-6)
    network = create_backbone("test_efficientnet", pretrained=False).model
    width = layered("test_efficientnet", (-1,), engine="eager").fit_transform(images).shape[1]
    assert width == network.feature_info[-1]["num_chs"] != network.num_features


def test_class_tokens_of_inner_layers_come_before_their_means(images: np.ndarray) -> None:
    found = inner_features(TOKENS, images)
    expected = np.hstack([found[:, 0], found[:, 1:].mean(1)])
    matrix = layered(TOKENS, (2,), "cls+avg", "eager").fit_transform(images)
    np.testing.assert_allclose(matrix, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "pooling"),
    [*((name, "network") for name in INNER), ("test_resnet", "gem"), (TOKENS, "cls+avg")],
)
def test_the_graph_computes_all_layers(name: str, pooling: str, images: np.ndarray) -> None:
    """Compared layer by layer, since their scales differ."""
    graph, eager = (layered(name, (0, 1, -2, -1), pooling, one) for one in ("graph", "eager"))
    both = [one.fit_transform(images) for one in (graph, eager)]
    assert graph.engine_ == "graph"
    names = graph.get_feature_names_out()
    assert list(names) == list(eager.get_feature_names_out())
    of_layer = np.array([one.split("/")[2] for one in names])
    for layer in np.unique(of_layer):
        got, expected = (matrix[:, of_layer == layer] for matrix in both)
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def test_layers_are_in_the_order_of_their_depth(images: np.ndarray) -> None:
    first, second = (layered("test_resnet", layers, engine="eager") for layers in ((-1, 1), (1, 4)))
    np.testing.assert_array_equal(first.fit_transform(images), second.fit_transform(images))
    assert list(first.get_feature_names_out()) == list(second.get_feature_names_out())


def test_every_network_has_its_own_layers(images: np.ndarray) -> None:
    names = ("test_resnet", TOKENS)
    both = layered(",".join(names), (1, -1), engine="eager").fit(images)
    each = [layered(name, (1, -1), engine="eager").fit(images) for name in names]
    expected = np.hstack([one.transform(images) for one in each])
    np.testing.assert_array_equal(both.transform(images), expected)
    columns = [column for one in each for column in one.get_feature_names_out()]
    assert list(both.get_feature_names_out()) == columns
    assert {column.rsplit("/", 1)[0].partition("/")[2] for column in columns} == {
        "test_resnet/layer1", "test_resnet/layer4", "test_vit/layer1", "test_vit/layer5",
    }  # fmt: skip


def test_columns_name_the_layer_and_the_pooling(images: np.ndarray) -> None:
    descriptor = layered(TOKENS, (2, -1), "cls+avg", "eager")
    assert descriptor.fit_transform(images).shape == (3, 256)
    names = list(descriptor.get_feature_names_out())
    ends = [name.removeprefix("embedding_random/test_vit/") for name in names]
    assert [ends[i] for i in (0, 64, 128, 255)] == [
        "layer2/cls/0000", "layer2/avg/0000", "layer5/cls/0000", "layer5/avg/0063",
    ]  # fmt: skip
    assert descriptor.part(names[-1]) == "test_vit/layer5/avg/00xx"
    assert descriptor.in_words(names[70]) == (
        "mean of channel 6 of layer 2 of the network test_vit with random weights"
    )
    plain = layered(TOKENS, (2,), engine="eager").fit(images)
    name = plain.get_feature_names_out()[5]
    assert name == "embedding_random/test_vit/layer2/0005"
    assert plain.part(name) == "test_vit/layer2/00xx"
    assert plain.in_words(name).startswith("output 5 of layer 2 of the network test_vit")


@pytest.mark.parametrize("layers", [(5,), (1, -6), (4, -1), (2, 2), ()])
def test_unknown_or_repeated_layers_are_refused(layers: tuple[int, ...]) -> None:
    message = (
        rf"layers={re.escape(str(layers))} for test_resnet, but expected different ones of its 5 "
        r"layers: from 0 to 4, or from -5 to -1 counted from the end.*--layers"
    )
    with pytest.raises(LayersError, match=message):
        pooled(create_backbone("test_resnet", pretrained=False), "network", layers)


def test_networks_without_inner_features_or_class_tokens_are_refused() -> None:
    plain = create_backbone("test_resnet", pretrained=False)
    with pytest.raises(LayersError, match=r"only the last features.*Leave --layers out"):
        pooled(dataclasses.replace(plain, model=torch.nn.Identity()), "network", (0,))
    with pytest.raises(PoolingError, match=r"xcit_nano_12_p16_224, but timm gives no class tokens"):
        pooled(create_backbone("xcit_nano_12_p16_224", pretrained=False), "cls+avg", (0, 1))
    # The first token of test_vit2 is a register.
    with pytest.raises(PoolingError, match=r"test_vit2, but expected a network with a class token"):
        pooled(create_backbone("test_vit2", pretrained=False), "cls+avg", (-1,))
