"""Controls that should know nothing of the lung: size, number, border, thumbnail, lungs blacked.

All controls have the same classifier, logistic regression: it is the cheapest one of the
comparison, and on these columns no weaker than the others. The whole image, described in the
same way, is the reference; the image without its border is the reverse.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from benchmarks.fitting.cell import Cell
from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.cross_validation import CV, fold_rows, in_training_order, recall_threshold
from benchmarks.fitting.fit_each import fit_each
from benchmarks.fitting.study_context import StudyContext
from benchmarks.io.columns import MORE_TABLES
from benchmarks.metrics.arrays import Floats
from benchmarks.metrics.bootstrap import PatientBootstrap, with_interval
from benchmarks.metrics.ranking import ranking_metrics
from benchmarks.metrics.rates import MAIN_RATES, confusion
from benchmarks.studies.controls import (
    CONTROLS,
    FROM_MANIFEST,
    Columns,
    UnavailableError,
    from_images,
)

MODEL = "logistic"
REFERENCE = "whole"
SEED = 0  # of the draws of patients


@dataclass(frozen=True)
class Control(Cell):
    """A cell on columns of its own, which are no family of features."""

    @property
    def families(self) -> tuple[str, ...]:
        """The control's own name."""
        return (self.features,)


def run(context: StudyContext) -> dict[str, pd.DataFrame]:
    """Fit every control on the official split and by folds.

    Parameters
    ----------
    context : StudyContext

    Returns
    -------
    dict of DataFrame
        ``shortcuts``: a row for each control and split. ``below_whole`` is the AUC of the whole
        image less that of the control, on the same draws of patients. Precision, recall and
        specificity are those at the threshold for a recall of 0.95. A control that can't be made
        has one row with the reason.
    """
    columns, reasons = _columns(context)
    scores: dict[str, dict[str, Floats]] = {}
    for name, outcomes in _fits(context, columns):
        failed = [outcome for outcome in outcomes if outcome.status != "ok"]
        if failed:
            reasons[name] = ("failed", failed[0].reason)
            continue
        official, *folds = outcomes
        held_out = dict(enumerate((outcome.scores[CV] for outcome in folds), start=1))
        scores[name] = {**official.scores, CV: in_training_order(context.fold, held_out)}
    made = {(row["control"], row["split"]): row for row in _score(context, scores)}
    rows = []
    for name in CONTROLS:
        known = {"control": name, "model": MODEL}
        if name in scores:
            known |= {"columns": columns[name].shape[1], "status": "ok", "reason": ""}
            rows += [{**known, **made[name, split]} for split in (CV, "test")]
        else:
            rows.append(known | dict(zip(("status", "reason"), reasons[name], strict=True)))
    return {"shortcuts": pd.DataFrame(rows).reindex(columns=MORE_TABLES["shortcuts"])}


def _columns(
    context: StudyContext,
) -> tuple[dict[str, Columns], dict[str, tuple[str, str]]]:
    columns: dict[str, Columns] = {}
    reasons: dict[str, tuple[str, str]] = {}
    for name, describe in FROM_MANIFEST.items():
        try:
            columns[name] = describe(context)
        except UnavailableError as missing:
            reasons[name] = ("not_run", str(missing))
    return {**columns, **from_images(context.images)}, reasons


def _fits(
    context: StudyContext, columns: dict[str, Columns]
) -> Iterator[tuple[str, list[CellResult]]]:
    """Outcomes of each control: the official split, then the folds in their order."""
    config = context.config
    rows_of = fold_rows(context.rows, context.fold)
    parts = [context.rows, *(rows_of[k] for k in sorted(rows_of))]
    cells = {name: Control(name, MODEL, config.balance, config.seeds[0]) for name in columns}
    tasks = [(cell, part) for cell in cells.values() for part in parts]
    outcomes = list(fit_each(tasks, columns, config, "shortcuts"))
    for k, name in enumerate(cells):
        yield name, outcomes[k * len(parts) : (k + 1) * len(parts)]


def _score(context: StudyContext, scores: dict[str, dict[str, Floats]]) -> Iterator[dict[str, Any]]:
    rows, fold = context.rows, context.fold
    for split, part in ((CV, rows.train), ("test", rows.parts["test"])):
        label = rows.label[part]
        weights = PatientBootstrap.draw(rows.group[part], label, SEED).with_original()
        folds = fold if split == CV else None
        draws = {
            name: ranking_metrics(label, own[split], weights, folds)._asdict()
            for name, own in scores.items()
        }
        for name, own in scores.items():
            threshold = recall_threshold(rows, fold, split, own)
            row: dict[str, Any] = {"control": name, "split": split, "n": len(part)}
            for metric, values in draws[name].items():
                row |= with_interval(metric, values)
            if REFERENCE in draws and name != REFERENCE:
                below = draws[REFERENCE]["auc"] - draws[name]["auc"]
                row |= with_interval("below_whole", below)
            at = confusion(label, own[split] >= threshold)
            yield row | {name: float(getattr(at, name)) for name in MAIN_RATES}
