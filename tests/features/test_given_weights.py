"""Weights from files and folders of others: prefixes, extras, one channel, config.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")
save_file = pytest.importorskip("safetensors.torch").save_file

from features.backbone import WeightsError, check_weights, create_backbone, recognise  # noqa: E402
from features.embedding import FrozenEmbedding  # noqa: E402

SMALL, FIRST = "test_resnet", "conv1.0.weight"


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    return dict(create_backbone(SMALL, pretrained=False, seed=3).model.state_dict())


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 64, 64), dtype=np.uint8)


def saved(folder: Path, state: dict[str, Any], name: str = "model.safetensors") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    if path.suffix == ".bin":
        torch.save(state, path)
    else:
        save_file({key: value.clone().contiguous() for key, value in state.items()}, path)
    return path


def described(weights: Path, images: np.ndarray) -> np.ndarray:
    return FrozenEmbedding(SMALL, weights=weights).fit_transform(images)


@pytest.mark.parametrize("prefix", ["backbone.", "model.", "module.", "module.backbone."])
def test_one_prefix_of_all_names_is_removed(
    prefix: str, state: dict[str, Any], images: np.ndarray, tmp_path: Path
) -> None:
    plain = saved(tmp_path, state, "plain.safetensors")
    path = saved(tmp_path, {prefix + key: value for key, value in state.items()})
    np.testing.assert_array_equal(described(path, images), described(plain, images))
    if prefix != "module.":  # which timm's own reader removes
        assert f"prefix {prefix.removeprefix('module.')}" in check_weights(SMALL, path)
        assert "prefix" in create_backbone(SMALL, weights=path).weights_source


def test_a_prefix_of_some_names_is_refused(state: dict[str, Any], tmp_path: Path) -> None:
    some = {("backbone." if k == FIRST else "") + k: value for k, value in state.items()}
    with pytest.raises(WeightsError, match=rf"1 missing \(first: {FIRST}\), 1 unknown"):
        create_backbone(SMALL, weights=saved(tmp_path, some))


def test_harmless_extras_are_named_and_ignored(
    state: dict[str, Any], images: np.ndarray, tmp_path: Path
) -> None:
    plain = saved(tmp_path, state, "plain.safetensors")
    path = saved(tmp_path, {
        **state, "mask_token": torch.zeros(1, 1, 8), "stem.num_batches_tracked": torch.tensor(1),
        "fc.weight": torch.zeros(14, 96), "fc.bias": torch.zeros(14),
    })  # fmt: skip
    np.testing.assert_array_equal(described(path, images), described(plain, images))
    note = check_weights(SMALL, path)
    assert "1 tensor mask_token of the file not used" in note
    assert "1 tensor num_batches_tracked of the file not used" in note
    assert "the file's head of 14 classes is not used" in note
    with pytest.raises(WeightsError, match=r"1 unknown \(first: cls_token\)"):
        create_backbone(
            SMALL, weights=saved(tmp_path, {**state, "cls_token": torch.zeros(1)}, "x.safetensors")
        )


def test_one_channel_equals_three_that_sum_to_it(
    state: dict[str, Any], images: np.ndarray, tmp_path: Path
) -> None:
    """With one normalisation for all channels, copies of the grey image add their weights."""
    three = saved(tmp_path, state, "three.safetensors")
    path = saved(tmp_path, {**state, FIRST: state[FIRST].sum(1, keepdim=True)})
    network = create_backbone(SMALL, weights=path)
    grey = torch.from_numpy(images).float() / 255
    assert network.prepare(grey).shape == (2, 1, 64, 64)
    assert (network.mean, network.std) == ((0.5,), (0.5,))
    assert "one channel" in network.note
    np.testing.assert_allclose(described(path, images), described(three, images), atol=1e-5)


def test_a_network_of_one_channel_is_fine_tuned_and_read_back(
    state: dict[str, Any], tmp_path: Path
) -> None:
    from models.cnn import CnnClassifier
    from models.network_file import load_network, save_network

    path = saved(tmp_path, {**state, FIRST: state[FIRST].sum(1, keepdim=True)})
    images = np.random.default_rng(1).integers(0, 256, (12, 32, 32), dtype=np.uint8)
    label = np.arange(12) % 2
    network = CnnClassifier(backbone=SMALL, weights=path, epochs=1, batch_size=4)
    network.fit(images, label, validation=(images, label))
    save_network(network, tmp_path / "fitted.safetensors")
    again = load_network(tmp_path / "fitted.safetensors")
    np.testing.assert_array_equal(again.predict_proba(images), network.predict_proba(images))


def hub_folder(folder: Path, state: dict[str, Any], file: str, **config: Any) -> Path:
    saved(folder, state, file)
    known = {"architecture": SMALL, "num_classes": 0, **config}
    (folder / "config.json").write_text(json.dumps(known), encoding="utf-8")
    return folder


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_a_folder_of_the_hub(
    file: str, state: dict[str, Any], images: np.ndarray, tmp_path: Path
) -> None:
    plain = saved(tmp_path, state, "plain.safetensors")
    args = {"in_chans": 3, "num_classes": 1000, "global_pool": "avg"}
    folder = hub_folder(tmp_path / "hub", state, file, model_args=args)
    assert recognise(folder) == SMALL
    np.testing.assert_array_equal(described(folder, images), described(plain, images))
    source = create_backbone(SMALL, weights=folder).weights_source
    assert source.startswith(f"folder hub: {file} (sha256 ")
    assert "config.json (sha256 " in source


def test_a_folder_gives_the_normalisation(state: dict[str, Any], tmp_path: Path) -> None:
    own = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}
    folder = hub_folder(tmp_path / "a", state, "model.safetensors", pretrained_cfg=own)
    assert create_backbone(SMALL, weights=folder).mean == (0.1, 0.2, 0.3)
    one = {"mean": [0.5], "std": [0.25]}
    folder = hub_folder(tmp_path / "b", state, "model.safetensors", pretrained_cfg=one)
    assert create_backbone(SMALL, weights=folder).std == (0.25, 0.25, 0.25)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"architecture": "test_vit"}, "names the network test_vit, but --backbone is test_resnet"),
        ({"model_args": {"global_pool": "max"}}, "gives another network than its name alone"),
        ({"model_args": {"odd": 1}}, "gives another network than its name alone"),
        ({"architecture": "", "model_type": "dinov2"}, "got dinov2.*--features-from"),
        ({"pretrained_cfg": {"mean": [0.5], "std": [0.0]}}, "normalisation"),
        ({"pretrained_cfg": [1]}, r"config\.json of a network of timm"),
    ],
)
def test_folders_of_other_networks_are_refused(
    config: dict[str, Any], message: str, state: dict[str, Any], tmp_path: Path
) -> None:
    folder = hub_folder(tmp_path / "hub", state, "model.safetensors", **config)
    with pytest.raises(WeightsError, match=message):
        create_backbone(SMALL, weights=folder)


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    with pytest.raises(WeightsError, match=r"model\.safetensors or pytorch_model\.bin, got notes"):
        create_backbone(SMALL, weights=tmp_path)


def test_no_part_of_a_network_stays_random(state: dict[str, Any], tmp_path: Path) -> None:
    lacking = {key: value for key, value in state.items() if key != "layer1.0.conv1.weight"}
    folder = hub_folder(tmp_path / "hub", lacking, "model.safetensors")
    with pytest.raises(WeightsError, match=r"1 missing \(first: layer1"):
        create_backbone(SMALL, weights=folder)
