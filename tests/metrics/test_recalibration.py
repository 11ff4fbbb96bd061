"""Recalibration by hand, and on simulated scores."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from benchmarks.metrics.calibration import (
    calibration_slope_intercept,
    expected_calibration_error,
    logit,
)
from benchmarks.metrics.recalibration import recalibrate

# A quarter of the images scored 0.25 is positive, and three quarters of those scored 0.75.
LABEL = np.array([1, 0, 0, 0, 1, 1, 1, 0])
SCORE = np.repeat([0.25, 0.75], 4)


def noisy(n: int, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    x = 2 * rng.normal(size=n)
    return (rng.random(n) < expit(0.7 * x - 0.4)).astype(np.int64), expit(x)


def test_isotonic_by_hand() -> None:
    """Labels 0 1 0 1 by score: the middle two are pooled to one half; linear between the steps."""
    new = recalibrate(np.array([0, 1, 0, 1]), np.array([0.1, 0.3, 0.4, 0.8]),
                      np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0]))  # fmt: skip
    np.testing.assert_allclose(new["isotonic"], [0, 0, 0.25, 0.5, 0.5, 0.75, 1, 1])


def test_sigmoid_by_hand() -> None:
    """With two distinct scores the fit equals the mean of Platt's targets (5/6 and 1/6) at each."""
    new = recalibrate(LABEL, SCORE, np.array([0.25, 0.5, 0.75]))
    np.testing.assert_allclose(new["sigmoid"], [1 / 3, 1 / 2, 2 / 3], atol=1e-9)
    assert new["none"].tolist() == [0.25, 0.5, 0.75]


def test_recalibration_undoes_a_scaling_of_log_odds() -> None:
    label, score = noisy(4000)
    stretched = expit(3 * logit(score) + 1)
    half = slice(0, 2000)
    new = recalibrate(label[half], stretched[half], stretched[2000:])
    errors = {name: expected_calibration_error(label[2000:], s) for name, s in new.items()}
    assert errors["none"] > 0.15
    assert errors["sigmoid"] < 0.04
    assert errors["isotonic"] < 0.04
    slope, intercept = calibration_slope_intercept(label[2000:], new["sigmoid"])
    assert slope == pytest.approx(1, abs=0.15)
    assert intercept == pytest.approx(0, abs=0.15)


@pytest.mark.parametrize(
    "score", [[0.1, 0.2, 0.8, 0.9], [0.0, 0.0, 1.0, 1.0], [0.5, 0.5, 0.5, 0.5]]
)
def test_recalibration_stays_within_0_and_1(score: list[float]) -> None:
    new = recalibrate(np.array([0, 0, 1, 1]), np.array(score), np.linspace(0, 1, 11))
    for values in new.values():
        assert ((values >= 0) & (values <= 1)).all()
        assert (np.diff(values) >= -1e-12).all()


def test_equal_validation_scores_become_the_proportion_of_positives() -> None:
    new = recalibrate(np.array([1, 1, 1, 0]), np.full(4, 0.6), np.array([0.1, 0.9]))
    np.testing.assert_allclose(new["isotonic"], 0.75)
    np.testing.assert_allclose(new["sigmoid"], (3 * 4 / 5 + 1 / 3) / 4)  # Platt's targets
