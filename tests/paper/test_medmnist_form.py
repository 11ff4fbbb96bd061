"""Prediction files for medmnist.Evaluator: names, rows, and when none can be written."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.datasets.kermany import KERMANY, MEDMNIST
from benchmarks.io.results import Results
from benchmarks.paper import medmnist_form


def medmnist_results(folder: Path, side: int = 224, citation: str = MEDMNIST.citation) -> Results:
    """The images of MedMNIST's file, rows shuffled; the last 40 of each part are negative."""
    parts = []
    for part, split, count in (("val", "validation", 524), ("test", "test", 624)):
        number = np.arange(count)
        parts.append(pd.DataFrame({
            "image": [f"{part}/{k:05d}" for k in number], "split": split,
            "label": (number < count - 40).astype(int), "width": side, "height": side,
            "score": np.where(number < count - 40, 0.75, 0.25),
        }))  # fmt: skip
    table = pd.concat(parts, ignore_index=True)
    # One positive below and one negative exactly at the threshold: 2 of 624 wrong if >= 0.5.
    table.loc[table["image"] == "test/00000", "score"] = 0.4
    table.loc[table["image"] == "test/00623", "score"] = 0.5
    cells = table.assign(cell="embedding_random/svm/seed0").sample(frac=1, random_state=0)
    empty = pd.DataFrame()
    run = {"data": {"name": "pneumoniamnist", "citation": citation}, "config": {"limit": None}}
    return Results(folder, run, table, empty, cells, empty, empty, empty)


def test_names_and_rows_are_those_of_the_documented_format(tmp_path: Path) -> None:
    found = dict(medmnist_form.files(medmnist_results(tmp_path)))
    # AUC: 583 of 584 positives beat all 40 negatives; the one at 0.4 beats the 39 at 0.25.
    # Accuracy above 0.5: 623 of 624.
    test = "pneumoniamnist_224_test_[AUC]1.000_[ACC]0.998@embedding_random-svm-seed0.csv"
    val = "pneumoniamnist_224_val_[AUC]1.000_[ACC]1.000@embedding_random-svm-seed0.csv"
    assert set(found) == {test, val}
    lines = found[test].splitlines()
    assert (len(lines), lines[0], lines[1], lines[623]) == (624, "0,0.4", "1,0.75", "623,0.5")


def test_names_omit_a_size_of_28_pixels(tmp_path: Path) -> None:
    names = [name for name, _ in medmnist_form.files(medmnist_results(tmp_path, side=28))]
    assert all(name.split("_")[1] in ("test", "val") for name in names)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"limit": 400}, "--limit"),
        ({"drop": "test/00623"}, "exactly the 624 test images"),
        ({"side": 200}, "not of a size"),
        ({}, ""),
    ],
)
def test_obstacles_are_reported(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    results = medmnist_results(tmp_path, side=change.get("side", 64))
    results.run["config"]["limit"] = change.get("limit")
    kept = results.manifest[results.manifest["image"] != change.get("drop")]
    results = dataclasses.replace(results, manifest=kept)
    assert words in medmnist_form.obstacle(results)
    assert bool(words) == bool(medmnist_form.obstacle(results))


def test_only_pneumoniamnist_is_medmnist(tmp_path: Path) -> None:
    assert medmnist_form.is_medmnist(medmnist_results(tmp_path))
    assert not medmnist_form.is_medmnist(medmnist_results(tmp_path, citation=KERMANY.citation))


@pytest.mark.parametrize("side", [28, 224])
def test_the_real_evaluator_reads_them(tmp_path: Path, side: int) -> None:
    evaluator = pytest.importorskip("medmnist.evaluator")

    class Here(evaluator.Evaluator):
        def __init__(self, flag: str, split: str, size: str | None = None) -> None:
            super().__init__(flag, split, size=size, root=str(tmp_path))

    results = medmnist_results(tmp_path, side)
    labels = {
        f"{part}_labels": results.manifest.loc[
            results.manifest["image"].str.startswith(part), ["label"]
        ].to_numpy()
        for part in ("val", "test")
    }
    size = "" if side == 28 else f"_{side}"
    np.savez(tmp_path / f"pneumoniamnist{size}.npz", **labels)
    for name, text in medmnist_form.files(results):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        before = set(tmp_path.iterdir())
        metrics = Here.parse_and_evaluate(str(path))
        assert set(tmp_path.iterdir()) == before  # it writes under the name that ours has
        if "_test_" in name:
            assert pytest.approx(623 / 624, abs=1e-12) == metrics.ACC
            pairs = (583 * 40 + 39) / (584 * 40)
            assert pytest.approx(pairs, abs=1e-12) == metrics.AUC
