"""Learning curve: the same methods fitted on a part of the training patients, scored on test."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.fit_each import fit_each
from benchmarks.fitting.selection import best_cells
from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.fitting.study_context import StudyContext
from benchmarks.io.columns import MORE_TABLES
from benchmarks.metrics.arrays import Floats
from benchmarks.metrics.bootstrap import PatientBootstrap, with_interval
from benchmarks.metrics.ranking import ranking_metrics

FRACTIONS = (0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
DRAWS, SMALL = 3, 0.2  # up to this fraction chance matters so much that it is drawn three times
FEATURES = ("hog", "handcrafted", "embedding", "hybrid")
SEED = 0


def run(context: StudyContext) -> dict[str, pd.DataFrame]:
    """Fit one cell of each chosen feature set on growing parts of the training patients.

    Of ``hog``, ``handcrafted``, ``embedding`` and ``hybrid`` those in the run are taken (the first
    one of the run if none is), each with the classifier of best average precision on validation.

    Parameters
    ----------
    context : StudyContext

    Returns
    -------
    dict of DataFrame
        ``learning``: a row for each cell, fraction and draw, scored on test. Draws of one number
        are nested: the patients of a smaller fraction are among those of a larger one.
    """
    best = best_cells(context.finished, context.rows)
    names = [name for name in FEATURES if name in best] or list(best)[:1]
    rows = context.rows
    parts = [
        (fraction, draw, part_of_patients(rows, fraction, draw))
        for fraction in FRACTIONS
        for draw in range(1, 1 + (DRAWS if fraction <= SMALL else 1))
    ]
    tasks = [
        (best[name].cell, SplitIndices(rows.label, rows.group, part, {"test": rows.parts["test"]}))
        for name in names
        for fraction, _, part in parts
        if fraction < 1
    ]
    fitted = iter(list(fit_each(tasks, context.matrices, context.config, "learning")))
    test = rows.parts["test"]
    weights = PatientBootstrap.draw(rows.group[test], rows.label[test], SEED).with_original()
    lines = []
    for name in names:
        for fraction, draw, part in parts:
            outcome = best[name] if fraction == 1 else next(fitted)
            lines.append({
                "cell": best[name].cell.name, "fraction": fraction, "draw": draw,
                "patients": len(set(rows.group[part])), "images": len(part), "split": "test",
                **_score(rows, outcome, weights),
            })  # fmt: skip
    return {"learning": pd.DataFrame(lines).reindex(columns=MORE_TABLES["learning"])}


def part_of_patients(rows: SplitIndices, fraction: float, draw: int) -> NDArray[np.intp]:
    """Choose a fraction of the training patients of each class.

    Parameters
    ----------
    rows : SplitIndices
    fraction : float in (0, 1]
    draw : int
        Order in which patients are taken; the same for all fractions.

    Returns
    -------
    ndarray of int
        Their images, ascending. At least one patient of each class; a patient with images of
        several classes counts to the highest label.
    """
    group, label = rows.group[rows.train].astype(str), rows.label[rows.train]
    of_patient = pd.Series(label).groupby(group).max()  # sorted by patient
    rng = np.random.default_rng([SEED, draw])
    kept: list[str] = []
    for one in sorted(of_patient.unique()):
        patients = rng.permutation(of_patient.index[of_patient == one].to_numpy(dtype=str))
        kept += patients[: max(1, round(fraction * len(patients)))].tolist()
    return rows.train[np.isin(group, kept)]


def _score(rows: SplitIndices, outcome: CellResult, weights: Floats) -> dict[str, object]:
    if outcome.status != "ok":
        return {"status": outcome.status, "reason": outcome.reason}
    label = rows.label[rows.parts["test"]]
    line: dict[str, object] = {"status": "ok", "reason": ""}
    for metric, draws in ranking_metrics(label, outcome.scores["test"], weights)._asdict().items():
        line |= with_interval(metric, draws)
    return line
