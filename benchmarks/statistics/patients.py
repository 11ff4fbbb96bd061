"""Ranking of patients instead of images, by the mean and the maximum of a patient's scores."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.io.columns import MORE_TABLES
from benchmarks.io.results import Results
from benchmarks.metrics.arrays import Floats, Labels
from benchmarks.metrics.bootstrap import percentile_interval, with_interval
from benchmarks.metrics.ranking import Ranking, ranking_metrics
from benchmarks.statistics.split_scores import SplitScores, methods, read_split

COLUMNS = MORE_TABLES["patients"]
LEVELS = ("image", "mean", "maximum")


class Patients(NamedTuple):
    """The patients of a split; a patient with images of both classes is positive.

    Attributes
    ----------
    first : ndarray of shape (patients,), int
        Position of the first image of each patient.
    member : ndarray of shape (n,), int
        Number of the patient of each image.
    label : ndarray of shape (patients,), 1 = positive
    """

    first: NDArray[np.intp]
    member: NDArray[np.intp]
    label: Labels


def tabulate(results: Results) -> dict[str, pd.DataFrame]:
    """Compute AUC and average precision on the test set by image and by patient.

    Parameters
    ----------
    results : Results

    Returns
    -------
    dict of DataFrame
        ``patients``: one row per method and level. ``image`` ranks images, as ``scores.csv`` does;
        ``mean`` and ``maximum`` rank patients by the mean and the maximum of their images' scores.
        ``difference`` is the AUC minus that by image, with a paired interval. All intervals are
        from the same bootstrap draws of patients.
    """
    test = read_split(results, "test", methods(results))
    if not test.scores:
        return {"patients": pd.DataFrame(columns=COLUMNS)}
    of = patients(test.group, test.label)
    weights = test.bootstrap().with_original()
    lines = [
        line
        for cell, score in test.scores.items()
        for line in _lines(cell, _rankings(test, of, score, weights), test, of)
    ]
    return {"patients": pd.DataFrame(lines, columns=COLUMNS)}


def patients(group: NDArray[np.object_], label: Labels) -> Patients:
    """Find the patients of some images, and which of them are positive.

    Parameters
    ----------
    group : ndarray of shape (n,)
        Patient of each image.
    label : ndarray of shape (n,), 1 = positive

    Returns
    -------
    Patients
        In the order of their names.

    Examples
    --------
    >>> found = patients(np.array(["b", "a", "b"], dtype=object), np.array([0, 0, 1]))
    >>> found.member.tolist(), found.label.tolist()
    ([1, 0, 1], [0, 1])
    """
    _, first, member = np.unique(group, return_index=True, return_inverse=True)
    positive = np.bincount(member, weights=label == 1) > 0
    return Patients(first, member, positive.astype(np.int64))


def patient_scores(score: Floats, of: Patients, how: str) -> Floats:
    """Combine the scores of each patient's images.

    Parameters
    ----------
    score : ndarray of shape (n,)
    of : Patients
    how : {"mean", "maximum"}

    Returns
    -------
    ndarray of shape (patients,)

    Examples
    --------
    >>> of = patients(np.array(["a", "b", "a"], dtype=object), np.array([0, 1, 0]))
    >>> patient_scores(np.array([0.25, 0.5, 0.75]), of, "maximum").tolist()
    [0.75, 0.5]
    """
    if how == "mean":
        return np.bincount(of.member, weights=score) / np.bincount(of.member)
    highest = np.full(len(of.label), -np.inf)
    np.maximum.at(highest, of.member, score)
    return highest


def _rankings(test: SplitScores, of: Patients, score: Floats, weights: Floats) -> list[Ranking]:
    drawn = np.ascontiguousarray(weights[:, of.first])  # a patient's images are drawn together
    return [
        ranking_metrics(test.label, score, weights),
        *(ranking_metrics(of.label, patient_scores(score, of, how), drawn) for how in LEVELS[1:]),
    ]


def _lines(
    cell: str, rankings: list[Ranking], test: SplitScores, of: Patients
) -> list[dict[str, object]]:
    lines = []
    for level, ranking in zip(LEVELS, rankings, strict=True):
        label = test.label if level == "image" else of.label
        difference = ranking.auc - rankings[0].auc
        low, high = percentile_interval(difference[1:])
        lines.append({
            "cell": cell, "level": level, "n": len(label), "n_positive": int(label.sum()),
            **with_interval("auc", ranking.auc),
            **with_interval("average_precision", ranking.average_precision),
            "difference": difference[0], "lo": low, "hi": high,
        })  # fmt: skip
    return lines
