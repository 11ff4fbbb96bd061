"""What a run does if something fails after its cells are fitted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from benchmarks.fitting.cell import Cell
from benchmarks.fitting.cell_result import CellResult, failure
from benchmarks.fitting.split_indices import SplitIndices
from run_benchmark import main

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("draft_figures")]

SMALL = ["--limit", "120", "--image-size", "48", "--jobs", "1"]


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_failed_fold_of_the_cnn_gives_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit(cell: Cell, images: Any, rows: SplitIndices, *_: Any, **__: Any) -> CellResult:
        fold = _[2] if len(_) > 2 else 0
        if fold == 2:
            return failure(cell, RuntimeError("out of memory"), fold)
        scores = {name: np.linspace(0, 1, len(part)) for name, part in rows.parts.items()}
        return CellResult(cell, scores=scores, fold=fold, fit_seconds=0.0, predict_seconds=0.0)

    monkeypatch.setattr("benchmarks.run.stages.fit_on_images", fit)
    monkeypatch.setattr("benchmarks.commands.run._with_network", lambda config, _: config)
    out = tmp_path / "run"
    options = ["--models", "cnn", "--cv-cnn", "--folds", "3", "--no-models", "--out", out]
    done = invoke(*SMALL, *options)
    assert done.exit_code == 1
    assert "fold 2 of the cross-validation failed: RuntimeError: out of memory" in done.output
    assert (out / "report.html").exists()
    assert json.loads((out / "run.json").read_text())["status"] == "finished"


def test_a_study_without_folds_is_recorded_and_the_report_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise ValueError("Got 3 patients of class NORMAL, but expected 5 for 5 folds.")

    monkeypatch.setattr("benchmarks.datasets.splits.folds", refuse)
    out = tmp_path / "run"
    done = invoke(*SMALL, "--features", "intensity", "--models", "logistic", "--folds", "0",
                  "--study", "shortcuts", "--no-models", "--out", out)  # fmt: skip
    assert done.exit_code == 1, done.output
    record = json.loads((out / "run.json").read_text())
    assert record["status"] == "finished"
    assert "expected 5 for 5 folds" in record["studies"]["shortcuts"]
    assert (out / "report.html").exists()
