"""The confidence set of the best method: by an independent loop, by simulation and by hand."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from benchmarks.io.columns import MORE_TABLES
from benchmarks.io.results import Results
from benchmarks.metrics.bootstrap import PatientBootstrap
from benchmarks.report.sections import leading as section
from benchmarks.report.sections import summary
from benchmarks.statistics import leading
from benchmarks.statistics.method_rows import rows
from tests.report.test_operating_sections import GRADED, LABEL, make_results, tables, texts

TURNED = {split: 1 - score for split, score in GRADED.items()}
NOISY = {split: np.roll(score, 4) for split, score in GRADED.items()}


def test_upper_bounds_equal_those_of_a_loop() -> None:
    rng = np.random.default_rng(4)
    draws = rng.normal(size=(5, 301)) @ np.eye(301) + rng.normal(size=301)
    upper, member = leading.best_set(draws)
    for i in range(5):
        largest = []
        for b in range(1, 301):
            largest.append(max(
                (draws[j, b] - draws[i, b] - draws[j, 0] + draws[i, 0])
                / np.std([draws[j, c] - draws[i, c] for c in range(1, 301)])
                for j in range(5) if j != i
            ))  # fmt: skip
        c = np.quantile(largest, 0.95)
        bound = min(
            draws[i, 0] - draws[j, 0] + c * np.std(draws[j, 1:] - draws[i, 1:])
            for j in range(5) if j != i
        )  # fmt: skip
        assert upper[i] == pytest.approx(bound)
        assert member[i] == (bound >= 0)


def test_the_set_has_the_best_of_ten_equal_methods_in_95_percent() -> None:
    """Pairs at 5 % each would leave out a given method of ten far more often."""
    rng = np.random.default_rng(7)
    kept, pairwise, worse = [], [], []
    for _ in range(400):
        noise = rng.normal(size=(11, 501)) + rng.normal(size=501)
        draws = noise[:, :1] + noise
        draws[:, 0] = noise[:, 0]
        draws[10] -= 8
        member = leading.best_set(draws)[1]
        kept.append(member[0])
        worse.append(member[10])
        best = np.argmax(draws[:, 0])
        high = np.quantile(draws[0, 1:] - draws[best, 1:], 0.95)
        pairwise.append(high >= 0)
    assert np.mean(kept) == pytest.approx(0.95, abs=0.03)
    assert np.mean(pairwise) < 0.9
    assert not any(worse)


def test_one_method_or_equal_scores() -> None:
    upper, member = leading.best_set(np.ones((1, 4)))
    assert np.isnan(upper).all()
    assert member.tolist() == [True]
    same = np.array([[0.9, 0.8, 0.7], [0.9, 0.8, 0.7], [0.8, 0.7, 0.6]])
    assert leading.best_set(same)[1].tolist() == [True, True, False]  # the last always 0.1 lower


@pytest.fixture
def three(tmp_path: Path) -> Results:
    return make_results(tmp_path, [
        ("hog", "forest", 0, GRADED), ("lbp", "svm", 0, TURNED), ("hog", "svm", 0, GRADED),
        ("hog", "svm", 1, NOISY), ("lbp", "forest", 0, GRADED), ("pixels", "cnn", 0, GRADED),
    ])  # fmt: skip


def test_table_by_hand(three: Results) -> None:
    table = leading.tabulate(three)["leading"]
    assert table.columns.tolist() == MORE_TABLES["leading"]
    assert table["cell"].tolist() == [
        "hog/forest/seed0", "lbp/forest/seed0", "hog/svm/seed0", "lbp/svm/seed0"
    ]  # fmt: skip
    y = LABEL["validation"]
    value = [average_precision_score(y, one["validation"]) for one in (GRADED, NOISY, TURNED)]
    expected = [value[0], value[0], (value[0] + value[1]) / 2, value[2]]
    np.testing.assert_allclose(table["validation"], expected)
    np.testing.assert_allclose(table["difference"], np.array(expected) - value[0])
    assert table["in_set"].tolist() == [1, 1, 0, 0]
    assert table["chosen"].tolist() == pytest.approx([0.5, 0.5, 0, 0])  # the equal ones share
    test = three.scores.query("split == 'test' and features == 'hog' and model == 'svm'")
    assert table["auc"].iloc[2] == pytest.approx(test["auc"].mean())


def weighted_precision(y: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average precision as the mean over positives of the precision at their score."""
    above = (score[:, None] <= score).T.astype(float)  # row: image, column: threshold
    precision = (weights * y) @ above / (weights @ above).clip(1e-9)
    return np.asarray((weights * y * precision).sum(axis=1) / (weights @ y))


def test_paired_interval_and_choice_by_hand(tmp_path: Path) -> None:
    results = make_results(tmp_path, [("a", "svm", 0, GRADED), ("b", "svm", 0, NOISY)])
    first, second = leading.tabulate(results)["leading"].to_dict("records")
    y, n = LABEL["validation"], len(LABEL["validation"])
    names = np.array([f"validation/{k}" for k in range(n)], dtype=object)
    weights = PatientBootstrap.draw(names, y, seed=0).weights
    a, b = (weighted_precision(y, one["validation"], weights) for one in (GRADED, NOISY))
    assert (second["lo"], second["hi"]) == pytest.approx(tuple(np.quantile(b - a, [0.025, 0.975])))
    share = np.where(abs(a - b) < 1e-9, 0.5, a > b).mean()
    assert (first["chosen"], second["chosen"]) == pytest.approx((share, 1 - share))


def test_headline_and_section_name_the_set(three: Results) -> None:
    table = leading.tabulate(three)["leading"]
    manifest = three.manifest.assign(group="p")
    three = dataclasses.replace(three, manifest=manifest)
    run = dataclasses.replace(three, tables={"leading": table})
    text = summary.sentences(run, rows(run))[-1]
    assert "cannot tell which of 2 of the 4 classical methods has the highest" in text
    assert "hog + forest (highest in 50 % of bootstrap resamples" in text
    shown = section.render(run)
    assert "2 of 4 classical methods are in the 95 % confidence set" in texts(shown)
    lines = tables(shown)["leading"].rows
    assert [[cell.text for cell in line[:2]] for line in lines] == [["hog", "forest"],
                                                                    ["lbp", "forest"]]  # fmt: skip
    assert lines[0][4].text == "50 %"
    alone = table.assign(in_set=[1, 0, 0, 0], chosen=[0.97, 0.03, 0, 0])
    run = dataclasses.replace(three, tables={"leading": alone})
    text = summary.sentences(run, rows(run))[-1]
    assert "it is the only one of 4 classical methods in the 95 % confidence set" in text
    assert "(highest in 97 %" in text
    without = summary.sentences(three, rows(three))[-1]
    assert (
        "the classical method with the highest average precision on the validation set, reaches"
        in without
    )
