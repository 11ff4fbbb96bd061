"""Numbers, intervals, times and settings as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

DASH = "–"


def number(value: float, digits: int = 3) -> str:
    """Write a number with fixed decimals; a missing one is a dash.

    Examples
    --------
    >>> number(0.91249), number(-0.5), number(float("nan"))
    ('0.912', '−0.500', '–')
    """
    if value is None or not np.isfinite(value):
        return DASH
    return f"{value:.{digits}f}".replace("-", "−")


def interval(low: float, high: float, digits: int = 3) -> str:
    """Write an interval; empty if it has no bounds.

    Examples
    --------
    >>> interval(0.881, 0.9312), interval(-0.1, 0.2), interval(float("nan"), 1.0)
    ('0.881–0.931', '−0.100 to 0.200', '')
    """
    if not (np.isfinite(low) and np.isfinite(high)):
        return ""
    between = " to " if low < 0 else "–"
    return f"{number(low, digits)}{between}{number(high, digits)}"


def thousands(value: float) -> str:
    """Write a count with separators.

    Examples
    --------
    >>> thousands(5216)
    '5,216'
    """
    return f"{int(value):,}"


def moment(text: object) -> str:
    """Write a time of day as people do.

    Examples
    --------
    >>> moment("2026-11-21T21:26:00+00:00")
    '2026-11-21 21:26:00 UTC'
    """
    return str(text).replace("T", " ").replace("+00:00", " UTC")


def plain(value: Any) -> str:
    """Write a setting in words: lists joined, nothing as a dash, numbers without noise.

    Examples
    --------
    >>> plain(["hog", "lbp"]), plain(None), plain(True), plain(0.25)
    ('hog, lbp', '–', 'yes', '0.25')
    """
    if value is None or value in ("", [], {}):
        return "–"
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


def change_text(before: float, after: float) -> str:
    """Words for two numbers at the three decimals shown: "falls from 0.980 to 0.654"."""
    if not (np.isfinite(before) and np.isfinite(after)):
        return "can't be compared"
    if number(before) == number(after):
        return f"stays at {number(after)}"
    return f"{'falls' if after < before else 'rises'} from {number(before)} to {number(after)}"


def count_of(count: int, total: int, what: str = "methods") -> str:
    """Words for a share of the methods: "3 of 29 methods", "the one method", "no method".

    Examples
    --------
    >>> count_of(3, 29), count_of(29, 29), count_of(0, 29), count_of(1, 1), count_of(0, 1)
    ('3 of 29 methods', 'all 29 methods', 'none of 29 methods', 'the one method', 'no method')
    """
    if total == 1:
        return f"the one {what.removesuffix('s')}" if count else f"no {what.removesuffix('s')}"
    if count == total:
        return f"all {total} {what}"
    return f"{count or 'none'} of {total} {what}"
