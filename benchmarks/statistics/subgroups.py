"""Recall by kind of pneumonia, and false positive rate by series of normal radiographs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.io.columns import MORE_TABLES, OPERATING_POINTS
from benchmarks.io.results import Results
from benchmarks.metrics.arrays import Floats
from benchmarks.metrics.bootstrap import percentile_interval
from benchmarks.metrics.rates import fraction_predicted_positive
from benchmarks.statistics.split_scores import SplitScores, methods, read_split, thresholds

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


Fractions = tuple[Subgroup, Floats]  # fractions of shape (1 + draws, methods × operating points)


def tabulate(results: Results) -> dict[str, pd.DataFrame]:
    """Tabulate the fraction predicted positive in each subgroup of the test set.

    Parameters
    ----------
    results : Results

    Returns
    -------
    dict of DataFrame
        ``subgroups``: the fraction is the recall for a kind of pneumonia, and the false positive
        rate for a series of normal radiographs. If there are two kinds, or two series, their
        difference has a row, too. Intervals are from the bootstrap over patients.
    """
    cells = methods(results)
    test = read_split(results, "test", cells)
    chosen = {
        (cell, point): threshold
        for point in OPERATING_POINTS
        for cell, threshold in thresholds(results, point).items()
        if cell in test.scores and np.isfinite(threshold)
    }
    found = subgroups(test)
    keys = [
        (cell, point) for cell in cells for point in OPERATING_POINTS if (cell, point) in chosen
    ]
    lines = []
    if keys and found:
        weights = test.bootstrap().with_original()
        predicted = np.column_stack(
            [test.scores[cell] >= chosen[cell, point] for cell, point in keys]
        )
        fractions = [
            (one, fraction_predicted_positive(predicted, one.member, weights)) for one in found
        ]
        fractions += [difference for kind in KINDS if (difference := _difference(fractions, kind))]
        lines = [line for one in fractions for line in _lines(test, *one, keys)]
    table = pd.DataFrame(lines, columns=MORE_TABLES["subgroups"])
    return {"subgroups": table}


def subgroups(test: SplitScores) -> list[Subgroup]:
    """Find the kinds of pneumonia and the series of normal radiographs.

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


def _difference(fractions: Sequence[Fractions], kind: str) -> Fractions | None:
    """First minus second, where a kind has two subgroups."""
    own = [one for one in fractions if one[0].kind == kind]
    if len(own) != 2:
        return None
    (a, of_a), (b, of_b) = own
    both = Subgroup(kind, f"{a.name} − {b.name}", f"{a.metric}_difference", a.member | b.member)
    return both, of_a - of_b


def _lines(
    test: SplitScores, subgroup: Subgroup, values: Floats, keys: Sequence[tuple[str, str]]
) -> list[dict[str, object]]:  # fmt: skip
    lines = []
    for k, (cell, point) in enumerate(keys):
        low, high = percentile_interval(values[1:, k])
        lines.append({
            "cell": cell, "operating_point": point, "kind": subgroup.kind, "name": subgroup.name,
            "metric": subgroup.metric, "n": int(subgroup.member.sum()),
            "patients": len(set(test.group[subgroup.member])), "value": float(values[0, k]),
            "lo": low, "hi": high,
        })  # fmt: skip
    return lines
