"""Net benefit by hand and against published numbers."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.metrics.net_benefit import net_benefit

LABEL = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
SCORE = np.array([0.9, 0.8, 0.5, 0.2, 0.7, 0.5, 0.3, 0.1, 0.1, 0.0])


def test_net_benefit_by_hand() -> None:
    """True, false positives: 3, 2 at 0.5; 4, 3 at 0.2, where a false one costs 1/4."""
    found = net_benefit(LABEL, SCORE, np.array([0.2, 0.5, 0.75]))
    np.testing.assert_allclose(found, [0.4 - 0.3 / 4, 0.3 - 0.2, 0.2 - 0.0])


def test_treat_all_as_published() -> None:
    """A cohort with a prevalence of 30 %: table 4 of PMC6993280, to three decimals."""
    label = np.r_[np.ones(30, int), np.zeros(70, int)]
    published = {0.05: 0.263, 0.10: 0.222, 0.20: 0.125, 0.30: 0.0, 0.40: -0.167,
                 0.50: -0.4, 0.60: -0.75, 0.70: -1.333, 0.80: -2.5, 0.90: -6.0}  # fmt: skip
    found = net_benefit(label, np.ones(100), np.array(list(published)))
    np.testing.assert_allclose(found, list(published.values()), atol=0.0005)


def test_net_benefit_of_perfect_scores_is_the_prevalence() -> None:
    weights = np.random.default_rng(1).integers(0, 3, (4, 10)).astype(float)
    found = net_benefit(LABEL, LABEL.astype(float), np.array([0.1, 0.9]), weights)
    share = weights @ LABEL / weights.sum(axis=1)
    np.testing.assert_allclose(found, np.column_stack([share, share]))
    nothing = net_benefit(LABEL, np.zeros(10), np.array([0.1, 0.9]), weights)
    assert (nothing == 0).all()


@pytest.mark.parametrize("threshold", [0.0, 1.0, -0.1, float("nan")])
def test_threshold_outside_0_and_1_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match=r"probabilities in \(0, 1\)"):
        net_benefit(LABEL, SCORE, np.array([0.5, threshold]))
