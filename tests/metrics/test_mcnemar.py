"""McNemar's test against the binomial distribution."""

from __future__ import annotations

import pytest

from benchmarks.metrics.mcnemar import mcnemar


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
