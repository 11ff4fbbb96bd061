"""Does balancing help: every method of balancing × classifier, on a short list of feature sets.

The list is short for the sake of time: the cheapest handcrafted set and the embedding, or the
first set of the run if it has neither.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from benchmarks.fitting.cell import Cell
from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.cross_validation import CV, fold_rows, in_training_order, recall_threshold
from benchmarks.fitting.fit_each import fit_each
from benchmarks.fitting.study_context import StudyContext
from benchmarks.io.columns import MORE_TABLES
from benchmarks.metrics.arrays import Floats, Labels
from benchmarks.metrics.bootstrap import PatientBootstrap, with_interval
from benchmarks.metrics.calibration import (
    brier_score,
    calibration_slope_intercept,
    expected_calibration_error,
)
from benchmarks.metrics.ranking import ranking_metrics
from benchmarks.metrics.rates import MAIN_RATES, confusion
from features import all_feature_sets
from models import declaration
from models.balance import RESAMPLERS

FEATURES = ("texture", "embedding")
METHODS = (
    "none", "class_weight", "oversample", "undersample",
    *(name for name in RESAMPLERS if name not in {"oversample", "undersample"}),
)  # fmt: skip
SEED = 0  # of the draws of patients
Fits = dict[Cell, list[CellResult]]  # the official split, then the folds in their order


def run(context: StudyContext) -> dict[str, pd.DataFrame]:
    """Fit every method of balancing with every classifier, on the official split and by folds.

    Parameters
    ----------
    context : StudyContext

    Returns
    -------
    dict of DataFrame
        ``ablation``: a row for each feature set, classifier, method and split. ``auc_gain`` and
        ``brier_gain`` are differences to no balancing on the same draws of patients (a Brier
        score below zero is a gain); ``_at_half`` are at threshold 0.5, the others at the
        threshold for a recall of 0.95. ``resampling``: rows of each label before and after, by
        fold, 0 being the official split.
    """
    names = _feature_sets(context)
    cells = [
        Cell(features, model, balance, context.config.seeds[0])
        for features in names
        for model in context.config.models if not declaration(model).on_images
        for balance in METHODS
    ]  # fmt: skip
    rows_of = fold_rows(context.rows, context.fold)
    parts = [context.rows, *(rows_of[k] for k in sorted(rows_of))]
    tasks = [(cell, part) for cell in cells for part in parts]
    outcomes = list(fit_each(tasks, context.matrices, context.config, "ablation"))
    fits = {cell: outcomes[k * len(parts) : (k + 1) * len(parts)] for k, cell in enumerate(cells)}
    scored = [line for split in (CV, "test") for line in _score(context, fits, split)]
    return {
        "ablation": pd.DataFrame(scored).reindex(columns=MORE_TABLES["ablation"]),
        "resampling": pd.DataFrame(_counts(fits)).reindex(columns=MORE_TABLES["resampling"]),
    }


def _feature_sets(context: StudyContext) -> list[str]:
    there = [
        name for name in context.config.features
        if all(family in context.matrices for family in all_feature_sets()[name])
    ]  # fmt: skip
    return [name for name in FEATURES if name in there] or there[:1]


def _score(context: StudyContext, fits: Fits, split: str) -> Iterator[dict[str, Any]]:
    """Rows of one split; a cell of which a fit failed has one with the reason."""
    rows = context.rows
    part = rows.train if split == CV else rows.parts[split]
    label = rows.label[part]
    weights = PatientBootstrap.draw(rows.group[part], label, SEED).with_original()
    plain: dict[tuple[str, str], dict[str, Floats]] = {}
    for cell, outcomes in fits.items():
        needed = outcomes if split == CV else outcomes[:1]
        failed = [outcome for outcome in needed if outcome.status != "ok"]
        line: dict[str, Any] = {
            "features": cell.features, "model": cell.model, "balance": cell.balance,
            "split": split, "n": len(part), "fit_seconds": outcomes[0].fit_seconds,
            "status": failed[0].status if failed else "ok",
            "reason": failed[0].reason if failed else "",
        }  # fmt: skip
        if failed:
            yield line
            continue
        scores = _scores(context, needed)
        score, folds = scores[split], context.fold if split == CV else None
        draws = ranking_metrics(label, score, weights, folds)._asdict()
        draws["brier"] = brier_score(label, score, weights)
        if cell.balance == "none":
            plain[cell.features, cell.model] = draws
        for metric, own in draws.items():
            line |= with_interval(metric, own)
        for metric in ("auc", "brier") if (cell.features, cell.model) in plain else ():
            gain = draws[metric] - plain[cell.features, cell.model][metric]
            line |= with_interval(f"{metric}_gain", gain)
        threshold = recall_threshold(rows, context.fold, split, scores)
        for cut, end in ((0.5, "_at_half"), (threshold, "")):
            at = confusion(label, score >= cut)
            line |= {name + end: float(getattr(at, name)) for name in MAIN_RATES}
        yield line | calibration(label, score)


def _scores(context: StudyContext, outcomes: list[CellResult]) -> dict[str, Floats]:
    official, *folds = outcomes
    held_out = dict(enumerate((outcome.scores[CV] for outcome in folds), start=1))
    return {**official.scores, CV: in_training_order(context.fold, held_out)}


def calibration(label: Labels, score: Floats) -> dict[str, float]:
    """Calibration error, slope (1 is right) and intercept (0 is right) of a set of scores.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive
    score : ndarray of shape (n,), in [0, 1]
    """
    slope, intercept = calibration_slope_intercept(label, score)
    error = expected_calibration_error(label, score)
    return {"ece": float(error), "slope": float(slope), "intercept": float(intercept)}


def _counts(fits: Fits) -> list[dict[str, Any]]:
    lines = []
    for cell, outcomes in fits.items():
        for fold, outcome in enumerate(outcomes):
            record = outcome.details.get("resampling") or {}
            for label, before in record.get("before", {}).items():
                lines.append({
                    "features": cell.features, "model": cell.model, "balance": cell.balance,
                    "fold": fold, "label": int(label), "before": before,
                    "after": record["after"].get(label, 0),
                })  # fmt: skip
    return lines
