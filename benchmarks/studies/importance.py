"""Which features matter, and where on the radiograph: permutation and SHAP of the best cells.

Of every feature set the classifier of best average precision on validation is taken, and the best
one that is made of trees, for TreeSHAP. Everything else (all cells, refits, stability) is behind
``run_benchmark.py importance``.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import delayed
from threadpoolctl import threadpool_limits

from benchmarks.datasets import image_size
from benchmarks.extraction.extract import make_descriptor
from benchmarks.fitting.cell import Cell
from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.cross_validation import recall_threshold
from benchmarks.fitting.fit import Matrix
from benchmarks.fitting.selection import best_cells
from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.fitting.study_context import StudyContext
from benchmarks.importance.groups import boxes_of, columns_of
from benchmarks.importance.impurity import impurity
from benchmarks.importance.measured_cell import (
    SPLIT,
    built_in_rows,
    fitted_rows,
    permutation_rows,
    shap_rows,
)
from benchmarks.io.columns import MORE_TABLES
from benchmarks.io.progress import track
from benchmarks.io.workers import parallel
from benchmarks.saved.models import ModelVersionWarning, load_cell
from features.backbone import MissingExtra
from models import declaration

Tables = dict[str, pd.DataFrame]


def run(context: StudyContext) -> Tables:
    """Measure the importance of features in the best cell of each feature set.

    Parameters
    ----------
    context : StudyContext
        Its cells' models are kept in the run folder.

    Returns
    -------
    dict of DataFrame
        ``importance``, ``importance_checks``, ``importance_swarm`` and ``importance_regions``.
    """
    return measure(context, chosen_cells(context))


def chosen_cells(context: StudyContext) -> list[CellResult]:
    """Best cell of each feature set on validation, and the best whose classifier is of trees."""
    trees = {
        name: o for name, o in context.finished.items()
        if declaration(o.cell.model).structure == "trees"
    }  # fmt: skip
    best, other = best_cells(context.finished, context.rows), best_cells(trees, context.rows)
    wanted = [
        outcome
        for features, first in best.items()
        for outcome in (first, other.get(features, first))
    ]
    return list({outcome.cell.name: outcome for outcome in wanted}.values())


def measure(context: StudyContext, outcomes: Sequence[CellResult]) -> Tables:
    """Permutation, SHAP and built-in importances of some fitted cells, side by side.

    Parameters
    ----------
    context : StudyContext
    outcomes : sequence of CellResult

    Returns
    -------
    dict of DataFrame
        As :func:`run`.
    """
    columns = columns_of_cells(context, outcomes)
    tasks = [(o.cell, threshold_of(context, o)) for o in outcomes]
    # The widest first, so that no process waits long for another at the end.
    order = sorted(tasks, key=lambda task: -len(columns[task[0].features]))
    work = parallel(context.config.jobs, return_as="generator")(
        delayed(measure_cell)(
            context.folder, cell, threshold, context.rows,
            {name: context.matrices[name] for name in cell.families},
            columns[cell.features],
        )
        for cell, threshold in order
    )  # fmt: skip
    done = track(work, "importance", len(order), "cells", context.config.quiet)
    found = {cell.name: tables for (cell, _), tables in zip(order, done, strict=True)}
    made = [found[outcome.cell.name] for outcome in outcomes]
    return {
        "importance": joined([importance for importance, _, _ in made], "importance"),
        "importance_checks": joined([checks for _, checks, _ in made], "importance_checks"),
        "importance_swarm": joined([swarm for _, _, swarm in made], "importance_swarm"),
        "importance_regions": regions_table(columns),
    }


def threshold_of(context: StudyContext, outcome: CellResult) -> float:
    """Threshold of a cell for a recall of 0.95, chosen on validation."""
    return float(recall_threshold(context.rows, context.fold, SPLIT, outcome.scores))


def columns_of_cells(
    context: StudyContext, outcomes: Sequence[CellResult]
) -> dict[str, pd.DataFrame]:
    """Say what the columns of each feature set are of; see :func:`columns_of`."""
    side = image_size(context.config)
    shape = np.zeros((1, side, side), dtype=np.uint8)
    families = {family for outcome in outcomes for family in outcome.cell.families}
    fitted = {family: make_descriptor(family, context.config).fit(shape) for family in families}
    described = {family: columns_of({family: one}) for family, one in fitted.items()}
    return {
        outcome.cell.features: pd.concat(
            [described[family] for family in outcome.cell.families], ignore_index=True
        )
        for outcome in outcomes
    }


def regions_table(columns: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Edges of all regions in pixels: the rows of ``importance_regions``."""
    boxes = [boxes_of(table).reset_index() for table in columns.values()]
    table = joined(boxes, "importance_regions")
    return table.drop_duplicates("region", ignore_index=True)


def measure_cell(
    folder: Path,
    cell: Cell,
    threshold: float,
    rows: SplitIndices,
    matrices: Mapping[str, Matrix],
    columns: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Measure one cell on one thread.

    Returns
    -------
    importance, checks, swarm : DataFrame
        Rows of the tables; the second says what was checked on the way. A method that could not
        be had has one row with its reason.
    """
    parts, checks, swarm = [], pd.DataFrame(), pd.DataFrame()
    with threadpool_limits(1):
        try:
            pipeline = saved_model(folder, cell.name)
            given = fitted_rows(cell, pipeline, threshold, rows, matrices, columns)
            parts.append(permutation_rows(given))
            declared = declaration(cell.model)
            if declared.built_in_importance:
                parts.append(built_in_rows(given, declared.built_in_importance, impurity))
            if declared.structure != "other":
                explained, checks, swarm = shap_rows(given)
                parts.append(explained)
        except MissingExtra as missing:
            parts.append(_reason("shap", "not_run", str(missing)))
        except Exception as error:  # as with a cell: a row of the table, not the run's end
            parts.append(_reason("importance", "failed", f"{type(error).__name__}: {error}"))
    table = pd.concat(parts, ignore_index=True)
    named = [one.assign(cell=cell.name) for one in (table, checks, swarm)]
    return named[0], named[1], named[2]


def _reason(method: str, status: str, reason: str) -> pd.DataFrame:
    return pd.DataFrame([{"method": method, "status": status, "reason": reason}])


def saved_model(folder: Path, name: str) -> Any:
    """Load a fitted cell; that it was fitted with other versions has been told before."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ModelVersionWarning)
        return load_cell(folder, name)


def joined(tables: Sequence[pd.DataFrame], name: str) -> pd.DataFrame:
    """Rows of one table, with its columns."""
    filled = [table for table in tables if len(table)]
    table = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()
    return table.reindex(columns=MORE_TABLES[name])
