"""Slope and intercept against exact shifts and scikit-learn; recalibration by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from benchmarks.metrics.calibration import (
    EPSILON,
    calibration_slope_intercept,
    expected_calibration_error,
    logit,
)
from benchmarks.metrics.recalibration import recalibrate

# A quarter of the images scored 0.25 is positive, three quarters of those scored 0.75.
LABEL = np.array([1, 0, 0, 0, 1, 1, 1, 0])
SCORE = np.repeat([0.25, 0.75], 4)


def noisy(n: int, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    x = 2 * rng.normal(size=n)
    return (rng.random(n) < expit(0.7 * x - 0.4)).astype(np.int64), expit(x)


def test_right_scores_have_slope_1_and_intercept_0() -> None:
    slope, intercept = calibration_slope_intercept(LABEL, SCORE)
    assert slope == pytest.approx(1, abs=1e-9)
    assert intercept == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("factor", [0.5, 2.0, -1.0])
def test_slope_undoes_a_stretch(factor: float) -> None:
    label, score = noisy(300)
    slope, _ = calibration_slope_intercept(label, score)
    stretched, _ = calibration_slope_intercept(label, expit(factor * logit(score)))
    assert stretched == pytest.approx(slope / factor, rel=1e-6)


def test_intercept_undoes_a_shift() -> None:
    label, score = noisy(300)
    slope, intercept = calibration_slope_intercept(label, score)
    shifted = calibration_slope_intercept(label, expit(logit(score) + 1.5))
    assert shifted[1] == pytest.approx(intercept - 1.5, abs=1e-6)
    assert shifted[0] == pytest.approx(slope, abs=1e-6)


def test_draws_equal_scikit_learn_on_repeated_images() -> None:
    label, score = noisy(200)
    score[:3] = [0.0, 1.0, 1.0]  # clipped
    weights = np.random.default_rng(1).integers(0, 4, (5, 200))
    slopes, intercepts = calibration_slope_intercept(label, score, weights.astype(float))
    for weight, slope, intercept in zip(weights, slopes, intercepts, strict=True):
        x, y = logit(score.repeat(weight))[:, None], label.repeat(weight)
        model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(x, y)
        assert slope == pytest.approx(model.coef_[0, 0], rel=1e-4)
        # The intercept's equation: as many positives expected as seen.
        assert expit(x + intercept).sum() == pytest.approx(y.sum(), rel=1e-9)


@pytest.mark.parametrize(
    ("label", "score"),
    [
        ([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]),
        ([1, 1, 0, 0], [0.1, 0.2, 0.8, 0.9]),
        ([0, 0, 1, 1], [0.1, 0.5, 0.5, 0.9]),  # one score shared: the slope still runs away
        ([0, 1, 0, 1], [0.7, 0.7, 0.7, 0.7]),
        ([0, 0, 1, 1], [0.0, 0.0, 1.0, 1.0]),
    ],
)
def test_no_slope_where_none_is_finite(label: list[int], score: list[float]) -> None:
    slope, intercept = calibration_slope_intercept(np.array(label), np.array(score))
    assert np.isnan(slope)
    assert np.isfinite(intercept)


def test_intercept_of_equal_scores_is_the_difference_of_log_odds() -> None:
    _, intercept = calibration_slope_intercept(np.array([1, 0, 0, 0]), np.full(4, 0.9))
    assert intercept == pytest.approx(np.log(1 / 3) - np.log(9), abs=1e-9)
    _, intercept = calibration_slope_intercept(np.array([1, 0, 0, 0]), np.zeros(4))
    assert intercept == pytest.approx(np.log(1 / 3) - np.log(EPSILON / (1 - EPSILON)), abs=1e-9)


def test_a_separable_draw_does_not_touch_the_others() -> None:
    weights = np.ones((3, 8))
    weights[1, [0, 7]] = 0  # takes out the positive of 0.25 and the negative of 0.75
    slope, intercept = calibration_slope_intercept(LABEL, SCORE, weights)
    np.testing.assert_allclose(slope, [1, np.nan, 1], atol=1e-9)
    np.testing.assert_allclose(intercept, 0, atol=1e-9)


def test_a_steep_but_finite_slope_is_found() -> None:
    """Two scores at log odds ±0.01, of 100 images each one on the wrong side."""
    label = np.r_[np.zeros(99, int), 1, np.ones(99, int), 0, 1]
    score = expit(np.r_[np.full(100, -0.01), np.full(100, 0.01), 9.0])
    slope, _ = calibration_slope_intercept(label, score)
    assert slope == pytest.approx(np.log(99) / 0.01, rel=1e-3)


def test_isotonic_by_hand() -> None:
    """Labels 0 1 0 1 by score: the middle two pool to one half; between steps a line."""
    new = recalibrate(np.array([0, 1, 0, 1]), np.array([0.1, 0.3, 0.4, 0.8]),
                      np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0]))  # fmt: skip
    np.testing.assert_allclose(new["isotonic"], [0, 0, 0.25, 0.5, 0.5, 0.75, 1, 1])


def test_sigmoid_by_hand() -> None:
    """Two scores only, so the fit meets the mean of Platt's targets at each: 5/6 and 1/6."""
    new = recalibrate(LABEL, SCORE, np.array([0.25, 0.5, 0.75]))
    np.testing.assert_allclose(new["sigmoid"], [1 / 3, 1 / 2, 2 / 3], atol=1e-9)
    assert new["none"].tolist() == [0.25, 0.5, 0.75]


def test_recalibration_repairs_a_stretch_on_images_of_the_same_kind() -> None:
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


def test_equal_validation_scores_become_the_share_of_positives() -> None:
    new = recalibrate(np.array([1, 1, 1, 0]), np.full(4, 0.6), np.array([0.1, 0.9]))
    np.testing.assert_allclose(new["isotonic"], 0.75)
    np.testing.assert_allclose(new["sigmoid"], (3 * 4 / 5 + 1 / 3) / 4)  # Platt's targets
