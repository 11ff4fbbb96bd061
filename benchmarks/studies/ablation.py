"""Ablation of class balancing: every method × every classifier, on a few feature sets.

To save time, the feature sets are only the cheapest handcrafted one and the embedding, or the
first set of the run if it has neither.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from benchmarks.fitting.cell import Cell, families_of
from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.cross_validation import CV, recall_threshold
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
from benchmarks.studies.cell_fits import (
    fit_cells,
    official_and_folds,
    rates_at,
    scores_by_split,
    status_of,
)
from models import declaration
from models.balance import RESAMPLERS

FEATURES = ("texture", "embedding")
METHODS = (
    "none", "class_weight", "oversample", "undersample",
    *(name for name in RESAMPLERS if name not in {"oversample", "undersample"}),
)  # fmt: skip
SEED = 0  # of the bootstrap draws


def run(context: StudyContext) -> dict[str, pd.DataFrame]:
    """Fit every balancing method with every classifier, on the official split and on each fold.

    Parameters
    ----------
    context : StudyContext

    Returns
    -------
    dict of DataFrame
        ``ablation``: one row per feature set, classifier, method and split. ``auc_gain`` and
        ``brier_gain`` are the differences from no balancing on the same bootstrap draws of
        patients; a negative ``brier_gain`` is an improvement. Precision, recall and specificity
        are those at the threshold for a recall of 0.95, and at 0.5 with the ending ``_at_half``.
        ``resampling``: number of training images per label before and after balancing, by fold;
        fold 0 is the official split.
    """
    cells = [
        Cell(features, model, balance, context.config.seeds[0], tune=context.config.tune)
        for features in _feature_sets(context)
        for model in context.config.models if not declaration(model).on_images
        for balance in METHODS
    ]  # fmt: skip
    fits = fit_cells(context, cells, official_and_folds(context), "ablation")
    scored = [line for split in (CV, "test") for line in _score(context, fits, split)]
    return {
        "ablation": pd.DataFrame(scored).reindex(columns=MORE_TABLES["ablation"]),
        "resampling": pd.DataFrame(_counts(fits)).reindex(columns=MORE_TABLES["resampling"]),
    }


def _feature_sets(context: StudyContext) -> list[str]:
    available = [
        name for name in context.config.features
        if all(family in context.matrices for family in families_of(name))
    ]  # fmt: skip
    given = [name for name, _ in context.config.features_from if name in available]
    return [*(name for name in FEATURES if name in available), *given] or available[:1]


def _score(
    context: StudyContext, fits: dict[Cell, list[CellResult]], split: str
) -> Iterator[dict[str, Any]]:
    """Yield one row per cell; if one of its fits failed, the row has the reason only."""
    rows = context.rows
    part = rows.train if split == CV else rows.parts[split]
    label = rows.label[part]
    weights = PatientBootstrap.draw(rows.group[part], label, SEED).with_original()
    unbalanced: dict[tuple[str, str], dict[str, Floats]] = {}
    for cell, results in fits.items():
        needed = results if split == CV else results[:1]
        status, reason = status_of(needed)
        line: dict[str, Any] = {
            "features": cell.features, "model": cell.model, "balance": cell.balance,
            "split": split, "n": len(part), "fit_seconds": results[0].fit_seconds,
            "status": status, "reason": reason,
        }  # fmt: skip
        if status != "ok":
            yield line
            continue
        scores = scores_by_split(context, needed)
        score, folds = scores[split], context.fold if split == CV else None
        draws = ranking_metrics(label, score, weights, folds)._asdict()
        draws["brier"] = brier_score(label, score, weights)
        if cell.balance == "none":
            unbalanced[cell.features, cell.model] = draws
        for metric, own in draws.items():
            line |= with_interval(metric, own)
        if reference := unbalanced.get((cell.features, cell.model)):
            for metric in ("auc", "brier"):
                line |= with_interval(f"{metric}_gain", draws[metric] - reference[metric])
        at_half = rates_at(label, score, 0.5)
        line |= {f"{name}_at_half": rate for name, rate in at_half.items()}
        line |= rates_at(label, score, recall_threshold(rows, context.fold, split, scores))
        yield line | _calibration(label, score)


def _calibration(label: Labels, score: Floats) -> dict[str, float]:
    slope, intercept = calibration_slope_intercept(label, score)
    error = expected_calibration_error(label, score)
    return {"ece": float(error), "slope": float(slope), "intercept": float(intercept)}


def _counts(fits: dict[Cell, list[CellResult]]) -> list[dict[str, Any]]:
    lines = []
    for cell, results in fits.items():
        for fold, result in enumerate(results):
            record = result.details.get("resampling") or {}
            for label, before in record.get("before", {}).items():
                lines.append({
                    "features": cell.features, "model": cell.model, "balance": cell.balance,
                    "fold": fold, "label": int(label), "before": before,
                    "after": record["after"].get(label, 0),
                })  # fmt: skip
    return lines
