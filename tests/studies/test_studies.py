"""The studies on small synthetic data: fits, folds and counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.config import RunConfig
from benchmarks.fitting.cell import Cell
from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.cross_validation import (
    cross_fitted_thresholds,
    fold_rows,
    in_training_order,
)
from benchmarks.fitting.fit import fit_on_features
from benchmarks.fitting.selection import best_cells
from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.fitting.study_context import StudyContext
from benchmarks.io.columns import MORE_TABLES
from benchmarks.io.image_stack import ImageStack
from benchmarks.io.results import Results
from benchmarks.report.sections import balancing, leakage, learning, shortcuts
from benchmarks.studies import STUDIES
from benchmarks.studies.leaky import fold_assignments, shared_patient_fraction
from benchmarks.studies.learning import subset_of_patients
from benchmarks.studies.shortcut_features import UnavailableError, patient_number, size, thumbnail
from tests.helpers import textured

N = 120


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> StudyContext:
    """Sixty patients of two images: 40 to train on, 10 to validate, 10 to test."""
    images, label = textured(N // 2, 48)
    images, label = images.repeat(2, axis=0), label.repeat(2)
    group = np.array([f"p/{k // 2:03d}" for k in range(N)], dtype=object)
    place = np.arange(N)
    rows = SplitIndices(
        label, group, place[:80], {"validation": place[80:100], "test": place[100:]}
    )
    fold = (place[:80] // 2) % 2 + 1
    rng = np.random.default_rng(0)
    matrix = (rng.normal(size=(N, 4)) + label[:, None]).astype(np.float32)
    config = RunConfig(features=("intensity",), models=("logistic",), folds=2, jobs=1, quiet=True)
    manifest = pd.DataFrame(
        {
            "image": [f"{k}.png" for k in range(N)],
            "group": group,
            "width": 48,
            "height": 48,
            "bytes": 0,
            "class": np.where(label, "PNEUMONIA", "NORMAL"),
            "subtype": "",
        }
    )
    cell = Cell("intensity", "logistic", "smote", 0)
    outcome = fit_on_features(cell, {"intensity": matrix}, rows)
    folder = tmp_path_factory.mktemp("run")
    for k, part in fold_rows(rows, fold).items():
        outcome.folds[k] = fit_on_features(cell, {"intensity": matrix}, part).scores["cv"]
    return StudyContext(config, manifest, rows, fold, ImageStack.of(images),
                        {"intensity": matrix}, {cell.name: outcome}, folder)  # fmt: skip


@pytest.fixture(scope="module")
def tables(context: StudyContext) -> dict[str, pd.DataFrame]:
    made: dict[str, pd.DataFrame] = {}
    for name, study in STUDIES.items():
        if name != "importance":  # it needs real feature names: test_importance_command.py
            made |= study.run(context)
    return made


def results(tables: dict[str, pd.DataFrame]) -> Results:
    empty = pd.DataFrame()
    scores = pd.DataFrame(columns=["features", "model", "status", "cell"])
    manifest = pd.DataFrame(columns=["split", "label"])
    return Results(Path("nowhere"), {}, manifest, empty, empty, scores, empty, empty, tables)


def test_tables_have_their_columns(tables: dict[str, pd.DataFrame]) -> None:
    assert set(tables) == {
        "shortcuts", "leaky", "leaky_assignments", "ablation", "resampling", "learning",
        "learning_gains",
    }  # fmt: skip
    for name, table in tables.items():
        assert list(table.columns) == MORE_TABLES[name]


def test_unavailable_controls_have_a_reason(tables: dict[str, pd.DataFrame]) -> None:
    table = tables["shortcuts"].set_index(["control", "split"]).sort_index()
    own = tables["shortcuts"].set_index("control")
    assert own.loc["size", "status"] == "not_run"
    assert "the same size" in own.loc["size", "reason"]
    assert table.loc[("whole", "test"), "auc"] == 1.0  # texture separates the classes fully
    lost = table.loc[("number", "test")]
    assert lost["below_whole"] == pytest.approx(1 - lost["auc"])


def test_patient_number_is_the_last_number_in_the_name(context: StudyContext) -> None:
    # p/000 … p/059; the largest of the training patients is 39
    np.testing.assert_allclose(
        patient_number(context)[[2, 79, 119], 0], [1 / 39, 1, 59 / 39], rtol=1e-6
    )
    nameless = context.manifest.assign(group="somebody")
    with pytest.raises(UnavailableError, match="name has a number"):
        patient_number(StudyContext(**{**vars(context), "manifest": nameless}))


def test_the_number_of_an_unknown_patient_is_of_the_file_alone(context: StudyContext) -> None:
    """Neither the class, as in COVID-19, nor the ending is a number."""
    names = [f"COVID-{19 + k % 2}/images/scan {k}.jp2" for k in range(len(context.manifest))]
    manifest = context.manifest.assign(image=names, group=names)
    plain = manifest.assign(group=[f"p{k}" for k in range(len(names))])
    found, expected = (
        patient_number(StudyContext(**{**vars(context), "manifest": one}))
        for one in (manifest, plain)
    )
    np.testing.assert_array_equal(found, expected)


def test_size_leaves_out_constant_columns(context: StudyContext) -> None:
    sized = context.manifest.assign(bytes=np.arange(N))
    columns = size(StudyContext(**{**vars(context), "manifest": sized}))
    assert columns.shape == (N, 10)  # bytes only, with nine deciles
    assert columns[40].tolist()[1:] == [1, 1, 1, 1, 1, 0, 0, 0, 0]


def test_thumbnail_is_the_mean_of_blocks() -> None:
    image = np.arange(256, dtype=np.uint8).reshape(1, 16, 16).repeat(2, axis=1).repeat(2, axis=2)
    assert thumbnail(image)[0].tolist() == list(range(256))


def test_leakage_table(tables: dict[str, pd.DataFrame]) -> None:
    table = tables["leaky"]
    assert set(table["metric"]) == {"auc", "average_precision", "specificity"}
    assert (table["folds"] == 2).all()
    assert (table["patients"] == 40).all()
    assert table["mixed"].between(0.3, 0.7).all()  # half of all pairs, by chance
    np.testing.assert_allclose(table["worth"], table["leaky"] - table["grouped"])


def test_leakage_is_a_mean_over_several_assignments(
    context: StudyContext, tables: dict[str, pd.DataFrame]
) -> None:
    folds = fold_assignments(context)
    assert list(folds) == [(kind, k) for kind in ("patient", "image") for k in (1, 2, 3)]
    np.testing.assert_array_equal(folds["patient", 1], context.fold)
    group = context.rows.group[context.rows.train]
    for (kind, number), fold in folds.items():
        assert (shared_patient_fraction(group, fold) == 0) == (kind == "patient")
        others = [other for key, other in folds.items() if key < (kind, number)]
        assert not any((fold == other).all() for other in others)
    means = tables["leaky_assignments"].groupby(["metric", "kind"])["value"].mean()
    leaky = tables["leaky"].set_index("metric")
    for metric, line in leaky.iterrows():
        assert line["grouped"] == pytest.approx(means[metric, "patient"])
        assert line["leaky"] == pytest.approx(means[metric, "image"])


def test_leaky_specificity_is_that_of_the_cross_fitted_threshold(
    context: StudyContext, tables: dict[str, pd.DataFrame]
) -> None:
    (result,) = context.finished.values()
    label = context.rows.label[context.rows.train]
    score = in_training_order(context.fold, result.folds)
    predicted = score >= cross_fitted_thresholds(label, score, context.fold)
    own = tables["leaky_assignments"].set_index(["kind", "assignment", "metric"])["value"]
    found = own["patient", 1, "specificity"]
    assert found == pytest.approx((~predicted[label == 0]).mean())


def test_resampling_counts_by_fold(tables: dict[str, pd.DataFrame]) -> None:
    table = tables["resampling"].set_index(["balance", "fold", "label"]).sort_index()
    # of training patients 0…39 those divisible by 3 are normal: 14 × 2 images against 26 × 2
    assert table.loc[("oversample", 0, 0), ["before", "after"]].tolist() == [28, 52]
    assert table.loc[("undersample", 0, 1), ["before", "after"]].tolist() == [52, 28]
    # each fold holds out 7 normal patients
    assert table.loc[("smote", 1, 0), ["before", "after"]].tolist() == [14, 26]
    assert (table.loc["none", "before"] == table.loc["none", "after"]).all()


def test_gain_is_the_difference_from_no_balancing(tables: dict[str, pd.DataFrame]) -> None:
    table = tables["ablation"]
    test = table[(table["split"] == "test") & (table["status"] == "ok")].set_index("balance")
    assert test.loc["none", "auc_gain"] == 0
    np.testing.assert_allclose(test["brier_gain"], test["brier"] - test.loc["none", "brier"])


def test_subsets_are_nested_and_keep_patients_together(context: StudyContext) -> None:
    rows = context.rows
    few, more = (set(subset_of_patients(rows, f, draw=1)) for f in (0.1, 0.5))
    assert few < more < set(rows.train)
    assert len(few) == 2 * (1 + 3)  # of 14 normal and 26 pneumonia patients
    assert all(k ^ 1 in few for k in few)
    np.testing.assert_array_equal(subset_of_patients(rows, 1.0, draw=1), rows.train)
    assert few != set(subset_of_patients(rows, 0.1, draw=2))


def test_best_cells_are_selected_on_the_validation_set(context: StudyContext) -> None:
    label = context.rows.label[context.rows.parts["validation"]]
    cells = [Cell("hog", model, "none", 0) for model in ("svm", "forest")]
    good, bad = label.astype(float), 1.0 - label
    finished = {
        cells[0].name: CellResult(cells[0], scores={"validation": bad, "test": np.ones(20)}),
        cells[1].name: CellResult(cells[1], scores={"validation": good, "test": np.zeros(20)}),
    }
    assert best_cells(finished, context.rows)["hog"].cell.model == "forest"


@pytest.mark.parametrize("section", [shortcuts, leakage, balancing, learning])
def test_sections_render_with_and_without_tables(
    section: object, tables: dict[str, pd.DataFrame]
) -> None:
    full = section.render(results(tables))  # type: ignore[attr-defined]
    assert {block.kind for block in full.blocks} >= {"paragraph", "figure", "table"}
    empty = {name: pd.DataFrame(columns=columns) for name, columns in MORE_TABLES.items()}
    (only,) = section.render(results(empty)).blocks  # type: ignore[attr-defined]
    assert any("--study" in getattr(part, "text", "") for part in only.parts)


def test_shortcut_sentence_agrees_with_the_intervals() -> None:
    line = dict.fromkeys(MORE_TABLES["shortcuts"], 0.0) | {
        "control": "border", "model": "logistic", "split": "test", "columns": 3, "status": "ok",
        "auc": 0.7, "auc_lo": 0.6, "auc_hi": 0.8, "below_whole": 0.2, "below_whole_lo": 0.1,
        "below_whole_hi": 0.3,
    }  # fmt: skip
    seen = shortcuts.render(results({"shortcuts": pd.DataFrame([line])})).blocks[1]
    assert "0.200 below the whole image (whole image minus control: 0.100–0.300)" in seen.parts[0]
    line["auc_lo"] = 0.45
    blind = shortcuts.render(results({"shortcuts": pd.DataFrame([line])})).blocks[1]
    assert "the one interval contains 0.5. No control is shown to be better" in blind.parts[0]


def test_shortcut_verdict_is_corrected_for_the_number_of_controls() -> None:
    """Each interval barely lies above 0.5: with one control that counts, with four it does not."""
    lines = [
        dict.fromkeys(MORE_TABLES["shortcuts"], 0.1) | {
            "control": control, "model": "logistic", "split": "test", "columns": 3,
            "status": "ok", "auc": 0.6, "auc_lo": 0.505, "auc_hi": 0.695,
        }
        for control in ("size", "number", "border", "no_lungs")
    ]  # fmt: skip
    for kept, verdict in ((lines[:1], "better than chance."), (lines, "No control is shown")):
        seen = shortcuts.render(results({"shortcuts": pd.DataFrame(kept)})).blocks[1].parts[0]
        assert verdict in seen
    assert "4 lie above 0.5 and 0 lie within 0.5 ± 0.02 (corrected for looking at 4: 0, 0" in seen


@pytest.mark.parametrize("name", ["leaky", "ablation", "learning", "shortcuts"])
def test_studies_tune_as_the_run_does(
    context: StudyContext, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[Cell] = []

    def watch(cell: Cell, *arguments: object) -> CellResult:
        fitted.append(cell)
        return CellResult(cell, "failed", "not fitted in this test")

    monkeypatch.setattr("benchmarks.fitting.fit_each.fit_on_features", watch)
    tuned = {
        replace(result.cell, tune=True).name: replace(result, cell=replace(result.cell, tune=True))
        for result in context.finished.values()
    }
    config = context.config.model_copy(update={"tune": True})
    STUDIES[name].run(replace(context, config=config, finished=tuned))
    assert fitted
    assert all(cell.tune for cell in fitted)
