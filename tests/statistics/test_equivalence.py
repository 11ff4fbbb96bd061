"""Tests of verdicts on differences."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.statistics.equivalence import (
    MARGINS,
    Tally,
    clause,
    counts_text,
    jointly,
    tally,
    verdict,
    widened,
)

NAN = float("nan")


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.019, 0.019, "equivalent"),
        (-0.019, 0.021, "not shown to differ"),
        (-0.021, 0.019, "not shown to differ"),
        (-0.02, 0.0, "not shown to differ"),  # touches the margin
        (0.001, 0.019, "higher, but equivalent"),
        (0.001, 0.021, "higher"),
        (0.03, 0.04, "higher"),
        (-0.019, -0.001, "lower, but equivalent"),
        (-0.04, -0.001, "lower"),
        (0.0, 0.01, "equivalent"),  # touches 0: no direction
        (NAN, 0.01, "can't be compared"),
        (0.01, NAN, "can't be compared"),
    ],
)
def test_a_verdict_needs_an_interval_on_one_side_of_0_or_inside_the_margin(low, high, expected):
    assert verdict(low, high, 0.02).text == expected


def test_reversing_a_difference_reverses_the_verdict():
    rng = np.random.default_rng(0)
    swap = {"higher": "lower", "lower": "higher", "": ""}
    for low, width in rng.uniform([-0.06, 0], [0.06, 0.06], (200, 2)):
        one, other = verdict(low, low + width, 0.02), verdict(-low - width, -low, 0.02)
        assert (swap[one.direction], one.equivalent) == (other.direction, other.equivalent)


def test_an_interval_that_contains_0_is_never_called_the_same():
    assert clause(-0.01, -0.04, 0.02, "auc").startswith("not shown to differ (difference −0.010")
    assert "no interval" in clause(0.1, NAN, NAN, "auc")


def test_every_metric_has_its_own_margin():
    bounds = (0.0, -0.03, 0.03)
    assert MARGINS["recall"] == MARGINS["specificity"] == MARGINS["precision"] == 0.05
    assert clause(*bounds, "recall").startswith("equivalent within ± 0.05")
    assert clause(*bounds, "auc").startswith("not shown to differ")
    assert clause(0.0, -0.015, 0.015, "brier").startswith("not shown to differ")


def test_a_tally_counts_known_intervals_only():
    assert tally([NAN, -0.01, 0.001], [0.1, 0.01, 0.5], 0.02) == Tally(2, 1, 0, 1)


def test_intervals_widened_for_n_hold_together():
    rng = np.random.default_rng(1)
    n, runs = 20, 4000
    estimates = rng.standard_normal((runs, n))
    low, high = widened(estimates, estimates - 1.959964, estimates + 1.959964, n)
    together = ((low <= 0) & (high >= 0)).all(axis=1).mean()
    assert together == pytest.approx(0.95, abs=0.012)


def test_a_table_is_widened_by_its_number_of_intervals():
    table = pd.DataFrame({"v": [0.5, 0.6, 0.7], "l": [0.4, NAN, 0.5], "h": [0.6, 0.7, 0.8]})
    found = jointly(table, "v", "l", "h")
    assert list(found.index) == [0, 2]
    assert tuple(found.loc[2, ["lo", "hi"]]) == pytest.approx(widened(0.7, 0.5, 0.8, 2))
    # As wide as a single interval where there is one.
    assert tuple(jointly(table[:1], "v", "l", "h").loc[0]) == pytest.approx((0.5, 0.4, 0.6))


def test_counts_name_the_number_looked_at_and_the_correction() -> None:
    columns = ("v", "lo", "hi")
    table = pd.DataFrame({"v": [0.02, 0.5, 0.1], "lo": [0.001, 0.4, NAN], "hi": [0.03, 0.6, 0.2]})
    text = counts_text(table, columns, 0.05)
    assert text.startswith("of 2 intervals, 0 lie below 0, 2 lie above 0 and 1 lies within ± 0.05")
    assert text.endswith("(corrected for looking at 2: 0, 1 and 1)")
    about_half = counts_text(table, columns, reference=0.5)
    assert about_half == (
        "of 2 intervals, 1 lies below 0.5 and 0 lie above 0.5 (corrected for looking at 2: 1 and 0)"
    )
    assert counts_text(table[1:2], columns, reference=0.5) == "the one interval contains 0.5"
    assert counts_text(table[2:], columns) == "there is no interval"
