from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmarks import datasets
from benchmarks.config import RunConfig
from benchmarks.datasets import image_files
from benchmarks.datasets.dataset import DataError
from benchmarks.datasets.folder_layout import find_layout
from benchmarks.datasets.names.patient_names import patient_key
from benchmarks.errors import UserError
from benchmarks.io import provenance, results


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("person12_bacteria_3.jpeg", ("bacteria/12", "bacteria")),
        ("person12_virus_9.jpeg", ("virus/12", "virus")),
        ("IM-0115-0001.jpeg", ("IM/0115", "")),
        ("IM-0115-0001-0002.jpeg", ("IM/0115", "")),
        ("NORMAL2-IM-0381-0001.jpeg", ("NORMAL2/0381", "")),
        ("BACTERIA-1008087-0001.jpeg", ("bacteria/1008087", "bacteria")),
        ("VIRUS-992115-0002.jpeg", ("virus/992115", "virus")),
        ("NORMAL-1003233-0001.jpeg", ("normal/1003233", "")),
        ("scan_17.png", None),
    ],
)
def test_patient_key(name: str, key: tuple[str, str] | None) -> None:
    assert patient_key(name) == key


def load(folder: Path, size: int = 32, **options: object) -> datasets.Dataset:
    settings = {"quiet": True, "jobs": 2, **options}
    return datasets.load(RunConfig(data=str(folder), **settings), size)


def test_manifest_describes_each_file(radiograph_folder: Path) -> None:
    dataset = load(radiograph_folder)
    table = dataset.manifest
    assert len(table) == len(dataset.images) == 70
    assert table["image"].is_monotonic_increasing
    first = table.iloc[0]
    file = radiograph_folder / first["image"]
    assert first["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (first["width"], first["height"], first["frames"]) == (48, 48, 1)
    assert table["group"].nunique() == 28 + 14
    assert set(table["subtype"]) == {"", "bacteria", "virus"}
    assert not dataset.citation  # names in Kermany's pattern are not enough


def test_unreadable_files_are_left_out_with_reasons(radiograph_folder: Path) -> None:
    broken = radiograph_folder / "train" / "PNEUMONIA" / "person900_virus_1.jpeg"
    broken.write_text("no image")
    (radiograph_folder / "train" / "NORMAL" / ".DS_Store").write_text("x")
    (radiograph_folder / "train" / "notes.txt").write_text("x")
    dataset = load(radiograph_folder, max_unreadable=0.05)
    assert dataset.left_out["image"].tolist() == ["train/PNEUMONIA/person900_virus_1.jpeg"]
    assert "person900_virus_1.jpeg" in dataset.left_out["reason"][0]
    assert dataset.ignored_files == 2
    assert len(dataset.images) == len(dataset.manifest) == 70
    assert "virus/900" not in set(dataset.manifest["group"])
    with pytest.raises(DataError, match=r"1 of 71 images are unreadable, more than the 1.0%"):
        load(radiograph_folder)


def test_rows_match_their_images(radiograph_folder: Path) -> None:
    (radiograph_folder / "test" / "NORMAL" / "IM-0000-0001.jpeg").write_bytes(b"")
    dataset = load(radiograph_folder, 48, max_unreadable=0.05)
    for row in (0, 35, 69):
        file = radiograph_folder / dataset.manifest["image"][row]
        np.testing.assert_array_equal(np.asarray(Image.open(file)), dataset.images[row])


def test_other_names_count_as_own_patients(radiograph_folder: Path) -> None:
    for k, file in enumerate(sorted(radiograph_folder.glob("*/*/*.jpeg"))):
        file.rename(file.with_name(f"scan_{k}.jpeg"))
    dataset = load(radiograph_folder)
    assert not dataset.patients_known
    assert dataset.manifest["group"].nunique() == 70
    assert "counts as its own patient" in dataset.notes[0]
    assert (dataset.licence, dataset.limitations, dataset.facts) == ("", (), {})


def test_names_in_another_encoding_are_kept(radiograph_folder: Path, tmp_path: Path) -> None:
    name = os.fsdecode(b"IM-7777-0001_\xe9.jpeg")  # Latin-1
    known = next((radiograph_folder / "test" / "NORMAL").iterdir())
    (known.parent / name).write_bytes(known.read_bytes())
    table = load(radiograph_folder).manifest
    assert "IM/7777" in set(table["group"])
    results.write_table(tmp_path, "manifest", table)
    assert len(provenance.fingerprint(table)) == 64
    assert r"IM-7777-0001_\udce9.jpeg" in (tmp_path / "manifest.csv").read_text()


def test_a_file_named_as_pneumonia_in_normal_is_reported(radiograph_folder: Path) -> None:
    file = next((radiograph_folder / "train" / "NORMAL").iterdir())
    file.rename(file.with_name("person999_virus_1.jpeg"))
    dataset = load(radiograph_folder)
    row = dataset.manifest[dataset.manifest["group"] == "virus/999"].iloc[0]
    assert (row["label"], row["subtype"]) == (0, "")
    assert "person999_virus_1.jpeg; the folder was used" in dataset.notes[0]


def test_limit_decodes_only_what_it_keeps(radiograph_folder: Path) -> None:
    dataset = load(radiograph_folder, limit=50)
    assert 45 <= len(dataset.manifest) <= 55
    assert len(dataset.images) == len(dataset.manifest)


@pytest.mark.parametrize("missing", ["test", "train/NORMAL"])
def test_missing_folders_are_named(radiograph_folder: Path, missing: str) -> None:
    shutil.rmtree(radiograph_folder / missing)
    with pytest.raises(DataError, match="found the folders .*expected"):
        load(radiograph_folder)


def test_a_third_class_is_reported(radiograph_folder: Path) -> None:
    (radiograph_folder / "train" / "COVID").mkdir()
    with pytest.raises(DataError, match="COVID, NORMAL, PNEUMONIA, but .*--positive.*--task su"):
        load(radiograph_folder)


def test_other_folders_are_explained(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    with pytest.raises(DataError, match="found the folders notes, but expected train and test"):
        load(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_large_images_are_read_in_the_main_process(
    radiograph_folder: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    monkeypatch.setattr(image_files, "FEW_FILES", 0)
    before = load(radiograph_folder, jobs=jobs)
    read: list[int] = []

    def read_one(root: Path, path: str, size: int, max_memory: int) -> object:
        read.append(max_memory)
        return original(root, path, size, max_memory)

    original = image_files._read_one
    monkeypatch.setattr(image_files, "WORKER_MEMORY", 100)
    if jobs == 1:
        monkeypatch.setattr(image_files, "_read_one", read_one)
    after = load(radiograph_folder, jobs=jobs)
    assert read == [100, image_files.MAX_MEMORY] * len(before.images) * (jobs == 1)
    np.testing.assert_array_equal(after.images[:], before.images[:])
    pd.testing.assert_frame_equal(after.manifest, before.manifest)


def test_memory_that_runs_out_stops_the_run(
    radiograph_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_image(*_: object, **__: object) -> None:
        raise MemoryError("a.png: MemoryError")

    monkeypatch.setattr(image_files, "read_image", read_image)
    with pytest.raises(UserError, match=r"Memory ran out while reading .*a.png.*Use --jobs 1, sma"):
        load(radiograph_folder, jobs=1)


@pytest.mark.real
def test_real_set_has_no_patient_in_both_splits(real_data: Path) -> None:
    from benchmarks.datasets.folder import _scan

    values = {"NORMAL": 0, "PNEUMONIA": 1}
    manifest, _ = _scan(find_layout(real_data), tuple(values), values)
    assert manifest["split"].value_counts().to_dict() == {"train": 5216, "test": 624}
    groups = manifest.groupby("split")["group"].agg(set)
    assert not groups["train"] & groups["test"]
    subtypes = manifest[manifest["split"] == "train"]["subtype"].value_counts()
    assert (subtypes["bacteria"], subtypes["virus"]) == (2530, 1345)
