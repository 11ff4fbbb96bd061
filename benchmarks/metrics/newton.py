"""Logistic regression on one column by Newton's method, for many bootstrap draws at once."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.metrics.arrays import Floats
from features.compiled import compiled

_STEPS = 200
_TOLERANCE = 1e-6  # largest change of a log odds in the last step; convergence is quadratic
_REACH = 8.0  # largest change of a log odds in the first step
_FLAT = 1e-12  # keeps a step finite where every probability is 0 or 1


def fit_logistic(x: Floats, positive: Floats, total: Floats, slope: float | None = None) -> Floats:
    """Fit ``log odds = intercept + slope * x`` by maximum likelihood in each draw.

    Parameters
    ----------
    x : ndarray of shape (k,), float64
    positive : ndarray of shape (draws, k), float64
        Number of positives at each x; need not be whole.
    total : ndarray of shape (draws, k), float64
        Number of images at each x, at least the number of positives.
    slope : float, optional
        Fixed slope, so that only the intercept is fitted.

    Returns
    -------
    ndarray of shape (draws, 2)
        Intercept and slope. NaN where 200 steps do not converge, as where there is no finite
        maximum: a threshold on x separates the classes, or all x are equal.

    Notes
    -----
    statsmodels and scikit-learn fit one draw at a time, which takes milliseconds each. Here all
    draws are fitted in compiled code. A step that overshoots the maximum of the likelihood along
    its direction is halved until it does not.

    Examples
    --------
    One of four images is positive at x = -1, and three of four at x = 1.

    >>> x, positive, total = np.array([-1.0, 1.0]), np.array([[1.0, 3.0]]), np.array([[4.0, 4.0]])
    >>> fit_logistic(x, positive, total).round(4) + 0.0
    array([[0.    , 1.0986]])
    """
    free = slope is None
    middle = float(x.mean()) if free else 0.0  # centring keeps the sums accurate
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
    for draw in range(len(total)):  # start from the mean
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
        if g0 * up + g1 * turn < -rise / 2:  # overshot: go half the way back
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
        if move < _TOLERANCE * max(1.0, abs(a) + abs(b) * widest):
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
