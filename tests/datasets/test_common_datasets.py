"""Every data set has the same kind of record."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import datasets
from benchmarks.config import RunConfig
from benchmarks.datasets import splits
from benchmarks.datasets.dataset import CLASSES, DataError, Dataset, take
from benchmarks.datasets.medmnist import FLAGS
from benchmarks.io.columns import MANIFEST_COLUMNS
from tests.datasets.test_npz import arrays
from tests.datasets.test_table import table_of

# The others: test_medmnist, test_recipe_folder.
LOCAL = [name for name in datasets.DATASETS if name not in (*FLAGS, "recipe")]


@pytest.fixture
def dataset(request: pytest.FixtureRequest, tmp_path: Path, radiograph_folder: Path) -> Dataset:
    np.savez(tmp_path / "mnist.npz", **arrays())
    table_of(radiograph_folder).to_csv(tmp_path / "chest" / "labels.csv", index=False)
    source = {
        "folder": str(radiograph_folder), "npz": str(tmp_path / "mnist.npz"),
        "table": str(tmp_path / "chest" / "labels.csv"),
    }  # fmt: skip
    data = source.get(request.param, request.param)
    names = CLASSES if request.param == "npz" else ()
    config = RunConfig(data=data, quiet=True, jobs=1, limit=60, class_names=names)
    return datasets.load(config, 64)


@pytest.mark.parametrize("dataset", LOCAL, indirect=True)
def test_record(dataset: Dataset) -> None:
    table = dataset.manifest
    assert table.columns[: len(MANIFEST_COLUMNS)].tolist() == MANIFEST_COLUMNS
    assert dataset.images.shape == (len(table), 64, 64)
    assert dataset.images.dtype == np.uint8
    assert table["image"].is_unique
    assert table["image"].is_monotonic_increasing
    assert (np.asarray(CLASSES)[table["label"]] == table["class"]).all()
    assert set(table["split"]) <= {"train", "validation", "test"}
    assert set(table["subtype"]) <= {"", "bacteria", "virus"}
    assert (table["subtype"][table["label"] == 0] == "").all()
    assert table["sha256"].str.fullmatch("[0-9a-f]{64}").all()
    assert bool(dataset.licence) == bool(dataset.citation) == dataset.synthetic
    assert dataset.masks is None or dataset.masks.shape == dataset.images.shape


@pytest.mark.parametrize("dataset", LOCAL, indirect=True)
def test_can_be_split(dataset: Dataset) -> None:
    split, _ = splits.assign(dataset.manifest, 0)
    assert set(split) == {"train", "validation", "test"}


@pytest.mark.parametrize("dataset", ["phantoms"], indirect=True)
def test_take_keeps_rows_together(dataset: Dataset) -> None:
    part = take(dataset, np.array([5, 2]))
    assert part.manifest["image"].tolist() == dataset.manifest["image"].iloc[[5, 2]].tolist()
    np.testing.assert_array_equal(part.images[1], dataset.images[2])


def test_default_image_size_is_the_data_sets_own() -> None:
    assert datasets.image_size(RunConfig(data="phantoms")) == 128
    assert datasets.image_size(RunConfig(data="chest")) == 224
    assert datasets.image_size(RunConfig(data="phantoms", image_size=64)) == 64


@pytest.mark.parametrize("data", ["phantom", "/no/such/folder"])
def test_unknown_data_names_the_choices(data: str) -> None:
    with pytest.raises(DataError, match="expected one of phantoms, phantoms:other, pneu"):
        datasets.load(RunConfig(data=data), 64)


def test_options_that_do_not_apply_are_refused() -> None:
    config = RunConfig(data="phantoms", where="age > 1", test_fraction=0.2, quiet=True)
    with pytest.raises(DataError, match=r"got --test-fraction, --where, but .*Leave them out"):
        datasets.load(config, 64)
