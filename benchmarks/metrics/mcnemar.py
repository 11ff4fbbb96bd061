"""McNemar's test of two methods' errors on the same images."""

from __future__ import annotations

from scipy.special import bdtr


def mcnemar(only_a: int, only_b: int) -> float:
    """Two-sided p value of McNemar's exact test that two methods are equally often right.

    Parameters
    ----------
    only_a, only_b : int
        Number of images that only the first method predicts correctly, and only the second.

    Returns
    -------
    float
        1 if the methods never disagree.

    Notes
    -----
    The test assumes independent images. With several images per patient the p value is too small
    if a method tends to be right or wrong on all images of a patient.

    References
    ----------
    McNemar Q. Note on the sampling error of the difference between correlated proportions or
    percentages. Psychometrika 1947;12:153-157. doi:10.1007/BF02295996

    Examples
    --------
    >>> round(mcnemar(1, 5), 5)
    0.21875
    """
    count = only_a + only_b
    return min(1.0, 2 * float(bdtr(min(only_a, only_b), count, 0.5)))
