"""Tables of predictions, scores and training, written again whenever a cell finishes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.fitting.cell import Cell
from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.cross_validation import (
    CV,
    cross_fitted_thresholds,
    cross_fitted_thresholds_in_draws,
    in_training_order,
)
from benchmarks.fitting.split_indices import SCORED_SPLITS, SplitIndices
from benchmarks.io.columns import OPERATING_POINTS, TABLE_COLUMNS, score_columns
from benchmarks.io.run_files import write_text
from benchmarks.io.tables import to_csv
from benchmarks.metrics.arrays import Floats
from benchmarks.metrics.binary import evaluate
from benchmarks.metrics.bootstrap import SEED, THRESHOLD_SEED, PatientBootstrap
from benchmarks.metrics.operating_points import (
    RedrawnThreshold,
    threshold_at_recall,
    thresholds_in_draws,
)
from benchmarks.metrics.ranking import ranking_metrics


class ResultTables:
    """``predictions.csv``, ``training.csv`` and ``scores.csv`` of a run in progress.

    Scores are written last: a cell in ``scores.csv`` is in the other tables, too.

    Parameters
    ----------
    folder : Path
        The run folder.
    cells : list of Cell
        All cells of the run, in the order of the tables.
    manifest : DataFrame
        With ``split`` as assigned.
    rows : SplitIndices
    fold : ndarray of shape (len(rows.train),), optional
        Fold of each training image, if there is a cross-validation.

    Attributes
    ----------
    results : dict of CellResult
        Finished cells.
    """

    names: tuple[str, ...] = ("predictions", "training", "scores")  # in the order of writing

    def __init__(
        self,
        folder: Path,
        cells: list[Cell],
        manifest: pd.DataFrame,
        rows: SplitIndices,
        fold: NDArray[np.integer] | None = None,
    ) -> None:
        self.folder, self.cells, self.manifest, self.rows = folder, cells, manifest, rows
        self.fold = fold
        self.subtypes = sorted(set(manifest["subtype"][manifest["label"] > 0]) - {""})
        self.results: dict[Cell, CellResult] = {}
        self._lines: dict[tuple[str, Cell], str] = {}
        self._bootstraps = {
            split: PatientBootstrap.draw(rows.group[part], rows.label[part], SEED)
            for split, part in self._parts().items()
        }
        # Other draws than those of the test patients: the two sets are independent samples.
        part = rows.parts["validation"]
        self._for_thresholds = PatientBootstrap.draw(
            rows.group[part], rows.label[part], THRESHOLD_SEED
        )

    def _parts(self) -> dict[str, NDArray[np.intp]]:
        return {**self.rows.parts, **({} if self.fold is None else {CV: self.rows.train})}

    def add(self, *finished: CellResult) -> None:
        """Evaluate finished cells and write the tables.

        Parameters
        ----------
        *finished : CellResult
        """
        for result in finished:
            self.results[result.cell] = result
            for name, table in self._tables(result).items():
                self._lines[name, result.cell] = _lines(table, self.columns(name))
        done = [cell for cell in self.cells if cell in self.results]
        for name in self.names:
            header = _lines(pd.DataFrame(), self.columns(name), header=True)
            lines = [self._lines[name, cell] for cell in done]
            write_text(self.folder / f"{name}.csv", "".join([header, *lines]))

    def columns(self, name: str) -> list[str]:
        """Columns of a table.

        Parameters
        ----------
        name : str

        Returns
        -------
        list of str
        """
        return score_columns(self.subtypes) if name == "scores" else TABLE_COLUMNS[name]

    def _tables(self, result: CellResult) -> dict[str, pd.DataFrame]:
        return {
            "predictions": self._predict(result),
            "training": self._train(result),
            "scores": self._score(result),
        }

    def _train(self, result: CellResult) -> pd.DataFrame:
        return pd.DataFrame([{"cell": result.cell.name, **epoch} for epoch in result.training])

    def _score_columns(self, score: Floats) -> dict[str, Floats]:
        """Columns of ``predictions.csv`` with the scores of a model."""
        return {"score": score}

    def _predict(self, result: CellResult) -> pd.DataFrame:
        cell = result.cell
        scored = [(split, 0, self.rows.parts[split], s) for split, s in result.scores.items()]
        scored += [
            (CV, k, self.rows.train[self.fold == k], result.folds[k]) for k in sorted(result.folds)
        ]
        parts = [
            self.manifest.iloc[part][["image", "group", "subtype", "label"]].assign(
                cell=cell.name, features=cell.features, model=cell.model, seed=cell.seed,
                split=split, fold=fold, **self._score_columns(score),
            )
            for split, fold, part, score in scored
        ]  # fmt: skip
        return pd.concat(parts) if parts else pd.DataFrame()

    def _score(self, result: CellResult) -> pd.DataFrame:
        """Two rows per split, one per operating point; blank if the cell did not finish."""
        known = self._known(result)
        numbers = self._evaluate(result) if result.status == "ok" else {}
        crossed = self._cross_validate(result) if self.crossed(result) else {}
        numbers |= crossed
        rows = [
            {**known, "split": split, "operating_point": point, **numbers.get((split, point), {})}
            for split in (*SCORED_SPLITS, *((CV,) if crossed else ()))
            for point in OPERATING_POINTS
        ]
        return pd.DataFrame(rows)

    def _known(self, result: CellResult) -> dict[str, Any]:
        cell = result.cell
        return {
            "cell": cell.name, "features": cell.features, "model": cell.model,
            "balance": cell.balance, "seed": cell.seed, "status": result.status,
            "reason": result.reason, "fit_seconds": result.fit_seconds,
            "predict_seconds": result.predict_seconds,
        }  # fmt: skip

    def complete(self, cell: Cell) -> bool:
        """Whether a cell is finished, including all folds if it could be fitted.

        Parameters
        ----------
        cell : Cell

        Returns
        -------
        bool
        """
        result = self.results.get(cell)
        if result is None or result.status != "ok" or self.fold is None:
            return result is not None
        return self.crossed(result)

    def crossed(self, result: CellResult) -> bool:
        """Whether all folds of a cell's cross-validation are finished.

        Parameters
        ----------
        result : CellResult

        Returns
        -------
        bool
        """
        return self.fold is not None and len(result.folds) == len(np.unique(self.fold))

    def _evaluate(self, result: CellResult) -> dict[tuple[str, str], dict[str, Any]]:
        chosen = None  # an external model may have no scores on validation
        redrawn: dict[str, RedrawnThreshold] = {}
        if "validation" in result.scores:
            label = self.rows.label[self.rows.parts["validation"]]
            score = result.scores["validation"]
            chosen = threshold_at_recall(label, score)
            for split in result.scores:
                other = split != "validation"
                drawn = self._for_thresholds if other else self._bootstraps[split]
                cut = thresholds_in_draws(label, score, drawn.weights)
                redrawn[split] = RedrawnThreshold(cut[:, None], other)
        numbers: dict[tuple[str, str], dict[str, Any]] = {}
        for split, score in result.scores.items():
            numbers |= self._at_points(split, score, (0.5, chosen), redrawn.get(split))
        return numbers

    def _cross_validate(self, result: CellResult) -> dict[tuple[str, str], dict[str, Any]]:
        assert self.fold is not None
        score = in_training_order(self.fold, result.folds)
        label = self.rows.label[self.rows.train]
        chosen = cross_fitted_thresholds(label, score, self.fold)
        weights = self._bootstraps[CV].weights
        drawn = cross_fitted_thresholds_in_draws(label, score, self.fold, weights)
        redrawn = RedrawnThreshold(drawn, other_patients=False)
        return self._at_points(CV, score, (0.5, chosen), redrawn, self.fold)

    def _at_points(
        self, split: str, score: Floats, thresholds: tuple[float, float | Floats | None],
        redrawn: RedrawnThreshold | None, fold: NDArray[np.integer] | None = None,
    ) -> dict[tuple[str, str], dict[str, Any]]:  # fmt: skip
        part, bootstrap = self._parts()[split], self._bootstraps[split]
        label = self.rows.label[part]
        subtype = self.manifest["subtype"].to_numpy(dtype=object)[part]
        ranking = ranking_metrics(label, score, bootstrap.weights, fold)
        return {
            (split, point): {
                "threshold": threshold if isinstance(threshold, float) else None,
                "n": len(part), "n_positive": int(label.sum()),
                **evaluate(label, score, threshold, subtype, bootstrap, ranking, fold, again),
            }
            for point, threshold, again in zip(
                OPERATING_POINTS, thresholds, (None, redrawn), strict=True
            )
            if threshold is not None
        }  # fmt: skip


def _lines(table: pd.DataFrame, columns: list[str], header: bool = False) -> str:
    """Rows of a table as CSV; floats keep all digits."""
    table = table.reindex(columns=columns).astype(object)
    return to_csv(table, header)
