"""Ages as tables write them, in years."""

from __future__ import annotations

import re

import pandas as pd

_AGE = re.compile(r"^0*(\d+(?:\.\d+)?)\s*([YMWD]?)$", re.IGNORECASE)
_PER_YEAR = {"Y": 1.0, "M": 12.0, "W": 52.18, "D": 365.25}


def years(ages: pd.Series) -> pd.Series:
    """Read ages such as 58, 058Y or 018M.

    Parameters
    ----------
    ages : Series of str or float
        Numbers are years.

    Returns
    -------
    Series of float
        In years; NaN for other forms.

    Examples
    --------
    >>> years(pd.Series(["58", "058Y", "018M", "old"])).tolist()
    [58.0, 58.0, 1.5, nan]
    """
    if pd.api.types.is_float_dtype(ages.dtype):
        return ages
    if pd.api.types.is_float_dtype(ages.dtype):
        return ages

    def _in_years(age: str) -> float:
        match = _AGE.match(age.strip())
        return float(match[1]) / _PER_YEAR[match[2].upper() or "Y"] if match else float("nan")

    return ages.map({age: _in_years(age) for age in ages.unique()}).astype(float)
