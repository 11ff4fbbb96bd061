"""McNemar's test, its form for patients, and Holm's correction."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import binomtest

from benchmarks.metrics.hypothesis_tests import holm, mcnemar, sign_flip_test


@pytest.mark.parametrize(
    ("only_a", "only_b", "expected"),
    [
        (0, 0, 1.0),
        (3, 3, 1.0),
        (0, 5, 2 / 32),
        (1, 5, 14 / 64),
        (5, 1, 14 / 64),
        (2, 8, 112 / 1024),
    ],
)
def test_mcnemar_is_twice_the_binomial_tail(only_a: int, only_b: int, expected: float) -> None:
    assert mcnemar(only_a, only_b) == pytest.approx(expected)


@pytest.mark.parametrize(("only_a", "only_b"), [(1, 5), (0, 7), (12, 30)])
def test_with_one_image_per_patient_it_is_mcnemars_test(only_a: int, only_b: int) -> None:
    difference = np.repeat([1, -1, 0], [only_a, only_b, 40])
    assert sign_flip_test(difference) == pytest.approx(mcnemar(only_a, only_b))
    expected = binomtest(only_a, only_a + only_b).pvalue
    assert sign_flip_test(difference) == pytest.approx(expected)


def test_signs_of_all_patients_are_flipped() -> None:
    """All 2^8 sign patterns one by one."""
    difference = np.array([3, -2, 2, 1, 0, -1, 4, 1, 2])
    signs = np.array(list(product([-1, 1], repeat=len(difference))))
    sums = signs @ difference
    expected = (np.abs(sums) >= abs(difference.sum())).mean()
    assert sign_flip_test(difference) == pytest.approx(expected)
    assert sign_flip_test(-difference) == pytest.approx(expected)
    assert sign_flip_test(np.zeros(5, dtype=int)) == 1


def test_scipy_gives_the_same() -> None:
    """SciPy 1.17.1: ``permutation_test((d,), np.sum, permutation_type="samples")``, exact."""
    difference = np.array([3, -1, 2, 2, 0, -1, 1, 2, -2, 1, 3, 1, -1, 2])
    assert sign_flip_test(difference) == pytest.approx(0.096923828125, abs=1e-12)


def test_holm_by_hand() -> None:
    """Smallest first: 4 × .005, 3 × .01, 2 × .03, then .04, at least the value before it."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.6]) == pytest.approx([1, 1])
    assert holm([0.02, np.nan, 0.01]) == pytest.approx([0.02, np.nan, 0.02], nan_ok=True)
    assert holm([]).tolist() == []
