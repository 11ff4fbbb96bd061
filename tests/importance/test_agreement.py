"""Agreement of methods against coefficients worked out by hand."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from benchmarks.importance.agreement import COLUMNS, agreement


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


def test_groups_meet_by_name_not_by_place() -> None:
    backward = dict(reversed(list(numbered(1, 2, 3, 4).items())))
    found = agreement(table(rows("m", numbered(1, 2, 3, 4)), rows("k", backward)))
    assert found["tau"].tolist() == [1.0]


def test_only_groups_of_both_methods_count() -> None:
    first = {"a": 1.0, "b": 2.0, "c": 3.0, "d": -9.0}
    second = {"x": 9.0, "c": 1.0, "b": 2.0, "a": 3.0, "d": math.nan}
    found = agreement(table(rows("m", first), rows("k", second)))
    assert found[["n", "tau"]].to_numpy().tolist() == [[3.0, -1.0]]
    assert len(agreement(table(rows("m", first), rows("k", {"a": 1.0, "b": 2.0})))) == 0


def test_top_is_the_share_of_the_five_largest_in_common() -> None:
    first, second = numbered(9, 8, 7, 6, 5, 0, 0, 0), numbered(9, 8, 7, 0, 0, 6, 5, 0)
    found = agreement(table(rows("m", first), rows("k", second)))
    assert found["top"].tolist() == [0.6]
    five = agreement(table(rows("m", numbered(1, 2, 3, 4, 5)), rows("k", numbered(5, 4, 3, 2, 1))))
    assert math.isnan(five["top"][0])  # the 5 largest of 5 are no finding


def test_a_method_without_an_order_has_no_tau() -> None:
    found = agreement(table(rows("m", numbered(1, 1, 1)), rows("k", numbered(1, 2, 3))))
    assert math.isnan(found["tau"][0])


def test_cells_and_levels_are_kept_apart_in_their_order() -> None:
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
