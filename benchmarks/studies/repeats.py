"""Means over random repetitions, such as subsets or fold assignments, with their uncertainty."""

from __future__ import annotations

import numpy as np
from scipy.stats import t

from benchmarks.metrics.arrays import Floats


def mean_over_repeats(values: Floats, rng: np.random.Generator) -> Floats:
    """Average a metric over repetitions; its draws include the spread between repetitions.

    Parameters
    ----------
    values : ndarray of shape (repeats, 1 + draws)
        Value on the original images, then its value in each bootstrap draw of patients; the same
        draws for all repetitions.
    rng : Generator
        Pairs the draws of patients with those of the repetitions.

    Returns
    -------
    ndarray of shape (1 + draws,)
        The mean, then its draws: the mean in each draw of patients, plus the standard error of the
        mean over repetitions times a value of Student's t with ``repeats - 1`` degrees of freedom.
        With one repetition the spread is unknown, and the draws are those of patients only.

    References
    ----------
    Student. The probable error of a mean. Biometrika 1908;6:1-25. doi:10.1093/biomet/6.1.1

    Examples
    --------
    >>> draws = mean_over_repeats(np.array([[1.0] * 2001, [3.0] * 2001]), np.random.default_rng(0))
    >>> float(draws[0]), float(np.quantile(draws[1:], 0.975).round(1))  # t, 1 degree of freedom
    (2.0, 14.6)
    """
    repeats, draws = len(values), values.shape[1] - 1
    mean: Floats = values.mean(axis=0)
    if repeats < 2:
        return mean
    error = values[:, 0].std(ddof=1) / np.sqrt(repeats)
    noise = t.ppf((np.arange(draws) + 0.5) / draws, repeats - 1)
    return mean + np.concatenate([[0.0], error * rng.permutation(noise)])
