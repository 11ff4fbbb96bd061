"""Images on their way to a network: order, errors, stacks that are no arrays."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("timm")

import torch

from features.backbone import create_backbone
from features.preprocessing.augmentation import augment
from models.cnn import CnnClassifier
from models.network.feeding import fetch, infer, prefetch, training_batches
from models.network.image_checks import check_images
from tests.helpers import textured

pytestmark = pytest.mark.slow


class Stack:
    """Images read on demand, as from a disk; not an array."""

    def __init__(self, images: np.ndarray) -> None:
        self._images = images
        self.shape, self.dtype = images.shape, images.dtype
        self.most = 0
        self.threads: set[str] = set()

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, rows: Any) -> np.ndarray:
        assert isinstance(rows, np.ndarray)
        assert rows.dtype.kind == "i"
        self.most = max(self.most, len(rows))
        self.threads.add(threading.current_thread().name)
        read = self._images[rows]
        read.flags.writeable = False
        return read

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise AssertionError("all images were read at once")


def test_results_come_in_order_and_few_wait() -> None:
    done: list[int] = []

    def job(k: int) -> int:
        done.append(k)
        return k * k

    results = prefetch((lambda k=k: job(k) for k in range(50)), ahead=3)
    assert next(results) == 0
    time.sleep(0.05)
    assert len(done) <= 4
    assert list(results) == [k * k for k in range(1, 50)]
    assert done == list(range(50))


def test_no_jobs_no_results() -> None:
    assert list(prefetch([])) == []


def test_errors_of_the_other_thread_are_raised_here() -> None:
    def fail() -> None:
        raise OSError("disk gone")

    results = prefetch([lambda: 1, fail, lambda: 3])  # type: ignore[list-item]
    assert next(results) == 1
    with pytest.raises(OSError, match="disk gone"):
        next(results)
    assert not [t for t in threading.enumerate() if t.name.startswith("prefetch")]


def test_whoever_stops_early_leaves_no_thread() -> None:
    results = prefetch(lambda: time.sleep(0.01) for _ in range(1000))
    next(results)
    results.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("prefetch")]


def test_thread_settings_of_the_caller_are_not_changed() -> None:
    threads = torch.get_num_threads()
    assert list(prefetch([torch.get_num_threads])) == [1]
    assert torch.get_num_threads() == threads


def test_batches_are_those_of_one_thread() -> None:
    """Drawn, augmented and prepared by hand, in order."""
    images = textured(24, 32)[0]
    rows = torch.randperm(24, generator=torch.Generator().manual_seed(0)).view(6, 4)
    built = create_backbone("test_resnet", pretrained=False)
    generator = torch.Generator().manual_seed(5)
    expected = []
    for batch in rows:
        seeds = torch.randint(2**31, (4,), generator=generator).tolist()
        changed = torch.from_numpy(augment(images[batch.numpy()], seeds))
        expected.append(built.prepare(changed.float() / 255))
    again = torch.Generator().manual_seed(5)
    got = list(training_batches(built, Stack(images), rows, again, "cpu"))
    assert torch.equal(torch.stack([inputs for inputs, _ in got]), torch.stack(expected))
    assert torch.equal(torch.stack([batch for _, batch in got]), rows)
    assert torch.equal(again.get_state(), generator.get_state())


@pytest.mark.parametrize("n", [1, 31, 32, 33, 70])
def test_inference_in_slices(n: int) -> None:
    images = textured(n, 32)[0]
    built = create_backbone("test_resnet", pretrained=False)
    stack = Stack(images)
    expected = built.infer(torch.from_numpy(images), 32)
    assert torch.equal(infer(built, stack, "cpu"), expected)
    assert stack.most == min(n, 32)


def test_what_is_fetched_can_be_written_to() -> None:
    images = textured(5, 32)[0]
    grey = fetch(Stack(images), np.array([3, 1]), "cpu")
    grey += 1
    np.testing.assert_array_equal(grey.numpy(), images[[3, 1]] + np.uint8(1))


def test_a_fit_reads_batches_on_another_thread_and_computes_the_same(tmp_path: Any) -> None:
    images, label = textured(110, 32)
    stack, unseen = Stack(images[:70]), Stack(images[70:])
    model = CnnClassifier("test_resnet", pretrained=False, epochs=1, n_jobs=1)
    expected = model.fit(images[:70], label[:70], validation=(images[70:], label[70:]))
    probability = expected.predict_proba(images)
    model.fit(stack, label[:70], validation=(unseen, label[70:]))
    assert model.predict_proba(Stack(images)).tobytes() == probability.tobytes()
    assert (stack.most, unseen.most) == (32, 32)
    assert all(name.startswith("prefetch") for name in stack.threads | unseen.threads)
    model.fit(stack, label[:70], validation=(unseen, label[70:]), checkpoint=tmp_path / "c")
    assert model.predict_proba(images).tobytes() == probability.tobytes()


def test_pretrained_networks_look_at_few_images_first(tmp_path: Any) -> None:
    from safetensors.torch import save_file

    images, label = textured(300, 32)
    state = create_backbone("test_resnet", pretrained=False, num_classes=2).model.state_dict()
    save_file({k: v.contiguous() for k, v in state.items()}, tmp_path / "w.safetensors")
    stack = Stack(images)
    model = CnnClassifier("test_resnet", weights=tmp_path / "w.safetensors", epochs=1, n_jobs=1)
    model.fit(stack, label, validation=(images[:40], label[:40]))
    assert stack.most == 256


def test_checks_read_nothing() -> None:
    stack = Stack(textured(3, 32)[0])
    assert check_images(stack, "given") is stack
    stack.dtype = np.dtype(np.float32)
    with pytest.raises(ValueError, match="dtype float32, but expected"):
        check_images(stack, "given")
    assert not stack.threads
