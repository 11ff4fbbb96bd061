"""Bins, reliability curve, calibration error and the Brier score's parts, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from benchmarks.metrics.calibration import (
    brier_decomposition,
    expected_calibration_error,
    reliability_curve,
    score_bins,
)

# Of five images scored 0.2 one is positive, of five scored 0.8 three.
LABEL = np.array([1, 0, 0, 0, 0, 1, 1, 1, 0, 0])
SCORE = np.repeat([0.2, 0.8], 5)


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
    # Half of the images are right, half lie 0.8 - 0.6 off.
    assert expected_calibration_error(LABEL, SCORE) == pytest.approx(0.5 * 0.2)
    # One bin of all: 0.5 predicted, 0.4 seen. Four bins of one, each off by its score or the rest.
    assert expected_calibration_error(LABEL, SCORE, bins=1) == pytest.approx(0.1)
    four = expected_calibration_error(np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.7, 1.0]), 4)
    assert four == pytest.approx((0.1 + 0.8 + 0.7 + 0.0) / 4)


def test_brier_parts_by_hand() -> None:
    parts = brier_decomposition(LABEL, SCORE)
    assert parts.brier == pytest.approx((1 * 0.64 + 4 * 0.04 + 3 * 0.04 + 2 * 0.64) / 10)  # 0.22
    assert parts.reliability == pytest.approx((5 * 0.0 + 5 * 0.2**2) / 10)  # 0.02
    assert parts.resolution == pytest.approx((5 * 0.2**2 + 5 * 0.2**2) / 10)  # 0.04, base 0.4
    assert parts.uncertainty == pytest.approx(0.4 * 0.6)


def test_resolution_counts_what_scores_tell_within_a_bin() -> None:
    """One bin: Murphy's resolution is 0, the variance 0.01, twice the covariance 0.1."""
    parts = brier_decomposition(np.array([0, 1]), np.array([0.2, 0.4]), bins=1)
    assert parts.reliability == pytest.approx((0.3 - 0.5) ** 2)
    assert parts.resolution == pytest.approx(0 - 0.01 + 0.1)
    assert parts.brier == pytest.approx((0.2**2 + 0.6**2) / 2)


@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(0, 4))
def test_parts_add_up_to_the_brier_score(seed: int, bins: int, digits: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 60))
    label = np.r_[0, 1, rng.integers(0, 2, n - 2)]
    score = np.round(rng.random(n), digits)
    parts = brier_decomposition(label, score, bins)
    assert parts.brier == pytest.approx(sk.brier_score_loss(label, score), abs=1e-12)
    total = parts.reliability - parts.resolution + parts.uncertainty
    assert total == pytest.approx(parts.brier, abs=1e-12)


def test_draws_equal_data_with_images_repeated() -> None:
    """With a bin for each score the bins of the repeated data are the same."""
    rng = np.random.default_rng(1)
    label, score = rng.integers(0, 2, 50), rng.integers(0, 8, 50) / 8
    weights = rng.integers(0, 4, (3, 50))
    weights[2, score == 0.5] = 0  # a bin that a draw leaves empty
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


def test_scores_of_one_value_and_of_0_and_1() -> None:
    equal = brier_decomposition(LABEL, np.full(10, 0.4))
    assert equal.resolution == pytest.approx(0)
    assert equal.reliability == pytest.approx(0)  # 0.4 predicted, 0.4 seen
    perfect = brier_decomposition(LABEL, LABEL.astype(float))
    assert perfect.brier == 0
    assert perfect.resolution == pytest.approx(0.24)
    assert expected_calibration_error(LABEL, 1.0 - LABEL) == 1
