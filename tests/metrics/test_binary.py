"""All metrics of a two-class score, by hand and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.metrics.binary import bootstrap_metrics, evaluate, point_metrics
from benchmarks.metrics.bootstrap import PatientBootstrap
from benchmarks.metrics.rates import fraction_predicted_positive

LABEL = np.array([1, 1, 1, 1, 0, 0, 0, 1])
SCORE = np.array([0.9, 0.8, 0.5, 0.4, 0.6, 0.2, 0.1, 0.5])


def test_point_metrics_by_hand() -> None:
    value = point_metrics(LABEL, SCORE, 0.5)  # positive: 0.9 0.8 0.5 0.6 0.5 → tp 4, fp 1
    assert value["precision"] == 4 / 5
    assert value["recall"] == 4 / 5
    assert value["specificity"] == 2 / 3
    assert value["accuracy"] == 6 / 8
    assert value["auc"] == pytest.approx(12 / 15)  # pairs won: 0.6 loses to two of five
    assert value["mcc"] == pytest.approx((4 * 2 - 1 * 1) / np.sqrt(5 * 5 * 3 * 3))


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.99])
def test_bootstrap_formulas_equal_scikit_learn(threshold: float) -> None:
    """With weights of 1, and with images drawn several times or not at all."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 60)
    score = np.round(rng.random(60), 1)  # many ties
    weights = np.vstack([np.ones(60), rng.integers(0, 4, 60)]).astype(float)
    draws = bootstrap_metrics(label, score, threshold, weights)
    for k, weight in enumerate(weights.astype(int)):
        expected = point_metrics(label.repeat(weight), score.repeat(weight), threshold)
        for name, value in expected.items():
            assert draws[name][k] == pytest.approx(value, abs=1e-12), name


def test_interval_of_a_proportion_agrees_with_theory() -> None:
    """Recall 0.8 on 400 independent positives: standard error 0.02."""
    label = np.r_[np.ones(400, int), np.zeros(100, int)]
    score = np.r_[np.full(320, 0.9), np.full(80, 0.1), np.full(100, 0.2)]
    bootstrap = PatientBootstrap.draw(np.arange(500).astype(object), label, seed=0)
    row = evaluate(label, score, 0.5, np.full(500, "", object), bootstrap)
    assert row["recall_hi"] - row["recall_lo"] == pytest.approx(2 * 1.96 * 0.02, rel=0.1)


def test_recall_by_subtype() -> None:
    subtype = np.array(["bacteria", "virus", "bacteria", "virus", "", "", "", ""], object)
    member = (LABEL == 1) & (subtype == "virus")
    assert fraction_predicted_positive(SCORE >= 0.5, member) == 0.5
    draws = fraction_predicted_positive(SCORE >= 0.5, member, np.eye(8))
    np.testing.assert_array_equal(draws[[1, 3]], [1, 0])
    assert np.isnan(draws[0])


def test_recall_follows_the_subtypes_found() -> None:
    bootstrap = PatientBootstrap.draw(np.arange(8).astype(object), LABEL, seed=0, draws=50)
    row = evaluate(LABEL, SCORE, 0.5, np.full(8, "", object), bootstrap)
    assert not [
        name for name in row if name.startswith("recall_") and name[7:9] not in ("lo", "hi")
    ]
    subtype = np.where(LABEL == 1, np.array(["mass", "hi"], object)[np.arange(8) % 2], "mass")
    of_both = evaluate(LABEL, SCORE, 0.5, subtype, bootstrap)
    for name, column in (("mass", "recall_mass"), ("hi", "recall_hi_")):
        member = (LABEL == 1) & (subtype == name)
        assert of_both[column] == (SCORE >= 0.5)[member].mean()
    assert of_both["recall_hi"] == row["recall_hi"]  # the bound, not the subtype
    assert row["tp"] + row["fn"] == 5
