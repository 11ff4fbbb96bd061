"""Concordance of rankings against worked examples."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.importance.stability import among_largest, kendalls_w, top_overlap, trusted


def test_w_by_hand() -> None:
    ranks = np.array([[1, 2, 3, 4], [2, 1, 3, 4], [1, 2, 4, 3]])
    # rank sums 4, 5, 10, 11 around 7.5: squares 12.25, 6.25, 6.25, 12.25
    assert kendalls_w(ranks) == pytest.approx(12 * 37 / (9 * 60))


def test_w_with_ties_by_hand() -> None:
    values = np.array([[0.1, 0.1, 0.5], [0.2, 0.3, 0.4]])
    # ranks 1.5 1.5 3 and 1 2 3: sums 2.5, 3.5, 6 around 4: 6.5; one tie of two: 2³ - 2 = 6
    assert kendalls_w(values) == pytest.approx(12 * 6.5 / (4 * 24 - 2 * 6))
    assert kendalls_w(np.array([[0.1, 0.1, 0.5]] * 5)) == pytest.approx(1)


def test_w_of_two_is_spearman_moved() -> None:
    """For two rankings without ties W is (1 + rho) / 2."""
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=(2, 30))
    rho = np.corrcoef(one.argsort().argsort(), other.argsort().argsort())[0, 1]
    assert kendalls_w(np.stack([one, other])) == pytest.approx((1 + rho) / 2)


def test_w_at_random_is_one_over_the_fits() -> None:
    values = np.random.default_rng(0).normal(size=(10, 2000))
    assert kendalls_w(values) == pytest.approx(0.1, abs=0.01)
    assert math.isnan(kendalls_w(np.ones((3, 4))))
    with pytest.raises(ValueError, match="Got 1 fits of 4 groups"):
        kendalls_w(np.ones((1, 4)))


def test_overlap_is_of_all_pairs() -> None:
    values = np.array([[9, 8, 7, 0, 0, 0], [9, 8, 0, 7, 0, 0], [0, 0, 0, 7, 8, 9]])
    # the pairs have 2, 0 and 1 of 3 in common
    assert top_overlap(values, 3) == pytest.approx((2 + 0 + 1) / 9)


def test_overlap_at_random_is_the_share_of_the_groups() -> None:
    values = np.random.default_rng(0).normal(size=(40, 100))
    assert top_overlap(values, 20) == pytest.approx(0.2, abs=0.02)


def test_trusted_are_in_nearly_all_refits() -> None:
    reference = np.array([5.0, 9.0, 7.0, 1.0, 0.0])
    refits = np.tile([5.0, 9.0, 7.0, 1.0, 0.0], (10, 1))
    assert trusted(reference, refits, k=3).tolist() == [1, 2, 0]
    refits[0, 2] = -1.0  # out in 1 of 10: still in nine tenths
    assert trusted(reference, refits, k=3).tolist() == [1, 2, 0]
    refits[1, 2] = -1.0  # out in 2 of 10
    assert trusted(reference, refits, k=3).tolist() == [1, 0]
    refits[:, 3] = 99.0  # a stranger in every refit is not in the reference's three
    assert 3 not in trusted(reference, refits, k=3)
    assert trusted(reference, refits, k=3, share=0.5).tolist() == [1, 2]


def test_a_choice_of_all_is_refused() -> None:
    with pytest.raises(ValueError, match="Got k=6, but expected 1 or more, and fewer than 6"):
        among_largest(np.ones((2, 6)), 6)
    with pytest.raises(ValueError, match="Got 1 fits"):
        top_overlap(np.ones((1, 6)), 2)
    with pytest.raises(ValueError, match="Got no refit"):
        trusted(np.ones(6), np.ones((0, 6)), 2)
