"""Rates against scikit-learn and published numbers."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.metrics.binary import point_metrics
from benchmarks.metrics.rates import confusion, fraction_predicted_positive, precision_at_prevalence

LABEL = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
SCORE = np.array([0.9, 0.8, 0.5, 0.2, 0.7, 0.5, 0.3, 0.1, 0.1, 0.0])


def test_rates_equal_scikit_learn_in_every_draw() -> None:
    rng = np.random.default_rng(0)
    label, score = rng.integers(0, 2, 60), np.round(rng.random(60), 1)
    thresholds = np.array([0.0, 0.3, 0.5, 1.1])  # no score reaches the last
    weights = np.vstack([np.ones(60, int), rng.integers(0, 4, (2, 60))])
    found = confusion(label, score[:, None] >= thresholds, weights.astype(float))
    for k, weight in enumerate(weights):
        for j, threshold in enumerate(thresholds):
            expected = point_metrics(label.repeat(weight), score.repeat(weight), threshold)
            for name in ("recall", "specificity", "precision"):
                assert getattr(found, name)[k, j] == pytest.approx(expected[name], abs=1e-12)


def test_precision_at_prevalence_as_published() -> None:
    """Altman and Bland 1994: 231 of 258 scans with and 32 of 86 without disease are abnormal."""
    recall, specificity = 231 / 258, 54 / 86
    assert precision_at_prevalence(recall, specificity, 258 / 344) == pytest.approx(231 / 263)
    assert precision_at_prevalence(recall, specificity, 0.25) == pytest.approx(0.45, abs=0.005)


def test_precision_at_the_observed_prevalence_is_the_precision() -> None:
    rng = np.random.default_rng(2)
    weights = rng.integers(0, 4, (20, 10)).astype(float) + 0.5
    found = confusion(LABEL, SCORE[:, None] >= np.array([0.15, 0.5, 2.0]), weights)
    share = (weights @ LABEL / weights.sum(axis=1))[:, None]
    again = precision_at_prevalence(found.recall, found.specificity, share)
    np.testing.assert_allclose(again, found.precision, atol=1e-12)


def test_precision_at_recall_0_and_specificity_1() -> None:
    assert precision_at_prevalence(0.0, 1.0, 0.1) == 0
    assert precision_at_prevalence(0.4, 1.0, 0.001) == 1
    np.testing.assert_allclose(precision_at_prevalence(0.9, 0.8, np.array([0.0, 1.0])), [0, 1])


def test_fraction_of_a_subgroup_by_hand() -> None:
    predicted, member = np.array([True, False, True, False]), np.array([True, True, False, False])
    assert fraction_predicted_positive(predicted, member) == 0.5
    draws = fraction_predicted_positive(predicted, member, np.eye(4))
    np.testing.assert_array_equal(draws, [1, 0, np.nan, np.nan])
