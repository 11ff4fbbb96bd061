from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmarks.config import RunConfig
from benchmarks.datasets.dataset import DataError
from benchmarks.datasets.image_files import list_below, read_files
from benchmarks.io.columns import FILE_COLUMNS, MANIFEST_COLUMNS

NAMES = ["a/x.png", "b/images/x.png", "y.png"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number, name in enumerate(NAMES):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((20, 20), 10 * number + 10, np.uint8)).save(path)
    return tmp_path


def manifest(paths: list[str]) -> pd.DataFrame:
    table = pd.DataFrame({"image": paths, "path": paths, "group": paths, "split": "train"})
    return table.assign(**{"label": 0, "class": "n", "subtype": ""})


def test_files_of_all_sub_folders_are_listed(root: Path) -> None:
    for name in ("a/.DS_Store", "Thumbs.db", "__MACOSX/a/x.png", ".git/x.png", "b/._x.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    assert list_below(root) == (NAMES, 3)


def test_a_folder_that_is_not_there_is_named(root: Path) -> None:
    with pytest.raises(DataError, match="none: expected a folder that can be listed"):
        list_below(root / "none")


def test_missing_images_count_as_unreadable(root: Path) -> None:
    missing = pd.DataFrame({"image": ["z.png"], "reason": ["z.png: found no file"]})
    (root / "a" / "x.png").write_text("no image")
    config = RunConfig(max_unreadable=0.5, quiet=True)
    images, table, left_out = read_files(
        root, manifest(NAMES).assign(view="PA", other=1), 20, config, missing
    )
    assert images[:][:, 0, 0].tolist() == [20, 30]
    assert table["image"].tolist() == NAMES[1:]
    assert table.columns.tolist() == [*MANIFEST_COLUMNS, "view", *FILE_COLUMNS]
    assert left_out["image"].tolist() == ["z.png", "a/x.png"]
    with pytest.raises(DataError, match=r"2 of 4 images are unreadable, more than the 30.0%"):
        read_files(root, manifest(NAMES), 20, RunConfig(max_unreadable=0.3, quiet=True), missing)


def test_too_many_missing_images_stop_before_decoding(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.datasets.image_files._read_one", None)  # would fail
    missing = pd.DataFrame({"image": ["z.png"], "reason": ["z.png: found no file"]})
    with pytest.raises(DataError, match="1 of 4 images are unreadable"):
        read_files(root, manifest(NAMES), 20, RunConfig(quiet=True), missing)
