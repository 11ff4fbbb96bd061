"""A run folder is written by one program at a time, and an unused one is removed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.config import ConfigError, RunConfig
from benchmarks.run.run_folder import LOCK, locked, new_folder
from run_benchmark import main

HOLD = """
import sys
from pathlib import Path
from benchmarks.run.run_folder import locked
with locked(Path(sys.argv[1]), "--out"):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_new_folder_is_made_and_kept_if_it_was_used(tmp_path: Path) -> None:
    with new_folder(RunConfig(out=tmp_path / "a" / "run")) as folder:
        (folder / "run.json").touch()
    assert [path.name for path in folder.iterdir()] == ["run.json"]


def test_an_unused_folder_is_removed(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyError),
        new_folder(RunConfig(out=tmp_path / "run")) as folder,
    ):
        raise KeyError
    assert not folder.exists()


def test_a_folder_with_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with (
        pytest.raises(ConfigError, match="expected a new or empty folder"),
        new_folder(RunConfig(out=tmp_path)),
    ):
        pass
    assert (tmp_path / "notes.txt").exists()


@pytest.mark.slow
def test_two_programs_can_not_use_one_folder(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(
        command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        with (
            pytest.raises(ConfigError, match="another program is writing"),
            new_folder(RunConfig(out=tmp_path)),
        ):
            pass
        done = CliRunner().invoke(main, ["--resume", str(tmp_path)])
        assert done.exit_code == 2
        other.kill()
    with locked(tmp_path, "--resume"):  # a killed program leaves no lock
        assert (tmp_path / LOCK).exists()
    assert not (tmp_path / LOCK).exists()


@pytest.mark.slow
@pytest.mark.usefixtures("empty_report")
def test_a_second_resume_of_one_folder_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = ["--limit", "120", "--image-size", "48", "--features", "intensity", "--models",
               "logistic", "--folds", "0", "--study", "none", "--jobs", "1"]  # fmt: skip
    assert CliRunner().invoke(main, [*options, "--out", str(out)]).exit_code == 0
    before = {path: path.read_bytes() for path in out.iterdir() if path.is_file()}
    with locked(out, "--resume"):
        done = CliRunner().invoke(main, ["--resume", str(out)])
    assert done.exit_code == 2
    assert "another program is writing to this folder" in done.output
    assert {path: path.read_bytes() for path in before} == before
