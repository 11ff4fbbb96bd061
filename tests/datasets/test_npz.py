from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import datasets
from benchmarks.config import RunConfig
from benchmarks.datasets.dataset import DataError


def arrays(size: int = 28) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    parts: dict[str, np.ndarray] = {}
    for name, n in (("train", 12), ("val", 4), ("test", 6)):
        parts[f"{name}_images"] = rng.integers(0, 256, (n, size, size), dtype=np.uint8)
        parts[f"{name}_labels"] = (np.arange(n) % 2).astype(np.uint8)[:, None]
    return parts


def load(path: Path, size: int = 64) -> datasets.Dataset:
    return datasets.load(RunConfig(data=str(path)), size)


def test_reads_all_three_splits_enlarged(tmp_path: Path) -> None:
    np.savez(tmp_path / "mnist.npz", **arrays())
    dataset = load(tmp_path / "mnist.npz")
    assert dataset.images.shape == (22, 64, 64)
    assert dataset.manifest["split"].value_counts().to_dict() == {
        "train": 12, "test": 6, "validation": 4,
    }  # fmt: skip
    assert (dataset.manifest["width"] == 28).all()
    assert dataset.manifest.set_index("image")["class"]["train/00003"] == "PNEUMONIA"
    assert not dataset.patients_known


def test_pixels_belong_to_their_rows(tmp_path: Path) -> None:
    parts = arrays(64)
    np.savez(tmp_path / "mnist.npz", **parts)
    dataset = load(tmp_path / "mnist.npz")
    row = dataset.manifest.index[dataset.manifest["image"] == "val/00002"][0]
    np.testing.assert_array_equal(dataset.images[row], parts["val_images"][2])


def test_colour_becomes_luma(tmp_path: Path) -> None:
    parts = arrays()
    parts["test_images"] = np.zeros((6, 28, 28, 3), np.uint8)
    parts["test_images"][..., 1] = 200  # 0.587 × 200
    np.savez(tmp_path / "mnist.npz", **parts)
    dataset = load(tmp_path / "mnist.npz")
    test = dataset.images[(dataset.manifest["split"] == "test").to_numpy()]
    assert (test == 117).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_images": np.zeros((12, 28, 28))}, "train_images is .*float64, but expected"),
        ({"test_images": np.zeros((6, 8, 8), np.uint8)}, "at least 16 × 16"),
        ({"train_labels": np.arange(12)}, r"train_labels holds 12 labels \[0, 1, 2"),
        ({"val_labels": np.zeros(3)}, "3 labels .* for 4 images"),
        ({"test_images": None}, "found the image arrays train, val, but expected"),
        ({"test_labels": None}, "test_labels"),
        ({"train_images": np.array([{}] * 12)}, "expected a readable .npz file"),
    ],
)
def test_other_forms_are_rejected(tmp_path: Path, change: dict, message: str) -> None:
    parts = {k: v for k, v in {**arrays(), **change}.items() if v is not None}
    np.savez(tmp_path / "mnist.npz", **parts)
    with pytest.raises(DataError, match=message):
        load(tmp_path / "mnist.npz")


@pytest.mark.parametrize("content", [b"", b"no zip file", b"PK\x03\x04 broken"])
def test_damaged_files_are_rejected(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mnist.npz").write_bytes(content)
    with pytest.raises(DataError, match="mnist.npz: expected a readable .npz file"):
        load(tmp_path / "mnist.npz")
