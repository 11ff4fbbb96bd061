"""Outcomes of cells → tables, in a run of more than two classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.datasets.dataset import MACRO
from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.cross_validation import CV
from benchmarks.io import results
from benchmarks.metrics.arrays import Floats
from benchmarks.metrics.multiclass import confusion_counts, decide, evaluate
from benchmarks.run.result_tables import SPLITS, ResultTables

ARGMAX = "argmax"  # the operating point: the class of the largest probability


class MulticlassTables(ResultTables):
    """``ResultTables`` for more than two classes, with ``classes.csv`` and ``confusions.csv``.

    In ``predictions.csv`` each class has a column ``score_<class>``, its probability, and ``score``
    is blank; in ``scores.csv`` a cell has one row a split, without metrics: so nothing that expects
    the probability of pneumonia takes another number for it. Metrics are in ``classes.csv``.
    """

    names = ("predictions", "training", "classes", "confusions", "scores")

    @property
    def classes(self) -> list[str]:
        """Names of the classes by label."""
        return results.class_names(self.manifest)

    def columns(self, name: str) -> list[str]:
        """Columns of a table."""
        more = [f"score_{c}" for c in self.classes] if name == "predictions" else []
        return [*super().columns(name), *more]

    def _score_columns(self, score: Floats) -> dict[str, Floats]:
        return dict(zip(self.columns("predictions")[-score.shape[1] :], score.T, strict=True))

    def _tables(self, outcome: CellResult) -> dict[str, pd.DataFrame]:
        return {
            "predictions": self._predict(outcome),
            "training": self._train(outcome),
            "classes": self._classes(outcome),
            "confusions": self._confusions(outcome),
            "scores": self._splits(outcome),
        }

    def _judged(self, outcome: CellResult) -> dict[str, tuple[Any, Floats, Any]]:
        """Labels, probabilities and folds of each split that the cell has scored."""
        if outcome.status != "ok":
            return {}
        label, rows = self.rows.label, self.rows
        judged: dict[str, tuple[Any, Floats, Any]] = {
            split: (label[rows.parts[split]], outcome.scores[split], None) for split in SPLITS
        }
        if self.crossed(outcome):
            assert self.fold is not None
            proba = np.empty((len(rows.train), len(self.classes)))
            for k, held_out in outcome.folds.items():
                proba[self.fold == k] = held_out
            judged[CV] = (label[rows.train], proba, self.fold)
        return judged

    def _classes(self, outcome: CellResult) -> pd.DataFrame:
        """Rows of a split: one a class, then the macro averages; blank if it did not finish."""
        judged = self._judged(outcome)
        names = [*self.classes, MACRO]
        rows = []
        for split in judged or SPLITS:
            numbers: list[dict[str, float]] = [{} for _ in names]
            if judged:
                label, proba, fold = judged[split]
                numbers = evaluate(label, proba, self._bootstraps[split], fold)
            rows += [
                {**self._known(outcome), "split": split, "class": name, **row}
                for name, row in zip(names, numbers, strict=True)
            ]
        return pd.DataFrame(rows)

    def _confusions(self, outcome: CellResult) -> pd.DataFrame:
        names = self.classes
        rows = []
        for split, (label, proba, _) in self._judged(outcome).items():
            counts = confusion_counts(label, decide(proba), len(names))[0].astype(int)
            rows += [
                {"cell": outcome.cell.name, "split": split, "true": true, "predicted": called,
                 "n": counts[i, j]}
                for i, true in enumerate(names) for j, called in enumerate(names)
            ]  # fmt: skip
        return pd.DataFrame(rows)

    def _splits(self, outcome: CellResult) -> pd.DataFrame:
        judged = self._judged(outcome)
        rows = [
            {**self._known(outcome), "split": split, "operating_point": ARGMAX,
             "n": len(judged[split][0]) if judged else None}
            for split in judged or SPLITS
        ]  # fmt: skip
        return pd.DataFrame(rows)
