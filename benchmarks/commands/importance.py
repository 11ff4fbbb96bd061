"""The command ``importance``: everything about a finished run's features that takes new fits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import delayed
from threadpoolctl import threadpool_limits

from benchmarks.commands.report import render_report
from benchmarks.config import ConfigError
from benchmarks.fitting.cell import Cell
from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.cross_validation import CV, in_training_order, recall_threshold
from benchmarks.fitting.fit import Matrix, columns_of_cell
from benchmarks.fitting.fit_each import fit_each
from benchmarks.fitting.selection import best_cells
from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.fitting.study_context import StudyContext
from benchmarks.importance.family_shap import family_shap
from benchmarks.importance.measured_cell import SEED, fitted_rows, ranked_rows
from benchmarks.importance.refit_tables import (
    Values,
    cluster_rows,
    crossed_rows,
    fitted,
    stability_rows,
    values_of_fit,
)
from benchmarks.importance.refits import (
    bootstrap_tasks,
    family_importance,
    family_tasks,
    fold_tasks,
    seed_tasks,
)
from benchmarks.importance.shap_values import mean_absolute, require_shap
from benchmarks.io.progress import say, track
from benchmarks.io.results import read_results, write_table
from benchmarks.io.workers import parallel
from benchmarks.saved.reopened import reopened
from benchmarks.studies.importance import (
    chosen_cells,
    columns_of_cells,
    joined,
    measure,
    saved_model,
    threshold_of,
)
from features.backbone import MissingExtra
from models import declaration

SAME = ("cell", "method", "level", "split", "region")  # rows that agree in these say the same
SEEDS, BOOTSTRAPS = 3, 5  # refits of each kind, besides one for each fold


def importance(
    run_dir: Path, given: dict[str, Any], cells: Collection[str] | None, refits: bool = True
) -> None:
    """Measure everything about the features of a run, write its tables, render its report.

    Parameters
    ----------
    run_dir : Path
        A run folder that keeps its models.
    given : dict
        See :func:`benchmarks.saved.reopened.reopened`.
    cells : collection of str, optional
        Names of cells or their beginnings; all by default.
    refits : bool
        Whether cells are fitted again: without families, by folds, seeds and bootstraps.

    Raises
    ------
    RunError, ConfigError, DataError, ModelFileError
        As :func:`benchmarks.saved.reopened.reopened`.

    Notes
    -----
    Tables are written as each part is done. Rows of other cells, and of parts that are not asked
    for again, stay as they are.
    """
    if refits:
        try:
            require_shap()  # before all the work rather than after it
        except MissingExtra as missing:
            raise ConfigError(f"{missing} Or leave out what needs it: --no-refits.") from missing
    with reopened(run_dir, given, cells) as context:
        outcomes = list(context.finished.values())
        if not outcomes:
            raise ConfigError(
                f"--cells: got {', '.join(cells or ())}, but expected cells on features that "
                f"{run_dir} finished and keeps. For the CNN there is the command explain."
            )
        _keep(run_dir, measure(context, outcomes), afresh=True)
        if refits:
            columns = columns_of_cells(context, outcomes)
            best = list(best_cells(context.finished, context.rows).values())
            clusters, of_clusters = redundancy(context, best, columns)
            _keep(run_dir, {"importance_clusters": clusters, "importance": of_clusters})
            for part in (coalitions, crossed):
                _keep(run_dir, {"importance": part(context, best, columns)})
            _keep(run_dir, {"importance": family_refits(context, best)})
            _keep(run_dir, {"importance_stability": stability(context, columns)})
    render_report(run_dir)
    say(f"Report: {run_dir / 'report.html'}", context.config.quiet)


def _keep(run_dir: Path, tables: Mapping[str, pd.DataFrame], afresh: bool = False) -> None:
    """Write rows in place of those that say the same of the same cells.

    Where the cells are measured ``afresh``, what failed of them in an earlier call goes, too.
    """
    before = read_results(run_dir).tables
    for name, table in tables.items():
        keys = [key for key in SAME if key in table.columns]
        new = table[keys].fillna("").drop_duplicates()
        old = before[name].merge(new, how="left", indicator=True)
        again = (old["_merge"] == "both").to_numpy()
        if afresh and "status" in old:
            again = again | ((old["status"] != "ok") & old["cell"].isin(new["cell"])).to_numpy()
        write_table(run_dir, name, joined([before[name][~again], table], name))


def family_refits(context: StudyContext, best: Sequence[CellResult]) -> pd.DataFrame:
    """Fit cells of several families again on each alone and without each, on the official split."""
    tasks = [task for one in best for task in family_tasks(one.cell, context.rows)]
    outcomes = list(fit_each(tasks, context.matrices, context.config, "families"))
    parts = []
    for whole in best:
        names = {cell.name for cell, _ in family_tasks(whole.cell, context.rows)}
        own = [outcome for outcome in outcomes if outcome.cell.name in names]
        if own:
            table = family_importance(whole, own, context.rows, SEED)
            ranks = table.groupby("method")["value"].rank(method="min", ascending=False)
            parts.append(table.assign(cell=whole.cell.name, level="family", rank=ranks))
    return joined(parts, "importance")


def crossed(
    context: StudyContext, best: Sequence[CellResult], columns: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Permutation on the held-out images of each fold, where the run has a cross-validation."""
    tasks = [outcome for outcome in best if outcome.folds]
    work = [
        delayed(_crossed)(
            outcome.cell, context.rows, context.fold,
            recall_threshold(
                context.rows, context.fold, CV, {CV: in_training_order(context.fold, outcome.folds)}
            ),
            _own(context.matrices, outcome.cell), columns[outcome.cell.features],
        )
        for outcome in tasks
    ]  # fmt: skip
    return _rows_of(tasks, _all(context, "importance, folds", work))


def stability(context: StudyContext, columns: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Fit cells with other seeds, without a fold, on drawn patients; compare the rankings."""
    outcomes = chosen_cells(context)
    tasks: list[tuple[CellResult, str, Cell, SplitIndices | None]] = []
    for one in outcomes:
        seeds = range(one.cell.seed + 1, one.cell.seed + 1 + SEEDS)
        tasks.append((one, "", one.cell, None))
        for kind, fits in {
            "seeds": seed_tasks(one.cell, context.rows, seeds),
            "folds": fold_tasks(one.cell, context.rows, context.fold),
            "bootstraps": bootstrap_tasks(one.cell, context.rows, BOOTSTRAPS, SEED),
        }.items():
            tasks += [(one, kind, cell, replace(rows, parts={})) for cell, rows in fits]
    work = [
        delayed(_values)(
            context.folder, cell, threshold_of(context, one), context.rows, refit,
            _own(context.matrices, cell), columns[cell.features],
        )
        for one, _, cell, refit in tasks
    ]  # fmt: skip
    done = list(_all(context, "importance, stability", work))
    parts = []
    for one in outcomes:
        own = [(kind, v) for (o, kind, _, _), v in zip(tasks, done, strict=True) if o is one]
        refits = {
            kind: [v for k, v in own if k == kind] for kind in ("seeds", "folds", "bootstraps")
        }
        parts.append(stability_rows(own[0][1], refits).assign(cell=one.cell.name))
    return joined(parts, "importance_stability")


def redundancy(
    context: StudyContext, best: Sequence[CellResult], columns: Mapping[str, pd.DataFrame]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Exchange clusters of columns that say the same; return clusters and rows of importance."""
    work = [
        delayed(_clusters)(
            context.folder, o.cell, threshold_of(context, o), context.rows,
            _own(context.matrices, o.cell), columns[o.cell.features],
        )
        for o in best
    ]  # fmt: skip
    done = list(_all(context, "importance, clusters", work))
    rows, clusters = ([pair[k] for pair in done] for k in (0, 1))
    return _rows_of(best, clusters, "importance_clusters"), _rows_of(best, rows)


def coalitions(
    context: StudyContext, best: Sequence[CellResult], columns: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Shapley values of whole families, for any classifier: what SHAP can say of an SVM."""
    tasks = [outcome for outcome in best if len(outcome.cell.families) > 1]
    work = [
        delayed(_coalitions)(
            context.folder, o.cell, threshold_of(context, o), context.rows,
            _own(context.matrices, o.cell), columns[o.cell.features],
        )
        for o in tasks
    ]  # fmt: skip
    return _rows_of(tasks, _all(context, "importance, coalitions", work))


def _values(
    folder: Path, cell: Cell, threshold: float, rows: SplitIndices, refit: SplitIndices | None,
    matrices: Mapping[str, Matrix], columns: pd.DataFrame,
) -> Values:  # fmt: skip
    """Measure one fit: the saved one, where there are no rows to fit again on; none if it fails."""
    with threadpool_limits(1):
        try:
            model = (
                saved_model(folder, cell.name) if refit is None else fitted(cell, matrices, refit)
            )
        except RuntimeError as error:
            say(str(error), quiet=False)
            return {}
        return values_of_fit(
            fitted_rows(cell, model, threshold, rows, matrices, columns),
            shap=declaration(cell.model).structure == "trees",
        )


def _crossed(cell: Cell, *given: Any) -> pd.DataFrame:
    """Rows of the cross-validation, or one with the reason why a fold could not be fitted."""
    try:
        return crossed_rows(cell, *given)
    except RuntimeError as error:
        return pd.DataFrame(
            [{"method": "permutation", "split": CV, "status": "failed", "reason": str(error)}]
        )


def _clusters(
    folder: Path, cell: Cell, threshold: float, rows: SplitIndices, matrices: Mapping[str, Matrix],
    columns: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    with threadpool_limits(1):
        model = saved_model(folder, cell.name)
        given = fitted_rows(cell, model, threshold, rows, matrices, columns)
        train = columns_of_cell(cell, matrices, rows.train)
        return cluster_rows(given, train, rows.label[rows.train])


def _coalitions(
    folder: Path, cell: Cell, threshold: float, rows: SplitIndices, matrices: Mapping[str, Matrix],
    columns: pd.DataFrame,
) -> pd.DataFrame:  # fmt: skip
    with threadpool_limits(1):
        model = saved_model(folder, cell.name)
        given = fitted_rows(cell, model, threshold, rows, matrices, columns)
        chosen = given.sample()
        groups = given.groups("family")
        found = family_shap(model, given.X[chosen], groups, given.background)
        each = {name: np.array([at]) for at, name in enumerate(groups)}
        label, patient = given.label[chosen], given.patient[chosen]
        table = mean_absolute(found.values, each, patient, label, SEED)
    return ranked_rows(
        [table.assign(level="family", metric="mean_abs")], "family_shap", given.split
    )


def _rows_of(
    outcomes: Sequence[CellResult], tables: Iterable[pd.DataFrame], name: str = "importance"
) -> pd.DataFrame:
    """Join parts of the table ``name``, one a cell."""
    named = [table.assign(cell=o.cell.name) for o, table in zip(outcomes, tables, strict=True)]
    return joined(named, name)


def _own(matrices: Mapping[str, Matrix], cell: Cell) -> dict[str, Matrix]:
    return {name: matrices[name] for name in cell.families}


def _all(context: StudyContext, name: str, work: Sequence[Any]) -> Iterator[Any]:
    done = parallel(context.config.jobs, return_as="generator")(iter(work))
    yield from track(done, name, len(work), "tasks", context.config.quiet)
