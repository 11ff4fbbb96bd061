"""Which images a published split means, and what it can't mean."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from benchmarks.datasets.tables.match_files import SEVERAL, files_that_fit, match_files
from benchmarks.datasets.tables.split_list import read_split
from benchmarks.errors import DataError

IMAGES = ["a/1.png", "b/1.png", "a/2.png", "b/3.png"]
ROWS = pd.DataFrame({"image": IMAGES, "patient": ["x", "y", "x", "z"]})


def split(folder: Path, text: str) -> list[str]:
    (folder / "list.csv").write_text(text)
    return read_split(folder / "list.csv", ROWS)[0].tolist()


@pytest.mark.parametrize("text", ["1.png\n2.png\n", "1\n2\n", "1.png\n",
                                  "image,split\n1.png,test\n3.png,train\n"])  # fmt: skip
def test_a_name_that_several_images_have_is_refused(tmp_path: Path, text: str) -> None:
    message = r"found '1(\.png)?', which may be any of 2 images \(a/1\.png, b/1\.png\), .* the path"
    with pytest.raises(DataError, match=message):
        split(tmp_path, text)


def test_paths_tell_images_of_one_name_apart(tmp_path: Path) -> None:
    assert split(tmp_path, "b/1.png\n2.png\n") == ["train", "test", "test", "train"]


def test_names_of_patients_may_be_those_of_several_images(tmp_path: Path) -> None:
    rows = ROWS.assign(patient=["1", "1", "2", "3"])
    for text in ("1\n3\n", "patient,split\n1,test\n3,test\n"):
        (tmp_path / "list.csv").write_text(text)
        found, _ = read_split(tmp_path / "list.csv", rows)
        assert found.tolist() == ["test", "test", "train", "test"]


@pytest.mark.parametrize("name", ["1.png", "1", "1.PNG", "x\\\\1.png"])
def test_the_files_that_fit_are_those_that_leave_a_name_open(name: str) -> None:
    names = [name, "x/2.png"] if "x" in name else [name, "2.png"]
    assert match_files(names, IMAGES).position[0] == SEVERAL
    assert files_that_fit(0, names, IMAGES) == ["a/1.png", "b/1.png"]
    assert files_that_fit(1, names, IMAGES) == []
