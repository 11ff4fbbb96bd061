"""Holm's correction for multiple tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.metrics.arrays import Floats


def holm(p: ArrayLike) -> Floats:
    """Adjust the p values of a family of tests by Holm's step-down method.

    Parameters
    ----------
    p : array of shape (tests,), in [0, 1]
        NaN, for a test that could not be made, stays NaN and does not count.

    Returns
    -------
    ndarray of shape (tests,)
        Rejecting where an adjusted p value is at most a level keeps the family-wise error rate
        at that level, whatever the dependence between the tests.

    References
    ----------
    Holm S. A simple sequentially rejective multiple test procedure. Scand J Stat
    1979;6:65-70. https://www.jstor.org/stable/4615733

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03, 0.005]).round(4).tolist()
    [0.03, 0.06, 0.06, 0.02]
    """
    values = np.asarray(p, dtype=float)
    adjusted = np.full(values.shape, np.nan)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    steps = values[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted
