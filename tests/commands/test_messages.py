"""What the commands print when a folder, a disk, a store or an option is not as it should be."""

from __future__ import annotations

import errno
import json
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from benchmarks.commands.compare import compare
from benchmarks.commands.explain import explain
from benchmarks.commands.predict import predict
from benchmarks.config import ConfigError, RunConfig
from benchmarks.datasets import splits
from benchmarks.datasets.dataset import DataError
from benchmarks.extraction.store_file import FILE
from benchmarks.io import results
from benchmarks.run import stages
from benchmarks.run.run_folder import new_folder
from run_benchmark import main

QUICK = ["--features", "intensity", "--models", "logistic", "--image-size", "48", "--folds", "0",
         "--study", "none", "--no-models", "--jobs", "1"]  # fmt: skip
FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture(autouse=True)
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save the time of the report, which no test here reads."""
    monkeypatch.setattr("benchmarks.commands.run.render_report", lambda folder: None)


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("command", "option", "place"),
    [
        *(([], option, place) for option in ("--out", "--cache")
          for place in (".", "run", "train/NORMAL/run")),
        *((["audit"], "--out", place) for place in ("run", "train/NORMAL/run")),
    ],
)  # fmt: skip
def test_nothing_is_written_inside_the_data(
    radiograph_folder: Path, tmp_path: Path, command: list[str], option: str, place: str
) -> None:
    more = ["--out", tmp_path / "run"] if option == "--cache" else []
    before = sorted(radiograph_folder.rglob("*"))
    done = invoke(*command, "--data", radiograph_folder, option, radiograph_folder / place, *more)
    assert done.exit_code == 2
    expected = "new or empty" if place == "." and option == "--out" else "inside the data"
    assert expected in done.output
    assert sorted(radiograph_folder.rglob("*")) == before


def test_a_folder_named_as_a_data_set_is_not_its_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "phantoms").mkdir()
    with new_folder(RunConfig(out=Path("phantoms/run"))) as folder:
        assert folder.is_dir()


def test_only_a_run_folder_can_be_resumed(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    assert "--resume" not in invoke(*QUICK, "--out", tmp_path).output
    resumed = invoke("--resume", tmp_path)
    assert resumed.exit_code == 2
    assert "ended before it had read its data leaves none and can't be resumed" in resumed.output
    (tmp_path / "run.json").write_text("{}")
    assert f"--resume {tmp_path}" in invoke(*QUICK, "--out", tmp_path).output


def fail(*_: object, **__: object) -> None:
    raise FULL


def test_a_full_disk_before_the_first_cell_keeps_nothing(
    radiograph_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "write_table", fail)
    done = invoke(*QUICK, "--data", radiograph_folder, "--no-cache", "--out", tmp_path / "run")
    assert done.exit_code == 2
    assert "No space left on device" in done.output
    assert "No cell was finished and nothing was kept" in done.output
    assert not (tmp_path / "run").exists()


def test_a_full_disk_later_keeps_the_finished_cells(
    radiograph_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = stages.keep_result

    def then_fail(*given: Any) -> None:
        keep(*given)
        raise FULL

    monkeypatch.setattr(stages, "keep_result", then_fail)
    out = tmp_path / "run"
    done = invoke(*QUICK, "--data", radiograph_folder, "--no-cache", "--out", out)
    assert done.exit_code == 2
    assert "1 cells are finished and kept" in done.output
    assert f"--resume {out}" in done.output


@pytest.mark.parametrize("command", [
    lambda out: compare(Path("none"), Path("none"), out=out),
    lambda out: predict(Path("none"), [Path(__file__)], out),
    lambda out: explain(Path("none"), Path(__file__), out),
])  # fmt: skip
def test_an_unwritable_out_is_refused_before_the_work(
    command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    with pytest.raises(ConfigError, match=r"--out .*can't: No space left"):
        command(tmp_path / "new")


def test_compare_refuses_a_missing_folder_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a file in an existing folder"):
        compare(Path("none"), Path("none"), out=tmp_path / "none" / "c.csv")


def test_a_missing_class_does_not_blame_limit() -> None:
    manifest = pd.DataFrame({
        "image": list("abc"), "split": ["train", "train", "test"], "group": list("abc"),
        "class": ["NORMAL"] * 3, "subtype": "",
    })  # fmt: skip
    with pytest.raises(DataError, match=r"Add patients, or raise --limit if it was given\."):
        splits.assign(manifest)


def test_a_damaged_store_is_reported(radiograph_folder: Path, tmp_path: Path) -> None:
    options = [*QUICK, "--data", radiograph_folder, "--cache", tmp_path / "cache"]
    assert invoke(*options, "--out", tmp_path / "a").exit_code == 0
    with sqlite3.connect(tmp_path / "cache" / FILE) as db:
        db.execute("UPDATE contents SET checksum = x'00' WHERE id = 2")
    db.close()
    done = invoke(*options, "--out", tmp_path / "b")
    assert done.exit_code == 0
    assert done.output.count("are damaged (table contents") == 1
    (warning,) = json.loads((tmp_path / "b" / "run.json").read_text())["warnings"]
    assert "are damaged (table contents" in warning


def test_options_of_networks_without_a_network_are_noted(
    radiograph_folder: Path, tmp_path: Path
) -> None:
    options = [*QUICK, "--data", radiograph_folder, "--no-cache"]
    done = invoke(*options, "--backbone", "mobilnet", "--epochs", 3, "--out", tmp_path / "a")
    assert done.exit_code == 0
    assert "Note: --backbone mobilnet, --epochs 3 has no effect: this run uses no" in done.output
    assert "has no effect" not in invoke(*options, "--out", tmp_path / "b").output
