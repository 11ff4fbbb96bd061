"""Files with names that CSV, spreadsheets or encodings stumble over are run, resumed and scored."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from benchmarks.io.results import read_results
from benchmarks.io.tables import read_csv
from run_benchmark import main

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("draft_figures")]

ODD = ["\r", "a\rb", "\r\n", "\n", '"', '",\r"', "=1+1", "+1", "-1", "@a", "\x01", "a;b", "\udcff"]


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments], catch_exceptions=False)


def run(data: Path, out: Path) -> Result:
    return invoke(
        "--data", data, "--out", out, "--features", "intensity", "--models", "logistic",
        "--image-size", 32, "--folds", 0, "--study", "none", "--no-cache", "--jobs", 1,
    )  # fmt: skip


def rename(folder: Path) -> list[Path]:
    files = sorted(folder.rglob("*.jpeg"))
    new = [file.with_name(f"{odd}{file.name}") for file, odd in zip(files[::5], ODD, strict=False)]
    for file, name in zip(files[::5], new, strict=False):
        file.rename(name)
    assert len(new) == len(ODD)
    return new


def test_a_run_with_unusual_names_finishes(radiograph_folder: Path, tmp_path: Path) -> None:
    renamed, out = rename(radiograph_folder), tmp_path / "run"
    done = run(radiograph_folder, out)
    assert done.exit_code == 0, done.output
    before = read_results(out)
    assert set(before.predictions["image"]) <= set(before.manifest["image"])
    names = {
        file.relative_to(radiograph_folder).as_posix().encode("utf-8", "backslashreplace").decode()
        for file in renamed
    }
    assert names <= set(before.manifest["image"])
    assert invoke("report", out).exit_code == 0
    resumed = invoke("--resume", out)
    assert resumed.exit_code == 0, resumed.output
    assert "1 of 1 cells are kept" in resumed.output
    pd.testing.assert_frame_equal(read_results(out).predictions, before.predictions)


def test_predicted_names_are_paths_and_no_formulas(
    radiograph_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    renamed, out, table = rename(radiograph_folder), tmp_path / "run", tmp_path / "scores.csv"
    assert run(radiograph_folder, out).exit_code == 0
    for folder in {file.parent for file in renamed}:
        monkeypatch.chdir(folder)
        own = [file.name for file in renamed if file.parent == folder]
        assert invoke("predict", out, "--out", table, "--", *own).exit_code == 0
        images = read_csv(table)["image"].tolist()
        assert len(images) == len(own)
        for image, name in zip(images, own, strict=True):
            assert image[0] not in "=+-@\t\r"
            assert "\udcff" in name or Path(image).samefile(name)
