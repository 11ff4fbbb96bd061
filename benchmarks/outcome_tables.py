"""Outcomes of cells → tables of predictions, scores and training, written as each cell finishes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import results
from benchmarks.cells import Cell, Outcome, Rows
from benchmarks.metrics import (
    PatientBootstrap,
    bootstrap_ranking,
    evaluate,
    threshold_at_recall,
)

TARGET_RECALL = 0.95
SEED = 0  # of the bootstrap: all cells, of whatever seed, meet the same draws of patients
SPLITS = ("validation", "test")
TABLES = ("predictions", "training", "scores")  # in the order of writing


class OutcomeTables:
    """``predictions.csv``, ``training.csv`` and ``scores.csv`` of a run in progress.

    Scores are written last: a cell that is in them is in the other tables, too.

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
        self._lines: dict[tuple[str, Cell], str] = {}
        self._bootstraps = {
            split: PatientBootstrap.draw(rows.group[part], rows.label[part], SEED)
            for split, part in ((split, getattr(rows, split)) for split in SPLITS)
        }

    def add(self, *outcomes: Outcome) -> None:
        """Score finished cells and write the tables, each in one step."""
        for outcome in outcomes:
            cell = outcome.cell
            self.outcomes[cell] = outcome
            training = [{"cell": cell.name, **epoch} for epoch in outcome.training]
            self._lines["predictions", cell] = _lines("predictions", self._predict(outcome))
            self._lines["training", cell] = _lines("training", pd.DataFrame(training))
            self._lines["scores", cell] = _lines("scores", self._score(outcome))
        done = [cell for cell in self.cells if cell in self.outcomes]
        for name in TABLES:
            header = _lines(name, pd.DataFrame(), header=True)
            lines = [self._lines[name, cell] for cell in done]
            results.write_text(self.folder / f"{name}.csv", "".join([header, *lines]))

    def _predict(self, outcome: Outcome) -> pd.DataFrame:
        cell = outcome.cell
        parts = [
            self.manifest.iloc[getattr(self.rows, split)][
                ["image", "group", "subtype", "label"]
            ].assign(
                cell=cell.name, features=cell.features, model=cell.model, seed=cell.seed,
                split=split, score=score,
            )
            for split, score in outcome.scores.items()
        ]  # fmt: skip
        return pd.concat(parts) if parts else pd.DataFrame()

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
        return pd.DataFrame(rows)

    def _evaluate(self, outcome: Outcome) -> dict[tuple[str, str], dict[str, Any]]:
        label = self.rows.label
        subtype = self.manifest["subtype"].to_numpy(dtype=object)
        chosen = threshold_at_recall(
            label[self.rows.validation], outcome.scores["validation"], TARGET_RECALL
        )
        numbers = {}
        for split in SPLITS:
            part = getattr(self.rows, split)
            known = (label[part], outcome.scores[split])
            bootstrap = self._bootstraps[split]
            ranking = bootstrap_ranking(*known, bootstrap.weights)
            for point, threshold in zip(results.OPERATING_POINTS, (0.5, chosen), strict=True):
                numbers[split, point] = {
                    "threshold": threshold, "n": len(part), "n_positive": int(label[part].sum()),
                    **evaluate(*known, threshold, subtype[part], bootstrap, ranking),
                }  # fmt: skip
        return numbers


def _lines(name: str, table: pd.DataFrame, header: bool = False) -> str:
    """Rows of a table as CSV; floats keep every digit."""
    table = table.reindex(columns=results.TABLES[name]).astype(object)
    return str(table.to_csv(index=False, header=header, lineterminator="\n"))
