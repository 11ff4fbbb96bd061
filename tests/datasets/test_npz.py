from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import datasets
from benchmarks.audit.checks import audit
from benchmarks.config import RunConfig
from benchmarks.datasets.dataset import DataError
from benchmarks.datasets.kermany import MEDMNIST_IMAGES
from benchmarks.datasets.splits import ALL
from benchmarks.errors import OutOfMemory


def arrays(size: int = 28) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    parts: dict[str, np.ndarray] = {}
    for name, n in (("train", 12), ("val", 4), ("test", 6)):
        parts[f"{name}_images"] = rng.integers(0, 256, (n, size, size), dtype=np.uint8)
        parts[f"{name}_labels"] = (np.arange(n) % 2).astype(np.uint8)[:, None]
    return parts


def load(path: Path, size: int = 64, **options: object) -> datasets.Dataset:
    return datasets.load(RunConfig(data=str(path), **(options or {"positive": "1"})), size)


def test_reads_all_three_splits_enlarged(tmp_path: Path) -> None:
    np.savez(tmp_path / "mnist.npz", **arrays())
    dataset = load(tmp_path / "mnist.npz")
    assert dataset.images.shape == (22, 64, 64)
    assert dataset.manifest["split"].value_counts().to_dict() == {
        "train": 12, "test": 6, "validation": 4,
    }  # fmt: skip
    assert (dataset.manifest["width"] == 28).all()
    assert dataset.manifest.set_index("image")["class"]["train/00003"] == "label 1"
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
        ({"train_images": np.array([{}] * 12)}, "train_images is .12,. object: pickled Python obj"),
    ],
)
def test_other_forms_are_rejected(tmp_path: Path, change: dict, message: str) -> None:
    parts = {k: v for k, v in {**arrays(), **change}.items() if v is not None}
    np.savez(tmp_path / "mnist.npz", **parts)
    with pytest.raises(DataError, match=message):
        load(tmp_path / "mnist.npz")


def test_r17_the_meaning_of_two_labels_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "breast.npz"
    np.savez(path, **arrays())
    with pytest.raises(DataError, match="--positive 1 or --positive 0, or, .*--class-names NEG"):
        load(path, task="binary")
    one, zero, named = (
        load(path, **options)
        for options in ({"positive": "1"}, {"positive": "0"},
                        {"positive": "0", "class_names": "normal or benign,malignant"})
    )  # fmt: skip
    assert one.classes == ("label 0", "label 1")
    assert zero.classes == ("label 1", "label 0")
    assert named.classes == ("normal or benign", "malignant")
    np.testing.assert_array_equal(zero.manifest["label"], 1 - one.manifest["label"])
    pd.testing.assert_frame_equal(
        named.manifest.drop(columns="class"), zero.manifest.drop(columns="class")
    )
    for dataset in (one, zero, named):
        assert (dataset.citation, dataset.licence, dataset.limitations) == ("", "", ())
        names = np.array(dataset.classes)[dataset.manifest["label"]]
        assert (names == dataset.manifest["class"]).all()
    assert zero.notes[0] == "Label 0 of the file is the positive class, label 0."
    np.testing.assert_array_equal(
        load(path, class_names="no,yes").manifest["label"], one.manifest["label"]
    )


def test_pneumoniamnist_is_recognised_by_its_counts(tmp_path: Path) -> None:
    parts: dict[str, np.ndarray] = {}
    for (split, name), n in MEDMNIST_IMAGES.items():
        part = {"validation": "val"}.get(split, split)
        label = np.full((n, 1), int(name == "PNEUMONIA"))
        known = parts.get(f"{part}_labels", np.empty((0, 1), int))
        parts[f"{part}_labels"] = np.concatenate([known, label])
    for part in ("train", "val", "test"):
        parts[f"{part}_images"] = np.zeros((len(parts[f"{part}_labels"]), 16, 16), np.uint8)
    path = tmp_path / "copy.npz"
    np.savez_compressed(path, **parts)
    dataset = load(path, size=16, task="binary")
    assert dataset.classes == ("NORMAL", "PNEUMONIA")
    assert "MedMNIST" in dataset.citation


def test_r16_one_hot_labels_are_recognised(tmp_path: Path) -> None:
    parts = arrays()
    np.savez(tmp_path / "plain.npz", **parts)
    hot = {name: np.eye(2)[value.ravel()] if "labels" in name else value
           for name, value in parts.items()}  # fmt: skip
    np.savez(tmp_path / "hot.npz", **hot)
    plain, found = (load(tmp_path / f"{name}.npz") for name in ("plain", "hot"))
    pd.testing.assert_frame_equal(found.manifest, plain.manifest)
    assert "of 2 columns, that with 1 is the class" in found.notes[0]


def test_r16_of_several_labels_one_is_used(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    parts = arrays()
    for name in ("train", "val", "test"):
        parts[f"{name}_labels"] = rng.integers(0, 2, (len(parts[f"{name}_labels"]), 14))
    path = tmp_path / "many.npz"
    np.savez(path, **parts)
    with pytest.raises(
        DataError,
        match=r"is \(12, 14\): 14 labels an image.* Got no --label, .* --label 0 to --label ",
    ):
        load(path)
    with pytest.raises(DataError, match="Got --label 14, but expected the number of one column"):
        load(path, label="14")
    dataset = load(path, label="6")
    assert dataset.classes == ("without label 6", "with label 6")
    table = dataset.manifest[dataset.manifest["split"] == "train"].sort_values("image")
    np.testing.assert_array_equal(table["label"], parts["train_labels"][:, 6])
    assert load(path, label="6", class_names="no,pneumonia").classes == ("no", "pneumonia")
    np.savez(path, **arrays())
    with pytest.raises(DataError, match="got 1, but the file has one label an image"):
        load(path, label="1")


def test_a_test_split_is_drawn_if_there_is_none(tmp_path: Path) -> None:
    parts = {name: value for name, value in arrays().items() if "test" not in name}
    np.savez(tmp_path / "scans.npz", **parts)
    dataset = audit(load(tmp_path / "scans.npz", positive="1", test_fraction=0.25)).dataset
    assert dataset is not None
    assert dataset.manifest["split"].value_counts().to_dict() == {
        "train": 10, "test": 2, "validation": 4,
    }  # fmt: skip
    with pytest.raises(DataError, match="found the image arrays train, val, but .*--test-fract"):
        load(tmp_path / "scans.npz")


NOT_NPZ = {
    b"": "an empty file", b"a,b\n1,2\n": "text", b"PK\x03\x04 broken": "a damaged ZIP archive",
    b"\x93NUMPY\x01\x00": r"a single NumPy array \(.npy\)", bytes(9): "unknown content",
}  # fmt: skip


@pytest.mark.parametrize("content", NOT_NPZ)
def test_files_of_another_kind_are_rejected(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mnist.npz").write_bytes(content)
    message = f"mnist.npz: found {NOT_NPZ[content]}.*, which is not an .npz file, but expected"
    with pytest.raises(DataError, match=message) as caught:
        load(tmp_path / "mnist.npz")
    assert "pickle" not in str(caught.value)


def write_header(path: Path, shape: tuple[int, ...], n_bytes: int) -> None:
    """An archive whose train_images announce a shape and are n_bytes of zeros."""
    header = io.BytesIO()
    form = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, form)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train_images.npy", header.getvalue() + bytes(n_bytes))


def test_arrays_over_the_limit_are_refused_before_they_are_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_header(tmp_path / "mnist.npz", (2**26 // 28**2 + 1, 28, 28), 2**26 + 28**2)
    assert (tmp_path / "mnist.npz").stat().st_size < 2**20
    monkeypatch.setattr("benchmarks.datasets.npz.memory_bytes", lambda: 2**27)
    monkeypatch.setattr(np, "load", None)
    with pytest.raises(DataError, match=r"at most 0.1 GiB, half of this machine"):
        load(tmp_path / "mnist.npz")


def test_a_header_that_announces_more_than_there_is_is_refused(tmp_path: Path) -> None:
    write_header(tmp_path / "mnist.npz", (120_000, 224, 224), 1000)
    message = r"train_images is \(120000, 224, 224\) uint8 of 6,021,120,000 bytes, but the file hol"
    with pytest.raises(DataError, match=message):
        load(tmp_path / "mnist.npz")


def test_memory_that_runs_out_stops_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_split(*_: object) -> None:
        raise MemoryError("Unable to allocate 5.61 GiB")

    np.savez(tmp_path / "mnist.npz", **arrays())
    monkeypatch.setattr("benchmarks.datasets.npz._read_split", read_split)
    with pytest.raises(OutOfMemory, match=r"reading .*mnist.npz \(Unable .*Use --jobs 1, smaller"):
        load(tmp_path / "mnist.npz")


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=4),
    st.floats(0, 1) | st.just(1.0),
    st.booleans(),
)
def test_damaged_files_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, flips: list[tuple[float, int]], kept: float,
    compressed: bool,
) -> None:  # fmt: skip
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **arrays(16))
    damaged = bytearray(file.getvalue())
    for place, mask in flips:
        damaged[int(place * len(damaged))] ^= mask
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    path.write_bytes(damaged[: round(kept * len(damaged))])
    try:
        assert load(path, 16).images.shape[1:] == (16, 16)
    except DataError as error:
        assert str(path) in str(error)  # noqa: PT017 - one of two outcomes


def external(path: Path, **options: object) -> datasets.Dataset:
    """Read a file as an external test set."""
    config = RunConfig(data=str(path), **options)
    return datasets.load(config.model_copy(update={"test_fraction": ALL}), 64)


@pytest.mark.parametrize("names", [("test",), ("val",), ("val", "test")])
def test_an_external_set_needs_no_train(tmp_path: Path, names: tuple[str, ...]) -> None:
    parts = {k: v for k, v in arrays().items() if k.split("_")[0] in names}
    np.savez(tmp_path / "mnist.npz", **parts)
    dataset = external(tmp_path / "mnist.npz", positive="1")
    assert len(dataset.manifest) == sum(len(parts[f"{name}_images"]) for name in names)
    assert set(dataset.manifest["split"]) == {"test"}
    for options in ({"positive": "1"}, {"positive": "1", "test_fraction": 0.2}):
        with pytest.raises(DataError, match="expected train_images and test_images"):
            load(tmp_path / "mnist.npz", **options)


def test_the_labels_of_an_external_set_come_from_all_of_its_parts(tmp_path: Path) -> None:
    parts = arrays()
    parts["test_labels"] = np.arange(6)[:, None] % 3  # 2 is in test only
    np.savez(tmp_path / "mnist.npz", **parts)
    assert external(tmp_path / "mnist.npz", task="subtype").classes == ("0", "1", "2")
    with pytest.raises(DataError, match=r"the file holds 3 labels \[0, 1, 2\], but expected"):
        external(tmp_path / "mnist.npz", positive="1")
