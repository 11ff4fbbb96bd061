"""The compared methods, one row each: a feature set × a classifier with its scores over seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.fitting.cell import COMBINED, EXTERNAL, PIXELS
from benchmarks.io.columns import OPERATING_POINTS, needs_threshold
from benchmarks.io.formatting import join_words
from benchmarks.io.results import Results
from benchmarks.metrics.bootstrap import seed_error, with_seed_error
from models.combinations import COMBINATIONS

POINT_TITLES = {"0.5": "threshold 0.5", "recall95": "threshold for recall ≥ 0.95 on validation"}


@dataclass(frozen=True)
class Estimate:
    """A metric of one method, averaged over its seeds.

    Attributes
    ----------
    value, low, high : float
        Mean over seeds of the metric, and its 95 % interval. At a threshold that was chosen on the
        validation set, it includes the uncertainty of the threshold. With several seeds, it
        includes the variance between seeds; see :meth:`Row.estimate`.
    spread : float
        Standard deviation over seeds; NaN for one seed.
    """

    value: float
    low: float
    high: float
    spread: float


@dataclass(frozen=True)
class Row:
    """One method: a feature set × a classifier, a combination, the CNN, or an external model.

    Attributes
    ----------
    features, model : str
    seeds : int
        Number of seeds that the run was asked for.
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
        """Whether this is an external model, whose scores were read from a file."""
        return self.features == EXTERNAL

    @property
    def is_combined(self) -> bool:
        """Whether this combines the scores of the classifiers on features."""
        return self.features == COMBINED

    @property
    def classifier(self) -> str:
        """Name of the classifier in text and tables; the title of a combination."""
        known = COMBINATIONS.get(self.model) if self.is_combined else None
        return known.title if known else self.model

    @property
    def kind(self) -> str:
        """Key for grouping and colours: the feature set, or the name of an external model."""
        return f"external: {self.model}" if self.is_external else self.features

    @property
    def label(self) -> str:
        """Name in text and legends."""
        if self.is_external:
            return self.kind
        return "CNN, end to end" if self.is_cnn else f"{self.features} + {self.classifier}"

    def cells(self) -> list[str]:
        """Return the names of the finished cells, ordered by seed."""
        return list(dict.fromkeys(self.scores.sort_values("seed", kind="stable")["cell"]))

    def at(self, split: str, point: str) -> pd.DataFrame:
        """Select the scores on one split at one operating point, one row per seed.

        Parameters
        ----------
        split : str
            ``validation``, ``test`` or ``cv``.
        point : str
            One of ``OPERATING_POINTS``.

        Returns
        -------
        DataFrame
        """
        return self.scores[self._at(split, point)]

    def _at(self, split: str, point: str) -> pd.Series:
        return (self.scores["split"] == split) & (self.scores["operating_point"] == point)

    def first(self, split: str, point: str) -> pd.DataFrame:
        """Select the scores of the first seed on one split at one operating point.

        Parameters
        ----------
        split : str
        point : str

        Returns
        -------
        DataFrame
            One row; none where the method has no such score.
        """
        return self.at(split, point).sort_values("seed", kind="stable").head(1)

    def estimate(self, split: str, point: str, metric: str) -> Estimate:
        """Average a metric over seeds, with an interval over patients and seeds.

        Parameters
        ----------
        split : str
            ``validation``, ``test`` or ``cv``.
        point : str
            One of ``OPERATING_POINTS``.
        metric : str
            A column of ``scores.csv``.

        Returns
        -------
        Estimate

        Notes
        -----
        With several seeds, each bound is as far from the mean as the bounds of the single seeds
        are on average, and further by the variance between seeds
        (:func:`~benchmarks.metrics.bootstrap.with_seed_error`). The error from patients of a mean
        is at most the average of the seeds' errors, so the interval is not too narrow for it.
        """
        own = self.scores[self._at(split, point)]

        def _mean(column: str) -> float:
            return float(own[column].astype(float).mean()) if column in own else math.nan

        end = "_threshold" if needs_threshold(metric) else ""
        value, low, high = (_mean(metric + name) for name in ("", f"_lo{end}", f"_hi{end}"))
        spread = float(own[metric].astype(float).std(ddof=1)) if len(own) > 1 else math.nan
        if len(own) > 1:
            error = seed_error(own[metric].dropna().to_numpy(dtype=float))
            bounds = with_seed_error(value, low, high, error)
            low, high = np.clip(bounds, -1.0 if metric == "mcc" else 0.0, 1.0).tolist()
        return Estimate(value, low, high, spread)


def rows(results: Results) -> list[Row]:
    """Return all methods in the order of the run; the CNN and then external models come last.

    Parameters
    ----------
    results : Results

    Returns
    -------
    list of Row
    """
    found = []
    for (features, model), table in results.scores.groupby(["features", "model"], sort=False):
        ok = table[table["status"] == "ok"]
        bad = table[table["status"] != "ok"]
        status, reason = ("", "") if bad.empty else bad.iloc[0][["status", "reason"]]
        seeds = int(table["cell"].nunique())
        found.append(Row(str(features), str(model), seeds, ok, str(status), str(reason)))
    order = list(dict.fromkeys(row.features for row in found))
    return sorted(found, key=lambda row: (row.is_external, row.is_cnn, order.index(row.features)))


def finished(results: Results) -> list[Row]:
    """Select the rows of the comparison with at least one finished seed.

    Parameters
    ----------
    results : Results

    Returns
    -------
    list of Row
    """
    return [row for row in rows(results) if row.ok]


def feature_sets(table: Sequence[Row]) -> list[str]:
    """Return the feature sets in order: of neither the CNN, nor external models, nor combinations.

    Parameters
    ----------
    table : sequence of Row

    Returns
    -------
    list of str
    """
    return list(dict.fromkeys(row.features for row in on_features(table)))


def kinds(table: Sequence[Row]) -> list[str]:
    """Return the feature sets and external models in order: the keys of colours in figures.

    Parameters
    ----------
    table : sequence of Row

    Returns
    -------
    list of str
        Without the CNN, which has a fixed look.
    """
    return list(dict.fromkeys(row.kind for row in table if not row.is_cnn))


def classical(table: Sequence[Row]) -> list[Row]:
    """Select the classifiers on features and their combinations.

    The CNN and external models are left out.

    Parameters
    ----------
    table : sequence of Row

    Returns
    -------
    list of Row
    """
    return [row for row in table if not (row.is_cnn or row.is_external)]


def on_features(table: Sequence[Row]) -> list[Row]:
    """Select the classifiers on features.

    Parameters
    ----------
    table : sequence of Row

    Returns
    -------
    list of Row
    """
    return [row for row in classical(table) if not row.is_combined]


def leaders(table: Sequence[Row], merit: Callable[[Row], float] | None = None) -> list[Row]:
    """Select the best method of each feature set, the CNN and each external model.

    Parameters
    ----------
    table : sequence of Row
    merit : callable, optional
        The criterion, from validation scores only; by default average precision.

    Returns
    -------
    list of Row
        Methods without a finished seed are left out.
    """
    chosen = []
    for kind in dict.fromkeys(row.kind for row in table):
        own = [row for row in table if row.kind == kind and row.ok]
        if own:
            chosen.append(max(own, key=merit or validation_precision))
    return chosen


def leaders_caption(table: Sequence[Row]) -> str:
    """Describe how :func:`leaders` were selected.

    Parameters
    ----------
    table : sequence of Row
        The leaders.

    Returns
    -------
    str
    """
    others = ["the CNN"] * any(row.is_cnn for row in table)
    others += ["each external model"] * any(row.is_external for row in table)
    text = (
        "for each feature set, the classifier with the highest average precision on the "
        "validation set (other validation patients may select another)"
    )
    if any(row.is_combined for row in table):
        text = f"{text}; combinations of them are compared as a feature set of their own"
    return ", and ".join([text, *others]) if classical(table) else join_words(others)


def validation_precision(row: Row) -> float:
    """Return the average precision on the validation set, by which methods are selected.

    Parameters
    ----------
    row : Row

    Returns
    -------
    float
        −inf if unknown.
    """
    value = row.estimate("validation", OPERATING_POINTS[0], "average_precision").value
    return -math.inf if math.isnan(value) else value
