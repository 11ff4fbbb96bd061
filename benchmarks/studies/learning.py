"""Learning curves: cells fitted on a fraction of the training patients, scored on the test set."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.selection import best_cells
from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.fitting.study_context import StudyContext
from benchmarks.io.columns import MORE_TABLES
from benchmarks.metrics.arrays import Floats
from benchmarks.metrics.bootstrap import PatientBootstrap, with_interval
from benchmarks.metrics.ranking import ranking_metrics
from benchmarks.studies.cell_fits import fit_cells

FRACTIONS = (0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
DRAWS, SMALL = 3, 0.2  # scores vary much up to this fraction, so it is drawn three times
FEATURES = ("hog", "handcrafted", "embedding", "hybrid")
SEED = 0


def run(context: StudyContext) -> dict[str, pd.DataFrame]:
    """Fit one cell per feature set on growing fractions of the training patients.

    The feature sets are ``hog``, ``handcrafted``, ``embedding`` and ``hybrid`` where the run has
    them, or else its first one. Each is combined with the classifier of best average precision
    on the validation set.

    Parameters
    ----------
    context : StudyContext

    Returns
    -------
    dict of DataFrame
        ``learning``: one row per cell, fraction and draw, scored on the test set. Within a draw
        the fractions are nested: a larger fraction contains the patients of a smaller one.
    """
    best = best_cells(context.finished, context.rows)
    names = [name for name in FEATURES if name in best] or list(best)[:1]
    rows, test = context.rows, context.rows.parts["test"]
    subsets = [
        (fraction, draw, subset_of_patients(rows, fraction, draw))
        for fraction in FRACTIONS
        for draw in range(1, 1 + (DRAWS if fraction <= SMALL else 1))
    ]
    smaller = [
        SplitIndices(rows.label, rows.group, train, {"test": test})
        for fraction, _, train in subsets if fraction < 1
    ]  # fmt: skip
    fits = fit_cells(context, [best[name].cell for name in names], smaller, "learning")
    weights = PatientBootstrap.draw(rows.group[test], rows.label[test], SEED).with_original()
    lines = [
        {
            "cell": cell.name, "fraction": fraction, "draw": draw,
            "patients": len(set(rows.group[train])), "images": len(train), "split": "test",
            **_score(rows.label[test], result, weights),
        }
        for cell, results in fits.items()
        for (fraction, draw, train), result in zip(
            subsets, [*results, best[cell.features]], strict=True  # the last fraction is 1
        )
    ]  # fmt: skip
    return {"learning": pd.DataFrame(lines).reindex(columns=MORE_TABLES["learning"])}


def subset_of_patients(rows: SplitIndices, fraction: float, draw: int) -> NDArray[np.intp]:
    """Draw a fraction of the training patients of each class.

    Parameters
    ----------
    rows : SplitIndices
    fraction : float in (0, 1]
    draw : int
        Number of the random order in which patients are taken; the same for all fractions.

    Returns
    -------
    ndarray of int
        Row numbers of their images, ascending. Each class has at least one patient; a patient
        with images of several classes counts as the class with the highest label.
    """
    group, label = rows.group[rows.train].astype(str), rows.label[rows.train]
    of_patient = pd.Series(label).groupby(group).max()  # sorted by patient
    rng = np.random.default_rng([SEED, draw])
    kept: list[str] = []
    for one in sorted(of_patient.unique()):
        patients = rng.permutation(of_patient.index[of_patient == one].to_numpy(dtype=str))
        kept += patients[: max(1, round(fraction * len(patients)))].tolist()
    return rows.train[np.isin(group, kept)]


def _score(label: NDArray[np.integer], result: CellResult, weights: Floats) -> dict[str, object]:
    line: dict[str, object] = {"status": result.status, "reason": result.reason}
    if result.status == "ok":
        metrics = ranking_metrics(label, result.scores["test"], weights)._asdict()
        for metric, draws in metrics.items():
            line |= with_interval(metric, draws)
    return line
