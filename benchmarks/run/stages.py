"""The stages of a run that extract features and fit cells, in their order.

Each stage computes what is missing and hands every finished cell to :func:`keep_result`.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from benchmarks.extraction.extract import FeatureMatrices, extract
from benchmarks.extraction.given_tables import GivenRows
from benchmarks.extraction.store import StoreWarning, open_store
from benchmarks.fitting.cell import Cell
from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.combination import combine, crossed, members_of
from benchmarks.fitting.cross_validation import CV, fold_rows
from benchmarks.fitting.fit import CHECKPOINTS, fit_on_images
from benchmarks.fitting.fit_each import FitTask, fit_each
from benchmarks.io import results
from benchmarks.io.image_stack import ImageStack
from benchmarks.io.progress import say
from benchmarks.io.workers import check_interrupted
from benchmarks.run.result_tables import ResultTables
from benchmarks.run.resume import check_same_weights
from benchmarks.run.state import RunState
from benchmarks.saved.model_files import save_cell
from benchmarks.saved.pipeline_file import ModelFileError


def extract_features(
    state: RunState,
    images: ImageStack,
    cells: Iterable[Cell],
    scratch: Path,
    given: Mapping[str, GivenRows] | None = None,
) -> FeatureMatrices:
    """Extract the features of some cells and write ``features.csv``.

    Parameters
    ----------
    state : RunState
    images : ImageStack of shape (n, size, size)
        Prepared images.
    cells : iterable of Cell
        Families of no cell are not computed.
    scratch : Path
        Folder for the matrices.
    given : dict of GivenRows, optional
        Rows of the tables of ``--features-from``.

    Returns
    -------
    FeatureMatrices
    """
    families = {family for cell in cells for family in cell.families}
    stage, place = state.stage("features"), state.config
    if state.store is not None:
        place = place.model_copy(update={"use_cache": True, "cache": state.store})
    with stage, _said(state.config.quiet), open_store(place) as store:
        features = extract(images, state.config, families, scratch, store, given)
    table = features.table
    if state.before and (state.folder / "features.csv").exists():
        known = results.read_tables(state.folder, ("features",))["features"]
        check_same_weights(state.folder, known, table)
        others = known[~known["family"].isin(table["family"])]
        table = pd.concat([others, table]) if len(table) else others
    results.write_table(state.folder, "features", table)
    state.record["features"] = {**state.record["features"], **features.settings}
    state.write()
    state.reported.update(reason for _, reason in features.reasons.values())
    return features


@contextmanager
def _said(quiet: bool) -> Iterator[None]:
    """Print warnings about the feature store; all warnings also reach the record of the run."""
    with warnings.catch_warnings(record=True) as caught:
        yield
    for one in caught:
        if issubclass(one.category, StoreWarning):
            say(f"  {one.message}", quiet)
        warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


def fit_classifiers(state: RunState, features: FeatureMatrices, tables: ResultTables) -> None:
    """Fit the cells on features that are not finished yet.

    Parameters
    ----------
    state : RunState
    features : FeatureMatrices
    tables : ResultTables
    """
    with state.stage("classifiers"):
        tasks = []
        for cell in _missing(tables, [cell for cell in tables.cells if cell.on_features]):
            reasons = [features.reasons[f] for f in cell.families if f in features.reasons]
            if reasons:
                keep_result(state, tables, CellResult(cell, *reasons[0]))
            else:
                tasks.append(FitTask(cell, tables.rows))
        for result in fit_each(
            _by_model(state, tasks), features.matrices, state.config, "classifiers",
            keep_model=True, ordered=False,
        ):  # fmt: skip
            keep_result(state, tables, result)


def cross_validate(state: RunState, features: FeatureMatrices, tables: ResultTables) -> None:
    """Cross-validate the finished cells on features; keep a cell when all its folds are done.

    Parameters
    ----------
    state : RunState
    features : FeatureMatrices
    tables : ResultTables
        With the fold of each training image.
    """
    assert tables.fold is not None
    with state.stage("cross-validation"):
        rows_of = fold_rows(tables.rows, tables.fold)
        tasks = [
            FitTask(cell, rows_of[k], k) for cell, result in tables.results.items()
            if result.status == "ok" and cell.on_features
            for k in rows_of if k not in result.folds
        ]  # fmt: skip
        for result in fit_each(
            _by_model(state, tasks), features.matrices, state.config, "cross-validation",
            ordered=False,
        ):  # fmt: skip
            _keep_fold(state, tables, result)


def combine_cells(state: RunState, tables: ResultTables) -> None:
    """Combine the finished cells on features.

    Parameters
    ----------
    state : RunState
    tables : ResultTables

    Notes
    -----
    A combination that a resumed run has already is kept if it would combine the same cells now.
    """
    label = tables.rows.label[tables.rows.train]
    with state.stage("combination"):
        # In the order of the run, not of completion: sums must not depend on timing.
        done = [tables.results[cell] for cell in tables.cells if cell in tables.results]
        for cell in (cell for cell in tables.cells if cell.on_cells):
            members = members_of(cell, done)
            kept = tables.results.get(cell)
            names = [one.cell.name for one in members]
            same = kept is not None and kept.details.get("members") == names
            if kept is None or not same or tables.crossed(kept) != crossed(members, tables.fold):
                keep_result(state, tables, combine(cell, members, label, tables.fold))


def fit_networks(state: RunState, images: ImageStack, tables: ResultTables) -> None:
    """Fit the end-to-end networks that are not finished yet, one after the other.

    Parameters
    ----------
    state : RunState
    images : ImageStack of shape (n, size, size)
        Prepared images.
    tables : ResultTables
    """
    with state.stage("cnn"):
        for cell in _missing(tables, [cell for cell in tables.cells if cell.on_images]):
            result = fit_on_images(cell, images, tables.rows, state.config, state.folder)
            keep_result(state, tables, result)
            shutil.rmtree(state.folder / CHECKPOINTS, ignore_errors=True)


def cross_validate_networks(state: RunState, images: ImageStack, tables: ResultTables) -> None:
    """Cross-validate the finished end-to-end networks.

    Parameters
    ----------
    state : RunState
    images : ImageStack of shape (n, size, size)
        Prepared images.
    tables : ResultTables
        With the fold of each training image.
    """
    assert tables.fold is not None
    rows_of = fold_rows(tables.rows, tables.fold, keep=("validation",))
    with state.stage("cnn, cross-validation"):
        for cell in (cell for cell in tables.cells if cell.on_images):
            result = tables.results[cell]
            for k in rows_of if result.status == "ok" else ():
                if k not in result.folds:
                    fold = fit_on_images(cell, images, rows_of[k], state.config, state.folder, k)
                    _keep_fold(state, tables, fold)
                    shutil.rmtree(state.folder / CHECKPOINTS, ignore_errors=True)


def keep_result(state: RunState, tables: ResultTables, result: CellResult) -> None:
    """Save a finished cell: its model, its entry in ``run.json``, then its rows in the tables.

    Parameters
    ----------
    state : RunState
    tables : ResultTables
    result : CellResult
    """
    name = result.cell.name
    _save_model(state, result)
    state.record["cells"][name] = result.details
    state.write()
    tables.add(result)
    check_interrupted()
    seconds = f", {result.fit_seconds:.1f} s" if result.fit_seconds is not None else ""
    reason = f": {result.reason}" if result.reason else ""
    if reason and result.reason in state.reported:
        reason = ", for the reason above"
    state.reported.add(result.reason)
    say(f"  {name}: {result.status}{seconds}{reason}", state.config.quiet)


def _save_model(state: RunState, result: CellResult) -> None:
    """Save the fitted model and release it; the scores are kept even if saving fails."""
    model, result.model = result.model, None
    if model is None or not state.config.save_models:
        return
    try:
        columns = getattr(model, "n_features_in_", None)  # a model on images has none
        save_cell(state.folder, result.cell.name, model, columns=columns)
    except (OSError, ModelFileError) as error:
        warning = f"the fitted model could not be saved: {error}"
        result.details.setdefault("warnings", []).append(f"UserWarning: {warning}")
        say(f"  {result.cell.name}: {warning}", quiet=False)


def _keep_fold(state: RunState, tables: ResultTables, fold: CellResult) -> None:
    """Add the scores of one fold to its cell; a failed fold leaves the cell without them."""
    result = tables.results[fold.cell]
    if fold.status == "ok":
        result.folds[fold.fold] = fold.scores[CV]
    else:
        failed = f"fold {fold.fold} of the cross-validation failed: {fold.reason}"
        result.details.setdefault("warnings", []).append(failed)
        say(f"  {fold.cell.name}: {failed}", quiet=False)
    if tables.complete(fold.cell) or fold.cell.on_images:
        tables.add(result)
    check_interrupted()


def _missing(tables: ResultTables, cells: list[Cell]) -> list[Cell]:
    return [cell for cell in cells if cell not in tables.results]


def _by_model(state: RunState, tasks: list[FitTask]) -> list[FitTask]:
    """Sort by model: fitting the cells of the widest feature set together needs most memory."""
    return sorted(tasks, key=lambda task: state.config.models.index(task.cell.model))
