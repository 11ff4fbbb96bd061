"""Folders as published archives unpack; the numbers R.. are those of users' reports."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmarks import datasets
from benchmarks.audit.checks import audit
from benchmarks.config import RunConfig
from benchmarks.datasets import splits
from benchmarks.datasets.dataset import DataError, Dataset
from benchmarks.datasets.names.patient_names import patients_by_pattern


def load(folder: Path, **options: object) -> Dataset:
    settings = {"quiet": True, "jobs": 1, **options}
    return datasets.load(RunConfig(data=str(folder), **settings), 32)


def save(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (32, 32), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def kaggle(radiograph_folder: Path) -> Path:
    """The archive of Kaggle: the splits, a copy of them inside, and what macOS adds."""
    shutil.copytree(radiograph_folder, radiograph_folder / "chest_xray")
    for place in (radiograph_folder, radiograph_folder / "chest_xray"):
        (place / ".DS_Store").write_bytes(b"x")
        first = next((place / "train" / "NORMAL").iterdir())
        extra = place / "__MACOSX" / "train" / "NORMAL" / f"._{first.name}"
        extra.parent.mkdir(parents=True)
        extra.write_bytes(b"x")
        (place / "train" / "NORMAL" / f"._{first.name}").write_bytes(b"x")
    return radiograph_folder


@pytest.fixture
def covid(tmp_path: Path) -> Path:
    """The COVID-19 Radiography Database: four classes, images beside masks, no split."""
    root = tmp_path / "COVID-19_Radiography_Dataset"
    for k, name in enumerate(("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia")):
        for number in range(1, 9):
            for part in ("images", "masks"):
                save(root / name / part / f"{name}-{number}.png", 100 * k + number)
        (root / f"{name}.metadata.xlsx").write_bytes(b"x")
    return root


@pytest.mark.parametrize("above", [False, True])
def test_r01_a_copy_inside_the_archive_is_passed_over(kaggle: Path, above: bool) -> None:
    plain = kaggle.parent / "plain"
    for split in ("train", "test"):
        shutil.copytree(kaggle / split, plain / split, ignore=shutil.ignore_patterns("._*"))
    expected = load(plain)
    shutil.rmtree(plain)
    found = load(kaggle.parent if above else kaggle)
    pd.testing.assert_frame_equal(found.manifest, expected.manifest)
    notes = " ".join(found.notes)
    assert "The folder chest_xray repeats 70 files of the splits; it was not read." in notes
    assert ("The data were found in chest." in notes) == above
    assert found.left_out.empty


def test_r01_a_folder_inside_with_other_images_stops(kaggle: Path) -> None:
    save(kaggle / "chest_xray" / "test" / "NORMAL" / "IM-0999-0001.jpeg", 0)
    with pytest.raises(DataError, match="1 files that are not in the same place.*IM-0999-0001"):
        load(kaggle)


@pytest.mark.parametrize("name", ["valid", "validation", "Val", "VALID"])
def test_r03_validation_folders_of_any_name(radiograph_folder: Path, name: str) -> None:
    for label in ("NORMAL", "PNEUMONIA"):
        files = sorted((radiograph_folder / "train" / label).iterdir())[:4]
        for k, file in enumerate(files):
            target = radiograph_folder / name / label / file.name.replace("person", "person8")
            target.parent.mkdir(parents=True, exist_ok=True)
            file.rename(target.with_name(f"IM-9{k}00-0001.jpeg") if label == "NORMAL" else target)
    dataset = load(radiograph_folder)
    assert dataset.manifest["split"].value_counts().to_dict() == {
        "train": 42, "test": 20, "validation": 8,
    }  # fmt: skip
    assert dataset.notes == (f"Folders taken as splits: {name} as validation.",)
    _, notes = splits.assign(dataset.manifest)
    assert "merged into train: it has 4 images of one class" in notes[0]


def test_r03_two_folders_of_one_split_are_named(radiograph_folder: Path) -> None:
    for name in ("val", "Validation"):
        (radiograph_folder / name).mkdir()
    with pytest.raises(DataError, match="Validation, val, but expected one validation split"):
        load(radiograph_folder)


@pytest.mark.parametrize(
    ("names", "options", "classes"),
    [
        (("normal", "pneumonia"), {}, ("normal", "pneumonia")),
        (("Normal", "Pneumonia"), {}, ("Normal", "Pneumonia")),
        (("Normal", "COVID"), {}, ("Normal", "COVID")),
        (("healthy", "sick"), {}, ("healthy", "sick")),
        (("b", "a"), {"positive": "A"}, ("b", "a")),
        (("a", "b"), {"negative": "a"}, ("a", "b")),
    ],
)
def test_r04_classes_of_any_name(
    radiograph_folder: Path, names: tuple[str, str], options: dict, classes: tuple[str, str]
) -> None:
    for split in ("train", "test"):
        for old, new in zip(("NORMAL", "PNEUMONIA"), names, strict=True):
            (radiograph_folder / split / old).rename(radiograph_folder / split / new)
    dataset = load(radiograph_folder, **options)
    assert dataset.classes == classes
    table = dataset.manifest
    assert (np.array(classes)[table["label"]] == table["class"]).all()
    assert ((table["label"] == 1) == table["image"].str.contains("person")).all()


def test_r04_the_order_of_names_decides_nothing(radiograph_folder: Path) -> None:
    for split in ("train", "test"):
        for old, new in (("NORMAL", "a"), ("PNEUMONIA", "b")):
            (radiograph_folder / split / old).rename(radiograph_folder / split / new)
    with pytest.raises(DataError, match=r"found the classes a, b, but .*Give --positive"):
        load(radiograph_folder)


def test_splits_may_spell_a_class_differently(radiograph_folder: Path) -> None:
    (radiograph_folder / "test" / "NORMAL").rename(radiograph_folder / "test" / "Normal")
    dataset = load(radiograph_folder)
    assert dataset.classes == ("NORMAL", "PNEUMONIA")
    assert set(dataset.manifest["class"]) == {"NORMAL", "PNEUMONIA"}
    assert dataset.notes == ("Folders of one class: NORMAL, Normal.",)


def with_test(dataset: Dataset) -> Dataset:
    found = audit(dataset).dataset
    assert found is not None
    return found


def test_r05_images_beside_masks(covid: Path) -> None:
    dataset = with_test(load(covid, positive="COVID", test_fraction=0.25))
    assert dataset.classes == ("Normal", "COVID")
    assert len(dataset.images) == 16
    assert dataset.manifest["image"].str.contains("/images/").all()
    assert dataset.manifest.groupby("split").size().to_dict() == {"test": 4, "train": 12}
    assert not dataset.patients_known
    notes = " ".join(dataset.notes)
    assert "4 folders of masks were not read." in notes
    assert "Lung_Opacity (8 files), Viral Pneumonia (8 files)" in notes
    assert "Test drawn by patient: 4 of 16 images" in notes
    assert (dataset.citation, dataset.licence) == ("", "")


def test_r05_without_a_split_the_option_is_named(covid: Path) -> None:
    with pytest.raises(DataError, match="without splits, but expected train and test. Draw a "):
        load(covid, positive="COVID")
    with pytest.raises(DataError, match="COVID, Lung_Opacity, Normal, Viral Pneumonia, but .*--p"):
        load(covid)


def test_r05_several_folders_are_one_class_with_subtypes(covid: Path) -> None:
    dataset = load(covid, positive="COVID,Viral Pneumonia", test_fraction=0.25)
    assert dataset.classes == ("Normal", "COVID or Viral Pneumonia")
    positive = dataset.manifest[dataset.manifest["label"] == 1]
    assert set(positive["class"]) == {"COVID or Viral Pneumonia"}
    folder = positive["image"].str.split("/").str[0]
    assert (positive["subtype"] == folder).all()
    assert set(dataset.manifest.loc[dataset.manifest["label"] == 0, "subtype"]) == {""}


def test_covid_qu_ex_two_levels_below_with_kinds_of_masks(tmp_path: Path) -> None:
    root = tmp_path / "archive" / "Lung Segmentation Data" / "Lung Segmentation Data"
    seed = 0
    for split in ("Train", "Val", "Test"):
        for name in ("COVID-19", "Non-COVID", "Normal"):
            for number in range(4):
                seed += 1
                for part in ("images", "lung masks", "infection masks"):
                    save(root / split / name / part / f"{split}_{number}.png", seed)
    dataset = load(tmp_path / "archive", positive="covid-19")
    assert dataset.manifest["image"].str.contains("/images/").all()
    assert dataset.manifest.groupby("split").size().to_dict() == {
        "train": 8, "validation": 8, "test": 8,
    }  # fmt: skip
    assert dataset.notes[0] == (
        "The data were found in Lung Segmentation Data/Lung Segmentation Data."
    )


def test_masks_in_the_folder_of_a_class_are_not_read(radiograph_folder: Path) -> None:
    save(radiograph_folder / "train" / "NORMAL" / "masks" / "IM-0001-0001.png", 0)
    dataset = load(radiograph_folder)
    assert len(dataset.manifest) == 70
    assert dataset.left_out.empty
    assert dataset.notes == ("1 folders of masks were not read.",)


def test_two_data_sets_below_a_folder_are_named(covid: Path, radiograph_folder: Path) -> None:
    with pytest.raises(DataError, match=f"{covid.name}, {radiograph_folder.name} hold data; give"):
        load(covid.parent)


def test_patients_by_a_pattern(radiograph_folder: Path) -> None:
    files = sorted(radiograph_folder.glob("*/*/*.jpeg"))
    for k, file in enumerate(files):
        file.rename(file.with_name(f"scan_{k // 2}_{k}.jpeg"))
    dataset = load(radiograph_folder, patient_pattern=r"scan_(\d+)_")
    assert dataset.patients_known
    assert dataset.manifest["group"].nunique() == len(files) / 2
    with pytest.raises(DataError, match="finds no patient in the 70 paths"):
        load(radiograph_folder, patient_pattern=r"patient(\d+)")


def test_groups_of_a_pattern_are_joined() -> None:
    paths = ["s1/p2/a.png", "s1/a.png", "x"]
    assert patients_by_pattern(paths, r"s(\d+)/(?:p(\d+))?") == ["1/2", "1", None]
    assert patients_by_pattern(paths, r"s\d+") == ["s1", "s1", None]


def test_a_test_split_is_not_drawn_twice(radiograph_folder: Path) -> None:
    with pytest.raises(DataError, match="the data have a test split"):
        load(radiograph_folder, test_fraction=0.2)
    shutil.rmtree(radiograph_folder / "test")
    dataset = with_test(load(radiograph_folder, test_fraction=0.2))
    table = dataset.manifest
    assert set(table["split"]) == {"train", "test"}
    assert not set(table["group"][table["split"] == "test"]) & set(
        table["group"][table["split"] == "train"]
    )
