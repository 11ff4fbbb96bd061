"""Ages as tables write them, in years."""

from __future__ import annotations

import re

import pandas as pd

from features.reading.dicom_fields import PER_YEAR

_AGE = re.compile(r"^0*(\d+(?:\.\d+)?)\s*([YMWD]?)$", re.IGNORECASE)


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

    def _in_years(age: str) -> float:
        match = _AGE.match(age.strip())
        return float(match[1]) / PER_YEAR[match[2].upper() or "Y"] if match else float("nan")

    return ages.map({age: _in_years(age) for age in ages.unique()}).astype(float)


def years_as_text(ages: pd.Series) -> pd.Series:
    """Write ages in years as a condition on a column compares them.

    Parameters
    ----------
    ages : Series of str or float
        As for :func:`years`.

    Returns
    -------
    Series of str
        Whole numbers without a decimal point; empty for other forms.

    Examples
    --------
    >>> years_as_text(pd.Series(["024Y", "018M", "old"])).tolist()
    ['24', '1.5', '']
    """
    texts = years(ages).map(lambda age: "" if age != age else str(age).removesuffix(".0"))
    return texts.astype(str)
