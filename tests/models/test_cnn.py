"""The end-to-end network: learning, determinism, early stopping, fallbacks, refusals."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("timm")

import torch
from safetensors.torch import save_file
from sklearn.base import clone
from sklearn.metrics import average_precision_score

from features.backbone import MissingExtra, WeightsError, WeightsUnavailable, create_backbone
from models import cnn
from models.cnn import CnnClassifier, build
from models.network import training
from models.network.batch_norm import start_as_identity, unfold_batch_norm
from models.network.sampling import draw_batches

pytestmark = pytest.mark.slow

SMALL = "test_resnet"
Labelled = tuple[np.ndarray, np.ndarray]


def blobs(n: int, seed: int, size: int = 32) -> Labelled:
    """Noise; every third image has a bright disc somewhere."""
    rng = np.random.default_rng(seed)
    label = (np.arange(n) % 3 == 0).astype(np.int64)
    images = rng.normal(90, 25, (n, size, size))
    centre = rng.uniform(8, size - 8, (n, 2, 1, 1))
    row, column = np.mgrid[:size, :size]
    disc = (row - centre[:, 0]) ** 2 + (column - centre[:, 1]) ** 2 < 36
    images += 110 * (disc & (label[:, None, None] == 1))
    return images.clip(0, 255).astype(np.uint8), label


@pytest.fixture(scope="module")
def train() -> Labelled:
    return blobs(97, seed=1)


@pytest.fixture(scope="module")
def unseen() -> Labelled:
    return blobs(40, seed=2)


def network(**params: Any) -> CnnClassifier:
    fixed = {"backbone": SMALL, "pretrained": False, "epochs": 2, "n_jobs": 1}
    return CnnClassifier(**{**fixed, **params})


def test_learns_to_see_a_disc(train: Labelled, unseen: Labelled) -> None:
    model = network(epochs=16, learning_rate=3e-3, patience=16).fit(*train, validation=unseen)
    images, label = blobs(60, seed=3)
    score = model.predict_proba(images)
    assert score.shape == (60, 2)
    assert score.dtype == np.float64
    np.testing.assert_allclose(score.sum(axis=1), 1, atol=1e-12)
    assert len(np.unique(score[:, 1])) == 60
    assert average_precision_score(label, score[:, 1]) > 0.9
    assert model.history_[-1]["train_loss"] < model.history_[0]["train_loss"]
    np.testing.assert_array_equal(model.predict(images), score[:, 1] > 0.5)


def test_two_fits_are_equal_to_the_last_bit(train: Labelled, unseen: Labelled) -> None:
    first, second, other = (
        network(seed=seed).fit(*train, validation=unseen).predict_proba(unseen[0])
        for seed in (0, 0, 1)
    )
    assert first.tobytes() == second.tobytes()
    assert first.tobytes() != other.tobytes()


def test_global_state_is_not_changed(train: Labelled, unseen: Labelled) -> None:
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    threads = torch.get_num_threads()
    network(epochs=1).fit(*train, validation=unseen).predict(unseen[0])
    assert torch.equal(before[0], torch.random.get_rng_state())
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert torch.get_num_threads() == threads


def test_history_and_record(train: Labelled, unseen: Labelled) -> None:
    model = network(learning_rate=2e-3).fit(*train, validation=unseen)
    assert [row["epoch"] for row in model.history_] == [1, 2]
    assert list(model.history_[0]) == [
        "epoch", "train_loss", "validation_loss", "validation_average_precision",
        "learning_rate", "seconds", "best",
    ]  # fmt: skip
    best = [row for row in model.history_ if row["best"]]
    assert [row["epoch"] for row in best] == [model.best_epoch_]
    kept = average_precision_score(unseen[1], model.predict_proba(unseen[0])[:, 1])
    assert kept == best[0]["validation_average_precision"]
    record = model.record()
    assert record["initialised_from"] == "random (seed 0)"
    assert record["device"] in ("cpu", "cuda")
    assert record["precision"] in ("bfloat16", "float32")
    assert (record["learning_rate"], record["epochs"], record["batch_size"]) == (2e-3, 2, 32)


def test_stops_early_and_restores_the_best_epoch(
    train: Labelled, unseen: Labelled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted precisions: best in epoch 2, the tie of epoch 3 is lost on its loss."""
    planted = iter([(0.5, 0.7), (0.9, 0.4), (0.9, 0.5), (0.8, 0.1), (1.0, 0.1)])
    weights: list[torch.Tensor] = []

    def validate(network: Any, *_: Any) -> dict[str, float]:
        weights.append(network.model.state_dict()["fc.weight"].clone())
        precision, loss = next(planted)
        return {"validation_loss": loss, "validation_average_precision": precision}

    monkeypatch.setattr(training, "validate", validate)
    model = network(epochs=9, patience=2).fit(*train, validation=unseen)
    assert len(model.history_) == 4
    assert model.best_epoch_ == 2
    assert torch.equal(model.network_.model.state_dict()["fc.weight"], weights[1])
    assert not torch.equal(weights[1], weights[3])


def test_batches_balance_the_classes() -> None:
    target = torch.tensor([1] * 10 + [0] * 90)
    drawn = draw_batches(target, 8, True, torch.Generator().manual_seed(0))
    many = torch.stack(
        [draw_batches(target, 8, True, torch.Generator().manual_seed(s)) for s in range(50)]
    )
    assert drawn.shape == (12, 8)
    assert 0.45 < target[many].double().mean() < 0.55


def test_batches_without_balance_use_each_image_once() -> None:
    target = torch.tensor([1] * 10 + [0] * 90)
    drawn = draw_batches(target, 8, False, torch.Generator().manual_seed(0))
    assert drawn.unique().numel() == 96
    assert draw_batches(target[:5], 8, False, torch.Generator()).shape == (1, 5)


def folded(seed: int) -> Any:
    """A network in inference form: no statistics, random scales and biases."""
    built = create_backbone(SMALL, pretrained=False, seed=seed, num_classes=2)
    generator = torch.Generator().manual_seed(seed)
    for module in built.model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            shape = module.weight.shape
            module.weight.data = 0.5 + torch.rand(shape, generator=generator)
            module.bias.data = 0.2 * torch.randn(shape, generator=generator)
    return built


def test_unfolding_changes_statistics_and_no_output(train: Labelled) -> None:
    built, grey = folded(0), torch.from_numpy(train[0])
    ready = built.prepare(grey[:8].float() / 255)
    with torch.inference_mode():
        before = built.model.eval()(ready)
    assert unfold_batch_norm(built, grey)
    with torch.inference_mode():
        after = built.model.eval()(ready)
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-4)
    norm = next(m for m in built.model.modules() if isinstance(m, torch.nn.BatchNorm2d))
    assert norm.running_var.min() > 0
    assert not torch.allclose(norm.running_var, torch.ones_like(norm.running_var))
    assert not unfold_batch_norm(built, grey)


def test_residual_blocks_start_as_identity() -> None:
    """MobileNetV2 has 17 blocks, ten of them with a skip connection."""
    model = create_backbone("mobilenetv2_050", pretrained=False).model
    assert start_as_identity(model) == 10
    block = next(m for m in model.modules() if getattr(m, "has_skip", False))
    channels = block.conv_pw.in_channels
    values = torch.randn(1, channels, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(block(values), values)
    assert start_as_identity(create_backbone(SMALL, pretrained=False).model) == 0


def test_fine_tunes_from_a_file(train: Labelled, unseen: Labelled, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    state = folded(5).model.state_dict()
    save_file({key: value.contiguous().half() for key, value in state.items()}, path)
    model = network(pretrained=True, weights=path, epochs=None)
    model.set_params(patience=1).fit(*train, validation=unseen)
    assert model.initialised_from_.startswith("file w.safetensors (sha256 ")
    assert model.epochs_ == cnn.FINE_TUNING["epochs"]
    assert model.learning_rate_ == cnn.FINE_TUNING["learning_rate"]


def test_starts_from_random_weights_if_none_are_available(
    train: Labelled, unseen: Labelled, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_network(name: str, *, pretrained: bool = True, **options: Any) -> Any:
        if pretrained:
            raise WeightsUnavailable("The hub can't be reached.", "Plug it in.")
        return create_backbone(name, pretrained=False, num_classes=2, seed=options["seed"])

    monkeypatch.setattr(cnn, "create_backbone", without_network)
    model = network(pretrained=True, epochs=1).fit(*train, validation=unseen)
    assert model.initialised_from_ == "random (seed 0): The hub can't be reached."
    assert model.learning_rate_ == cnn.FROM_SCRATCH["learning_rate"]


@pytest.mark.parametrize("n", [2, 33])
def test_no_batch_of_one(n: int, unseen: Labelled) -> None:
    """33 images make one batch of 32, two images a batch of two."""
    images, label = blobs(99, seed=1)
    rows = np.r_[0 : n - 1, 98 if n == 33 else 1]
    assert set(label[rows]) == {0, 1}
    model = network(epochs=1, balance=False).fit(images[rows], label[rows], validation=unseen)
    assert np.isfinite(model.predict_proba(unseen[0])).all()


def test_pickle_keeps_the_trained_network(train: Labelled, unseen: Labelled) -> None:
    model = network(epochs=1).fit(*train, validation=unseen)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(unseen[0]), model.predict_proba(unseen[0]))
    assert not hasattr(clone(model), "network_")


def test_labels_may_be_strings(train: Labelled, unseen: Labelled) -> None:
    words = np.array(["clear", "disc"])
    model = network(epochs=1).fit(
        train[0], words[train[1]], validation=(unseen[0], words[unseen[1]])
    )
    assert set(model.predict(unseen[0])) <= set(words)
    assert model.classes_.tolist() == ["clear", "disc"]


def test_one_class_is_refused(train: Labelled, unseen: Labelled) -> None:
    with pytest.raises(ValueError, match=r"training labels of 1 classes \[0\]"):
        network().fit(train[0], 0 * train[1], validation=unseen)
    with pytest.raises(ValueError, match="validation labels of 1 classes"):
        network().fit(*train, validation=(unseen[0], 0 * unseen[1]))
    with pytest.raises(ValueError, match=r"validation labels \[2, 3\], but expected \[0, 1\]"):
        network().fit(*train, validation=(unseen[0], unseen[1] + 2))


def test_missing_validation_is_refused(train: Labelled) -> None:
    with pytest.raises(ValueError, match="Got no validation images"):
        network().fit(*train)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((97, 32, 32), np.float32),
        np.zeros((97, 32, 32, 3), np.uint8),
        np.zeros((0, 32, 32), np.uint8),
    ],
)
def test_wrong_shapes_and_dtypes_are_refused(
    images: np.ndarray, train: Labelled, unseen: Labelled
) -> None:
    with pytest.raises(ValueError, match=r"expected \(n, height, width\) uint8"):
        network().fit(images, train[1], validation=unseen)


def test_labels_of_another_length_are_refused(train: Labelled, unseen: Labelled) -> None:
    with pytest.raises(ValueError, match=r"shape \(96,\), but expected \(97,\)"):
        network().fit(train[0], train[1][1:], validation=unseen)


def test_a_diverging_loss_is_an_error(train: Labelled, unseen: Labelled) -> None:
    with pytest.raises(FloatingPointError, match="Lower learning_rate"):
        network(learning_rate=1e38).fit(*train, validation=unseen)


def test_a_file_of_another_network_is_an_error(
    train: Labelled, unseen: Labelled, tmp_path: Path
) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"odd": torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match="don't fit"):
        network(pretrained=True, weights=path).fit(*train, validation=unseen)


def test_missing_extra(train: Labelled, unseen: Labelled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingExtra, match=r"\[deep\]"):
        network().fit(*train, validation=unseen)


@pytest.mark.parametrize(
    ("balance", "drawn"),
    [("weighted_sampling", True), ("none", False), (True, True), (False, False)],
)
def test_build(balance: str | bool, drawn: bool) -> None:
    model = build(7, balance, backbone=SMALL, epochs=3)
    assert (model.seed, model.balance, model.backbone, model.epochs) == (7, drawn, SMALL, 3)


def test_on_batch_is_called_after_each_batch_and_nothing_is_printed(
    train: Labelled, unseen: Labelled, capfd: pytest.CaptureFixture[str]
) -> None:
    calls: list[tuple[int, int]] = []
    model = network(epochs=2, batch_size=8)
    model.fit(*train, validation=unseen, on_batch=lambda *step: calls.append(step))
    batches = 2 * (len(train[0]) // 8)
    assert calls == [(done, batches) for done in range(1, batches + 1)]
    assert capfd.readouterr() == ("", "")
