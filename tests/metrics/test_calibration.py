"""Reliability curve, calibration error, Brier score, slope and intercept, mostly by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit
from sklearn import metrics as sk
from sklearn.linear_model import LogisticRegression

from benchmarks.metrics.calibration import (
    EPSILON,
    brier_decomposition,
    calibration_slope_intercept,
    expected_calibration_error,
    logit,
    reliability_curve,
    score_bins,
)

# One of five images scored 0.2 is positive, and three of five scored 0.8.
LABEL = np.array([1, 0, 0, 0, 0, 1, 1, 1, 0, 0])
SCORE = np.repeat([0.2, 0.8], 5)

# A quarter of the images scored 0.25 is positive, and three quarters of those scored 0.75.
OF_QUARTERS = np.array([1, 0, 0, 0, 1, 1, 1, 0])
QUARTERS = np.repeat([0.25, 0.75], 4)


def test_bins_have_equal_counts_and_keep_equal_scores_together() -> None:
    score = np.random.default_rng(0).random(624)
    assert set(np.bincount(score_bins(score, 10))) == {62, 63}
    assert (np.diff(score_bins(np.sort(score), 10)) >= 0).all()
    assert score_bins(np.array([0.5] * 7 + [0.9]), 4).tolist() == [1] * 7 + [3]
    assert len(set(score_bins(np.full(9, 0.4), 10))) == 1
    with pytest.raises(ValueError, match="bins=0"):
        score_bins(score, 0)


def test_reliability_curve_by_hand() -> None:
    curve = reliability_curve(LABEL, SCORE)
    np.testing.assert_allclose(curve.n, [5, 5])
    np.testing.assert_allclose(curve.mean_score, [0.2, 0.8])
    np.testing.assert_allclose(curve.observed, [0.2, 0.6])


def test_calibration_error_by_hand() -> None:
    # Half of the images have no error, half an error of 0.8 - 0.6.
    assert expected_calibration_error(LABEL, SCORE) == pytest.approx(0.5 * 0.2)
    # One bin: 0.5 predicted, 0.4 observed. Then four bins with one image each.
    assert expected_calibration_error(LABEL, SCORE, bins=1) == pytest.approx(0.1)
    four = expected_calibration_error(np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.7, 1.0]), 4)
    assert four == pytest.approx((0.1 + 0.8 + 0.7 + 0.0) / 4)


def test_brier_decomposition_by_hand() -> None:
    parts = brier_decomposition(LABEL, SCORE)
    assert parts.brier == pytest.approx((1 * 0.64 + 4 * 0.04 + 3 * 0.04 + 2 * 0.64) / 10)  # 0.22
    assert parts.reliability == pytest.approx((5 * 0.0 + 5 * 0.2**2) / 10)  # 0.02
    assert parts.resolution == pytest.approx((5 * 0.2**2 + 5 * 0.2**2) / 10)  # 0.04, base 0.4
    assert parts.uncertainty == pytest.approx(0.4 * 0.6)


def test_resolution_includes_the_covariance_within_a_bin() -> None:
    """One bin: Murphy's resolution is 0, the variance 0.01, twice the covariance 0.1."""
    parts = brier_decomposition(np.array([0, 1]), np.array([0.2, 0.4]), bins=1)
    assert parts.reliability == pytest.approx((0.3 - 0.5) ** 2)
    assert parts.resolution == pytest.approx(0 - 0.01 + 0.1)
    assert parts.brier == pytest.approx((0.2**2 + 0.6**2) / 2)


@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(0, 4))
def test_components_add_up_to_the_brier_score(seed: int, bins: int, digits: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 60))
    label = np.r_[0, 1, rng.integers(0, 2, n - 2)]
    score = np.round(rng.random(n), digits)
    parts = brier_decomposition(label, score, bins)
    assert parts.brier == pytest.approx(sk.brier_score_loss(label, score), abs=1e-12)
    total = parts.reliability - parts.resolution + parts.uncertainty
    assert total == pytest.approx(parts.brier, abs=1e-12)


def test_weights_equal_repeated_images() -> None:
    """With one bin per distinct score, the bins of the repeated data are the same."""
    rng = np.random.default_rng(1)
    label, score = rng.integers(0, 2, 50), rng.integers(0, 8, 50) / 8
    weights = rng.integers(0, 4, (3, 50))
    weights[2, score == 0.5] = 0  # a bin without images in this draw
    error = expected_calibration_error(label, score, 500, weights.astype(float))
    parts = brier_decomposition(label, score, 500, weights.astype(float))
    curve = reliability_curve(label, score, 500, weights.astype(float))
    for k, weight in enumerate(weights):
        again, scores = label.repeat(weight), score.repeat(weight)
        assert error[k] == pytest.approx(expected_calibration_error(again, scores, 500))
        expected = brier_decomposition(again, scores, 500)
        assert parts.reliability[k] == pytest.approx(expected.reliability)
        assert parts.resolution[k] == pytest.approx(expected.resolution)
        shown = curve.observed[k][~np.isnan(curve.observed[k])]
        np.testing.assert_allclose(shown, reliability_curve(again, scores, 500).observed)
    assert np.isnan(curve.observed[2]).sum() == 1


def test_constant_and_perfect_scores() -> None:
    equal = brier_decomposition(LABEL, np.full(10, 0.4))
    assert equal.resolution == pytest.approx(0)
    assert equal.reliability == pytest.approx(0)  # 0.4 predicted, 0.4 observed
    perfect = brier_decomposition(LABEL, LABEL.astype(float))
    assert perfect.brier == 0
    assert perfect.resolution == pytest.approx(0.24)
    assert expected_calibration_error(LABEL, 1.0 - LABEL) == 1


def noisy(n: int, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    x = 2 * rng.normal(size=n)
    return (rng.random(n) < expit(0.7 * x - 0.4)).astype(np.int64), expit(x)


def test_calibrated_scores_have_slope_1_and_intercept_0() -> None:
    slope, intercept = calibration_slope_intercept(OF_QUARTERS, QUARTERS)
    assert slope == pytest.approx(1, abs=1e-9)
    assert intercept == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("factor", [0.5, 2.0, -1.0])
def test_slope_is_inverse_to_a_scaling_of_log_odds(factor: float) -> None:
    label, score = noisy(300)
    slope, _ = calibration_slope_intercept(label, score)
    stretched, _ = calibration_slope_intercept(label, expit(factor * logit(score)))
    assert stretched == pytest.approx(slope / factor, rel=1e-6)


def test_intercept_is_minus_a_shift_of_log_odds() -> None:
    label, score = noisy(300)
    slope, intercept = calibration_slope_intercept(label, score)
    shifted = calibration_slope_intercept(label, expit(logit(score) + 1.5))
    assert shifted[1] == pytest.approx(intercept - 1.5, abs=1e-6)
    assert shifted[0] == pytest.approx(slope, abs=1e-6)


def test_slope_and_intercept_equal_scikit_learn_on_repeated_images() -> None:
    label, score = noisy(200)
    score[:3] = [0.0, 1.0, 1.0]  # clipped
    weights = np.random.default_rng(1).integers(0, 4, (5, 200))
    slopes, intercepts = calibration_slope_intercept(label, score, weights.astype(float))
    for weight, slope, intercept in zip(weights, slopes, intercepts, strict=True):
        x, y = logit(score.repeat(weight))[:, None], label.repeat(weight)
        model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(x, y)
        assert slope == pytest.approx(model.coef_[0, 0], rel=1e-4)
        # At the maximum, the expected number of positives is the observed one.
        assert expit(x + intercept).sum() == pytest.approx(y.sum(), rel=1e-9)


@pytest.mark.parametrize(
    ("label", "score"),
    [
        ([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]),
        ([1, 1, 0, 0], [0.1, 0.2, 0.8, 0.9]),
        ([0, 0, 1, 1], [0.1, 0.5, 0.5, 0.9]),  # one shared score: the slope is still infinite
        ([0, 1, 0, 1], [0.7, 0.7, 0.7, 0.7]),
        ([0, 0, 1, 1], [0.0, 0.0, 1.0, 1.0]),
    ],
)
def test_slope_is_nan_for_separable_classes_or_equal_scores(
    label: list[int], score: list[float]
) -> None:
    slope, intercept = calibration_slope_intercept(np.array(label), np.array(score))
    assert np.isnan(slope)
    assert np.isfinite(intercept)


def test_intercept_of_equal_scores_is_the_difference_of_log_odds() -> None:
    _, intercept = calibration_slope_intercept(np.array([1, 0, 0, 0]), np.full(4, 0.9))
    assert intercept == pytest.approx(np.log(1 / 3) - np.log(9), abs=1e-9)
    _, intercept = calibration_slope_intercept(np.array([1, 0, 0, 0]), np.zeros(4))
    assert intercept == pytest.approx(np.log(1 / 3) - np.log(EPSILON / (1 - EPSILON)), abs=1e-9)


def test_separable_draw_does_not_change_the_others() -> None:
    weights = np.ones((3, 8))
    weights[1, [0, 7]] = 0  # removes the positive at 0.25 and the negative at 0.75
    slope, intercept = calibration_slope_intercept(OF_QUARTERS, QUARTERS, weights)
    np.testing.assert_allclose(slope, [1, np.nan, 1], atol=1e-9)
    np.testing.assert_allclose(intercept, 0, atol=1e-9)


def test_steep_finite_slope_is_found() -> None:
    """Two scores at log odds ±0.01, each with one of 100 images on the wrong side."""
    label = np.r_[np.zeros(99, int), 1, np.ones(99, int), 0, 1]
    score = expit(np.r_[np.full(100, -0.01), np.full(100, 0.01), 9.0])
    slope, _ = calibration_slope_intercept(label, score)
    assert slope == pytest.approx(np.log(99) / 0.01, rel=1e-3)
