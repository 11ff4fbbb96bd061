"""Numbers, intervals, times and settings as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

DASH = "–"


def number(value: float, digits: int = 3) -> str:
    """Format a number with a fixed number of decimals; a missing one is a dash.

    Parameters
    ----------
    value : float
    digits : int
        Decimals.

    Returns
    -------
    str

    Examples
    --------
    >>> number(0.91249), number(-0.5), number(float("nan"))
    ('0.912', '−0.500', '–')
    """
    if value is None or not np.isfinite(value):
        return DASH
    return f"{value:.{digits}f}".replace("-", "−")


def interval(low: float, high: float, digits: int = 3) -> str:
    """Format an interval; the result is empty if a bound is missing.

    Parameters
    ----------
    low, high : float
        Bounds; NaN where there are none.
    digits : int
        Decimals.

    Returns
    -------
    str

    Examples
    --------
    >>> interval(0.881, 0.9312), interval(-0.1, 0.2), interval(float("nan"), 1.0)
    ('0.881–0.931', '−0.100 to 0.200', '')
    """
    if not (np.isfinite(low) and np.isfinite(high)):
        return ""
    between = " to " if low < 0 else "–"
    return f"{number(low, digits)}{between}{number(high, digits)}"


def p_value(value: float) -> str:
    """Write a p value with three decimals, small ones as a bound.

    Parameters
    ----------
    value : float
        NaN where the test could not be computed.

    Returns
    -------
    str

    Examples
    --------
    >>> p_value(0.0312), p_value(0.0002), p_value(1.0), p_value(float("nan"))
    ('0.031', '< 0.001', '1.000', '–')
    """
    return "< 0.001" if value < 0.0005 else number(value)


def percent(fraction: float) -> str:
    """Write a fraction as a percentage with three significant digits.

    Parameters
    ----------
    fraction : float
        NaN where it is unknown.

    Returns
    -------
    str

    Examples
    --------
    >>> percent(0.625), percent(0.05), percent(float("nan"))
    ('62.5 %', '5 %', 'an unknown proportion')
    """
    return "an unknown proportion" if np.isnan(fraction) else f"{100 * fraction:.3g} %"


def thousands(value: float) -> str:
    """Format a count with thousands separators.

    Parameters
    ----------
    value : float

    Returns
    -------
    str

    Examples
    --------
    >>> thousands(5216)
    '5,216'
    """
    return f"{int(value):,}"


def moment(text: object) -> str:
    """Format an ISO 8601 time for readers.

    Parameters
    ----------
    text : object
        Text, as ``run.json`` holds it.

    Returns
    -------
    str

    Examples
    --------
    >>> moment("2026-11-21T21:26:00+00:00")
    '2026-11-21 21:26:00 UTC'
    """
    return str(text).replace("T", " ").replace("+00:00", " UTC")


def plain(value: Any) -> str:
    """Format a setting: lists are joined, a missing value is a dash.

    Parameters
    ----------
    value : object
        A value of ``run.json``: a string, number, list, mapping or None.

    Returns
    -------
    str

    Examples
    --------
    >>> plain(["hog", "lbp"]), plain(None), plain(True), plain(0.25)
    ('hog, lbp', '–', 'yes', '0.25')
    """
    if value is None or value in ("", [], {}):
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return "; ".join(
            f"{str(key).replace('_', ' ')}: {plain(one)}" for key, one in value.items()
        )
    if isinstance(value, (list, tuple)):
        return ", ".join(plain(one) for one in value)
    return str(value)


def join_words(words: Sequence[str]) -> str:
    """Join words with commas and a final "and".

    Parameters
    ----------
    words : sequence of str
        At least one.

    Returns
    -------
    str

    Examples
    --------
    >>> join_words(["0.90", "0.95", "0.98"]), join_words(["AUC", "recall"]), join_words(["AUC"])
    ('0.90, 0.95 and 0.98', 'AUC and recall', 'AUC')
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def change_text(before: float, after: float) -> str:
    """Describe a change at the three decimals shown.

    Parameters
    ----------
    before, after : float
        NaN where a value is missing.

    Returns
    -------
    str

    Examples
    --------
    >>> change_text(0.98, 0.654), change_text(0.98, 0.9801)
    ('falls from 0.980 to 0.654', 'stays at 0.980')
    """
    if not (np.isfinite(before) and np.isfinite(after)):
        return "can't be compared"
    if number(before) == number(after):
        return f"stays at {number(after)}"
    return f"{'falls' if after < before else 'rises'} from {number(before)} to {number(after)}"


def count_of(count: int, total: int, what: str = "methods") -> str:
    """Describe how many of a total.

    Parameters
    ----------
    count, total : int
    what : str
        Plural of what is counted.

    Returns
    -------
    str

    Examples
    --------
    >>> count_of(3, 29), count_of(29, 29), count_of(0, 29)
    ('3 of 29 methods', 'all 29 methods', 'none of 29 methods')
    >>> count_of(2, 2), count_of(1, 1), count_of(0, 1)
    ('both methods', 'the one method', 'no method')
    """
    if total == 1:
        return f"the one {what.removesuffix('s')}" if count else f"no {what.removesuffix('s')}"
    if count == total:
        return f"both {what}" if total == 2 else f"all {total} {what}"
    return f"{count or 'none'} of {total} {what}"
