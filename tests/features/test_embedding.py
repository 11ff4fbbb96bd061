"""The networks: names, weights from file and cache, normalisation; the frozen embedding."""

from __future__ import annotations

import dataclasses
import os
import pickle
import re
import sys
import threading
import zipfile
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
from sklearn.base import clone

from features import embedding
from features import weights as module
from features.backbone import (
    MissingExtra,
    WeightsError,
    WeightsUnavailable,
    create_backbone,
)
from features.embedding import FrozenEmbedding

pytestmark = pytest.mark.slow

SMALL = "test_resnet"


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (5, 8, 8), dtype=np.uint8)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    """Parameters of a small network that is not the one seed 0 draws."""
    return parameters(7)


def parameters(num_classes: int) -> dict[str, torch.Tensor]:
    built = create_backbone(SMALL, pretrained=False, seed=3, num_classes=num_classes)
    return {key: value.contiguous() for key, value in built.model.state_dict().items()}


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No network, and an empty hub cache of our own."""
    import huggingface_hub
    import huggingface_hub.utils

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("Name or service not known")

    session = SimpleNamespace(head=refuse)
    monkeypatch.setattr(huggingface_hub.utils, "get_session", lambda: session)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refuse)
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "torch"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def answer(monkeypatch: pytest.MonkeyPatch, head: Any) -> None:
    import huggingface_hub.utils

    monkeypatch.setattr(huggingface_hub.utils, "get_session", lambda: SimpleNamespace(head=head))


def random_embedding(**params: Any) -> FrozenEmbedding:
    return FrozenEmbedding(**{"backbone": SMALL, "pretrained": False, **params})


# The embedding


def test_names_carry_family_network_and_column(images: np.ndarray) -> None:
    descriptor = random_embedding()
    matrix = descriptor.fit_transform(images)
    names = descriptor.get_feature_names_out()
    width = timm.create_model(SMALL).num_features
    assert matrix.shape == (5, width)
    assert matrix.dtype == np.float32
    assert names[0] == f"embedding_random/{SMALL}/0000"
    assert names[-1] == f"embedding_random/{SMALL}/{width - 1:04d}"
    assert descriptor.weights_source_ == "random (seed 0)"


def test_a_row_is_the_same_to_the_last_bit_in_any_company(images: np.ndarray) -> None:
    descriptor = random_embedding(n_jobs=1).fit(images)
    whole = descriptor.transform(images)
    np.testing.assert_array_equal(descriptor.transform(images[::-1])[::-1], whole)
    np.testing.assert_array_equal(descriptor.transform(images[2:3])[0], whole[2])
    threads = torch.get_num_threads()
    for jobs in (2, 3, None):
        again = clone(descriptor).set_params(n_jobs=jobs)
        np.testing.assert_array_equal(again.transform(images), whole)
    np.testing.assert_array_equal(descriptor.describe_batch(images), whole)
    assert torch.get_num_threads() == threads


FAMILIES = ["test_resnet", "test_efficientnet", "test_convnext", "test_vit", "test_vit_relpos"]


@pytest.mark.parametrize("name", FAMILIES)
def test_any_company_in_any_network(name: str, images: np.ndarray) -> None:
    descriptor = random_embedding(backbone=name).fit(images)
    whole = descriptor.transform(images)
    np.testing.assert_array_equal(descriptor.transform(images[::-1])[::-1], whole)
    np.testing.assert_array_equal(descriptor.set_params(n_jobs=1).transform(images[3:]), whole[3:])
    assert (descriptor.engine_, descriptor.precision_) == ("graph", "float32")


@pytest.mark.parametrize("name", FAMILIES)
def test_the_graph_computes_what_the_layers_do(name: str, images: np.ndarray) -> None:
    graph = random_embedding(backbone=name).fit_transform(images).astype(np.float64)
    eager = random_embedding(backbone=name, engine="eager").fit(images)
    layers = eager.transform(images).astype(np.float64)
    np.testing.assert_allclose(graph, layers, rtol=0, atol=1e-4 * np.abs(layers).max())
    cosine = (
        (graph * layers).sum(1) / np.linalg.norm(graph, axis=1) / np.linalg.norm(layers, axis=1)
    )
    assert cosine.min() > 0.999999
    assert eager.engine_ == "eager"


class Stubborn(torch.nn.Module):
    """Can't be traced, or computes other numbers in a graph."""

    def __init__(self, inner: torch.nn.Module, raises: bool) -> None:
        super().__init__()
        self.inner, self.raises = inner, raises

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if torch.jit.is_tracing():
            if self.raises:
                raise TypeError("no graph of mine\nfor you")
            return 1.01 * self.inner(x)
        return self.inner(x)


@pytest.mark.parametrize(
    ("raises", "reason"),
    [(True, "it can't be traced: no graph of mine"), (False, "the graph differs .* by 0.01")],
)
def test_a_network_without_a_graph_runs_layer_by_layer(
    raises: bool, reason: str, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stubborn(*arguments: Any, **options: Any) -> Any:
        built = create_backbone(*arguments, **options)
        return dataclasses.replace(built, model=Stubborn(built.model, raises).eval())

    expected = random_embedding(engine="eager").fit_transform(images)
    monkeypatch.setattr(embedding, "create_backbone", stubborn)
    descriptor = random_embedding().fit(images)
    np.testing.assert_array_equal(descriptor.transform(images), expected)
    assert re.fullmatch(f"eager: {reason}.*", descriptor.engine_)


def test_several_images_a_pass_need_no_graph(images: np.ndarray) -> None:
    assert random_embedding(batch_size=4).fit(images).engine_.startswith("eager: a graph takes one")


def test_unknown_engines_are_refused(images: np.ndarray) -> None:
    with pytest.raises(
        ValueError, match=r"engine='quick', but expected one of \('graph', 'eager'\)"
    ):
        random_embedding(engine="quick").fit(images)


def test_slices_build_the_network_once(images: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    for name in ("create_backbone", "freeze"):
        original = getattr(embedding, name)
        monkeypatch.setattr(
            embedding, name, lambda *a, n=name, f=original, **k: calls.append(n) or f(*a, **k)
        )
    descriptor = random_embedding().fit(images)
    for part in (images[:2], images[2:]):
        descriptor.transform(part)
    descriptor.get_feature_names_out()
    assert calls == ["create_backbone", "freeze"]
    assert np.isfinite(descriptor.transform(images[:, :40])).all()
    assert calls == ["create_backbone", "freeze", "freeze"]


def test_one_image_is_no_stack(images: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"image\[None\]"):
        random_embedding().fit(images).transform(images[0])


def test_batch_size_changes_float_noise_alone(images: np.ndarray) -> None:
    one, four = (random_embedding(batch_size=size).fit_transform(images) for size in (1, 4))
    np.testing.assert_allclose(four, one, rtol=1e-3, atol=1e-4 * np.abs(one).max())


def test_features_are_those_of_timm(images: np.ndarray) -> None:
    """Normalised by hand, through timm's own model."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        model = timm.create_model(SMALL).eval()
    model.reset_classifier(0)
    mean, std = torch.tensor([0.5, 0.5, 0.5]), torch.tensor([0.5, 0.5, 0.5])
    assert model.pretrained_cfg["mean"] == tuple(mean.tolist())
    grey = torch.from_numpy(images).float() / 255
    three = torch.stack([(grey - mean[c]) / std[c] for c in range(3)], dim=1)
    with torch.inference_mode():
        expected = model(three).numpy()
    np.testing.assert_allclose(random_embedding().fit_transform(images), expected, atol=1e-4)


def test_random_features_tell_images_apart(images: np.ndarray) -> None:
    descriptor = FrozenEmbedding("mobilenetv2_050", pretrained=False)
    matrix = descriptor.fit_transform(images).astype(np.float64)
    spread = matrix.std(axis=0) / np.abs(matrix).mean()
    assert np.median(spread) > 0.01
    assert np.linalg.matrix_rank(matrix - matrix.mean(axis=0), tol=1e-3) == 4


def test_seed_changes_random_features_and_nothing_global(images: np.ndarray) -> None:
    before, numpy_before = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, second, other = (random_embedding(seed=s).fit_transform(images) for s in (0, 0, 1))
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - other).max() > 0.01
    assert torch.equal(before, torch.random.get_rng_state())
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002


def test_pickle_holds_no_network(images: np.ndarray) -> None:
    descriptor = random_embedding().fit(images)
    packed = pickle.dumps(descriptor)
    assert len(packed) < 5_000
    np.testing.assert_array_equal(
        pickle.loads(packed).transform(images), descriptor.transform(images)
    )


def test_changed_parameters_build_another_network(images: np.ndarray) -> None:
    descriptor = random_embedding().fit(images)
    first = descriptor.transform(images)
    assert not np.array_equal(descriptor.set_params(seed=1).fit_transform(images), first)


# Weights from a file


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_from_a_file(
    suffix: str, state: dict[str, torch.Tensor], tmp_path: Path, images: np.ndarray
) -> None:
    half = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    path = tmp_path / f"w{suffix}"
    if suffix == ".pth":
        torch.save({"state_dict": half}, path)
    else:
        save_file(half, path)
    descriptor = FrozenEmbedding(SMALL, weights=path)
    matrix = descriptor.fit_transform(images)
    expected = random_embedding(seed=3).fit_transform(images)
    np.testing.assert_allclose(matrix, expected, rtol=0.02, atol=0.02)
    assert np.abs(matrix - random_embedding(seed=0).fit_transform(images)).max() > 0.05
    assert descriptor.weights_source_.startswith(f"file w{suffix} (sha256 ")
    assert descriptor.input_note_ == "the file's head of 7 classes is not used"
    assert descriptor.get_feature_names_out()[0].startswith("embedding/")


def test_a_file_needs_no_head_and_no_counters(
    state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "w.safetensors"
    save_file(
        {k: v for k, v in state.items() if not k.startswith("fc.") and "tracked" not in k}, path
    )
    built = create_backbone(SMALL, weights=path, num_classes=2)
    assert torch.equal(built.model.state_dict()["layer1.0.conv1.weight"],
                       state["layer1.0.conv1.weight"])  # fmt: skip
    assert built.model.fc.out_features == 2
    assert built.note == ""


def misfits(state: dict[str, torch.Tensor]) -> dict[str, tuple[dict[str, torch.Tensor], str]]:
    key = "layer1.0.conv1.weight"
    rest = {k: v for k, v in state.items() if k != key}
    return {
        "missing": (rest, f"1 missing .first: {key}"),
        "unknown": ({**state, "stem.odd": torch.zeros(1)}, "1 unknown .first: stem.odd"),
        "shape": ({**rest, key: state[key][:-1].clone()}, "1 of another shape"),
        "integers": ({**rest, key: state[key].to(torch.int8)}, "1 of whole numbers"),
        "nan": ({**rest, key: state[key] * float("nan")}, "1 with NaN or infinity"),
    }


@pytest.mark.parametrize("kind", ["missing", "unknown", "shape", "integers", "nan"])
def test_weights_that_do_not_fit(kind: str, state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    tensors, message = misfits(state)[kind]
    path = tmp_path / "w.safetensors"
    save_file(tensors, path)
    with pytest.raises(WeightsError, match=message) as caught:
        create_backbone(SMALL, weights=path)
    assert str(path) in str(caught.value)
    assert "--backbone" in str(caught.value)


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
@pytest.mark.parametrize("content", [b"", b"not weights at all\n", b"PK\x03\x04broken"])
def test_files_of_another_format(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"expected a \.safetensors file"):
        create_backbone(SMALL, weights=path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="does not exist"):
        create_backbone(SMALL, weights=tmp_path / "none.safetensors")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of POSIX")
def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    """Opening it would wait for ever for a program that writes."""
    os.mkfifo(tmp_path / "pipe.safetensors")
    with pytest.raises(WeightsError, match="is no regular file"):
        create_backbone(SMALL, weights=tmp_path / "pipe.safetensors")


class Planted:
    """A pickle that would leave a file behind if its code were run."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.mark,))


def test_no_pickled_code_is_run(tmp_path: Path) -> None:
    path, mark = tmp_path / "w.pth", tmp_path / "mark"
    torch.save({"state_dict": Planted(mark)}, path)
    with pytest.raises(WeightsError):
        create_backbone(SMALL, weights=path)
    assert not mark.exists()


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("kind", ["objects", "a module", "a plain pickle", "a torchscript"])
def test_pickles_are_refused_in_our_words(kind: str, legacy: bool, tmp_path: Path) -> None:
    """Without torch's advice to load them all the same, which would run their code."""
    path = tmp_path / "w.pth"
    if kind == "a plain pickle":
        path.write_bytes(pickle.dumps({"weights": [1.0]}))
    elif kind == "a torchscript":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("w/constants.pkl", b"")
            archive.writestr("w/data.pkl", b"")
            archive.writestr("w/version", b"3")
    else:
        held = {"w": torch.zeros(1), "odd": tmp_path} if kind == "objects" else torch.nn.ReLU()
        torch.save(held, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(WeightsError, match="found pickled Python objects.*never loaded") as caught:
        create_backbone(SMALL, weights=path)
    assert "weights_only" not in str(caught.value)
    assert "torch.save(model.state_dict(), FILE)" in str(caught.value)


def test_file_and_random_weights_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one or the other"):
        create_backbone(SMALL, weights=tmp_path / "w.safetensors", pretrained=False)


# Weights from the hub


def test_cached_weights_need_no_network(offline: Path, images: np.ndarray) -> None:
    repository = offline / "models--timm--test_resnet.r160_in1k"
    for folder in ("refs", "snapshots/abc"):
        (repository / folder).mkdir(parents=True)
    (repository / "refs/main").write_text("abc")
    save_file(parameters(1000), repository / "snapshots/abc/model.safetensors")
    descriptor = FrozenEmbedding(SMALL)
    matrix = descriptor.fit_transform(images)
    np.testing.assert_array_equal(matrix, random_embedding(seed=3).fit_transform(images))
    assert descriptor.weights_source_.startswith("timm hub timm/test_resnet.r160_in1k (sha256 ")


def test_broken_cache_is_named(offline: Path) -> None:
    repository = offline / "models--timm--test_resnet.r160_in1k"
    for folder in ("refs", "snapshots/abc"):
        (repository / folder).mkdir(parents=True)
    (repository / "refs/main").write_text("abc")
    (repository / "snapshots/abc/model.safetensors").write_bytes(b"half a file")
    with pytest.raises(WeightsUnavailable, match="Delete that file"):
        create_backbone(SMALL)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", [SMALL, "legacy_seresnet18"])
def test_no_network_is_a_reason_and_a_remedy(name: str) -> None:
    with pytest.raises(WeightsUnavailable, match="can't be reached") as caught:
        create_backbone(name)
    assert "Name or service not known" in caught.value.reason
    assert "--weights" in caught.value.remedy
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.reason, again.remedy) == (caught.value.reason, caught.value.remedy)


@pytest.mark.usefixtures("offline")
def test_a_silent_network_is_noticed_within_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert module.PROBE_SECONDS <= 4
    monkeypatch.setattr(module, "PROBE_SECONDS", 0.2)
    silent, answered = threading.Event(), threading.Event()

    def head(*_: Any, **__: Any) -> None:
        silent.wait(60)
        answered.set()

    answer(monkeypatch, head)
    with pytest.raises(WeightsUnavailable, match=r"no answer within 0\.2 s"):
        create_backbone(SMALL)
    assert not answered.is_set()
    silent.set()


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("status", "reason"), [(503, "status 503"), (407, "status 407"), (404, "download of")]
)
def test_other_answers(status: int, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy's refusal is no network; a missing file is for the download to report."""
    answer(monkeypatch, lambda *_, **__: SimpleNamespace(status_code=status))
    with pytest.raises(WeightsUnavailable, match=reason):
        create_backbone(SMALL)


def test_networks_without_published_weights() -> None:
    with pytest.raises(WeightsUnavailable, match="publishes no pretrained weights"):
        create_backbone("coatnet_0_224")


# Names, sizes, extras


@pytest.mark.parametrize(
    ("name", "close"),
    [("mobilenetv2", "mobilenetv2_100"), ("resnet18.no_such_tag", "resnet18.a2_in1k")],
)
def test_unknown_names_list_the_close_ones(name: str, close: str) -> None:
    with pytest.raises(ValueError, match="has no such network") as caught:
        create_backbone(name)
    assert close in str(caught.value)


@pytest.mark.parametrize(
    ("name", "inside"), [("test_vit_relpos", 160), ("test_vit", 80), ("test_resnet", 74)]
)
def test_image_sizes(name: str, inside: int) -> None:
    """74 px: made the one size, rounded to patches of 16, or taken as it is."""
    built = create_backbone(name, pretrained=False)
    ready = built.prepare(torch.rand(1, 74, 74))
    assert ready.shape == (1, 3, inside, inside)
    assert ("resized to 160 × 160" in built.note) == (inside == 160)
    with torch.inference_mode():
        assert built.model(ready).isfinite().all()


def test_grey_is_normalised_in_three_channels() -> None:
    built = create_backbone("mobilenetv2_050", pretrained=False)
    pixel = built.prepare(torch.full((1, 4, 4), 0.6))[0, :, 2, 3]
    expected = [(0.6 - 0.485) / 0.229, (0.6 - 0.456) / 0.224, (0.6 - 0.406) / 0.225]
    np.testing.assert_allclose(pixel.numpy(), expected, rtol=1e-5)


def test_missing_extra_names_the_command(
    monkeypatch: pytest.MonkeyPatch, images: np.ndarray
) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingExtra, match=r"pip install -c constraints\.txt -e"):
        random_embedding().fit(images)


@pytest.mark.real
def test_real_weights(real_weights: Path, images: np.ndarray) -> None:
    descriptor = FrozenEmbedding("mobilenetv2_100", weights=real_weights)
    matrix = descriptor.fit_transform(images)
    assert matrix.shape == (5, 1280)
    assert "sha256 b91d45ef5d4ce09e" in descriptor.weights_source_
    assert matrix.std(axis=0).mean() > 0.05


# Several networks


def test_the_columns_of_several_networks_follow_each_other(images: np.ndarray) -> None:
    both = random_embedding(backbone="test_vit,test_resnet").fit(images)
    each = [random_embedding(backbone=name).fit(images) for name in ("test_vit", "test_resnet")]
    np.testing.assert_array_equal(
        both.transform(images), np.hstack([one.transform(images) for one in each])
    )
    names = [name for one in each for name in one.get_feature_names_out()]
    assert list(both.get_feature_names_out()) == names
    assert both.weights_source_ == "test_vit: random (seed 0); test_resnet: random (seed 0)"
    assert both.engine_ == "graph"


def test_each_network_has_its_own_file(
    state: dict[str, torch.Tensor], tmp_path: Path, images: np.ndarray
) -> None:
    save_file(state, path := tmp_path / "w.safetensors")
    other = create_backbone("test_vit", pretrained=False, seed=4).model.state_dict()
    torch.save(other, vit := tmp_path / "vit.pth")
    files = (("test_vit", vit), (SMALL, path))
    both = FrozenEmbedding(f"{SMALL},test_vit", weights=files).fit_transform(images)
    expected = [FrozenEmbedding(SMALL, weights=path), FrozenEmbedding("test_vit", weights=vit)]
    np.testing.assert_array_equal(both, np.hstack([one.fit_transform(images) for one in expected]))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"backbone": f"{SMALL},{SMALL}"}, "expected every network once"),
        ({"backbone": f"{SMALL},test_vit", "weights": Path("w.pth")}, "one file of weights, w.pth"),
    ],
)
def test_ambiguous_networks_are_refused(
    given: dict[str, Any], message: str, images: np.ndarray
) -> None:
    with pytest.raises(ValueError, match=message):
        FrozenEmbedding(**given).fit(images)
