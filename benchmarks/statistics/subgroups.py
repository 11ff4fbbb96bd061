"""Recall by subtype of the positive class, and false positive rate by series of negative images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.io.columns import MORE_TABLES, OPERATING_POINTS
from benchmarks.io.results import Results
from benchmarks.metrics.arrays import Floats
from benchmarks.metrics.bootstrap import PatientBootstrap, percentile_interval
from benchmarks.metrics.proportions import clustered_wilson, wilson_over_thresholds
from benchmarks.metrics.rates import fraction_predicted_positive
from benchmarks.statistics.split_scores import (
    CHOSEN_POINT,
    SplitScores,
    methods,
    read_split,
    thresholds_with_draws,
)

MIN_PATIENTS = 5  # of a series
KINDS = ("subtype", "series")


@dataclass(frozen=True, eq=False)
class Subgroup:
    """A group of images of one class.

    Attributes
    ----------
    kind : {"subtype", "series"}
    name : str
    metric : str
        What the fraction of positive predictions is in this group.
    member : ndarray of shape (n,), bool
        Whether each image is in the group.
    """

    kind: str
    name: str
    metric: str
    member: NDArray[np.bool_]


# A subgroup, its fraction on the original images, the interval, and the fraction in each draw.
_Value = tuple[Subgroup, float, tuple[float, float], Floats]


def tabulate(results: Results) -> dict[str, pd.DataFrame]:
    """Tabulate the fraction predicted positive in each subgroup of the test set.

    Parameters
    ----------
    results : Results

    Returns
    -------
    dict of DataFrame
        ``subgroups``: the fraction is the recall for a subtype, and the false positive rate
        for a series of negative images. If there are two kinds, or two series, their
        difference has a row, too. Fractions have clustered Wilson intervals, differences percentile
        intervals over draws of patients. Both include the choice of a chosen threshold.
    """
    cells = methods(results)
    test = read_split(results, "test", cells)
    bootstrap, found = test.bootstrap(), subgroups(test)
    draws = len(bootstrap.weights)
    cuts = {point: thresholds_with_draws(results, point, list(test.scores), draws)
            for point in OPERATING_POINTS}  # fmt: skip
    keys = [(cell, point) for cell in test.scores for point in OPERATING_POINTS]
    lines: dict[tuple[int, int], dict[str, object]] = {}
    for k, (cell, point) in enumerate(keys):
        if np.isnan(cuts[point][cell][0]):  # an external model without scores on validation
            continue
        cut = cuts[point][cell][:, None] if point == CHOSEN_POINT else cuts[point][cell][:1, None]
        values = [_value(one, test.scores[cell] >= cut, bootstrap) for one in found]
        values += [both for kind in KINDS if (both := _difference(values, kind))]
        for place, (one, value, (low, high), _) in enumerate(values):
            lines[place, k] = {
                "cell": cell, "operating_point": point, "kind": one.kind, "name": one.name,
                "metric": one.metric, "n": int(one.member.sum()),
                "patients": len(set(test.group[one.member])), "value": value, "lo": low, "hi": high,
            }  # fmt: skip
    table = pd.DataFrame([lines[key] for key in sorted(lines)], columns=MORE_TABLES["subgroups"])
    return {"subgroups": table}


def _value(one: Subgroup, predicted: NDArray[np.bool_], bootstrap: PatientBootstrap) -> _Value:
    """Compute a fraction with its interval; row 0 of ``predicted`` is at the threshold itself."""
    value = float(predicted[0, one.member].mean())
    if len(predicted) == 1:
        drawn = predicted[0]
        bounds = clustered_wilson(drawn, one.member, bootstrap.patient)
    else:
        drawn = predicted[1:]
        bounds = wilson_over_thresholds(drawn, one.member, bootstrap.patient)
    draws = fraction_predicted_positive(drawn, one.member, bootstrap.weights)
    return one, value, bounds, draws


def subgroups(test: SplitScores) -> list[Subgroup]:
    """Find the subtypes of the positive class and the series of negative images.

    Parameters
    ----------
    test : SplitScores
        The series of a patient is the part of the patient's name before the ``/``.

    Returns
    -------
    list of Subgroup
        Kinds, then series, in alphabetical order; no series unless at least two have 5 patients.
    """
    positive = test.label == 1
    kinds = sorted({str(name) for name in test.subtype[positive]} - {""})
    found = [
        Subgroup("subtype", name, "recall", positive & (test.subtype == name)) for name in kinds
    ]
    # A patient identified by the image's own name has no series.
    named = [
        "" if patient == image else str(patient).rpartition("/")[0].partition("/")[0]
        for patient, image in zip(test.group, test.image, strict=True)
    ]
    series_of = np.array(named, dtype=object)
    series = []
    for name in sorted(set(named) - {""}):
        member = ~positive & (series_of == name)
        if len(set(test.group[member])) >= MIN_PATIENTS:
            series.append(Subgroup("series", name, "false_positive_rate", member))
    return found + (series if len(series) > 1 else [])


def _difference(values: Sequence[_Value], kind: str) -> _Value | None:
    """First minus second, where a kind has two subgroups."""
    own = [value for value in values if value[0].kind == kind]
    if len(own) != 2:
        return None
    (a, of_a, _, draws_a), (b, of_b, _, draws_b) = own
    both = Subgroup(kind, f"{a.name} − {b.name}", f"{a.metric}_difference", a.member | b.member)
    draws = draws_a - draws_b
    return both, of_a - of_b, percentile_interval(draws), draws
