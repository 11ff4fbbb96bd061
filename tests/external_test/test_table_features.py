"""Cells on features of a table score an external set only where a table of its images is given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from benchmarks.datasets import phantoms
from benchmarks.io.results import read_results
from run_benchmark import main

pytestmark = pytest.mark.slow


def write_table(file: Path, manifest: pd.DataFrame) -> Path:
    """Columns that tell the class, with some noise."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((len(manifest), 3))
    features = noise + manifest["label"].to_numpy()[:, None]
    np.savez(file, image=manifest["image"].to_numpy(dtype=str), features=features)
    return file


def invoke(*arguments: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        for command in ("run", "evaluate"):
            name = f"benchmarks.commands.{command}.render_report"
            patch.setattr(name, lambda folder: (folder / "report.html").touch())
        done = CliRunner().invoke(main, list(arguments))
    assert done.exit_code == 0, done.output
    return done.output


def test_table_features(tmp_path: Path) -> None:
    own = phantoms.generate(phantoms.N_IMAGES, 32, quiet=True)
    other = phantoms.generate(300, 32, quiet=True, hospital="other")
    table = write_table(tmp_path / "own.npz", own.manifest)
    out = tmp_path / "run"
    text = invoke(
        "--features", "intensity,given,more", "--features-from", f"given={table}",
        "--features-from", f"more={table}", "--models",
        "logistic", "--image-size", "32", "--limit", "200", "--study", "none", "--folds", "0",
        "--combine", "mean", "--jobs", "1", "--out", str(out), "--test-data",
        "other=phantoms:other",
    )  # fmt: skip
    assert "given/logistic/seed0, more/logistic/seed0 and combinations of them are" in text
    run = read_results(out)
    assert set(run.table("external_scores")["cell"]) == {"intensity/logistic/seed0"}
    of_other = write_table(tmp_path / "other.npz", other.manifest)
    arguments = ["evaluate", str(out), "--data", "other=phantoms:other", "--limit", "200"]
    text = invoke(*arguments, "--features-from", f"given={of_other}")
    assert "more/logistic/seed0 and combinations of them are left out" in text
    cells = set(read_results(out).table("external_scores")["cell"])
    assert cells == {"intensity/logistic/seed0", "given/logistic/seed0"}
    invoke(*arguments, "--features-from", f"given={of_other}", "--features-from",
           f"more={of_other}", "--quiet")  # fmt: skip
    scores = read_results(out).table("external_scores").set_index(["cell", "operating_point"])
    assert len(scores) == 8
    assert scores.loc[("given/logistic/seed0", "0.5"), "auc"] > 0.75


def test_a_run_on_tables_alone_has_nothing_to_score_another_set_with(tmp_path: Path) -> None:
    table = tmp_path / "own.npz"
    np.savez(table, image=np.array(["a"]), features=np.zeros((1, 2)))
    done = CliRunner().invoke(main, [
        "--features", "given", "--features-from", f"given={table}", "--models", "logistic",
        "--test-data", "other=phantoms:other", "--out", str(tmp_path / "run"),
    ])  # fmt: skip
    assert done.exit_code == 2
    assert "--test-data: got only features of tables" in done.output
    assert not (tmp_path / "run").exists()
