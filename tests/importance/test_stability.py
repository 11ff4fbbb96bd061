"""Refits with other seeds, without folds and on bootstrap samples of patients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from benchmarks.config import RunConfig
from benchmarks.fitting.cell import Cell
from benchmarks.fitting.fit_each import fit_each
from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.importance.stability import bootstrap_tasks, fold_tasks, seed_tasks
from models import platt

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


def test_seeds_change_only_the_cell_and_models_are_kept(
    rows: SplitIndices, matrices: dict[str, np.ndarray]
) -> None:
    tasks = seed_tasks(replace(CELL, model="xgboost"), replace(rows, parts={}), (7, 8))
    assert [cell.seed for cell, _ in tasks] == [7, 8]
    one, other = fit_each(tasks, matrices, CONFIG, "refits", keep_model=True)
    X = np.concatenate([matrices[name] for name in CELL.families], axis=1)
    first, second = (outcome.model.predict_proba(X)[:, 1] for outcome in (one, other))
    assert one.scores == {}
    assert np.abs(first - second).max() > 0.001


def test_folds_score_the_parts_as_well(rows: SplitIndices) -> None:
    fold = np.arange(100) % 4 + 1
    tasks = fold_tasks(CELL, rows, fold)
    assert len(tasks) == 4
    for k, (_, part) in enumerate(tasks, start=1):
        assert not set(part.train) & set(rows.train[fold == k])
        assert set(part.parts) == {"test", "cv"}
        assert part.parts["test"] is rows.parts["test"]


def test_bootstrap_samples_hold_all_images_of_a_patient(rows: SplitIndices) -> None:
    tasks = bootstrap_tasks(CELL, rows, draws=5, seed=1)
    images = {p: np.flatnonzero(rows.group[:100] == p) for p in np.unique(rows.group[:100])}
    for _, part in tasks:
        times = {p: np.bincount(part.train, minlength=100)[own] for p, own in images.items()}
        assert all(len(set(counts)) == 1 for counts in times.values())
        assert sum(counts[0] for counts in times.values()) == len(images)
        assert max(counts[0] for counts in times.values()) >= 2
        assert part.parts is rows.parts
    again = bootstrap_tasks(CELL, rows, draws=5, seed=1)
    assert all((a.train == b.train).all() for (_, a), (_, b) in zip(tasks, again, strict=True))
    assert len({tuple(part.train) for _, part in tasks}) == 5


def test_too_few_patients_for_a_bootstrap_are_refused(rows: SplitIndices) -> None:
    # two negative patients, six positive ones: never three different negative ones
    few = replace(rows, train=np.flatnonzero(np.isin(rows.group, [f"p{k:03d}" for k in range(5)])))
    with pytest.raises(ValueError, match=r"5 training patients, 2 of the smaller class"):
        bootstrap_tasks(CELL, few, draws=1, seed=0)


@pytest.mark.parametrize("balance", ["smote", "borderline", "svmsmote", "class_weight"])
def test_the_folds_of_an_svm_keep_copies_together(
    rows: SplitIndices,
    matrices: dict[str, np.ndarray],
    balance: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held_out: list[int] = []

    class Watched(StratifiedGroupKFold):
        def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Any]:
            for train, test in super().split(X, y, groups):
                assert not set(groups[train]) & set(groups[test])
                held_out.append(len(test))
                yield train, test

    monkeypatch.setattr(platt, "StratifiedGroupKFold", Watched)
    tasks = bootstrap_tasks(Cell("texture", "svm", balance, 0), rows, draws=3, seed=0)
    for outcome in fit_each(tasks, matrices, CONFIG, "refits"):
        assert (outcome.status, outcome.reason) == ("ok", "")
        assert roc_auc_score(rows.label[100:], outcome.scores["test"]) > 0.85
    assert len(held_out) == 9
    assert sum(held_out) == sum(len(part.train) for _, part in tasks)
