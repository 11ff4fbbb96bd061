"""Exploration: planted histograms, mean images, samples, thumbnails, and hard images by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmarks.datasets.dataset import DataError, Dataset
from benchmarks.io.image_stack import ImageStack
from benchmarks.run.exploration import (
    explore,
    explore_prepared,
    hardest,
    intensity_histograms,
    mean_name,
    save_thumbnails,
    thumbnail,
    thumbnail_name,
)

NORMAL_GREY, PNEUMONIA_GREY = 100, 120


def planted(n: int = 60, side: int = 40) -> Dataset:
    """Flat images: normals of grey 100, pneumonias of grey 120; two images a patient."""
    label = np.arange(n) // 2 % 3 > 0
    images = np.where(label, PNEUMONIA_GREY, NORMAL_GREY).astype(np.uint8)
    manifest = pd.DataFrame({
        "image": [f"{k:03d}.png" for k in range(n)], "label": label.astype(int),
        "class": np.where(label, "PNEUMONIA", "NORMAL"),
        "subtype": np.where(label, np.where(np.arange(n) // 2 % 3 == 1, "bacteria", "virus"), ""),
        "group": [f"p{k // 2}" for k in range(n)],
    })  # fmt: skip
    stack = np.broadcast_to(images[:, None, None], (n, side, side)).copy()
    return Dataset("planted", stack, manifest, "CC0", "None.")


def splits(dataset: Dataset) -> pd.Series:
    n = len(dataset.manifest)
    return pd.Series(np.where(np.arange(n) < n // 2, "train", "test"))


def test_histogram_counts_every_pixel_once() -> None:
    dataset = planted(n=12, side=20)
    dataset.images[0, :5] = 7  # a quarter of one of two normal training images
    table = intensity_histograms(dataset, splits(dataset).to_numpy(dtype=object))
    part = table[(table["split"] == "train") & (table["class"] == "NORMAL")]
    found = part.set_index("value")["fraction"]
    assert found.index.tolist() == list(range(256))
    assert found[found > 0].to_dict() == {7: 0.125, NORMAL_GREY: 0.875}
    sums = table.groupby(["split", "class"])["fraction"].sum()
    assert len(sums) == 4
    assert sums.to_numpy() == pytest.approx(1.0, abs=1e-12)


def test_mean_images_and_their_difference(tmp_path: Path) -> None:
    dataset = planted()
    dataset.images[splits(dataset) == "test"] = 0  # the means must not see test
    explore(dataset, splits(dataset), tmp_path)
    normal = np.asarray(Image.open(tmp_path / "images" / "mean_NORMAL.png"))
    pneumonia = np.asarray(Image.open(tmp_path / "images" / "mean_PNEUMONIA.png"))
    assert (np.unique(normal), np.unique(pneumonia)) == ([NORMAL_GREY], [PNEUMONIA_GREY])
    difference = np.asarray(Image.open(tmp_path / "images" / "difference.png"))
    # 20 of 50 levels: two fifths of the way from white to vermilion (213, 94, 0).
    assert difference.reshape(-1, 3).tolist() == [[238, 191, 153]] * difference[..., 0].size


def test_prepared_means_are_of_training_images_after_preprocessing(tmp_path: Path) -> None:
    dataset = planted()
    split = splits(dataset)
    prepared = ImageStack.of(255 - dataset.images)
    manifest = dataset.manifest.assign(split=split)
    explore_prepared(prepared, manifest, dataset.classes, tmp_path)
    for name, grey in (("NORMAL", NORMAL_GREY), ("PNEUMONIA", PNEUMONIA_GREY)):
        found = Image.open(tmp_path / "images" / mean_name(name, prepared=True))
        assert np.unique(np.asarray(found)) == [255 - grey]


def test_samples_are_of_train_and_of_different_patients(tmp_path: Path) -> None:
    dataset = planted(n=120)
    for k in range(120):
        dataset.images[k, 0, 0] = k  # marks the image
    explore(dataset, splits(dataset), tmp_path)
    for kind, grey in (("NORMAL", 100), ("bacteria", 120), ("virus", 120)):
        files = sorted((tmp_path / "images").glob(f"sample_{kind}_*.png"))
        assert len(files) == 6
        pictures = [np.asarray(Image.open(file)) for file in files]
        assert all(picture[1, 1] == grey for picture in pictures)
        rows = [int(picture[0, 0]) for picture in pictures]
        assert max(rows) < 60
        assert len({row // 2 for row in rows}) == 6
    assert not list((tmp_path / "images").glob("sample_PNEUMONIA_*"))


def test_files_are_the_same_every_time(tmp_path: Path) -> None:
    found = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        explore(planted(), splits(planted()), tmp_path / name)
        files = sorted(p for p in (tmp_path / name).rglob("*") if p.is_file())
        found.append({p.name: p.read_bytes() for p in files})
    assert len(found[0]) == 1 + 3 + 15  # five training patients a kind
    assert found[0] == found[1]


def test_a_split_for_every_row_is_required(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="59 splits.*60 manifest rows"):
        explore(planted(), splits(planted()).iloc[:-1], tmp_path)


def test_thumbnails_are_small_and_keep_proportions() -> None:
    image = np.random.default_rng(0).integers(0, 256, (400, 200), dtype=np.uint8)
    small = thumbnail(image)
    assert small.shape == (160, 80)
    assert small.dtype == np.uint8
    assert abs(float(small.mean()) - float(image.mean())) < 1.0
    assert thumbnail(image[:100, :100]).shape == (100, 100)


def test_thumbnails_have_safe_names(tmp_path: Path) -> None:
    dataset = planted(n=4)
    name = "../../etc/<script>|\n.jpg"
    dataset.manifest.loc[1, "image"] = name
    save_thumbnails(dataset, [name], tmp_path)
    (path,) = (tmp_path / "images").iterdir()
    assert path.name == thumbnail_name(name)
    assert path.name.removeprefix("image_").removesuffix(".png").isalnum()
    assert np.asarray(Image.open(path)).tolist() == dataset.images[1].tolist()
    with pytest.raises(DataError, match=r"nothing\.png.*planted"):
        save_thumbnails(dataset, ["nothing.png"], tmp_path)


def judged(scores: dict[str, list[float]], label: list[int]) -> pd.DataFrame:
    parts = [
        pd.DataFrame({
            "cell": cell, "split": "test", "image": [f"i{k}" for k in range(len(label))],
            "group": "g", "subtype": "", "label": label, "score": values,
        })
        for cell, values in scores.items()
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def points(thresholds: dict[str, float]) -> pd.DataFrame:
    """The recall95 rows to use, and rows of other points, splits and states to ignore."""
    rows = [
        {"cell": cell, "split": split, "operating_point": point, "status": "ok",
         "threshold": value if (split, point) == ("test", "recall95") else 0.0}
        for cell, value in thresholds.items()
        for split in ("validation", "test") for point in ("0.5", "recall95")
    ]  # fmt: skip
    failed = {"cell": "x", "split": "", "operating_point": "", "status": "failed"}
    return pd.DataFrame([*rows, failed])


def test_hardest_by_hand() -> None:
    predictions = judged(
        {
            #     i0   i1   i2   i3   i4   i5
            "a": [0.9, 0.2, 0.3, 0.4, 0.1, 0.5],
            "b": [0.8, 0.9, 0.2, 0.7, 0.2, 0.6],
            "c": [0.7, 0.9, 0.1, 0.9, 0.3, 0.1],
        },
        label=[0, 0, 0, 0, 1, 1],
    )
    found = hardest(predictions, points({"a": 0.4, "b": 0.7, "c": 0.9}), 5)
    # i0: a, b wrong (0.7 < 0.9). i1: b, c wrong (0.9 >= 0.9). i2: none.
    # i3: a (0.4 >= 0.4), b (0.7 >= 0.7), c wrong. i4: all miss. i5: b, c miss.
    assert found[["image", "label", "wrong", "cells"]].to_numpy().tolist() == [
        ["i3", 0, 3, 3], ["i0", 0, 2, 3], ["i1", 0, 2, 3], ["i4", 1, 3, 3], ["i5", 1, 2, 3],
    ]  # fmt: skip
    assert found["mean_score"].tolist() == pytest.approx([2 / 3, 0.8, 2 / 3, 0.2, 0.4])


def test_hardest_keeps_k_a_class_and_needs_a_majority() -> None:
    predictions = judged({"a": [0.9, 0.8, 0.9], "b": [0.9, 0.9, 0.1]}, label=[0, 0, 0])
    found = hardest(predictions, points({"a": 0.5, "b": 0.5}), 1)
    assert found["image"].tolist() == ["i0"]  # i2 is wrong in one of two: no majority
    assert len(hardest(predictions, points({"a": 0.5, "b": 0.5}), 9)) == 2


def test_hardest_of_nothing_is_empty() -> None:
    none = judged({"a": [0.9]}, [0]).iloc[:0]
    found = hardest(none, points({"a": 0.5}), 3)
    assert found.empty
    assert found.columns.tolist()[:2] == ["image", "label"]
