"""Tables of a run with more than two classes."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmarks.datasets.dataset import MACRO
from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.cross_validation import CV, in_training_order
from benchmarks.fitting.split_indices import SCORED_SPLITS
from benchmarks.io import results
from benchmarks.metrics.arrays import Floats
from benchmarks.metrics.multiclass import confusion_counts, decide, evaluate
from benchmarks.run.result_tables import ResultTables

ARGMAX = "argmax"  # the operating point: the class with the largest probability


class MulticlassTables(ResultTables):
    """``ResultTables`` for more than two classes, with ``classes.csv`` and ``confusions.csv``.

    In ``predictions.csv`` the column ``score_<class>`` is the probability of a class, and ``score``
    is blank. In ``scores.csv`` a cell has one row per split, without metrics, so that no reader
    mistakes another number for the probability of a positive class. Metrics are in ``classes.csv``.
    """

    names = ("predictions", "training", "classes", "confusions", "scores")

    @property
    def classes(self) -> list[str]:
        """Names of the classes by label."""
        return results.class_names(self.manifest)

    def columns(self, name: str) -> list[str]:
        """Columns of a table.

        Parameters
        ----------
        name : str

        Returns
        -------
        list of str
        """
        more = [f"score_{c}" for c in self.classes] if name == "predictions" else []
        return [*super().columns(name), *more]

    def _score_columns(self, score: Floats) -> dict[str, Floats]:
        return dict(zip(self.columns("predictions")[-score.shape[1] :], score.T, strict=True))

    def _tables(self, result: CellResult) -> dict[str, pd.DataFrame]:
        return {
            "predictions": self._predict(result),
            "training": self._train(result),
            "classes": self._classes(result),
            "confusions": self._confusions(result),
            "scores": self._splits(result),
        }

    def _scored(self, result: CellResult) -> dict[str, tuple[Any, Floats, Any]]:
        """Labels, probabilities and folds of each split that the cell scored."""
        if result.status != "ok":
            return {}
        label, rows = self.rows.label, self.rows
        scored: dict[str, tuple[Any, Floats, Any]] = {
            split: (label[rows.parts[split]], result.scores[split], None) for split in SCORED_SPLITS
        }
        if self.crossed(result):
            assert self.fold is not None
            proba = in_training_order(self.fold, result.folds)
            scored[CV] = (label[rows.train], proba, self.fold)
        return scored

    def _classes(self, result: CellResult) -> pd.DataFrame:
        """Per split one row per class, then the macro average; blank if the cell did not finish."""
        scored = self._scored(result)
        names = [*self.classes, MACRO]
        rows = []
        for split in scored or SCORED_SPLITS:
            numbers: list[dict[str, float]] = [{} for _ in names]
            if scored:
                label, proba, fold = scored[split]
                numbers = evaluate(label, proba, self._bootstraps[split], fold)
            rows += [
                {**self._known(result), "split": split, "class": name, **row}
                for name, row in zip(names, numbers, strict=True)
            ]
        return pd.DataFrame(rows)

    def _confusions(self, result: CellResult) -> pd.DataFrame:
        names = self.classes
        rows = []
        for split, (label, proba, _) in self._scored(result).items():
            counts = confusion_counts(label, decide(proba), len(names))[0].astype(int)
            rows += [
                {"cell": result.cell.name, "split": split, "true": true, "predicted": predicted,
                 "n": counts[i, j]}
                for i, true in enumerate(names) for j, predicted in enumerate(names)
            ]  # fmt: skip
        return pd.DataFrame(rows)

    def _splits(self, result: CellResult) -> pd.DataFrame:
        scored = self._scored(result)
        rows = [
            {**self._known(result), "split": split, "operating_point": ARGMAX,
             "n": len(scored[split][0]) if scored else None}
            for split in scored or SCORED_SPLITS
        ]  # fmt: skip
        return pd.DataFrame(rows)
