"""Measure cells of a run: which cells, with which methods, into which tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
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
from benchmarks.fitting.fit import Matrix, fit_on_features
from benchmarks.fitting.selection import best_cells
from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.fitting.study_context import StudyContext
from benchmarks.importance.groups import boxes_of, columns_of
from benchmarks.importance.measured_cell import SPLIT, MeasuredCell, Tables
from benchmarks.io.columns import MORE_TABLES
from benchmarks.io.progress import track
from benchmarks.io.workers import parallel
from benchmarks.saved.model_files import load_cell
from features.backbone import MissingExtra
from models import declaration

Method = Callable[[MeasuredCell], Tables]
Columns = Mapping[str, pd.DataFrame]


def measure_cells(
    context: StudyContext,
    results: Sequence[CellResult],
    methods: Mapping[str, Method],
    columns: Columns,
    title: str = "importance",
) -> Tables:
    """Apply methods to fitted cells, in parallel over the cells.

    Parameters
    ----------
    context : StudyContext
        The run folder holds the fitted models.
    results : sequence of CellResult
    methods : dict of callable
        By name; each maps a :class:`MeasuredCell` to tables without the column ``cell``.
    columns : dict of DataFrame
        From :func:`feature_columns`.
    title : str
        Title of the progress bar.

    Returns
    -------
    dict of DataFrame
        ``importance`` and the other tables that the methods return. A method that fails for a
        cell, or whose library is missing, has one row in ``importance`` with its reason.
    """
    # The widest first, so that no process waits long for another at the end.
    order = sorted(results, key=lambda one: -len(columns[one.cell.features]))
    work = [
        delayed(_measure)(context.folder, unfitted(context, one, columns), methods)
        for one in order
    ]  # fmt: skip
    done = side_by_side(context, title, work, "cells")
    found = {one.cell.name: tables for one, tables in zip(order, done, strict=True)}
    made = [found[one.cell.name] for one in results]
    names = dict.fromkeys(name for tables in made for name in tables)
    return {
        name: joined([tables[name] for tables in made if name in tables], name) for name in names
    }


def chosen_cells(context: StudyContext) -> list[CellResult]:
    """Select the cells that a run measures by default.

    Parameters
    ----------
    context : StudyContext

    Returns
    -------
    list of CellResult
        Of each feature set, the classifier with the best average precision on the validation set,
        and the best classifier made of trees, which TreeSHAP can explain.
    """
    trees = {
        name: one
        for name, one in context.finished.items()
        if declaration(one.cell.model).structure == "trees"
    }
    best, other = best_cells(context.finished, context.rows), best_cells(trees, context.rows)
    wanted = [
        one for features, first in best.items() for one in (first, other.get(features, first))
    ]
    return list({one.cell.name: one for one in wanted}.values())


def feature_columns(
    context: StudyContext, results: Iterable[CellResult]
) -> dict[str, pd.DataFrame]:
    """Describe the columns of each feature set.

    Parameters
    ----------
    context : StudyContext
    results : iterable of CellResult
        Cells whose feature sets are described.

    Returns
    -------
    dict of DataFrame
        By feature set; see :func:`benchmarks.importance.groups.columns_of`.
    """
    families = {one.cell.features: one.cell.families for one in results}
    side = image_size(context.config)
    blank = np.zeros((1, side, side), dtype=np.uint8)
    described = {}
    for family in dict.fromkeys(name for names in families.values() for name in names):
        names_in_table = getattr(context.matrices.get(family), "columns", ())
        descriptor = make_descriptor(family, context.config, names_in_table)
        described[family] = columns_of({family: descriptor.fit(blank)})
    return {
        features: pd.concat([described[family] for family in names], ignore_index=True)
        for features, names in families.items()
    }


def regions_table(columns: Columns) -> pd.DataFrame:
    """List the edges of all image regions in pixels.

    Parameters
    ----------
    columns : dict of DataFrame
        From :func:`feature_columns`.

    Returns
    -------
    DataFrame
        Rows of the table ``importance_regions``.
    """
    boxes = [boxes_of(table).reset_index() for table in columns.values()]
    return joined(boxes, "importance_regions").drop_duplicates("region", ignore_index=True)


def unfitted(context: StudyContext, result: CellResult, columns: Columns) -> MeasuredCell:
    """Gather what a cell is measured on, without its fitted pipeline.

    Parameters
    ----------
    context : StudyContext
    result : CellResult
        Its validation scores give the threshold for a recall of 0.95.
    columns : dict of DataFrame
        From :func:`feature_columns`.

    Returns
    -------
    MeasuredCell
    """
    cell = result.cell
    threshold = recall_threshold(context.rows, context.fold, SPLIT, result.scores)
    matrices = {name: context.matrices[name] for name in cell.families}
    return MeasuredCell(cell, columns[cell.features], float(threshold), context.rows, matrices)


def loaded(folder: Path, cell: MeasuredCell) -> MeasuredCell:
    """Add the fitted pipeline that a run folder keeps.

    Parameters
    ----------
    folder : Path
    cell : MeasuredCell

    Returns
    -------
    MeasuredCell
    """
    # The command has printed other versions once.
    return replace(cell, pipeline=load_cell(folder, cell.cell.name, warn=False))


def refit(cell: Cell, matrices: Mapping[str, Matrix], rows: SplitIndices) -> Any:
    """Fit a cell again.

    Parameters
    ----------
    cell : Cell
    matrices : dict of matrices of shape (n, d), float32
    rows : SplitIndices
        The training images to fit on.

    Returns
    -------
    fitted pipeline

    Raises
    ------
    RuntimeError
        If the fit fails; the message gives the reason.
    """
    result = fit_on_features(cell, matrices, rows, keep_model=True)
    if result.status != "ok":
        raise RuntimeError(f"The refit of {cell.name} failed: {result.reason}")
    return result.model


def side_by_side(
    context: StudyContext, title: str, work: Sequence[Any], unit: str = "tasks"
) -> Iterator[Any]:
    """Run delayed calls in parallel, with a progress bar.

    Parameters
    ----------
    context : StudyContext
        ``config.jobs`` and ``config.quiet`` apply.
    title : str
    work : sequence of delayed calls
    unit : str
        What is counted.

    Yields
    ------
    object
        Result of each call, in order.
    """
    done = parallel(context.config.jobs, return_as="generator")(iter(work))
    yield from track(done, title, len(work), unit, context.config.quiet)


def joined(tables: Iterable[pd.DataFrame], name: str) -> pd.DataFrame:
    """Concatenate rows of one table of the run folder.

    Parameters
    ----------
    tables : iterable of DataFrame
        May be empty, and may lack columns.
    name : str
        Key of ``MORE_TABLES``.

    Returns
    -------
    DataFrame
        With the columns of that table.
    """
    return _stacked(tables).reindex(columns=MORE_TABLES[name])


def _measure(folder: Path, cell: MeasuredCell, methods: Mapping[str, Method]) -> Tables:
    """Apply the methods to one cell on one thread; failures become rows."""
    parts: dict[str, list[pd.DataFrame]] = {"importance": []}
    with threadpool_limits(1):
        try:
            fitted = loaded(folder, cell)
        except Exception as error:  # recorded in the table; the other cells continue
            methods = {}
            parts["importance"].append(_failure("importance", error))
        for method, measure in methods.items():
            try:
                made = measure(fitted)
            except Exception as error:
                made = {"importance": _failure(method, error)}
            for name, table in made.items():
                parts.setdefault(name, []).append(table)
    return {name: _stacked(tables).assign(cell=cell.cell.name) for name, tables in parts.items()}


def _failure(method: str, error: Exception) -> pd.DataFrame:
    if isinstance(error, MissingExtra):
        row = {"method": method, "status": "not_run", "reason": str(error)}
    else:
        reason = f"{type(error).__name__}: {error}"
        row = {"method": method, "status": "failed", "reason": reason}
    return pd.DataFrame([row])


def _stacked(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()
