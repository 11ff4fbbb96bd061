"""A damaged or hand-edited run folder gives a report or a message that names the file."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from benchmarks.io.results import read_results
from benchmarks.statistics import tabulate_all
from run_benchmark import main
from tests.report.changed_sections import remembering
from tests.report.test_report import make_run

DAMAGES = ["header", "one row", "half", "no file", "text", "NaN", "negative", "no column", "twice",
           "bytes"]  # fmt: skip
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("draft_figures")]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_run(tmp_path_factory.mktemp("whole") / "run", ("hog",), ("svm",), n=120)
    tabulate_all(read_results(folder))
    return folder


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


@pytest.fixture(scope="module")
def remember() -> Callable[[pytest.MonkeyPatch], None]:
    return remembering()


@pytest.fixture
def reported(
    run: Path, remember: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A run with a report; the next one renders the sections anew that read what has changed."""
    remember(monkeypatch)
    assert report(run).exit_code == 0
    return run


def report(folder: Path) -> Result:
    return CliRunner().invoke(main, ["report", str(folder)])


def damage(path: Path, how: str) -> None:
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if how in ("text", "NaN", "negative") and len(table):
        table.iloc[-1] = {"text": "<b>", "NaN": "nan", "negative": "-1"}[how]
    lines = table.to_csv(index=False).splitlines(keepends=True)
    if how == "no file":
        path.unlink()
    elif how == "bytes":
        path.write_bytes(b"\xff\0\n" * 9)
    elif how == "no column":
        table.iloc[:, 1:].to_csv(path, index=False)
    else:
        kept = {"header": 1, "one row": 2, "half": len(lines) // 2 + 1}.get(how, len(lines))
        path.write_text("".join(lines[:kept] + (lines[1:] if how == "twice" else [])))


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_table_gives_a_report_or_its_name(reported: Path, how: str) -> None:
    for path in sorted(set(reported.glob("*.csv")) - {reported / "tables.csv"}):
        before = path.read_bytes()
        damage(path, how)
        done = report(reported)
        assert done.exit_code in (0, 2), (path, done.exception)
        assert done.exit_code == 0 or path.name in done.output
        path.write_bytes(before)


@pytest.mark.parametrize("value", [-1, None, "text", [], {}, {"a": None}, [1]], ids=str)
def test_a_damaged_record_gives_a_report_or_its_name(reported: Path, value: object) -> None:
    record = json.loads((reported / "run.json").read_text())
    inner = [("config", key) for key in record["config"]] + [
        ("data", key) for key in record["data"]
    ]
    for keys in [*((key,) for key in record), *inner]:
        damaged = json.loads(json.dumps(record))
        (damaged[keys[0]] if len(keys) > 1 else damaged)[keys[-1]] = value
        (reported / "run.json").write_text(json.dumps(damaged))
        done = report(reported)
        assert done.exit_code in (0, 2), (keys, done.exception)
        assert done.exit_code == 0 or "run.json: " + ".".join(keys) in done.output


def test_a_link_in_place_of_a_folder_or_image_is_refused(run: Path, tmp_path: Path) -> None:
    sample = min((run / "images").glob("sample_*.png"))
    sample.unlink()
    sample.symlink_to("/etc/passwd")
    assert f"{sample.name}: got a link to /etc/passwd" in report(run).output
    sample.unlink()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (run / "figures").symlink_to(elsewhere)
    done = report(run)
    assert done.exit_code == 2
    assert "figures: got a link" in done.output
    assert not any(elsewhere.iterdir())


def test_a_full_disk_is_one_message(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    done = report(run)
    assert done.exit_code == 2
    assert "No space left on device" in done.output
    assert f"{run}/figures/" in done.output
