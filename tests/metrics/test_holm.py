"""Holm's correction by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.metrics.holm import holm


def test_holm_by_hand() -> None:
    """Smallest first: 4 × .005, 3 × .01, 2 × .03, then .04, at least the value before it."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.6]) == pytest.approx([1, 1])
    assert holm([0.02, np.nan, 0.01]) == pytest.approx([0.02, np.nan, 0.02], nan_ok=True)
    assert holm([]).tolist() == []
