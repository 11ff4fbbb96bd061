"""Bootstrap over patients."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.metrics.binary import evaluate
from benchmarks.metrics.bootstrap import PatientBootstrap, paired_intervals


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
