"""What groups of columns add to one image's score: exchanged for those of other images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.importance.scorers import LinearFront, Machine, component_weights, logistic_weights

Floats = NDArray[np.float64]
Rows = NDArray[np.floating]
LOG_ODDS, PROBABILITY = "log-odds", "probability"
BOUND = 1e-6  # nearest that a probability comes to 0 or 1 before its log-odds are taken


@dataclass(frozen=True)
class Exchanged:
    """Contributions of groups of columns to one image's output.

    Attributes
    ----------
    values : dict of float
        By group: the output less the mean output with the group's columns from other images.
        Positive: as it is here, the group speaks for pneumonia. They do not add up to
        ``output`` − ``expected`` where columns work together.
    output, expected : float
        Of the image, and the mean of the others.
    space : str
        ``log-odds`` or ``probability``.
    """

    values: dict[str, float]
    output: float
    expected: float
    space: str


def exchange(
    pipeline: Any, row: Rows, others: Rows, groups: Mapping[str, NDArray[np.intp]]
) -> Exchanged:
    """Exchange each group's columns of one row for those of other rows.

    Parameters
    ----------
    pipeline : fitted pipeline of ``models.*.build``, of two classes
    row : ndarray of shape (d,)
    others : ndarray of shape (n, d)
        Training rows, or their mean as the only one.
    groups : dict of ndarray of int

    Returns
    -------
    Exchanged
        In log-odds; of forests, whose probabilities may be 0 or 1, in probabilities.

    References
    ----------
    Robnik-Šikonja M, Kononenko I. Explaining classifications for individual instances. IEEE TKDE
    2008;20:589-600. doi:10.1109/TKDE.2007.190734
    """
    steps = tuple(name for name in pipeline.named_steps if name != "balance")
    if steps == ("scale", "classify"):
        return _linear(pipeline, row, others, groups)
    if steps == ("scale", "reduce", "classify"):
        return _machine(pipeline, row, others, groups)
    return _plain(pipeline, row, others, groups)


def typical_row(pipeline: Any, d: int) -> NDArray[np.float32]:
    """Mean training row that a pipeline's scaler keeps, of shape (1, d).

    Columns that the pipeline does not use are 0.
    """
    kept = slice(None)
    if "select" in pipeline.named_steps:
        kept = pipeline.named_steps["select"].get_support()
    row = np.zeros((1, d), dtype=np.float32)
    row[0, kept] = pipeline.named_steps["scale"].mean_
    return row


def log_odds(probability: Floats) -> Floats:
    """Log-odds of probabilities, which are kept a millionth off 0 and 1."""
    bounded = np.clip(probability, BOUND, 1 - BOUND)
    return np.asarray(np.log(bounded / (1 - bounded)))


def _linear(
    pipeline: Any, row: Rows, others: Rows, groups: Mapping[str, NDArray[np.intp]]
) -> Exchanged:
    weights, offset = logistic_weights(pipeline)
    mean = others.mean(axis=0, dtype=np.float64)
    parts = weights * (row - mean)
    expected = float(weights @ mean + offset)
    values = {name: float(parts[columns].sum()) for name, columns in groups.items()}
    return Exchanged(values, expected + float(parts.sum()), expected, LOG_ODDS)


def _machine(
    pipeline: Any, row: Rows, others: Rows, groups: Mapping[str, NDArray[np.intp]]
) -> Exchanged:
    weights, offset = component_weights(pipeline)
    machine = Machine(pipeline)
    here, there = LinearFront(row[None], weights, offset), LinearFront(others, weights, offset)

    def output(rows: Floats) -> Floats:
        return machine.slope * machine.decision(rows) + machine.shift

    def exchanged(columns: NDArray[np.intp]) -> float:
        change = (others[:, columns].astype(np.float64) - row[columns]) @ weights[columns]
        return float(output(here.rows + change).mean())

    whole = float(output(here.rows)[0])
    values = {name: whole - exchanged(columns) for name, columns in groups.items()}
    return Exchanged(values, whole, float(output(there.rows).mean()), LOG_ODDS)


def _plain(
    pipeline: Any, row: Rows, others: Rows, groups: Mapping[str, NDArray[np.intp]]
) -> Exchanged:
    boosted = hasattr(pipeline.named_steps["classify"], "get_booster")
    space: Callable[[Floats], Floats] = log_odds if boosted else np.asarray

    def output(rows: Rows) -> Floats:
        return space(np.asarray(pipeline.predict_proba(rows)[:, 1], dtype=np.float64))

    def exchanged(columns: NDArray[np.intp]) -> float:
        rows = np.repeat(row[None], len(others), axis=0)
        rows[:, columns] = others[:, columns]
        return float(output(rows).mean())

    whole = float(output(row[None])[0])
    values = {name: whole - exchanged(columns) for name, columns in groups.items()}
    name = LOG_ODDS if boosted else PROBABILITY
    return Exchanged(values, whole, float(output(others).mean()), name)
