"""Stability of a ranking of groups under other seeds, other patients and without folds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import delayed
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.fitting.cell import Cell
from benchmarks.fitting.cross_validation import fold_rows
from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.fitting.study_context import StudyContext
from benchmarks.importance.agreement import kendalls_w, top_overlap, trusted
from benchmarks.importance.measured_cell import SEED, MeasuredCell, Tables
from benchmarks.importance.measuring import (
    Columns,
    chosen_cells,
    joined,
    loaded,
    refit,
    side_by_side,
    unfitted,
)
from benchmarks.importance.permutation import permutation_importance
from benchmarks.importance.scorers import make_scorer
from benchmarks.importance.shap_values import explain, is_explainable
from benchmarks.io.progress import say
from models import declaration
from models.platt import FOLDS

Task = tuple[Cell, SplitIndices]
Values = dict[tuple[str, str], pd.Series]
SEEDS, BOOTSTRAPS = 3, 5  # refits of each kind, besides one for each fold
REFIT_LEVELS = ("subfamily", "region")
REPEATS = 2  # random permutations
TOP = 20  # groups whose overlap is reported
FEWEST = FOLDS  # patients of each class that the sigmoid of an SVM needs
TRIES = 1000


def measure(context: StudyContext, columns: Columns) -> Tables:
    """Fit cells with other seeds, without each fold and on bootstrap samples; compare rankings.

    Parameters
    ----------
    context : StudyContext
        The cells are those that a run measures by default.
    columns : dict of DataFrame
        From :func:`benchmarks.importance.measuring.feature_columns`.

    Returns
    -------
    dict of DataFrame
        ``importance_stability``.
    """
    results = chosen_cells(context)
    cells = [unfitted(context, one, columns) for one in results]
    fits = [(cell, kind, task) for cell in cells for kind, task in _fits(context, cell.cell)]
    work = [delayed(_values)(context.folder, cell, task) for cell, _, task in fits]
    done = list(side_by_side(context, "importance, stability", work, "fits"))
    parts = []
    for cell in cells:
        found: dict[str, list[Values]] = {}
        for (own, kind, _), values in zip(fits, done, strict=True):
            if own is cell:
                found.setdefault(kind, []).append(values)
        reference = found.pop("")[0]
        parts.append(stability_rows(reference, found).assign(cell=cell.cell.name))
    return {"importance_stability": joined(parts, "importance_stability")}


def _fits(context: StudyContext, cell: Cell) -> list[tuple[str, Task | None]]:
    """List the kind and task of each fit: first the saved model, which has neither."""
    rows, seeds = context.rows, range(cell.seed + 1, cell.seed + 1 + SEEDS)
    kinds = {
        "seeds": seed_tasks(cell, rows, seeds),
        "folds": fold_tasks(cell, rows, context.fold),
        "bootstraps": bootstrap_tasks(cell, rows, BOOTSTRAPS, SEED),
    }
    return [("", None), *((kind, task) for kind, tasks in kinds.items() for task in tasks)]


def _values(folder: Path, cell: MeasuredCell, task: Task | None) -> Values:
    """Return the importances of the saved model or of a new fit, and none if the fit fails."""
    with threadpool_limits(1):
        if task is None:
            fitted = loaded(folder, cell)
        else:
            other, rows = task
            try:
                pipeline = refit(other, cell.matrices, replace(rows, parts={}))
            except RuntimeError as error:
                say(str(error), quiet=False)
                return {}
            fitted = replace(cell, cell=other, pipeline=pipeline)
        return values_of_fit(fitted)


def seed_tasks(cell: Cell, rows: SplitIndices, seeds: Iterable[int]) -> list[Task]:
    """List the fits of a cell with other seeds on the same rows.

    Parameters
    ----------
    cell : Cell
    rows : SplitIndices
    seeds : iterable of int

    Returns
    -------
    list of (Cell, SplitIndices)
    """
    return [(replace(cell, seed=seed), rows) for seed in seeds]


def fold_tasks(cell: Cell, rows: SplitIndices, fold: NDArray[np.integer]) -> list[Task]:
    """List the fits of a cell without each fold of its training patients.

    Parameters
    ----------
    cell : Cell
    rows : SplitIndices
    fold : ndarray of shape (len(rows.train),)

    Returns
    -------
    list of (Cell, SplitIndices)
        In the order of the folds. The parts to score are those of ``rows``, and ``cv``: the
        held-out images.
    """
    return [(cell, part) for part in fold_rows(rows, fold, keep=tuple(rows.parts)).values()]


def bootstrap_tasks(cell: Cell, rows: SplitIndices, draws: int, seed: int) -> list[Task]:
    """List the fits of a cell on training patients sampled with replacement.

    All images of a patient are repeated as often as the patient is drawn. Copies keep the patient's
    name, so a cross-validation inside a fit cannot split them. SMOTE can find copies among the
    nearest neighbours, so some synthetic rows are copies too.

    Parameters
    ----------
    cell : Cell
    rows : SplitIndices
    draws : int
    seed : int
        Seed of the samples, which are the same for all cells.

    Returns
    -------
    list of (Cell, SplitIndices)
        Each has as many patients as ``rows.train``, counting copies, and at least three different
        patients of each class.

    Raises
    ------
    ValueError
        If there are too few patients for such samples.

    References
    ----------
    Field CA, Welsh AH. Bootstrapping clustered data. J R Stat Soc B 2007;69:369-390.
    doi:10.1111/j.1467-9868.2007.00593.x
    """
    rng = np.random.default_rng(seed)
    patients, member = np.unique(rows.group[rows.train], return_inverse=True)
    images = [rows.train[member == k] for k in range(len(patients))]
    tasks: list[Task] = []
    for _ in range(TRIES * draws):
        if len(tasks) == draws:
            break
        drawn = rng.integers(len(patients), size=len(patients))
        train = np.concatenate([images[k] for k in drawn])
        if _fewest(rows, train) >= FEWEST:
            tasks.append((cell, replace(rows, train=train)))
    if len(tasks) < draws:
        raise ValueError(
            f"Got {len(patients)} training patients, {_fewest(rows, rows.train)} of the smaller "
            f"class, but expected enough to sample {FEWEST} different patients of each class. "
            "Use more images."
        )
    return tasks


def values_of_fit(cell: MeasuredCell) -> Values:
    """Compute the importances of one fit, by method and level.

    Parameters
    ----------
    cell : MeasuredCell

    Returns
    -------
    dict of Series
        By (method, level); indexed by group. For trees, the mean |SHAP| of subfamilies, regions
        and columns; for other classifiers, the drop of the AUC by permutation of subfamilies and
        regions.
    """
    values: Values = {}
    if declaration(cell.cell.model).structure == "trees" and is_explainable(cell.pipeline):
        added = explain(cell.pipeline, cell.X[cell.explained], cell.background).values  # noqa: PD011
        for level in (*REFIT_LEVELS, "feature"):
            if groups := cell.groups(level):
                sizes = [np.abs(added[:, at].sum(axis=1)).mean() for at in groups.values()]
                values["shap", level] = pd.Series(sizes, index=list(groups))
        return values
    scorer = make_scorer(cell.pipeline, cell.X)
    for level in REFIT_LEVELS:
        if groups := cell.groups(level):
            table = permutation_importance(
                scorer, groups, cell.label, cell.patient, cell.threshold, SEED, REPEATS
            )
            auc = table[table["metric"] == "auc"].set_index("group")["value"]
            values["permutation", level] = auc
    return values


def stability_rows(reference: Values, refits: Mapping[str, Sequence[Values]]) -> pd.DataFrame:
    """Compare the rankings of several fits.

    Parameters
    ----------
    reference : dict of Series
        Importances of the cell itself, from :func:`values_of_fit`.
    refits : dict of sequences
        By kind: ``seeds``, ``folds``, ``bootstraps``. An empty dict means a failed fit.

    Returns
    -------
    DataFrame
        Columns method, level, kind (``all``: every refit), fits (including the cell itself),
        groups, w (Kendall's W), k, overlap (of the k largest groups), trusted (number of the cell's
        k largest groups that are among the k largest in at least nine of ten refits), names (of
        those, separated by ``; ``).
    """
    kinds = {**refits, "all": [one for fits in refits.values() for one in fits]}
    rows = []
    for (method, level), first in reference.items():
        for kind, fits in kinds.items():
            done = [one[method, level] for one in fits if one]
            if not done:
                continue
            others = np.stack([one.reindex(first.index) for one in done])
            everything = np.vstack([first.to_numpy(), others])
            k = min(TOP, max(1, len(first) // 2))
            kept = trusted(first.to_numpy(dtype=float), others, k)
            rows.append({
                "method": method, "level": level, "kind": kind, "fits": len(everything),
                "groups": len(first), "w": kendalls_w(everything), "k": k,
                "overlap": top_overlap(everything, k), "trusted": len(kept),
                "names": "; ".join(str(first.index[at]) for at in kept),
            })  # fmt: skip
    return pd.DataFrame(rows)


def _fewest(rows: SplitIndices, train: NDArray[np.intp]) -> int:
    """Count the patients of the class with the fewest patients."""
    label, group = rows.label[train], rows.group[train]
    classes = np.unique(rows.label[rows.train])
    return min(len(np.unique(group[label == one])) for one in classes)
