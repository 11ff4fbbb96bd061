"""Recall of each kind of pneumonia, and false positives in each series of normal radiographs."""

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

FEWEST = 5  # patients that a series needs
KINDS = ("subtype", "series")


@dataclass(frozen=True, eq=False)
class Subgroup:
    """Images of one class that have something in common: ``member`` is a mask of shape (n,)."""

    kind: str
    name: str
    metric: str
    member: NDArray[np.bool_]


Share = tuple[Subgroup, Floats]  # fractions of shape (1 + draws, methods × operating points)


def tabulate(results: Results) -> dict[str, pd.DataFrame]:
    """Table ``subgroups``: on test, the share that is called pneumonia of each subgroup.

    Parameters
    ----------
    results : Results

    Returns
    -------
    dict of DataFrame
        ``subgroups``: of a kind of pneumonia that share is the recall, of a series of normal
        radiographs the false positive rate. Where a kind has two subgroups their difference is a
        row, too. Intervals come from the bootstrap over patients.
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
        called = np.column_stack([test.scores[cell] >= chosen[cell, point] for cell, point in keys])
        shares = [(one, fraction_predicted_positive(called, one.member, weights)) for one in found]
        shares += [difference for kind in KINDS if (difference := _difference(shares, kind))]
        lines = [line for one in shares for line in _lines(test, *one, keys)]
    table = pd.DataFrame(lines, columns=MORE_TABLES["subgroups"])
    return {"subgroups": table}


def subgroups(test: SplitScores) -> list[Subgroup]:
    """Kinds of pneumonia and series of normal patients among some images.

    Parameters
    ----------
    test : SplitScores
        A series is what stands before the ``/`` in the name of a patient.

    Returns
    -------
    list of Subgroup
        Kinds in alphabetical order, then series; no series unless at least two have 5 patients.
    """
    positive = test.label == 1
    kinds = sorted({str(name) for name in test.subtype[positive]} - {""})
    found = [
        Subgroup("subtype", name, "recall", positive & (test.subtype == name)) for name in kinds
    ]
    # A patient without a known name is called after the image: that tells of no series.
    named = [
        "" if patient == image else str(patient).rpartition("/")[0].partition("/")[0]
        for patient, image in zip(test.group, test.image, strict=True)
    ]
    series_of = np.array(named, dtype=object)
    series = []
    for name in sorted(set(named) - {""}):
        member = ~positive & (series_of == name)
        if len(set(test.group[member])) >= FEWEST:
            series.append(Subgroup("series", name, "false_positive_rate", member))
    return found + (series if len(series) > 1 else [])


def _difference(shares: Sequence[Share], kind: str) -> Share | None:
    """First less second where a kind has two subgroups."""
    own = [share for share in shares if share[0].kind == kind]
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
