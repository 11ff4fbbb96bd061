from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.config import RunConfig
from benchmarks.extraction.variants import Variants, views_of
from benchmarks.fitting.cell import Cell, plan
from benchmarks.fitting.cell_result import CellResult, failure
from benchmarks.fitting.fit import checkpoint_path, fit_on_features, fit_on_images
from benchmarks.fitting.scoring import average
from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.io.image_stack import ImageStack
from features.backbone import WeightsUnavailable
from tests.helpers import textured


def data() -> tuple[dict[str, np.ndarray], SplitIndices]:
    """Ninety patients of two images; the first column separates the classes a little."""
    rng = np.random.default_rng(0)
    label = (np.arange(180) // 2 % 3 > 0).astype(np.int64)
    X = rng.normal(size=(180, 10)).astype(np.float32)
    X[:, 0] += 1.5 * label
    order = np.arange(180)
    rows = SplitIndices(
        label, order // 2, order[:120], {"validation": order[120:150], "test": order[150:]}
    )
    return {"hog": X, "lbp": X[:, :2]}, rows


CELL = Cell("hog", "logistic", "smote", 0)


def test_plan_is_every_feature_set_by_model_and_the_cnn_once_a_seed() -> None:
    config = RunConfig(features="hog,lbp", models="svm,cnn", seeds="0,1")
    assert [cell.name for cell in plan(config)] == [
        "hog/svm/seed0", "hog/svm/seed1", "lbp/svm/seed0", "lbp/svm/seed1",
        "pixels/cnn/seed0", "pixels/cnn/seed1",
    ]  # fmt: skip


def test_a_cell_draws_from_its_own_name_and_seed() -> None:
    states = {Cell(f, m, "smote", s).random_state for f in "ab" for m in "cd" for s in (0, 1)}
    assert len(states) == 8
    assert Cell("a", "c", "none", 0).random_state == Cell("a", "c", "smote", 0).random_state


def test_scores_validation_and_test() -> None:
    matrices, rows = data()
    outcome = fit_on_features(CELL, matrices, rows)
    assert outcome.status == "ok"
    assert {split: len(score) for split, score in outcome.scores.items()} == {
        "validation": 30, "test": 30,
    }  # fmt: skip
    assert outcome.scores["test"].dtype == np.float64
    assert outcome.details["resampling"]["after"] == {"0": 80, "1": 80}


def test_fit_never_sees_other_rows() -> None:
    """Spoil validation and test rows and labels: the fitted model scores as before."""
    matrices, rows = data()
    cell = replace(CELL, tune=True)
    first = fit_on_features(cell, matrices, rows)
    spoilt = {family: X.copy() for family, X in matrices.items()}
    spoilt["hog"][rows.parts["test"][1:]] = 1e6
    spoilt["hog"][rows.parts["validation"][1:]] = -1e6
    label = rows.label.copy()
    label[120:] = 1 - label[120:]
    other = SplitIndices(label, rows.group, rows.train, rows.parts)
    second = fit_on_features(cell, spoilt, other)
    for split in ("validation", "test"):
        assert first.scores[split][0] == second.scores[split][0]


@pytest.mark.parametrize("model", ["logistic", "svm"])
def test_search_keeps_patients_together(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.model_selection import StratifiedGroupKFold

    matrices, rows = data()
    split, seen = StratifiedGroupKFold.split, []

    def watch(self: object, X: object, y: object, groups: np.ndarray) -> object:
        seen.append(np.asarray(groups))
        return split(self, X, y, groups)

    monkeypatch.setattr(StratifiedGroupKFold, "split", watch)
    cell = Cell("hog", model, "smote", 0, tune=True)
    outcome = fit_on_features(cell, matrices, rows)
    assert outcome.status == "ok", outcome.reason
    assert "C" in outcome.details["tuned"]
    np.testing.assert_array_equal(seen[0], rows.group[rows.train])
    assert all(len(np.unique(groups)) < len(groups) for groups in seen)


def test_a_failure_is_an_outcome_with_its_reason() -> None:
    matrices, rows = data()
    label = rows.label.copy()
    label[rows.train] = 1
    label[0] = 0
    broken = SplitIndices(label, rows.group, rows.train, rows.parts)
    outcome = fit_on_features(CELL, matrices, broken)
    assert outcome.status == "failed"
    assert "smote needs two labels with at least 2 rows" in outcome.reason
    assert outcome.scores == {}


def test_want_of_weights_is_no_failure() -> None:
    outcome = failure(CELL, WeightsUnavailable("No network.", "Give --weights."))
    assert outcome == CellResult(CELL, "not_run", "No network. Give --weights.")


def test_number_of_columns_follows_the_feature_set() -> None:
    assert Cell("handcrafted", "svm", "smote", 0).families == (
        "hog", "lbp", "glcm", "gabor", "intensity",
    )  # fmt: skip
    assert Cell("pixels", "cnn", "none", 0).families == ()


@pytest.mark.skipif(os.name != "posix", reason="named pipes of POSIX")
def test_a_checkpoint_that_is_no_file_in_the_run_folder_is_refused(tmp_path: Path) -> None:
    cell = Cell("pixels", "cnn", "none", 0)
    path = checkpoint_path(tmp_path, cell)
    path.parent.mkdir()
    images = ImageStack.of(np.zeros((4, 8, 8), dtype=np.uint8))
    rows = SplitIndices(np.array([0, 1, 0, 1]), np.arange(4).astype(object), np.arange(4),
                        {"validation": np.arange(4)})  # fmt: skip
    os.mkfifo(path)
    outcome = fit_on_images(cell, images, rows, RunConfig(), tmp_path)
    assert outcome.status == "failed"
    assert "expected a regular file" in outcome.reason
    path.unlink()
    path.symlink_to("/dev/zero")
    outcome = fit_on_images(cell, images, rows, RunConfig(), tmp_path)
    assert outcome.status == "failed"
    assert "a link" in outcome.reason


@pytest.mark.slow
def test_the_score_of_a_network_is_the_mean_over_the_views(tmp_path: Path) -> None:
    pytest.importorskip("timm")
    images = ImageStack.of(textured(40, 32)[0])
    label, order = np.arange(40) % 2, np.arange(40)
    rows = SplitIndices(
        label, order.astype(object), order[:24], {"validation": order[24:32], "test": order[32:]},
        Variants.of(40, order[:24], augment=1, views=3),
    )  # fmt: skip
    config = RunConfig(backbone="test_resnet", epochs=1, quiet=True, jobs=1)
    [cell] = plan(config.model_copy(update={"features": (), "models": ("cnn",)}))
    outcome = fit_on_images(cell, images, rows, config, tmp_path)
    assert outcome.status == "ok", outcome.reason
    views = [outcome.model.predict_proba(view)[:, 1] for view in views_of(images[order[32:]], 3)]
    np.testing.assert_allclose(outcome.scores["test"], np.mean(views, axis=0), atol=1e-6)
    assert np.abs(views[1] - views[0]).max() > 1e-6


def test_copies_are_fitted_on_with_the_label_and_patient_of_their_image() -> None:
    matrices, rows = data()
    several = replace(rows, variants=Variants.of(180, rows.train, augment=2, views=1))
    made = {name: np.concatenate([X, X[:120], X[:120]]) for name, X in matrices.items()}
    three_times = np.tile(rows.train, 3)
    expected = fit_on_features(CELL, matrices, replace(rows, train=three_times))
    found = fit_on_features(CELL, made, several)
    np.testing.assert_array_equal(found.scores["test"], expected.scores["test"])
    assert found.details["resampling"]["before"] == {"0": 120, "1": 240}


def test_an_average_is_the_same_for_an_image_alone() -> None:
    scores = list(np.random.default_rng(0).random((19, 300)))
    whole = average(scores)
    alone = [average([one[k : k + 1] for one in scores])[0] for k in range(300)]
    np.testing.assert_array_equal(whole, alone)
    np.testing.assert_allclose(whole, np.mean(scores, axis=0))
