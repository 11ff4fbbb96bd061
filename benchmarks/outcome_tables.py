"""Outcomes of cells → tables of predictions, scores and training, written as each cell finishes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import results
from benchmarks.cells import Cell, Outcome, Rows
from benchmarks.metrics import PatientBootstrap, evaluate, threshold_at_recall

TARGET_RECALL = 0.95
SEED = 0  # of the bootstrap: all cells, of whatever seed, meet the same draws of patients
SPLITS = ("validation", "test")


class OutcomeTables:
    """``predictions.csv``, ``scores.csv`` and ``training.csv`` of a run in progress.

    Parameters
    ----------
    folder : Path
        The run folder.
    cells : list of Cell
        All cells of the run, in the order of the tables.
    manifest : DataFrame
        With ``split`` as assigned.
    rows : Rows
    """

    def __init__(self, folder: Path, cells: list[Cell], manifest: pd.DataFrame, rows: Rows) -> None:
        self.folder, self.cells, self.manifest, self.rows = folder, cells, manifest, rows
        self.outcomes: dict[Cell, Outcome] = {}
        self._scores: dict[Cell, pd.DataFrame] = {}
        self._bootstraps = {
            split: PatientBootstrap.draw(rows.group[part], rows.label[part], SEED)
            for split, part in ((split, getattr(rows, split)) for split in SPLITS)
        }

    def add(self, *outcomes: Outcome) -> None:
        """Score finished cells and write the tables, each in one step."""
        for outcome in outcomes:
            self.outcomes[outcome.cell] = outcome
            self._scores[outcome.cell] = self._score(outcome)
        done = [cell for cell in self.cells if cell in self.outcomes]
        predictions = [part for cell in done for part in self._predict(self.outcomes[cell])]
        training = [
            {"cell": cell.name, **epoch} for cell in done for epoch in self.outcomes[cell].training
        ]
        self._write("predictions", predictions)
        self._write("scores", [self._scores[cell] for cell in done])
        self._write("training", [pd.DataFrame(training)] if training else [])

    def _write(self, name: str, parts: list[pd.DataFrame]) -> None:
        columns = results.TABLES[name]
        table = pd.DataFrame(columns=columns)
        if parts:
            table = pd.concat([part.astype(object) for part in parts], ignore_index=True)
        results.write_table(self.folder, name, table.reindex(columns=columns))

    def _predict(self, outcome: Outcome) -> list[pd.DataFrame]:
        cell = outcome.cell
        return [
            self.manifest.iloc[getattr(self.rows, split)][
                ["image", "group", "subtype", "label"]
            ].assign(
                cell=cell.name, features=cell.features, model=cell.model, seed=cell.seed,
                split=split, score=score,
            )
            for split, score in outcome.scores.items()
        ]  # fmt: skip

    def _score(self, outcome: Outcome) -> pd.DataFrame:
        """Four rows a cell: two splits at two operating points, blank if it did not finish."""
        cell = outcome.cell
        known = {
            "cell": cell.name, "features": cell.features, "model": cell.model,
            "balance": cell.balance, "seed": cell.seed, "status": outcome.status,
            "reason": outcome.reason, "fit_seconds": outcome.fit_seconds,
            "predict_seconds": outcome.predict_seconds,
        }  # fmt: skip
        numbers = self._evaluate(outcome) if outcome.status == "ok" else {}
        rows = [
            {**known, "split": split, "operating_point": point, **numbers.get((split, point), {})}
            for split in SPLITS
            for point in results.OPERATING_POINTS
        ]
        return pd.DataFrame(rows).reindex(columns=results.SCORE_COLUMNS)

    def _evaluate(self, outcome: Outcome) -> dict[tuple[str, str], dict[str, Any]]:
        label = self.rows.label
        subtype = self.manifest["subtype"].to_numpy(dtype=object)
        chosen = threshold_at_recall(
            label[self.rows.validation], outcome.scores["validation"], TARGET_RECALL
        )
        numbers = {}
        for split in SPLITS:
            part = getattr(self.rows, split)
            for point, threshold in zip(results.OPERATING_POINTS, (0.5, chosen), strict=True):
                numbers[split, point] = {
                    "threshold": threshold, "n": len(part), "n_positive": int(label[part].sum()),
                    **evaluate(label[part], outcome.scores[split], threshold, subtype[part],
                               self._bootstraps[split]),
                }  # fmt: skip
        return numbers
