"""Logistic regression on one column, for many draws of the same images: Newton's method."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.metrics.bootstrap import Floats
from features.compiled import compiled

_STEPS = 200
_CLOSE = 1e-6  # a fit ends when no log odds moves further; the next step would be its square
_REACH = 8.0  # furthest that the first step may move a log odds
_FLAT = 1e-12  # keeps a step finite where every chance is 0 or 1


def fit(x: Floats, positive: Floats, total: Floats, slope: float | None = None) -> Floats:
    """Most likely intercept and slope of ``log odds = intercept + slope * x`` in each draw.

    Parameters
    ----------
    x : ndarray of shape (k,), float64
    positive : ndarray of shape (draws, k), float64
        Positives at each x, fractions of one allowed.
    total : ndarray of shape (draws, k), float64
        Images at each x, no fewer than its positives.
    slope : float, optional
        A slope that is given, so that the intercept alone is fitted.

    Returns
    -------
    ndarray of shape (draws, 2)
        Intercept and slope. NaN where 200 steps find no end, as where there is none: if one
        threshold parts positives from negatives, or if no x differs from another.

    Notes
    -----
    statsmodels and scikit-learn fit one draw at a time, in milliseconds. Here a step that would
    go far past the top of the likelihood along its line is halved until it does not.

    Examples
    --------
    At x = -1 one of four is positive, at x = 1 three of four.

    >>> fit(np.array([-1.0, 1.0]), np.array([[1.0, 3.0]]), np.array([[4.0, 4.0]])).round(4) + 0.0
    array([[0.    , 1.0986]])
    """
    free = slope is None
    middle = float(x.mean()) if free else 0.0  # centred, the sums lose no digits
    found: Floats = _fit_all(x - middle, positive, total, slope or 0.0, free)
    found[:, 0] -= middle * found[:, 1] if free else 0.0
    return found


@compiled
def _fit_all(x: Floats, positive: Floats, total: Floats, slope: float, free: bool) -> Floats:
    found = np.empty((len(total), 2))
    draws = max(len(total), 1)
    a, b = _fit_one(x, positive.sum(axis=0) / draws, total.sum(axis=0) / draws, 0.0, slope, free)
    if np.isnan(a):
        a, b = 0.0, slope
    for draw in range(len(total)):  # from the fit to all draws it is not far to that of each
        found[draw] = _fit_one(x, positive[draw], total[draw], a, b, free)
    return found


@compiled
def _fit_one(
    x: Floats, positive: Floats, total: Floats, a: float, b: float, free: bool
) -> tuple[float, float]:
    up, turn, rise, reach = 0.0, 0.0, 0.0, _REACH
    widest = np.abs(x).max()
    for _ in range(_STEPS):
        g0, g1, h00, h01, h11 = _sums(x, positive, total, a, b)
        if g0 * up + g1 * turn < -rise / 2:  # past the top: half the way back
            up, turn, rise, reach = up / 2, turn / 2, rise / 2, reach / 2
            a, b = a - up, b - turn
            continue
        if free:
            size = h00 * h11 - h01 * h01
            if size <= 0:
                break
            up, turn = (h11 * g0 - h01 * g1) / size, (h00 * g1 - h01 * g0) / size
        else:
            up, turn = g0 / h00, 0.0
        move = abs(up) + abs(turn) * widest
        short = min(1.0, reach / max(move, _FLAT))
        up, turn = short * up, short * turn
        rise, reach = g0 * up + g1 * turn, 2 * reach
        a, b = a + up, b + turn
        if move < _CLOSE * max(1.0, abs(a) + abs(b) * widest):
            return a, b
    return np.nan, np.nan


@compiled
def _sums(
    x: Floats, positive: Floats, total: Floats, a: float, b: float
) -> tuple[float, float, float, float, float]:
    """Gradient and curvature of the log likelihood."""
    g0 = g1 = h00 = h01 = h11 = 0.0
    for i in range(len(x)):
        if total[i] > 0:
            chance = 1 / (1 + math.exp(-(a + b * x[i])))
            miss = positive[i] - total[i] * chance
            spread = total[i] * max(chance * (1 - chance), _FLAT)
            g0 += miss
            g1 += miss * x[i]
            h00 += spread
            h01 += spread * x[i]
            h11 += spread * x[i] * x[i]
    return g0, g1, h00, h01, h11
