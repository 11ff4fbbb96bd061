"""What the distance between cross-validation, validation and test says, in sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from benchmarks.io.formatting import number
from benchmarks.io.results import Results
from benchmarks.io.run_record import prevalence, validation_carved
from benchmarks.statistics.method_rows import Row

_FEWEST = 3  # methods for a rank correlation


def medians(table: Sequence[Row], metric: str) -> tuple[float, float]:
    """Median over methods of a metric on validation and on test, at the recall95 threshold.

    Parameters
    ----------
    table : sequence of Row
    metric : str

    Returns
    -------
    (float, float)
        NaN where no method has a value.
    """
    values = []
    for split in ("validation", "test"):
        found = [row.estimate(split, point_of(metric), metric).value for row in table]
        finite = [value for value in found if not math.isnan(value)]
        values.append(float(np.median(finite)) if finite else math.nan)
    return values[0], values[1]


def point_of(metric: str) -> str:
    """Operating point at which a metric is shown; AUC, which has none, is in every row of 0.5."""
    return "0.5" if metric == "auc" else "recall95"


def from_validation(results: Results, table: Sequence[Row]) -> str:
    """Say how far the medians move from validation to test."""
    parts = [f"{metric} {_change(*medians(table, metric))}" for metric in ("specificity", "recall")]
    area = medians(table, "auc")
    return (
        f"{_origin(results)} At the threshold that validation chose, the median "
        f"{parts[0]} and the median {parts[1]}; the median AUC {_change(*area)}. "
        f"Pneumonia makes up {_percent(prevalence(results, 'validation'))} of the validation "
        f"images and {_percent(prevalence(results))} of the test images, and precision depends "
        "on that share. A threshold tuned on one source of images need not hold on another; "
        "nothing here was tuned to close the gap."
    )


def from_cross_validation(gaps: pd.DataFrame) -> str:
    """Say how large the gap is, in how many methods, and whether the order of methods holds.

    Parameters
    ----------
    gaps : DataFrame
        Table ``gap`` of a run; not empty.
    """
    area = gaps[gaps["metric"] == "auc"]
    right = gaps[(gaps["metric"] == "specificity") & (gaps["operating_point"] == "recall95")]
    n = len(area)
    return (
        f"The gap is a method's value in cross-validation by patient on the training images less "
        f"that on the official test. In AUC it is {_spread(area)}, and in specificity at the "
        f"threshold for a recall of 0.95 {_spread(right)}. {_signs(area)} "
        f"{order(area['cv'].to_numpy(float), area['official'].to_numpy(float))}"
        f"{' Only one method was cross-validated.' if n == 1 else ''}"
    ).strip()


def order(cv: np.ndarray, official: np.ndarray) -> str:
    """Say whether methods rank alike in both evaluations, by Spearman's rank correlation.

    Parameters
    ----------
    cv, official : ndarrays of shape (methods,)

    Returns
    -------
    str
        Empty with fewer than three methods, or where one side is all the same.

    Examples
    --------
    >>> order(np.array([0.9, 0.8, 0.7]), np.array([0.6, 0.65, 0.7]))
    "Spearman's rank correlation between the methods' AUC in both is −1.00 (3 methods)."
    """
    if len(cv) < _FEWEST or len(set(cv)) == 1 or len(set(official)) == 1:
        return ""
    rho = float(spearmanr(cv, official).statistic)
    return (
        f"Spearman's rank correlation between the methods' AUC in both is {number(rho, 2)} "
        f"({len(cv)} methods)."
    )


def _spread(table: pd.DataFrame) -> str:
    values = table["gap"].to_numpy(dtype=float)
    if len(values) == 1:
        return number(values[0])
    return (
        f"{number(float(np.median(values)))} in the median of {len(values)} methods "
        f"({number(values.min())} to {number(values.max())})"
    )


def _signs(area: pd.DataFrame) -> str:
    above, below = int((area["gap_lo"] > 0).sum()), int((area["gap_hi"] < 0).sum())
    n = len(area)
    return (
        f"The 95 % interval of the gap in AUC lies above 0 for {above} of {n} "
        f"method{'s' * (n > 1)} and below 0 for {below}."
    )


def _origin(results: Results) -> str:
    if validation_carved(results):
        return (
            "The validation images were taken from the training split by patient; the test "
            "images are a split of their own."
        )
    return "Validation and test are the splits that came with the data."


def _change(before: float, after: float) -> str:
    if math.isnan(before) or math.isnan(after):
        return "can't be compared"
    step = round(after, 3) - round(before, 3)
    verb = "stays at" if step == 0 else "falls" if step < 0 else "rises"
    if step == 0:
        return f"{verb} {number(after)}"
    return f"{verb} from {number(before)} to {number(after)}"


def _percent(share: float) -> str:
    return "an unknown share" if math.isnan(share) else f"{100 * share:.1f} %"
