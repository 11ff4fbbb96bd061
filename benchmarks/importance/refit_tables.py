"""Rows of the tables that need fits of a cell again: cross-validation, stability, clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.fitting.cell import Cell
from benchmarks.fitting.fit import Matrix, columns_of_cell, fit_on_features
from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.importance.groups import LEVELS, group_columns
from benchmarks.importance.measured_cell import SEED, FittedRows, ranked_rows
from benchmarks.importance.permutation import permutation_importance
from benchmarks.importance.redundancy import cluster_columns, name_clusters
from benchmarks.importance.scorers import FoldScorer, make_scorer
from benchmarks.importance.shap_values import explain
from benchmarks.importance.stability import TOP, kendalls_w, top_overlap, trusted
from benchmarks.metrics.arrays import Floats

CV_REPEATS, REFIT_REPEATS = 2, 2
CLUSTERS_APART = 10  # clusters whose members are also exchanged one by one
Values = dict[tuple[str, str], pd.Series]


def crossed_rows(
    cell: Cell,
    rows: SplitIndices,
    fold: NDArray[np.integer],
    threshold: Floats,
    matrices: Mapping[str, Matrix],
    columns: pd.DataFrame,
) -> pd.DataFrame:
    """Exchange groups in cross-validation: each held-out image by its own fold's model.

    Parameters
    ----------
    cell : Cell
    rows : SplitIndices
    fold : ndarray of shape (len(rows.train),)
    threshold : ndarray of shape (len(rows.train),)
        Chosen for each fold on the others.
    matrices : dict of matrices of shape (n, d), float32
    columns : DataFrame
        From :func:`benchmarks.importance.groups.columns_of`, of the cell's families in order.

    Returns
    -------
    DataFrame
        Rows of ``importance`` with split ``cv``, without the cell.
    """
    with threadpool_limits(1):
        scorers = {}
        for k in np.unique(fold).tolist():
            part = SplitIndices(rows.label, rows.group, rows.train[fold != k], {})
            model = fitted(cell, matrices, part)
            scorers[k] = make_scorer(model, columns_of_cell(cell, matrices, rows.train[fold == k]))
        label, patient = rows.label[rows.train], rows.group[rows.train]
        parts = []
        for level in LEVELS:
            groups = group_columns(columns, level)
            if len(groups) > 1:
                table = permutation_importance(
                    FoldScorer(scorers, fold), groups, label, patient, threshold, SEED,
                    repeats=CV_REPEATS, fold=fold,
                )  # fmt: skip
                parts.append(table.assign(level=level))
    return ranked_rows(parts, "permutation", "cv")


def values_of_fit(given: FittedRows, shap: bool) -> Values:
    """Reduce one fit to its importances, by method and level.

    Parameters
    ----------
    given : FittedRows
    shap : bool
        Mean |SHAP| of parts, regions and columns; else the fall of the AUC by permutation, of
        parts and regions.

    Returns
    -------
    dict of Series
        By (method, level); indexed by group.
    """
    values: Values = {}
    if shap:
        chosen = given.sample()
        found = explain(given.pipeline, given.X[chosen], given.background)
        added = found.values  # noqa: PD011 - no DataFrame
        for level in ("subfamily", "region", "feature"):
            if groups := given.groups(level):
                sums = {
                    name: np.abs(added[:, at].sum(axis=1)).mean() for name, at in groups.items()
                }
                values["shap", level] = pd.Series(sums)
        return values
    scorer = make_scorer(given.pipeline, given.X)
    for level in ("subfamily", "region"):
        if groups := given.groups(level):
            table = permutation_importance(
                scorer, groups, given.label, given.patient, given.threshold, SEED, REFIT_REPEATS
            )
            auc = table[table["metric"] == "auc"].set_index("group")["value"]
            values["permutation", level] = auc
    return values


def stability_rows(reference: Values, refits: Mapping[str, Sequence[Values]]) -> pd.DataFrame:
    """How alike the rankings of several fits are.

    Parameters
    ----------
    reference : dict of Series
        Of the cell itself.
    refits : dict of sequences
        By kind: ``seeds``, ``folds``, ``bootstraps``; empty where a fit failed.

    Returns
    -------
    DataFrame
        method, level, kind (``all``: every refit), fits (with the cell itself), groups, w
        (Kendall's), k, overlap (of the k largest), trusted (how many of the cell's k largest are
        among the k largest in nine of ten refits), names (those, separated by ``; ``).
    """
    kinds = {**refits, "all": [one for fits in refits.values() for one in fits]}
    rows = []
    for (method, level), first in reference.items():
        for kind, fits in kinds.items():
            done = [one[method, level] for one in fits if one]  # a fit may have failed
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


def cluster_rows(
    given: FittedRows, train: NDArray[np.float32], label: NDArray[np.integer]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Exchange clusters of columns that say the same.

    Parameters
    ----------
    given : FittedRows
    train : ndarray of shape (m, d), float32
        Training rows; clusters are learnt on them alone.
    label : ndarray of shape (m,)
        Theirs.

    Returns
    -------
    importance : DataFrame
        Rows of level ``cluster``, for clusters of at least two columns.
    clusters : DataFrame
        cluster, columns, value (fall of the AUC when they are exchanged together), alone (sum of
        the falls when they are exchanged one by one; blank beyond the ten largest).
    """
    names = given.columns["feature"].tolist()
    found = name_clusters(train, names, cluster_columns(train, label))
    several = {name: at for name, at in found.items() if len(at) > 1}
    if not several:
        return ranked_rows([], "permutation", given.split), pd.DataFrame()
    scorer = make_scorer(given.pipeline, given.X)
    known: tuple[Any, ...] = (given.label, given.patient, given.threshold, SEED)
    table = permutation_importance(scorer, several, *known)
    auc = table[table["metric"] == "auc"].sort_values("value", ascending=False, kind="stable")
    alone = {}
    for name in auc["group"].head(CLUSTERS_APART):
        single = {names[at]: np.array([at]) for at in several[name]}
        one = permutation_importance(scorer, single, *known)
        alone[name] = float(one.loc[one["metric"] == "auc", "value"].sum())
    clusters = pd.DataFrame({
        "cluster": auc["group"], "columns": [len(several[name]) for name in auc["group"]],
        "value": auc["value"], "alone": [alone.get(name, np.nan) for name in auc["group"]],
    })  # fmt: skip
    return ranked_rows([table.assign(level="cluster")], "permutation", given.split), clusters


def fitted(cell: Cell, matrices: Mapping[str, Matrix], rows: SplitIndices) -> Any:
    """Fit a cell again and return its pipeline.

    Raises
    ------
    RuntimeError
        If it can't be fitted on these rows; the message is the cell's own.
    """
    outcome = fit_on_features(cell, matrices, rows, keep_model=True)
    if outcome.status != "ok":
        raise RuntimeError(f"{cell.name} could not be fitted again: {outcome.reason}")
    return outcome.model
