"""Refits of a cell on single families and without single families."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.config import RunConfig
from benchmarks.fitting.cell import Cell
from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.fit import fit_on_features
from benchmarks.fitting.fit_each import fit_each
from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.importance.family_refits import (
    ALONE,
    COLUMNS,
    LEFT_OUT,
    FamilyCell,
    family_importance,
    family_tasks,
)
from models import MODELS

N = 160
CELL = Cell("texture", "logistic", "smote", 3)
CONFIG = RunConfig(jobs=1, quiet=True)


@pytest.fixture(scope="module")
def rows() -> SplitIndices:
    """Patients of one, two or three images; the first 100 images to train on."""
    group = np.array([f"p{k // 2 - k // 12:03d}" for k in range(N)], dtype=object)
    label = np.array([int(name[1:]) % 3 > 0 for name in group], dtype=np.int64)
    place = np.arange(N)
    return SplitIndices(label, group, place[:100], {"test": place[100:]})


@pytest.fixture(scope="module")
def matrices(rows: SplitIndices) -> dict[str, np.ndarray]:
    """GLCM separates the classes, Gabor a little, intensity not at all."""
    rng = np.random.default_rng(0)
    return {
        name: (rng.normal(size=(N, 6)) + shift * rows.label[:, None]).astype(np.float32)
        for name, shift in (("glcm", 1.5), ("gabor", 0.5), ("intensity", 0.0))
    }


def test_every_family_is_fitted_alone_and_left_out_once(rows: SplitIndices) -> None:
    tasks = family_tasks(CELL, rows)
    assert [cell.families for cell, _ in tasks] == [
        ("glcm",), ("gabor",), ("intensity",),
        ("gabor", "intensity"), ("glcm", "intensity"), ("glcm", "gabor"),
    ]  # fmt: skip
    assert len({cell.name for cell, _ in tasks} | {CELL.name}) == 7
    assert {cell.random_state for cell, _ in tasks} == {CELL.random_state}
    assert all(part is rows for _, part in tasks)
    assert family_tasks(replace(CELL, features="hog"), rows) == []


def test_value_is_the_auc_alone_and_the_loss_without(
    rows: SplitIndices, matrices: dict[str, np.ndarray]
) -> None:
    whole = fit_on_features(CELL, matrices, rows)
    outcomes = list(fit_each(family_tasks(CELL, rows), matrices, CONFIG, "refits"))
    table = family_importance(whole, outcomes, rows, seed=0)
    assert list(table.columns) == COLUMNS
    values = table.set_index(["method", "group"])["value"]

    def auc(*families: str) -> float:
        """By the pipeline itself."""
        X = np.concatenate([matrices[name] for name in families], axis=1)
        pipeline = MODELS["logistic"].build(CELL.random_state, "smote")
        pipeline.fit(X[rows.train], rows.label[rows.train])
        test = rows.parts["test"]
        return float(roc_auc_score(rows.label[test], pipeline.predict_proba(X[test])[:, 1]))

    assert values[ALONE, "gabor"] == pytest.approx(auc("gabor"), abs=1e-9)
    lost = auc("glcm", "gabor", "intensity") - auc("gabor", "intensity")
    assert values[LEFT_OUT, "glcm"] == pytest.approx(lost, abs=1e-9)
    assert values[ALONE, "glcm"] > 0.9 > values[ALONE, "gabor"] > values[ALONE, "intensity"]
    assert lost > 0.05 > values[LEFT_OUT, "intensity"]
    assert (table["lo"] <= table["value"]).all()
    assert (table["value"] <= table["hi"]).all()


def test_the_interval_is_paired(rows: SplitIndices) -> None:
    """A family that changes no score loses nothing, in every draw."""
    scores = {"test": np.linspace(0.1, 0.9, 60)}
    whole = CellResult(CELL, scores=scores)
    same = CellResult(
        FamilyCell("texture", "logistic", "smote", 3, "gabor", LEFT_OUT), scores=scores
    )
    row = family_importance(whole, [same], rows, seed=0).iloc[0]
    assert row[["value", "lo", "hi"]].tolist() == [0.0, 0.0, 0.0]


def test_a_failed_fit_is_a_row_with_its_reason(
    rows: SplitIndices, matrices: dict[str, np.ndarray]
) -> None:
    whole = fit_on_features(CELL, matrices, rows)
    broken = {**matrices, "gabor": np.full((N, 6), np.nan, dtype=np.float32)}
    outcomes = [fit_on_features(cell, broken, part) for cell, part in family_tasks(CELL, rows)]
    table = family_importance(whole, outcomes, rows, seed=0).set_index(["method", "group"])
    assert table.loc[(ALONE, "gabor"), "status"] == "failed"
    assert "NaN" in table.loc[(ALONE, "gabor"), "reason"]
    assert np.isnan(table.loc[(ALONE, "gabor"), "value"])
    assert table.loc[(LEFT_OUT, "gabor"), "status"] == "ok"
    with pytest.raises(TypeError, match="texture/logistic/seed3"):
        family_importance(whole, [whole], rows, seed=0)
