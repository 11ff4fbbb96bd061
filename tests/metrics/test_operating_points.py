"""Rates, net benefit and precision at another prevalence, against published numbers."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.metrics.binary import point_metrics
from benchmarks.metrics.net_benefit import net_benefit
from benchmarks.metrics.operating_points import threshold_at_recall
from benchmarks.metrics.rates import confusion, precision_at_prevalence

LABEL = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
SCORE = np.array([0.9, 0.8, 0.5, 0.2, 0.7, 0.5, 0.3, 0.1, 0.1, 0.0])


def test_thresholds_are_the_largest_that_keep_each_recall() -> None:
    found = [threshold_at_recall(LABEL, SCORE, r) for r in (0.5, 0.51, 0.75, 0.9, 1.0)]
    assert found == [0.8, 0.5, 0.5, 0.2, 0.2]


def test_rates_equal_scikit_learn_in_every_draw() -> None:
    rng = np.random.default_rng(0)
    label, score = rng.integers(0, 2, 60), np.round(rng.random(60), 1)
    thresholds = np.array([0.0, 0.3, 0.5, 1.1])  # nothing reaches the last
    weights = np.vstack([np.ones(60, int), rng.integers(0, 4, (2, 60))])
    found = confusion(label, score[:, None] >= thresholds, weights.astype(float))
    for k, weight in enumerate(weights):
        for j, threshold in enumerate(thresholds):
            expected = point_metrics(label.repeat(weight), score.repeat(weight), threshold)
            for name in ("recall", "specificity", "precision"):
                assert getattr(found, name)[k, j] == pytest.approx(expected[name], abs=1e-12)


def test_net_benefit_by_hand() -> None:
    """At 0.5 three true and two false alarms of ten; at 0.2 four and three, a false one 1/4."""
    found = net_benefit(LABEL, SCORE, np.array([0.2, 0.5, 0.75]))
    np.testing.assert_allclose(found, [0.4 - 0.3 / 4, 0.3 - 0.2, 0.2 - 0.0])


def test_treat_all_as_published() -> None:
    """A cohort with 30 % ill: table 4 of PMC6993280 has these numbers, to three decimals."""
    label = np.r_[np.ones(30, int), np.zeros(70, int)]
    published = {0.05: 0.263, 0.10: 0.222, 0.20: 0.125, 0.30: 0.0, 0.40: -0.167,
                 0.50: -0.4, 0.60: -0.75, 0.70: -1.333, 0.80: -2.5, 0.90: -6.0}  # fmt: skip
    found = net_benefit(label, np.ones(100), np.array(list(published)))
    np.testing.assert_allclose(found, list(published.values()), atol=0.0005)


def test_net_benefit_of_the_truth_is_the_prevalence() -> None:
    weights = np.random.default_rng(1).integers(0, 3, (4, 10)).astype(float)
    found = net_benefit(LABEL, LABEL.astype(float), np.array([0.1, 0.9]), weights)
    share = weights @ LABEL / weights.sum(axis=1)
    np.testing.assert_allclose(found, np.column_stack([share, share]))
    nothing = net_benefit(LABEL, np.zeros(10), np.array([0.1, 0.9]), weights)
    assert (nothing == 0).all()


@pytest.mark.parametrize("threshold", [0.0, 1.0, -0.1, float("nan")])
def test_a_threshold_without_odds_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match=r"probabilities in \(0, 1\)"):
        net_benefit(LABEL, SCORE, np.array([0.5, threshold]))


def test_precision_at_prevalence_as_published() -> None:
    """Liver scans of Altman and Bland 1994: 231 of 258 ill and 32 of 86 healthy were abnormal."""
    recall, specificity = 231 / 258, 54 / 86
    assert precision_at_prevalence(recall, specificity, 258 / 344) == pytest.approx(231 / 263)
    assert precision_at_prevalence(recall, specificity, 0.25) == pytest.approx(0.45, abs=0.005)


def test_precision_at_the_prevalence_at_hand_is_the_precision() -> None:
    rng = np.random.default_rng(2)
    weights = rng.integers(0, 4, (20, 10)).astype(float) + 0.5
    found = confusion(LABEL, SCORE[:, None] >= np.array([0.15, 0.5, 2.0]), weights)
    share = (weights @ LABEL / weights.sum(axis=1))[:, None]
    again = precision_at_prevalence(found.recall, found.specificity, share)
    np.testing.assert_allclose(again, found.precision, atol=1e-12)


def test_precision_without_alarms_or_without_false_ones() -> None:
    assert precision_at_prevalence(0.0, 1.0, 0.1) == 0
    assert precision_at_prevalence(0.4, 1.0, 0.001) == 1
    np.testing.assert_allclose(precision_at_prevalence(0.9, 0.8, np.array([0.0, 1.0])), [0, 1])
