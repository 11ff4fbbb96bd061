"""Half-widths of intervals to expect from the number of test images and patients."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.io.columns import MORE_TABLES, OPERATING_POINTS
from benchmarks.io.results import Results
from benchmarks.metrics.bootstrap import QUANTILE
from benchmarks.statistics.method_rows import Row, classical, finished, validation_precision
from benchmarks.statistics.split_scores import read_split

COLUMNS = MORE_TABLES["sample_size"]
_POINT = OPERATING_POINTS[1]


def tabulate(results: Results) -> dict[str, pd.DataFrame]:
    """Compute the half-widths to expect of the main metrics of the leading method on the test set.

    Parameters
    ----------
    results : Results

    Returns
    -------
    dict of DataFrame
        ``sample_size``: one row per metric of the classical method with the highest average
        precision on the validation set, at its value on the test set. ``images`` is the number of
        images that the metric is a fraction of (for AUC, all), ``effective`` what they count for
        if the images of a patient are copies of each other; ``expected`` and ``conservative`` are
        the half-widths of 95 % intervals for these two numbers, ``observed`` is that of the
        interval in ``scores.csv``.
    """
    methods = classical(finished(results)) or finished(results)
    if not methods:
        return {"sample_size": pd.DataFrame(columns=COLUMNS)}
    lead = max(methods, key=validation_precision)
    return {"sample_size": pd.DataFrame(list(_lines(results, lead)), columns=COLUMNS)}


def effective_size(group: NDArray[np.object_]) -> float:
    """Count the independent images that images of patients are worth, if a patient's are alike.

    Parameters
    ----------
    group : ndarray of shape (n,)
        Patient of each image.

    Returns
    -------
    float
        The number of images divided by the design effect of an intraclass correlation of 1, which
        is the mean number of images per patient, weighted by images. 0 without images.

    References
    ----------
    Kish L. Survey sampling. New York: Wiley; 1965.

    Examples
    --------
    >>> effective_size(np.array(["a", "b", "c"])), effective_size(np.array(["a", "a", "b", "b"]))
    (3.0, 2.0)
    """
    sizes = np.unique(group, return_counts=True)[1]
    return float(sizes.sum() ** 2 / (sizes**2).sum()) if len(sizes) else 0.0


def proportion_half_width(p: float, n: float) -> float:
    """Compute the half-width of the 95 % Wilson interval of a proportion.

    Parameters
    ----------
    p : float, in [0, 1]
    n : float
        Independent images.

    Returns
    -------
    float
        NaN without images.

    Examples
    --------
    >>> round(proportion_half_width(0.95, 100), 4)
    0.0451
    """
    if n <= 0:
        return math.nan
    z = QUANTILE
    return z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))


def auc_half_width(auc: float, positive: float, negative: float) -> float:
    """Compute the half-width of a 95 % interval of the AUC by the formula of Hanley and McNeil.

    Parameters
    ----------
    auc : float, in [0, 1]
    positive, negative : float
        Independent images of each class.

    Returns
    -------
    float
        NaN without images of a class.

    References
    ----------
    Hanley JA, McNeil BJ. The meaning and use of the area under a receiver operating characteristic
    (ROC) curve. Radiology 1982;143:29-36. doi:10.1148/radiology.143.1.7063747

    Examples
    --------
    >>> round(auc_half_width(0.9, 100, 100), 4)
    0.0444
    """
    if positive <= 0 or negative <= 0:
        return math.nan
    above, below = auc / (2 - auc) - auc**2, 2 * auc**2 / (1 + auc) - auc**2
    variance = auc * (1 - auc) + (positive - 1) * above + (negative - 1) * below
    return QUANTILE * math.sqrt(max(variance, 0.0) / (positive * negative))


def _lines(results: Results, lead: Row) -> Iterator[dict[str, object]]:
    cell = lead.cells()[0]
    test = read_split(results, "test", [cell])
    first = lead.first("test", _POINT)
    if cell not in test.scores or first.empty:
        return
    one = first.iloc[0].to_dict()
    positive = test.label == 1
    predicted = test.scores[cell] >= float(one["threshold"])
    counted = {"precision": predicted, "recall": positive, "specificity": ~positive}
    sizes = [[mask.sum(), effective_size(test.group[mask])] for mask in (positive, ~positive)]
    auc = float(one["auc"])
    expected, conservative = (auc_half_width(auc, *pair) for pair in zip(*sizes, strict=True))
    whole = len(test.label), effective_size(test.group)
    yield _line(one, "auc", whole, (expected, conservative))
    for metric, mask in counted.items():
        pair = int(mask.sum()), effective_size(test.group[mask])
        value = float(one[metric])
        yield _line(one, metric, pair, tuple(proportion_half_width(value, n) for n in pair))


def _line(
    one: dict[Any, Any], metric: str, sizes: tuple[int, float], widths: tuple[float, ...]
) -> dict[str, object]:
    observed = (float(one[f"{metric}_hi"]) - float(one[f"{metric}_lo"])) / 2
    return {
        "cell": one["cell"], "metric": metric, "value": float(one[metric]), "images": sizes[0],
        "effective": sizes[1], "expected": widths[0], "conservative": widths[1],
        "observed": observed,
    }  # fmt: skip
