"""Calibration, matched recall, decision curves and prevalence: tables and sections."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from benchmarks.io.columns import PREDICTION_COLUMNS, SCORE_COLUMNS
from benchmarks.io.results import Results, write_table
from benchmarks.metrics.binary import point_metrics
from benchmarks.metrics.operating_points import threshold_at_recall
from benchmarks.report.blocks import Bullets, Figure, Paragraph, Section, Table
from benchmarks.report.sections import calibration, decision, matched, prevalence
from benchmarks.report.writers import write_report
from benchmarks.statistics import calibration as calibration_table
from benchmarks.statistics import decision as decision_table
from benchmarks.statistics import matched as matched_table
from benchmarks.statistics import prevalence as prevalence_table

pytestmark = pytest.mark.slow

STATISTICS = (calibration_table, decision_table, matched_table, prevalence_table)
SECTIONS = {"matched": matched, "calibration": calibration, "decision": decision,
            "prevalence": prevalence}  # fmt: skip
LABEL = {"validation": np.repeat([1, 0], [10, 5]), "test": np.repeat([1, 0], [8, 8])}
GRADED = {
    "validation": np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, *[0.05] * 5]),
    "test": np.array([0.05, 0.15, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95,
                      0.02, 0.05, 0.08, 0.1, 0.15, 0.2, 0.4, 0.9]),
}  # fmt: skip
PERFECT = {split: label.astype(float) for split, label in LABEL.items()}
EQUAL = {split: np.full(len(label), 0.5) for split, label in LABEL.items()}
Scores = dict[str, np.ndarray]


def make_results(
    folder: Path,
    cells: Sequence[tuple[str, str, int, Scores]],
    label: Scores = LABEL,
    synthetic: bool = False,
) -> Results:
    """Make results of some cells with the tables of four statistics; one image per patient."""
    predictions, scores = [], []
    for features, model, seed, score in cells:
        cell = f"{features}/{model}/seed{seed}"
        head: dict[str, Any] = {"cell": cell, "features": features, "model": model, "seed": seed}
        at = {"0.5": 0.5, "recall95": threshold_at_recall(label["validation"], score["validation"])}
        for split, y in label.items():
            names = [f"{split}/{k}" for k in range(len(y))]
            predictions.append(pd.DataFrame({"image": names, "group": names, "label": y,
                                             "score": score[split]})
                               .assign(**head, split=split, fold=0, subtype=""))  # fmt: skip
            scores += [
                {**head, "split": split, "operating_point": point, "threshold": threshold,
                 "status": "ok", "reason": "", **point_metrics(y, score[split], threshold)}
                for point, threshold in at.items()
            ]  # fmt: skip
    missing = {"cell": "no/svm/seed0", "features": "no", "model": "svm", "seed": 0,
               "status": "not_run", "reason": "no weights"}  # fmt: skip
    empty = pd.DataFrame()
    named = np.array(["NORMAL", "PNEUMONIA"])[label["test"]]
    manifest = pd.DataFrame({"label": label["test"], "class": named, "split": "test"})
    results = Results(
        folder, {"data": {"synthetic": synthetic}}, manifest, empty,
        pd.concat([pd.DataFrame(columns=PREDICTION_COLUMNS), *predictions], ignore_index=True)
        if predictions else pd.DataFrame(columns=PREDICTION_COLUMNS),
        pd.DataFrame([*scores, missing]).reindex(columns=SCORE_COLUMNS), empty, empty,
    )  # fmt: skip
    tables = {name: t for module in STATISTICS for name, t in module.tabulate(results).items()}
    return dataclasses.replace(results, tables=tables)


def texts(section: Section) -> str:
    words = []
    for block in section.blocks:
        if isinstance(block, Paragraph):
            words += [str(part) for part in block.parts]
        if isinstance(block, Bullets):
            words += [str(part) for item in block.items for part in item]
    return " ".join(words)


def tables(section: Section) -> dict[str, Table]:
    return {block.name: block for block in section.blocks if isinstance(block, Table)}


@pytest.fixture
def graded(tmp_path: Path) -> Results:
    return make_results(tmp_path, [("hog", "svm", 0, GRADED)])


def test_matched_by_hand(graded: Results) -> None:
    """Thresholds 0.2, 0.1, 0.1; on test 6, 7, 7 of 8 true and 3, 5, 5 of 8 false positives."""
    table = graded.tables["matched"].set_index(["split", "target_recall"])
    test = table.loc["test"]
    assert test["threshold"].tolist() == [0.2, 0.1, 0.1]
    np.testing.assert_allclose(test["recall"], [6 / 8, 7 / 8, 7 / 8])
    np.testing.assert_allclose(test["specificity"], [5 / 8, 3 / 8, 3 / 8])
    np.testing.assert_allclose(test["precision"], [6 / 9, 7 / 12, 7 / 12])
    validation = table.loc["validation"]
    np.testing.assert_allclose(validation["recall"], [0.9, 1.0, 1.0])
    np.testing.assert_allclose(validation["specificity"], 1.0)
    assert ((test["recall_lo"] < test["recall"]) & (test["recall"] < test["recall_hi"])).all()


def test_decision_and_prevalence_equal_a_hand_computed_example(graded: Results) -> None:
    table = graded.tables["decision"].set_index(["cell", "threshold"])["net_benefit"]
    assert table["treat_all", 0.2] == pytest.approx(0.5 - 0.5 / 4)
    assert table["hog/svm/seed0", 0.5] == pytest.approx(5 / 16 - 1 / 16)
    assert table["hog/svm/seed0", 0.75] == pytest.approx(3 / 16 - 3 * 1 / 16)
    assert len(table) == 2 * 99
    table = graded.tables["prevalence"].set_index(["operating_point", "prevalence"])["precision"]
    assert table["0.5", 0.05] == pytest.approx(0.05 * 5 / 8 / (0.05 * 5 / 8 + 0.95 * 1 / 8))
    assert table["recall95", 0.5] == pytest.approx(7 / 12)  # test has this prevalence


def test_calibration_rows(tmp_path: Path) -> None:
    results = make_results(
        tmp_path, [("a", "svm", 0, GRADED), ("b", "svm", 0, PERFECT), ("c", "svm", 0, EQUAL)]
    )
    table = results.tables["calibration"].set_index(["cell", "recalibration"])
    assert len(table) == 9
    assert (table["n"] == 16).all()
    raw = table.loc[("a/svm/seed0", "none")]
    brier = sk.brier_score_loss(LABEL["test"], GRADED["test"])
    assert raw["brier"] == pytest.approx(brier)
    assert raw["reliability"] - raw["resolution"] + raw["uncertainty"] == pytest.approx(brier)
    assert raw["intercept_lo"] < raw["intercept"] < raw["intercept_hi"]
    assert np.isfinite(raw["slope"])
    assert np.isnan(raw["slope_lo"])  # too many resamples of so few images separate the classes
    perfect = table.loc[("b/svm/seed0", "none")]
    assert (perfect["brier"], perfect["ece"]) == (0, 0)
    assert perfect[["slope", "slope_lo", "slope_hi"]].isna().all()
    equal = table.loc[("c/svm/seed0", "sigmoid")]  # Platt's targets of 10 positives of 15
    assert equal["brier"] == pytest.approx(
        ((1 - (q := (10 * 11 / 12 + 5 / 7) / 15)) ** 2 + q**2) / 2
    )
    counts = results.tables["reliability"].groupby(["cell", "recalibration"])["n"].sum()
    assert (counts == 16).all()


def test_recalibration_never_sees_test_labels(tmp_path: Path) -> None:
    turned = {"validation": LABEL["validation"], "test": LABEL["test"][::-1].copy()}
    one, other = (
        make_results(tmp_path, [("a", "svm", 0, GRADED)], label).tables["reliability"]
        for label in (LABEL, turned)
    )
    assert one["mean_score"].tolist() == other["mean_score"].tolist()
    assert one["observed"].tolist() != other["observed"].tolist()


def test_one_seed_per_method(tmp_path: Path) -> None:
    results = make_results(tmp_path, [("a", "svm", 0, GRADED), ("a", "svm", 1, PERFECT)])
    for name in ("matched", "calibration", "reliability", "prevalence"):
        assert set(results.tables[name]["cell"]) == {"a/svm/seed0"}, name
    for module in SECTIONS.values():
        assert "the first that finished" in texts(module.render(results))


def test_sentences_follow_from_the_numbers(graded: Results) -> None:
    text = texts(matched.render(graded))
    assert "from its target by up to 0.150 and is below it in 3 of 3 cases" in text
    assert "Target recall 0.90: test recall 0.750, below the target for the one method; from "
    assert "specificity falls from 1.000 to 0.625" in text
    text = texts(prevalence.render(graded))
    assert "precision of 0.583 on the test set, where the prevalence of PNEUMONIA is 50 %" in text
    assert f"precision would be {0.05 * 7 / (0.05 * 7 + 0.95 * 5):.3f}" in text


def test_precision_at_own_prevalence_has_the_interval_of_the_redrawn_threshold(
    graded: Results,
) -> None:
    """All columns of the table include the choice of the threshold, as its note says."""
    scores = graded.scores.copy()
    bounds = [f"precision_{end}" for end in ("lo", "hi", "lo_threshold", "hi_threshold")]
    scores[bounds] = [0.4, 0.6, 0.1, 0.9]
    own = dataclasses.replace(graded, scores=scores)
    row = tables(prevalence.render(own))["prevalence"].rows[0]
    assert [row[k].detail for k in (6, 11)] == ["0.100–0.900"] * 2


def test_decision_ranges_need_both_intervals_above_0(tmp_path: Path) -> None:
    """The ranges are those of the lower bounds, not of the estimates."""
    rng = np.random.default_rng(1)
    label = {split: np.repeat([1, 0], 40) for split in LABEL}
    noisy = {split: (0.6 * rng.random(80) + 0.4 * y).clip(0, 1) for split, y in label.items()}
    results = make_results(tmp_path, [("hog", "svm", 0, noisy)], label)
    own = results.tables["decision"].set_index(["cell", "threshold"])
    everyone, model = own.loc["treat_all"], own.loc["hog/svm/seed0"]
    expected = model["net_benefit"] - everyone["net_benefit"]
    np.testing.assert_allclose(model["minus_all"], expected, atol=1e-12)
    assert (everyone[["minus_all", "minus_all_lo", "minus_all_hi"]] == 0).all(axis=None)
    (row,) = decision.leaders(decision.measured(results, "decision"))
    ranges = decision.ranges_of(results, row)
    for at, line in model.iterrows():
        inside = any(low <= at <= high for low, high in ranges)
        assert inside == (min(line["lo"], line["minus_all_lo"]) > 1e-12), at
    better = (model["net_benefit"] > 0) & (model["minus_all"] > 1e-12)
    assert 0 < sum(round((b - a) * 100) + 1 for a, b in ranges) < better.sum()
    text = texts(decision.render(results))
    assert "both 95 % intervals of the difference above 0, at some threshold for the one" in text


def test_decision_intervals_are_paired(tmp_path: Path) -> None:
    """The difference to treating all varies less than it would for unpaired draws."""
    results = make_results(tmp_path, [("a", "svm", 0, GRADED)])
    test = decision_table.read_split(results, "test", ["a/svm/seed0"])
    weights = test.bootstrap().weights
    y, score = LABEL["test"], GRADED["test"]
    gain = np.where(y == 1, 1.0, -0.25) * ((score >= 0.2).astype(float) - 1)
    low, high = np.quantile(weights @ gain / weights.sum(axis=1), [0.025, 0.975])
    own = results.tables["decision"].set_index(["cell", "threshold"]).loc[("a/svm/seed0", 0.2)]
    assert (own["minus_all_lo"], own["minus_all_hi"]) == pytest.approx((low, high))


def test_verdict_on_recalibration_follows_the_table(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    label = {split: rng.integers(0, 2, 300) for split in ("validation", "test")}
    timid = {split: 0.45 + 0.1 * y + 0.04 * rng.random(300) for split, y in label.items()}
    text = texts(calibration.render(make_results(tmp_path, [("a", "svm", 0, timid)], label)))
    assert "Sigmoid recalibration changes the Brier score by −0.2" in text
    assert text.count("the one interval lies below 0") == 4  # both metrics, both recalibrations
    inverted = {"validation": timid["validation"], "test": 1 - timid["test"]}
    text = texts(calibration.render(make_results(tmp_path, [("a", "svm", 0, inverted)], label)))
    assert text.count("the one interval lies above 0") == 4
    assert "transfer" not in text


def test_changes_by_recalibration_are_paired(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    label = {split: rng.integers(0, 2, 200) for split in ("validation", "test")}
    score = {split: np.clip(0.3 + 0.3 * y + 0.1 * rng.normal(size=200), 0, 1)
             for split, y in label.items()}  # fmt: skip
    tables = make_results(tmp_path, [("a", "svm", 0, score)], label).tables
    level = tables["calibration"].set_index("recalibration")
    change = tables["recalibration"].set_index("recalibration")
    assert list(change.index) == ["sigmoid", "isotonic"]
    for kind, line in change.iterrows():
        for name in ("brier", "ece"):
            expected = level.loc[kind, name] - level.loc["none", name]
            assert line[f"{name}_change"] == pytest.approx(expected, abs=1e-12)
        unpaired = level.loc["none", "brier_hi"] - level.loc[kind, "brier_lo"]
        assert line["brier_change_hi"] - line["brier_change_lo"] < unpaired
    # A recalibration that changes nothing is equivalent, with an interval of no width.
    same = {split: np.full(len(y), y.mean()) for split, y in label.items()}
    flat = make_results(tmp_path, [("a", "svm", 0, same)], label).tables["recalibration"]
    np.testing.assert_allclose(flat.filter(like="brier_change"), 0, atol=0.01)


@pytest.mark.slow
def test_all_outputs_have_the_full_table(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    label = {"validation": rng.integers(0, 2, 80), "test": rng.integers(0, 2, 60)}

    def scores() -> Scores:
        return {split: np.clip(0.4 * y + rng.random(len(y)) - 0.2, 0, 1)
                for split, y in label.items()}  # fmt: skip

    cells = [(f"set{k}", m, 0, scores()) for k in range(7) for m in ("svm", "forest")]
    results = make_results(tmp_path, [*cells, ("pixels", "cnn", 0, scores())], label, True)
    for name, table in results.tables.items():
        write_table(tmp_path, name, table)
        pd.testing.assert_frame_equal(pd.read_csv(tmp_path / f"{name}.csv"), table)
    sections = {name: module.render(results) for name, module in SECTIONS.items()}
    write_report(results, sections)
    for name, section in sections.items():
        figures = [block for block in section.blocks if isinstance(block, Figure)]
        assert all("SYNTHETIC DATA" in figure.svg for figure in figures)
        assert len(figures) == (name != "prevalence")
        for table in tables(section).values():
            assert len(table.rows) == (16 if table.name != "decision" else 2 + 8)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert ">nan<" not in page.lower()
    assert "not run (note 1)" in page
    assert "Note 1: no weights" in page
    latex = (tmp_path / "tables.tex").read_text(encoding="utf-8")
    assert latex.count("\\begin{table}") == 1
    assert "tab:matched" in latex


@pytest.mark.parametrize("score", [PERFECT, EQUAL], ids=["perfect", "equal"])
def test_extreme_scores_have_sections(tmp_path: Path, score: Scores) -> None:
    results = make_results(tmp_path, [("a", "svm", 0, score)])
    write_report(results, {name: module.render(results) for name, module in SECTIONS.items()})
    assert "nan" not in (tmp_path / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("module", SECTIONS.values(), ids=SECTIONS)
def test_sections_without_finished_cells_or_tables(
    tmp_path: Path, module: Any, graded: Results
) -> None:
    nothing = make_results(tmp_path, [])
    assert all(table.empty for table in nothing.tables.values())
    for results in (nothing, dataclasses.replace(graded, tables={})):
        (block,) = module.render(results).blocks
        assert isinstance(block, Paragraph)
        assert "No cell finished" in str(block.parts[0])
