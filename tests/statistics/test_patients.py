"""Results by patient, checked by hand and against a direct computation in each draw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.io.columns import MORE_TABLES
from benchmarks.io.results import Results, read_results, write_table
from benchmarks.metrics.bootstrap import PatientBootstrap, logit_interval
from benchmarks.report.sections import patients as section
from benchmarks.statistics import patients
from tests.report.test_operating_sections import texts
from tests.report.test_report import make_run

# Patient, label and score of each test image; c has images of both classes.
IMAGES = [("a", 0, 0.2), ("b", 0, 0.6), ("b", 0, 0.4), ("c", 1, 0.9), ("c", 0, 0.1),
          ("d", 1, 0.8), ("d", 1, 0.3), ("d", 1, 0.7), ("e", 0, 0.5), ("f", 1, 0.45)]  # fmt: skip
GROUP, LABEL, SCORE = (np.array(values) for values in zip(*IMAGES, strict=True))


def made() -> Results:
    n = len(IMAGES)
    predictions = pd.DataFrame({
        "cell": "hog/svm/seed0", "split": "test", "fold": 0, "group": GROUP, "subtype": "",
        "image": [f"{k}.png" for k in range(n)], "score": SCORE, "label": LABEL,
    })  # fmt: skip
    scores = pd.DataFrame({
        "cell": ["hog/svm/seed0"], "features": "hog", "model": "svm", "status": "ok",
    })  # fmt: skip
    empty = pd.DataFrame()
    return Results(Path(), {}, empty, empty, predictions, scores, empty, empty)


def test_values_by_hand() -> None:
    """Patients a, b, e are negative, c, d, f positive; c because of one of its two images."""
    table = patients.tabulate(made())["patients"].set_index("level")
    assert [*table.columns[:1], "level", *table.columns[1:]] == MORE_TABLES["patients"]
    assert table[["n", "n_positive"]].to_numpy().tolist() == [[10, 5], [6, 3], [6, 3]]
    assert table.loc["image", "auc"] == pytest.approx(roc_auc_score(LABEL, SCORE))
    label = [0, 0, 1, 1, 0, 1]
    combined = {
        "mean": [0.2, 0.5, 0.5, 0.6, 0.5, 0.45],
        "maximum": [0.2, 0.6, 0.9, 0.8, 0.5, 0.45],
    }
    for level, scores in combined.items():
        one = table.loc[level]
        assert one["auc"] == pytest.approx(roc_auc_score(label, scores))
        assert one["average_precision"] == pytest.approx(average_precision_score(label, scores))
        assert one["difference"] == pytest.approx(one["auc"] - table.loc["image", "auc"])
    assert (table.loc["image", ["difference", "lo", "hi"]] == 0).all()


def test_intervals_are_those_of_the_same_draws_of_patients() -> None:
    table = patients.tabulate(made())["patients"].set_index("level")
    weights = PatientBootstrap.draw(GROUP.astype(object), LABEL, seed=0).weights
    label, highest = np.array([0, 0, 1, 1, 0, 1]), np.array([0.2, 0.6, 0.9, 0.8, 0.5, 0.45])
    own = weights[:, [0, 1, 3, 5, 8, 9]]
    by_patient, by_image = area(label, highest, own), area(LABEL, SCORE, weights)
    one = table.loc["maximum"]
    value = roc_auc_score(label, highest)
    expected = logit_interval(np.append(value, by_patient))
    assert [one["auc_lo"], one["auc_hi"]] == pytest.approx(expected)
    expected = np.nanquantile(by_patient - by_image, [0.025, 0.975])
    assert [one["lo"], one["hi"]] == pytest.approx(expected)


def area(label: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """AUC as the fraction of ordered pairs; NaN where a draw lacks a class."""
    wins = (score[:, None] > score) + 0.5 * (score[:, None] == score)
    positive, negative = weights * (label == 1), weights * (label == 0)
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    won = ((positive @ wins) * negative).sum(axis=1)
    return np.divide(won, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def test_one_image_a_patient_gives_the_values_of_images() -> None:
    group = np.array([f"p{k}" for k in range(6)], dtype=object)
    of = patients.patients(group, np.array([0, 1, 0, 1, 1, 0]))
    score = np.array([0.5, 0.1, 0.3, 0.9, 0.2, 0.4])
    for how in ("mean", "maximum"):
        assert patients.patient_scores(score, of, how).tolist() == score.tolist()


def test_section_says_what_the_table_holds(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", features=("hog",), models=("svm",), cnn=False, n=200)
    without = section.render(read_results(folder))
    assert "no patients.csv" in texts(without)
    write_table(folder, "patients", patients.tabulate(made())["patients"])
    results = read_results(folder)
    text = texts(section.render(results))
    test = results.manifest[results.manifest["split"] == "test"]
    assert f"{len(test)} images of {test['group'].nunique()} patients" in text
    assert "has a test AUC of 0.800 (" in text
    assert "by image, 0.667 (" in text
    assert "(none of these patients)" in text
    results.run["data"]["groups_known"] = False
    assert "unknown" in texts(section.render(results))
