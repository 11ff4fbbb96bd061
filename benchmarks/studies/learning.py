"""Learning curves: cells fitted on a fraction of the training patients, scored on the test set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

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
from benchmarks.studies.repeats import mean_over_repeats

FRACTIONS = (0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
DRAWS = 5  # random orders of the patients; each gives a nested series of subsets
UPPER = 0.4  # the slope is also computed from this fraction on, since curves flatten
FEATURES = ("hog", "handcrafted", "embedding", "hybrid")
SEED = 0
_Key = tuple[float, int]  # fraction, draw


def run(context: StudyContext) -> dict[str, pd.DataFrame]:
    """Fit one cell per feature set on growing fractions of the training patients.

    The feature sets are ``hog``, ``handcrafted``, ``embedding`` and ``hybrid`` where the run has
    them, and those of ``--features-from``, or else its first one. Each is combined with the
    classifier of best average precision on the validation set.

    Parameters
    ----------
    context : StudyContext

    Returns
    -------
    dict of DataFrame
        ``learning``: one row per cell, fraction and draw, scored on the test set. Within a draw
        the fractions are nested: a larger fraction contains the patients of a smaller one.
        ``learning_gains``: per cell and metric, the mean of each fraction (``mean``), the
        difference between successive fractions (``step``) and the slope per doubling of patients
        (``doubling``), with intervals over test patients and subsets (see :func:`gains`).
    """
    best = best_cells(context.finished, context.rows)
    wanted = [*FEATURES, *(name for name, _ in context.config.features_from)]
    names = [name for name in wanted if name in best] or list(best)[:1]
    rows, test = context.rows, context.rows.parts["test"]
    subsets = {
        (fraction, draw): subset_of_patients(rows, fraction, draw)
        for fraction in FRACTIONS
        for draw in range(1, 1 + (DRAWS if fraction < 1 else 1))
    }
    smaller = [
        replace(rows, train=train, parts={"test": test})
        for (fraction, _), train in subsets.items() if fraction < 1
    ]  # fmt: skip
    fits = fit_cells(context, [best[name].cell for name in names], smaller, "learning")
    weights = PatientBootstrap.draw(rows.group[test], rows.label[test], SEED).with_original()
    patients = {key: len(set(rows.group[train])) for key, train in subsets.items()}
    lines, summaries = [], []
    for cell, results in fits.items():
        by_subset = dict(zip(subsets, [*results, best[cell.features]], strict=True))  # 1 is last
        scored = {
            key: ranking_metrics(rows.label[test], result.scores["test"], weights)._asdict()
            for key, result in by_subset.items() if result.status == "ok"
        }  # fmt: skip
        lines += [
            {
                "cell": cell.name, "fraction": key[0], "draw": key[1], "patients": patients[key],
                "images": len(subsets[key]), "split": "test",
                **_line(result, scored.get(key, {})),
            }
            for key, result in by_subset.items()
        ]  # fmt: skip
        summaries += [{"cell": cell.name, **line} for line in gains(scored, patients)]
    made = {"learning": lines, "learning_gains": summaries}
    return {
        name: pd.DataFrame(rows).reindex(columns=MORE_TABLES[name]) for name, rows in made.items()
    }


def gains(
    scored: dict[_Key, dict[str, Floats]], patients: dict[_Key, int]
) -> Iterator[dict[str, Any]]:
    """Summarise a learning curve: means, differences between fractions, slope per doubling.

    Parameters
    ----------
    scored : dict of dict of ndarray of shape (1 + draws,)
        Metrics of the finished fits by fraction and draw of the subset: value on the test images,
        then in each bootstrap draw of test patients, the same for all fits. The largest fraction
        has one subset.
    patients : dict of int
        Number of training patients by fraction and draw.

    Yields
    ------
    dict
        Rows of ``learning_gains`` without the cell. Only draws with a finished fit of every
        fraction count. Intervals cover the sampling of test patients and the choice of the
        subsets. They do not cover the choice of the training patients as a whole, from which all
        subsets are taken.
    """
    fractions = sorted({fraction for fraction, _ in patients})
    whole = (fractions[-1], 1)
    series = [
        [*((fraction, draw) for fraction in fractions[:-1]), whole]
        for draw in sorted({draw for _, draw in patients})
    ]
    complete = [keys for keys in series if all(key in scored for key in keys)]
    if not complete:
        return
    counts = [patients[key] for key in complete[0]]
    rng = np.random.default_rng(SEED)
    for metric in scored[whole]:
        curves = np.array([[scored[key][metric] for key in keys] for keys in complete])
        for kind, first, last, effect in _effects(fractions, counts):
            draws = mean_over_repeats(np.tensordot(curves, effect, (1, 0)), rng)
            yield {
                "metric": metric, "kind": kind, "fraction_from": fractions[first],
                "fraction": fractions[last], "patients_from": counts[first],
                "patients": counts[last], "draws": len(complete),
                **(
                    with_interval("value", draws.clip(0, 1), metric) if kind == "mean"
                    else with_interval("value", draws)
                ),
            }  # fmt: skip


def _effects(
    fractions: Sequence[float], counts: Sequence[int]
) -> Iterator[tuple[str, int, int, Floats]]:
    """Yield kind, first and last position, and the factors of a curve's points in the effect."""
    points, last = np.eye(len(counts)), len(counts) - 1
    for k in range(len(counts)):
        yield "mean", k, k, points[k]
    for k in range(last):
        yield "step", k, k + 1, points[k + 1] - points[k]
    upper = next((k for k, fraction in enumerate(fractions) if fraction >= UPPER), 0)
    for first in sorted({0, upper}):
        doublings = np.log2(counts[first:])
        if len(set(counts[first:])) > 1:
            apart = doublings - doublings.mean()
            slope = np.zeros(len(counts))
            slope[first:] = apart / (apart**2).sum()  # least squares
            yield "doubling", first, last, slope


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


def _line(result: CellResult, metrics: dict[str, Floats]) -> dict[str, object]:
    line: dict[str, object] = {"status": result.status, "reason": result.reason}
    for metric, draws in metrics.items():
        line |= with_interval(metric, draws)
    return line
