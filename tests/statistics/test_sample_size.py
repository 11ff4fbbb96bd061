"""Expected half-widths: known values, properties, and the text that states them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from benchmarks.metrics.delong import delong
from benchmarks.paper import facts
from benchmarks.statistics import sample_size
from tests.report.test_operating_sections import GRADED, make_results


def test_effective_size_is_that_of_kish() -> None:
    group = np.repeat(np.array(["a", "b", "c"], dtype=object), [1, 2, 3])
    assert sample_size.effective_size(group) == pytest.approx(6 / (14 / 6))
    assert sample_size.effective_size(np.repeat(group, 5)) == pytest.approx(36 / 14)
    assert sample_size.effective_size(group[:0]) == 0


@pytest.mark.parametrize(("hits", "n"), [(95, 100), (10, 10), (0, 7), (380, 390)])
def test_half_width_of_a_proportion_is_that_of_scipy(hits: int, n: int) -> None:
    found = binomtest(hits, n).proportion_ci(method="wilson")
    half = (found.high - found.low) / 2
    assert sample_size.proportion_half_width(hits / n, n) == pytest.approx(half)


def test_half_width_of_the_auc_is_near_that_of_delong() -> None:
    """For exponential scores, the assumption of the formula, the two agree in the mean."""
    rng = np.random.default_rng(3)
    label = np.repeat([1, 0], [60, 40])
    scores = rng.exponential(np.where(label == 1, 9.0, 1.0), size=(400, 100))  # AUC 0.9
    observed = [np.sqrt(delong(label, one[None]).covariance[0, 0]) for one in scores]
    half = norm.ppf(0.975) * np.sqrt(np.mean(np.square(observed)))
    assert sample_size.auc_half_width(0.9, 60, 40) == pytest.approx(half, rel=0.05)


def test_table_and_text(tmp_path: Path) -> None:
    """One image a patient: copies change nothing, so both half-widths are equal."""
    results = make_results(tmp_path, [("hog", "svm", 0, GRADED)])
    scores = results.scores.copy()
    for metric in ("auc", "precision", "recall", "specificity"):
        scores[f"{metric}_lo"], scores[f"{metric}_hi"] = scores[metric] - 0.2, scores[metric] + 0.1
    results = dataclasses.replace(results, scores=scores)
    table = sample_size.tabulate(results)["sample_size"].set_index("metric")
    assert table["expected"].tolist() == table["conservative"].tolist()
    assert table["images"].tolist() == [16, 12, 8, 8]  # 12 predicted positive, 8 of each class
    assert table["observed"].tolist() == pytest.approx([0.15] * 4)
    assert table.loc["recall", "value"] == pytest.approx(7 / 8)
    half = sample_size.proportion_half_width(7 / 8, 8)
    assert table.loc["recall", "expected"] == pytest.approx(half)
    run = dataclasses.replace(results, tables={"sample_size": table.reset_index()})
    text = facts.sample_size(run, cited=True)
    assert f"recall 0.875: {half:.3f} to {half:.3f}, observed 0.150" in text
    assert "Hanley and McNeil, 1982" in text
    assert "Riley et al., 2021" in text
    assert facts.sample_size(results) == ""


def test_several_images_a_patient_widen_the_conservative_interval(tmp_path: Path) -> None:
    results = make_results(tmp_path, [("hog", "svm", 0, GRADED)])
    predictions = results.predictions.copy()
    order = predictions.groupby("split").cumcount()
    predictions["group"] = predictions["split"] + (order // 2).astype(str)
    results = dataclasses.replace(results, predictions=predictions)
    table = sample_size.tabulate(results)["sample_size"].set_index("metric")
    assert table.loc[["recall", "specificity"], "effective"].tolist() == [4, 4]
    assert (table["conservative"] > table["expected"]).all()
