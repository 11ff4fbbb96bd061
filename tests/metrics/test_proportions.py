"""Wilson intervals of proportions with several images per patient."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest
from scipy.stats import t as student

from benchmarks.metrics.proportions import clustered_wilson, wilson_over_thresholds


def everyone(n: int) -> NDArray[np.bool_]:
    return np.ones(n, dtype=bool)


@pytest.mark.parametrize("hits", [0, 1, 5000, 9900, 9999, 10000])
def test_with_one_image_per_patient_it_is_wilsons_interval(hits: int) -> None:
    """With 10,000 patients the t quantile is the normal one to 4 digits."""
    n = 10_000
    low, high = clustered_wilson(np.arange(n) < hits, everyone(n), np.arange(n))
    # The ratio estimator's variance has n - 1 in place of n.
    expected = binomtest(hits, n).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=2e-5)


def test_two_equal_images_per_patient_count_as_one() -> None:
    n = 60
    hit = np.arange(n) < 51
    once = clustered_wilson(hit, everyone(n), np.arange(n))
    twice = clustered_wilson(hit.repeat(2), everyone(2 * n), np.arange(n).repeat(2))
    assert twice == pytest.approx(once)
    independent = clustered_wilson(hit.repeat(2), everyone(2 * n), np.arange(2 * n))
    assert independent[0] > twice[0]
    assert independent[1] < twice[1]


def test_by_hand() -> None:
    """Three patients with 2, 1 and 3 images, of which 2, 0 and 2 are hits."""
    hit = np.array([1, 1, 0, 1, 1, 0], dtype=bool)
    patient = np.array([0, 0, 1, 2, 2, 2])
    p = 4 / 6
    residual = np.array([2 - 2 * p, 0 - p, 2 - 3 * p])
    variance = 3 / 2 * (residual**2).sum() / 36
    n = 6 / max(1, variance * 6 / (p * (1 - p)))
    q = student.ppf(0.975, 2)
    centre = (p + q**2 / (2 * n)) / (1 + q**2 / n)
    half = q / (1 + q**2 / n) * np.sqrt(p * (1 - p) / n + q**2 / (4 * n**2))
    assert clustered_wilson(hit, everyone(6), patient) == pytest.approx(
        (centre - half, centre + half)
    )


def test_order_of_images_and_other_groups_change_nothing() -> None:
    rng = np.random.default_rng(0)
    patient, hit = rng.integers(0, 30, 80), rng.random(80) < 0.8
    member = rng.random(80) < 0.7
    order = rng.permutation(80)
    expected = clustered_wilson(hit[member], everyone(int(member.sum())), patient[member])
    assert clustered_wilson(hit, member, patient) == expected
    assert clustered_wilson(hit[order], member[order], patient[order]) == expected


@pytest.mark.parametrize("patient", [[0, 0, 0], []])
def test_fewer_than_two_patients_give_no_interval(patient: list[int]) -> None:
    n = len(patient)
    group = np.array(patient, dtype=int)
    assert np.isnan(clustered_wilson(everyone(n), everyone(n), group)).all()
    assert np.isnan(wilson_over_thresholds(np.ones((5, n), bool), everyone(n), group)).all()


def test_one_threshold_in_all_draws_gives_the_interval_at_it() -> None:
    hit, patient = np.arange(90) % 9 > 0, np.arange(90) // 2
    found = wilson_over_thresholds(np.tile(hit, (4000, 1)), everyone(90), patient)
    assert found == pytest.approx(clustered_wilson(hit, everyone(90), patient), abs=2e-4)


def test_an_uncertain_threshold_widens_the_interval() -> None:
    rng = np.random.default_rng(1)
    score, cut = rng.random(200), rng.normal(0.2, 0.05, 1000)
    found = wilson_over_thresholds(score >= cut[:, None], everyone(200), np.arange(200))
    fixed = clustered_wilson(score >= 0.2, everyone(200), np.arange(200))
    assert found[0] < fixed[0]
    assert found[1] > fixed[1]


def test_statsmodels_gives_the_same() -> None:
    """By ``OLS(hit, ones).fit(cov_type="cluster")`` and ``proportion_confint(method="wilson")``.

    statsmodels 0.15.0; p (1 - p) / se² is the effective number of images, and alpha is that of the
    normal quantile which equals the t quantile.
    """
    rng = np.random.default_rng(7)
    patient = np.repeat(np.arange(40), rng.integers(1, 5, 40))
    base = rng.random(40)[patient]
    hit = 0.35 * rng.random(len(patient)) + base < 1.05
    found = clustered_wilson(hit, everyone(len(hit)), patient)
    assert found == pytest.approx((0.793047568581621, 0.957334443365973), abs=1e-12)
