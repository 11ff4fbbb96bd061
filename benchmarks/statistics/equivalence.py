"""Verdicts on differences: higher, lower, equivalent within a margin, or not shown to differ.

The margins are stated here, before any result is known. A sentence that calls two values alike
needs an interval of their difference inside the margin; an interval that contains 0 is not enough.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import norm

from benchmarks.io.formatting import number
from benchmarks.metrics.bootstrap import CONFIDENCE

MARGINS = {
    "auc": 0.02, "average_precision": 0.02,
    "recall": 0.05, "specificity": 0.05, "precision": 0.05,
    "brier": 0.01,
}  # fmt: skip


class Verdict(NamedTuple):
    """What an interval of a difference shows.

    Attributes
    ----------
    direction : str
        ``higher``, ``lower``, or empty if the interval contains 0.
    equivalent : bool
        Whether the interval is inside the margin. A difference can be both: higher, but by less
        than the margin.
    known : bool
        Whether there is an interval.
    """

    direction: str
    equivalent: bool
    known: bool = True

    @property
    def text(self) -> str:
        """Name the verdict."""
        if not self.known:
            return "can't be compared"
        if not self.direction:
            return "equivalent" if self.equivalent else "not shown to differ"
        return f"{self.direction}, but equivalent" if self.equivalent else self.direction


class Tally(NamedTuple):
    """How many intervals of differences show what.

    Attributes
    ----------
    n : int
        Number of intervals.
    above, below : int
        Intervals that lie above 0 and below 0.
    within : int
        Intervals inside the margin; some of them may lie above or below 0, too.
    """

    n: int
    above: int
    below: int
    within: int


def verdict(low: float, high: float, margin: float) -> Verdict:
    """Judge a difference by its 95 % interval and a margin.

    Parameters
    ----------
    low, high : float
        Bounds of the 95 % interval; NaN where there is none.
    margin : float
        Largest difference that is of no importance; one of ``MARGINS`` for a metric.

    Returns
    -------
    Verdict

    Notes
    -----
    Two one-sided tests at a level of 5 % show equivalence where the 90 % interval is inside the
    margin. A 95 % interval inside the margin is stricter: it corresponds to a level of 2.5 %.

    References
    ----------
    Schuirmann DJ. A comparison of the two one-sided tests procedure and the power approach for
    assessing the equivalence of average bioavailability. J Pharmacokinet Biopharm 1987;15:657-680.
    doi:10.1007/BF01068419

    Examples
    --------
    >>> [verdict(*bounds, 0.02).text for bounds in ((-0.01, 0.01), (-0.04, 0.01), (0.03, 0.05))]
    ['equivalent', 'not shown to differ', 'higher']
    >>> verdict(-0.015, -0.005, 0.02).text
    'lower, but equivalent'
    """
    if not (np.isfinite(low) and np.isfinite(high)):
        return Verdict("", False, False)
    direction = "higher" if low > 0 else "lower" if high < 0 else ""
    return Verdict(direction, bool(-margin < low and high < margin))


def clause(difference: float, low: float, high: float, metric: str, digits: int = 3) -> str:
    """Word the verdict on a difference, with the difference and its interval.

    Parameters
    ----------
    difference, low, high : float
        Difference and bounds of its 95 % interval; NaN where there are none.
    metric : str
        A key of ``MARGINS``.
    digits : int
        Decimals.

    Returns
    -------
    str

    Examples
    --------
    >>> clause(-0.01, -0.04, 0.02, "auc")
    'not shown to differ (difference −0.010, 95 % interval −0.040 to 0.020)'
    >>> clause(0.001, -0.004, 0.006, "auc")
    'equivalent within ± 0.02 (difference 0.001, 95 % interval −0.004 to 0.006)'
    >>> clause(0.008, 0.003, 0.012, "auc")
    'higher, but by less than 0.02 (difference 0.008, 95 % interval 0.003 to 0.012)'
    >>> clause(-0.12, -0.2, -0.05, "recall", 2)
    'lower (difference −0.12, 95 % interval −0.20 to −0.05)'
    """
    margin = MARGINS[metric]
    found = verdict(low, high, margin)
    if not found.known:
        return f"{found.text} (difference {number(difference, digits)}, no interval)"
    words = found.text
    if found.equivalent:
        words = (
            f"{found.direction}, but by less than {margin:g}"
            if found.direction
            else f"equivalent within ± {margin:g}"
        )
    bounds = f"{number(low, digits)} to {number(high, digits)}"
    return f"{words} (difference {number(difference, digits)}, 95 % interval {bounds})"


def tally(low: Iterable[float], high: Iterable[float], margin: float) -> Tally:
    """Count what intervals of differences show.

    Parameters
    ----------
    low, high : iterable of float
        Bounds; an interval that lacks one is left out.
    margin : float

    Returns
    -------
    Tally

    Examples
    --------
    >>> tally([-0.01, 0.005, -0.3, 0.1], [0.01, 0.015, -0.1, 0.2], 0.02)
    Tally(n=4, above=2, below=1, within=2)
    """
    found = [verdict(a, b, margin) for a, b in zip(low, high, strict=True)]
    return Tally(
        sum(one.known for one in found),
        sum(one.direction == "higher" for one in found),
        sum(one.direction == "lower" for one in found),
        sum(one.equivalent for one in found),
    )


def tally_text(counts: Tally, margin: float) -> str:
    """Word a tally in one clause.

    Parameters
    ----------
    counts : Tally
    margin : float

    Returns
    -------
    str

    Examples
    --------
    >>> tally_text(Tally(56, 1, 12, 40), 0.02)
    'of 56 intervals, 12 lie below 0, 1 lies above 0, and 40 lie within ± 0.02'
    >>> tally_text(Tally(1, 0, 0, 1), 0.02)
    'of 1 interval, 0 lie below 0, 0 lie above 0, and 1 lies within ± 0.02'
    """
    lie = [
        f"{count} {'lies' if count == 1 else 'lie'}"
        for count in (counts.below, counts.above, counts.within)
    ]
    return (
        f"of {counts.n} interval{'s' * (counts.n != 1)}, {lie[0]} below 0, {lie[1]} above "
        f"0, and {lie[2]} within ± {margin:g}"
    )


def widened(value: float, low: float, high: float, n: int) -> tuple[float, float]:
    """Widen a 95 % interval so that n such intervals hold together with 95 % confidence.

    Parameters
    ----------
    value, low, high : float
        Estimate and bounds of its 95 % interval.
    n : int
        Number of intervals looked at.

    Returns
    -------
    low : float
    high : float
        Bounds at the level 1 - 0.05 / n (Bonferroni). Each side is stretched by the ratio of the
        normal quantiles, since a bootstrap of 2,000 draws has no such quantile: this keeps the
        skewness of a percentile interval, but is approximate.

    References
    ----------
    Dunn OJ. Multiple comparisons among means. J Am Stat Assoc 1961;56:52-64.
    doi:10.1080/01621459.1961.10482090

    Examples
    --------
    >>> [round(bound, 3) for bound in widened(0.5, 0.4, 0.6, 10)]
    [0.357, 0.643]
    >>> widened(0.5, 0.25, 0.75, 1)
    (0.25, 0.75)
    """
    tail = (1 - CONFIDENCE) / 2
    stretch = float(norm.ppf(1 - tail / max(1, n)) / norm.ppf(1 - tail))
    return value - stretch * (value - low), value + stretch * (high - value)


def jointly(table: pd.DataFrame, value: str, low: str, high: str) -> pd.DataFrame:
    """Widen all intervals of a table so that they hold together with 95 % confidence.

    Parameters
    ----------
    table : DataFrame
    value, low, high : str
        Columns of the estimate and of its 95 % bounds.

    Returns
    -------
    DataFrame
        Columns ``value``, ``lo`` and ``hi``, with the index of ``table``, without rows that lack a
        number. The number of its rows is the number of intervals looked at.

    Examples
    --------
    >>> two = pd.DataFrame({"v": [0.5, 0.2], "lo": [0.3, float("nan")], "hi": [0.7, 0.3]})
    >>> jointly(two, "v", "lo", "hi").round(3).to_numpy().tolist()
    [[0.5, 0.3, 0.7]]
    """
    known = table[[value, low, high]].astype(float).dropna()
    known.columns = pd.Index(["value", "lo", "hi"])
    lower, upper = widened(known["value"], known["lo"], known["hi"], len(known))  # type: ignore[arg-type]
    return known.assign(lo=lower, hi=upper)
