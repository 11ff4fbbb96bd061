"""Agreement of methods against coefficients worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from benchmarks.importance.agreement import (
    COLUMNS,
    agreement,
    among_largest,
    kendalls_w,
    top_overlap,
    trusted,
)


def rows(method: str, values: dict[str, float], cell: str = "c", level: str = "l") -> pd.DataFrame:
    return pd.DataFrame(
        {"cell": cell, "method": method, "level": level, "group": list(values), "split": "test",
         "metric": "auc", "value": list(values.values())}
    )  # fmt: skip


def table(*parts: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True)


def numbered(*values: float) -> dict[str, float]:
    return {f"g{k}": value for k, value in enumerate(values)}


def test_tau_b_with_ties_by_hand() -> None:
    found = agreement(table(rows("m", numbered(1, 2, 2, 3)), rows("k", numbered(1, 3, 2, 4))))
    # 6 pairs: 5 in the same order, 1 tied in the first: 5 / sqrt((6 - 1) * 6)
    assert found["tau"].tolist() == [pytest.approx(5 / math.sqrt(30))]
    assert found["n"].tolist() == [4]


def test_groups_are_matched_by_name() -> None:
    backward = dict(reversed(list(numbered(1, 2, 3, 4).items())))
    found = agreement(table(rows("m", numbered(1, 2, 3, 4)), rows("k", backward)))
    assert found["tau"].tolist() == [1.0]


def test_only_groups_of_both_methods_count() -> None:
    first = {"a": 1.0, "b": 2.0, "c": 3.0, "d": -9.0}
    second = {"x": 9.0, "c": 1.0, "b": 2.0, "a": 3.0, "d": math.nan}
    found = agreement(table(rows("m", first), rows("k", second)))
    assert found[["n", "tau"]].to_numpy().tolist() == [[3.0, -1.0]]
    assert len(agreement(table(rows("m", first), rows("k", {"a": 1.0, "b": 2.0})))) == 0


def test_top_is_the_overlap_of_the_five_largest() -> None:
    first, second = numbered(9, 8, 7, 6, 5, 0, 0, 0), numbered(9, 8, 7, 0, 0, 6, 5, 0)
    found = agreement(table(rows("m", first), rows("k", second)))
    assert found["top"].tolist() == [0.6]
    five = agreement(table(rows("m", numbered(1, 2, 3, 4, 5)), rows("k", numbered(5, 4, 3, 2, 1))))
    assert math.isnan(five["top"][0])  # the 5 largest of 5 are no finding


def test_a_method_without_an_order_has_no_tau() -> None:
    found = agreement(table(rows("m", numbered(1, 1, 1)), rows("k", numbered(1, 2, 3))))
    assert math.isnan(found["tau"][0])


def test_cells_and_levels_are_separate_and_in_order() -> None:
    up, down = numbered(1, 2, 3), numbered(3, 2, 1)
    found = agreement(
        table(rows("m", up, "z"), rows("k", up, "z"), rows("n", down, "z"),
              rows("m", up, "a", "region"), rows("k", down, "a", "region"), rows("m", up, "a"))
    )  # fmt: skip
    assert list(found.columns) == COLUMNS
    assert found[["cell", "level", "method_a", "method_b", "tau"]].to_numpy().tolist() == [
        ["z", "l", "m", "k", 1.0],
        ["z", "l", "m", "n", -1.0],
        ["z", "l", "k", "n", -1.0],
        ["a", "region", "m", "k", -1.0],
    ]


def test_two_values_for_a_group_are_refused() -> None:
    with pytest.raises(ValueError, match="two values of m for g0 of c.*one metric and one split"):
        agreement(table(rows("m", numbered(1, 2, 3)), rows("m", numbered(1, 2, 3))))


def test_nothing_to_compare_is_an_empty_table() -> None:
    assert list(agreement(rows("m", numbered(1, 2, 3))).columns) == COLUMNS


def test_w_by_hand() -> None:
    ranks = np.array([[1, 2, 3, 4], [2, 1, 3, 4], [1, 2, 4, 3]])
    # rank sums 4, 5, 10, 11 around 7.5: squares 12.25, 6.25, 6.25, 12.25
    assert kendalls_w(ranks) == pytest.approx(12 * 37 / (9 * 60))


def test_w_with_ties_by_hand() -> None:
    values = np.array([[0.1, 0.1, 0.5], [0.2, 0.3, 0.4]])
    # ranks 1.5 1.5 3 and 1 2 3: sums 2.5, 3.5, 6 around 4: 6.5; one tie of two: 2³ - 2 = 6
    assert kendalls_w(values) == pytest.approx(12 * 6.5 / (4 * 24 - 2 * 6))
    assert kendalls_w(np.array([[0.1, 0.1, 0.5]] * 5)) == pytest.approx(1)


def test_w_of_two_follows_from_spearman() -> None:
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


def test_overlap_at_random_is_k_over_groups() -> None:
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
    assert trusted(reference, refits, k=3, fraction=0.5).tolist() == [1, 2]


def test_too_few_groups_or_fits_are_refused() -> None:
    with pytest.raises(ValueError, match="Got k=6, but expected at least 1 and fewer than 6"):
        among_largest(np.ones((2, 6)), 6)
    with pytest.raises(ValueError, match="Got 1 fits"):
        top_overlap(np.ones((1, 6)), 2)
    with pytest.raises(ValueError, match="Got no refit"):
        trusted(np.ones(6), np.ones((0, 6)), 2)
