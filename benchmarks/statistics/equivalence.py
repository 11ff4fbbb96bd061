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

from benchmarks.io.formatting import join_words, number
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


def counts_text(
    table: pd.DataFrame,
    columns: tuple[str, str, str],
    margin: float | None = None,
    reference: float = 0.0,
) -> str:
    """Say how many intervals lie on each side of 0 and inside the margin, then corrected.

    Parameters
    ----------
    table : DataFrame
    columns : (str, str, str)
        Columns of the value and of its 95 % bounds.
    margin : float, optional
        Without it, equivalence is not mentioned.
    reference : float
        Value that the intervals are compared with.

    Returns
    -------
    str
        A clause with the number of intervals looked at. More than one are also counted after they
        were widened by :func:`jointly`.

    Examples
    --------
    >>> gains = pd.DataFrame({"v": [-0.03, 0.001], "lo": [-0.06, -0.01], "hi": [-0.001, 0.01]})
    >>> counts_text(gains, ("v", "lo", "hi"), 0.02)  # doctest: +NORMALIZE_WHITESPACE
    'of 2 intervals, 1 lies below 0, 0 lie above 0 and 1 lies within ± 0.02 (corrected for looking
    at 2: 0, 0 and 1)'
    >>> counts_text(gains[:1], ("v", "lo", "hi"))
    'the one interval lies below 0'
    """
    known = table[list(columns)].astype(float).dropna() - reference
    joint = jointly(known, *columns)
    found = tally(known[columns[1]], known[columns[2]], margin or 0.0)
    corrected = tally(joint["lo"], joint["hi"], margin or 0.0)
    kinds = [f"below {reference:g}", f"above {reference:g}"]
    counts = [[one.below, one.above, one.within] for one in (found, corrected)]
    if margin is not None:
        kinds.append(f"within {f'{reference:g} ' * bool(reference)}± {margin:g}")
    counts = [own[: len(kinds)] for own in counts]
    if found.n == 0:
        return "there is no interval"
    if found.n == 1:
        lies = [kind for kind, count in zip(kinds, counts[0], strict=True) if count]
        return (
            f"the one interval {f'lies {join_words(lies)}' if lies else f'contains {reference:g}'}"
        )
    lie = [
        f"{count} {'lies' if count == 1 else 'lie'} {kind}"
        for kind, count in zip(kinds, counts[0], strict=True)
    ]
    after = join_words([str(count) for count in counts[1]])
    return (
        f"of {found.n} intervals, {join_words(lie)} (corrected for looking at {found.n}: {after})"
    )
