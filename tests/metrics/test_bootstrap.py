"""Bootstrap over patients."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.metrics.binary import evaluate
from benchmarks.metrics.bootstrap import (
    PatientBootstrap,
    logit_interval,
    paired_intervals,
    percentile_interval,
    with_interval,
)
from benchmarks.metrics.ranking import ranking_metrics


def test_all_images_of_a_patient_are_drawn_together() -> None:
    groups = np.array(["a", "a", "b", "c", "c", "c"], dtype=object)
    label = np.array([1, 1, 0, 0, 0, 0])
    weights = PatientBootstrap.draw(groups, label, seed=0, draws=500).weights
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 3] == weights[:, 4]).all()
    assert ((weights[:, 0] + weights[:, 2] + weights[:, 3]) == 3).all()
    assert ((weights @ label > 0) & (weights @ (1 - label) > 0)).all()


def test_several_images_per_patient_widen_the_interval() -> None:
    rng = np.random.default_rng(2)
    label = np.repeat(rng.integers(0, 2, 60), 5)
    score = np.repeat(rng.random(60), 5) * 0.6 + label * 0.3
    widths = []
    for groups in (np.arange(300), np.repeat(np.arange(60), 5)):
        bootstrap = PatientBootstrap.draw(groups.astype(object), label, seed=0)
        row = evaluate(label, score, 0.5, np.full(300, "", object), bootstrap)
        widths.append(row["auc_hi"] - row["auc_lo"])
    assert widths[1] > 1.6 * widths[0]  # √5 in theory


def test_paired_intervals_use_the_same_draws() -> None:
    """Correlated methods have a narrow difference, even if each has a wide interval."""
    draws = np.array([np.arange(41) / 40, np.arange(41) / 40 - 0.25, np.zeros(41)])
    low, high = paired_intervals(draws, np.array([0, 2]), np.array([1, 0]))
    assert low == pytest.approx([0.25, -0.975])
    assert high == pytest.approx([0.25, -0.025])


def test_logit_interval_by_hand() -> None:
    draws = np.array([0.97, 0.985, 0.955, np.nan])
    odds = 0.97 / 0.03 * np.exp(np.array([-1, 1]) * 1.959964 * 0.015 / (0.97 * 0.03))
    assert logit_interval(draws) == pytest.approx(odds / (1 + odds), abs=1e-6)
    assert logit_interval(np.array([1.0, 1.0, 1.0])) == (1.0, 1.0)
    assert np.isnan(logit_interval(np.array([np.nan, 0.9]))).all()


def test_only_an_auc_has_the_interval_of_its_logit() -> None:
    rng = np.random.default_rng(4)
    label = np.repeat([0, 1], 60)
    score = (rng.random(120) + label) / 2
    bootstrap = PatientBootstrap.draw(np.arange(120).astype(object), label, seed=0)
    row = evaluate(label, score, 0.5, np.full(120, "", object), bootstrap)
    draws = ranking_metrics(label, score, bootstrap.with_original())
    assert (row["auc_lo"], row["auc_hi"]) == pytest.approx(logit_interval(draws.auc))
    own = row["average_precision_lo"], row["average_precision_hi"]
    assert own == pytest.approx(percentile_interval(draws.average_precision[1:]))
    areas = draws.auc
    assert with_interval("auc", areas)["auc_lo"] == logit_interval(areas)[0]
    assert with_interval("auc_gain", areas)["auc_gain_lo"] == percentile_interval(areas[1:])[0]
    assert with_interval("value", areas, "auc")["value_lo"] == logit_interval(areas)[0]
