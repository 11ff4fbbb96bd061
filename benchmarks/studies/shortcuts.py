"""Shortcut controls: simple models on inputs that should contain no information about the lungs.

The controls are image size, patient number, thumbnail, border, and the image with its lungs masked
out. The whole image, described by the same features, is the reference; the image without its border
is the opposite check. The classifier is always logistic regression, the cheapest of the comparison
and on these features no weaker than the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from benchmarks.fitting.cell import Cell
from benchmarks.fitting.cross_validation import CV, recall_threshold
from benchmarks.fitting.study_context import StudyContext
from benchmarks.io.columns import MORE_TABLES
from benchmarks.metrics.arrays import Floats
from benchmarks.metrics.bootstrap import PatientBootstrap, with_interval
from benchmarks.metrics.ranking import ranking_metrics
from benchmarks.studies.cell_fits import (
    fit_cells,
    official_and_folds,
    rates_at,
    scores_by_split,
    status_of,
)
from benchmarks.studies.shortcut_features import (
    CONTROLS,
    FROM_MANIFEST,
    FeatureMatrix,
    UnavailableError,
    from_images,
)

MODEL = "logistic"
REFERENCE = "whole"
SEED = 0  # of the bootstrap draws


@dataclass(frozen=True)
class _Control(Cell):
    """A cell on the features of a control, which are no feature family."""

    @property
    def families(self) -> tuple[str, ...]:
        return (self.features,)


def run(context: StudyContext) -> dict[str, pd.DataFrame]:
    """Fit every control on the official split and on each fold.

    Parameters
    ----------
    context : StudyContext

    Returns
    -------
    dict of DataFrame
        ``shortcuts``: one row per control and split. ``below_whole`` is the AUC of the whole
        image minus that of the control, on the same bootstrap draws of patients. Precision,
        recall and specificity are those at the threshold for a recall of 0.95. A control that is
        unavailable or failed has one row with the reason.
    """
    matrices, reasons = _features(context)
    config = context.config
    controls = {
        name: _Control(name, MODEL, config.balance, config.seeds[0], tune=config.tune)
        for name in matrices
    }
    plain = replace(context, rows=context.rows.without_variants())  # controls have no copies
    subsets = official_and_folds(plain)
    fits = fit_cells(context, controls.values(), subsets, "shortcuts", matrices)
    scores: dict[str, dict[str, Floats]] = {}
    for name, control in controls.items():
        status, reason = status_of(fits[control])
        if status == "ok":
            scores[name] = scores_by_split(context, fits[control])
        else:
            reasons[name] = ("failed", reason)
    scored = {(row["control"], row["split"]): row for row in _score(context, scores)}
    rows = []
    for name in CONTROLS:
        known = {"control": name, "model": MODEL}
        if name in scores:
            known |= {"columns": matrices[name].shape[1], "status": "ok", "reason": ""}
            rows += [{**known, **scored[name, split]} for split in (CV, "test")]
        else:
            rows.append(known | dict(zip(("status", "reason"), reasons[name], strict=True)))
    return {"shortcuts": pd.DataFrame(rows).reindex(columns=MORE_TABLES["shortcuts"])}


def _features(context: StudyContext) -> tuple[dict[str, FeatureMatrix], dict[str, tuple[str, str]]]:
    """Compute the features of each control; for the others, return status and reason."""
    matrices: dict[str, FeatureMatrix] = {}
    reasons: dict[str, tuple[str, str]] = {}
    for name, describe in FROM_MANIFEST.items():
        try:
            matrices[name] = describe(context)
        except UnavailableError as missing:
            reasons[name] = ("not_run", str(missing))
    return {**matrices, **from_images(context.images)}, reasons


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
            row: dict[str, Any] = {"control": name, "split": split, "n": len(part)}
            for metric, values in draws[name].items():
                row |= with_interval(metric, values)
            if REFERENCE in draws and name != REFERENCE:
                below = draws[REFERENCE]["auc"] - draws[name]["auc"]
                row |= with_interval("below_whole", below)
            yield row | rates_at(label, own[split], recall_threshold(rows, fold, split, own))
