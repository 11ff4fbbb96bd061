"""An external set needs no splits: a folder of classes, a test folder alone, a table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from benchmarks.config import RunConfig
from benchmarks.datasets.dataset import DataError, Dataset
from benchmarks.external_test.external_set import read_external
from tests.helpers import textured

CLASSES = ("NORMAL", "PNEUMONIA")
CONFIG = RunConfig(image_size=32, jobs=1, quiet=True)


def write(root: Path, folders: list[str]) -> Path:
    images, _ = textured(2 * len(folders), 32)
    for k, image in enumerate(images):
        folder = root / folders[k // 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"person{k}_virus_{k}.png")
    return root


def read(data: Path, only_test: bool = False, **reading: object) -> Dataset:
    return read_external(CONFIG, str(data), reading, CLASSES, only_test=only_test)


@pytest.mark.parametrize(
    "folders",
    [
        ["NORMAL", "PNEUMONIA"],
        ["test/NORMAL", "test/PNEUMONIA"],
        ["train/NORMAL", "train/PNEUMONIA", "test/NORMAL", "test/PNEUMONIA"],
        ["train/normal", "train/Pneumonia", "val/normal", "val/Pneumonia"],
    ],
)
def test_all_images_of_a_folder_are_the_test(folders: list[str], tmp_path: Path) -> None:
    dataset = read(write(tmp_path / "b", folders))
    assert len(dataset.manifest) == 2 * len(folders)
    assert (dataset.manifest["split"] == "test").all()
    assert not any("drawn" in note for note in dataset.notes)
    assert dataset.test_fraction is None


def test_the_own_test_split_alone(tmp_path: Path) -> None:
    folders = ["train/NORMAL", "train/PNEUMONIA", "test/NORMAL", "test/PNEUMONIA"]
    dataset = read(write(tmp_path / "b", folders), only_test=True)
    assert dataset.manifest["image"].str.startswith("test/").all()
    with pytest.raises(DataError, match="train and"):
        read(write(tmp_path / "c", ["NORMAL", "PNEUMONIA"]), only_test=True)


def test_a_class_of_another_name_counts_as_positive_if_the_user_says_so(tmp_path: Path) -> None:
    root = write(tmp_path / "b", ["COVID", "Normal", "Other"])
    with pytest.raises(DataError, match="--positive"):
        read(root)
    dataset = read(root, positive=("COVID",))
    assert dataset.classes == ("Normal", "COVID")
    assert dataset.manifest.groupby("class")["label"].first().to_dict() == {"COVID": 1, "Normal": 0}


@pytest.mark.parametrize("split", [None, ["train", "test", "test", "train"]])
def test_a_table_with_or_without_splits(split: list[str] | None, tmp_path: Path) -> None:
    write(tmp_path / "b", ["x", "y"])
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png"))
    table = pd.DataFrame({"image": files, "label": ["NORMAL", "NORMAL", "PNEUMONIA", "PNEUMONIA"],
                          "patient": ["a", "b", "c", "d"]})  # fmt: skip
    if split:
        table["split"] = split
    table.to_csv(tmp_path / "t.csv", index=False)
    dataset = read(tmp_path / "t.csv")
    assert dataset.manifest["group"].tolist() == ["a", "b", "c", "d"]
    assert (dataset.manifest["split"] == "test").all()
    assert dataset.test_fraction is None
    if split:
        only = read(tmp_path / "t.csv", only_test=True)
        assert only.manifest["group"].tolist() == ["b", "c"]
