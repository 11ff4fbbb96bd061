from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.io import results
from benchmarks.io.columns import MANIFEST_COLUMNS, PREDICTION_COLUMNS
from benchmarks.io.run_files import RunError, write_text


def test_floats_keep_all_digits(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random(200)
    table = pd.DataFrame({
        "cell": "a/b/seed0", "features": "a", "model": "b", "seed": 0, "split": "test", "fold": 0,
        "image": [f"{k}.png" for k in range(200)], "group": "p", "subtype": "", "label": 0,
        "score": values,
    })[PREDICTION_COLUMNS]  # fmt: skip
    results.write_table(tmp_path, "predictions", table)
    read = results.read_tables(tmp_path, ("predictions",))["predictions"]
    assert (read["score"].to_numpy() == values).all()


def test_text_stays_text(tmp_path: Path) -> None:
    table = pd.DataFrame({"image": ["0001", "NA", 'a,"b"\n<c>'], "group": ["07", "NA", "None"]})
    known = table.assign(label=0, split="test", width=9, height=9, **{"class": "NORMAL"})
    results.write_table(tmp_path, "manifest", known.reindex(columns=MANIFEST_COLUMNS))
    read = results.read_tables(tmp_path, ("manifest",))["manifest"]
    pd.testing.assert_frame_equal(read[["image", "group"]], table, check_dtype=False)


def test_missing_columns_are_named(tmp_path: Path) -> None:
    results.write_table(tmp_path, "intensity", pd.DataFrame({"class": ["NORMAL"], "value": [0]}))
    with pytest.raises(RunError, match=r"intensity.csv: .*without the columns split, fraction"):
        results.read_tables(tmp_path, ("intensity",))


def test_interrupted_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "scores.csv"
    write_text(path, "old\n")

    def full(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_text(path, "new\n")
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_missing_run_folder_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"manifest.csv: expected a table written by run_benchmark"):
        results.read_results(tmp_path)
