"""Rows of the comparison: a feature set × a classifier, over its seeds; and which to draw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from benchmarks.fitting.cell import EXTERNAL, PIXELS
from benchmarks.io.columns import OPERATING_POINTS
from benchmarks.io.results import Results

POINT_TITLES = {"0.5": "threshold 0.5", "recall95": "threshold for recall ≥ 0.95 on validation"}


@dataclass(frozen=True)
class Estimate:
    """A metric: mean over seeds, 95 % interval, standard deviation over seeds (NaN for one)."""

    value: float
    low: float
    high: float
    spread: float


@dataclass(frozen=True)
class Row:
    """One method: a feature set × a classifier, the CNN, or someone else's model.

    Attributes
    ----------
    features, model : str
    seeds : int
        Seeds that were to run.
    scores : DataFrame
        Its rows of ``scores.csv`` with status ``ok``; empty if no seed finished.
    status, reason : str
        Of the first seed that did not finish; empty if all did.
    """

    features: str
    model: str
    seeds: int
    scores: pd.DataFrame
    status: str
    reason: str

    @property
    def ok(self) -> bool:
        """Whether at least one seed finished."""
        return not self.scores.empty

    @property
    def finished(self) -> int:
        """Number of seeds that finished."""
        return int(self.scores["cell"].nunique())

    @property
    def is_cnn(self) -> bool:
        """Whether this is the network trained end to end."""
        return self.features == PIXELS

    @property
    def is_external(self) -> bool:
        """Whether its scores were computed elsewhere."""
        return self.features == EXTERNAL

    @property
    def kind(self) -> str:
        """What it is drawn and grouped as: its feature set, or the external model by itself."""
        return f"external: {self.model}" if self.is_external else self.features

    @property
    def label(self) -> str:
        """Name in prose and legends."""
        if self.is_external:
            return self.kind
        return "CNN, end to end" if self.is_cnn else f"{self.features} + {self.model}"

    def cells(self) -> list[str]:
        """Names of the cells that finished, by seed."""
        return list(dict.fromkeys(self.scores.sort_values("seed", kind="stable")["cell"]))

    def at(self, split: str, point: str) -> pd.DataFrame:
        """Its scores on one split at one operating point, a row a seed."""
        table = self.scores
        return table[(table["split"] == split) & (table["operating_point"] == point)]

    def estimate(self, split: str, point: str, metric: str) -> Estimate:
        """Mean over seeds of a metric and of the bounds of its interval."""
        table = self.at(split, point)

        def mean(column: str) -> float:
            if column not in table or table[column].isna().all():
                return math.nan
            return float(table[column].astype(float).mean())

        spread = float(table[metric].astype(float).std(ddof=1)) if len(table) > 1 else math.nan
        return Estimate(mean(metric), mean(f"{metric}_lo"), mean(f"{metric}_hi"), spread)


def rows(results: Results) -> list[Row]:
    """Rows of the comparison in the order of the run, the CNN and then others' models last."""
    found = []
    for (features, model), table in results.scores.groupby(["features", "model"], sort=False):
        ok = table[table["status"] == "ok"]
        bad = table[table["status"] != "ok"]
        status, reason = ("", "") if bad.empty else bad.iloc[0][["status", "reason"]]
        seeds = int(table["cell"].nunique())
        found.append(Row(str(features), str(model), seeds, ok, str(status), str(reason)))
    order = list(dict.fromkeys(row.features for row in found))
    return sorted(found, key=lambda row: (row.is_external, row.is_cnn, order.index(row.features)))


def feature_sets(table: Sequence[Row]) -> list[str]:
    """Feature sets in their order, the CNN's pixels and others' models left out."""
    return list(dict.fromkeys(row.features for row in classical(table)))


def kinds(table: Sequence[Row]) -> list[str]:
    """Feature sets and external models, of which each has its look; the CNN has its own."""
    return list(dict.fromkeys(row.kind for row in table if not row.is_cnn))


def classical(table: Sequence[Row]) -> list[Row]:
    """Rows of classifiers on features."""
    return [row for row in table if not (row.is_cnn or row.is_external)]


def leaders(table: Sequence[Row]) -> list[Row]:
    """Choose each feature set's row with the best validation average precision, and all others.

    Notes
    -----
    Nothing is chosen by its test score.
    """
    chosen = []
    for kind in dict.fromkeys(row.kind for row in table):
        own = [row for row in table if row.kind == kind and row.ok]
        if own:
            chosen.append(max(own, key=validation_precision))
    return chosen


def validation_precision(row: Row) -> float:
    """Average precision on validation, the number by which rows are chosen for drawing."""
    value = row.estimate("validation", OPERATING_POINTS[0], "average_precision").value
    return -math.inf if math.isnan(value) else value


def and_the_cnn(table: Sequence[Row]) -> str:
    """Words for captions: " and the CNN" where it is among the rows."""
    return " and the CNN" if any(row.is_cnn for row in table) else ""
