"""Fit and score one cell, on feature columns or on images."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.utils.validation import has_fit_parameter
from threadpoolctl import threadpool_limits

from benchmarks.config import RunConfig
from benchmarks.extraction.variants import with_variants
from benchmarks.fitting.cell import Cell
from benchmarks.fitting.cell_result import CellResult, failure
from benchmarks.fitting.scoring import WHOLE, average, score
from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.io.image_stack import ImageStack
from benchmarks.io.matrix_file import StoredMatrix
from benchmarks.io.progress import Steps
from benchmarks.io.run_files import open_file
from features.weights import file_of
from models import MODELS, declaration
from models.balance import resampling_record

TUNING_FOLDS = 3
Matrix = NDArray[np.float32] | StoredMatrix
CHECKPOINTS = "checkpoints"
MAX_CHECKPOINT = 2**34  # bytes


def fit_on_features(
    cell: Cell,
    matrices: Mapping[str, Matrix],
    rows: SplitIndices,
    keep_model: bool = False,
    fold: int = 0,
) -> CellResult:
    """Fit and score one cell on one thread, so that its numbers do not depend on the load.

    Parameters
    ----------
    cell : Cell
        With columns of a table, it is fitted on and scored with the images alone, without copies
        and views.
    matrices : dict of ndarray or StoredMatrix of shape (n, d), float32
        By family.
    rows : SplitIndices
    keep_model : bool
        Whether the result holds the fitted model. If so, each image is scored separately, so that
        the saved model later gives exactly the same score for that image alone.
    fold : int
        Number of the held-out fold; 0 outside a cross-validation.

    Returns
    -------
    CellResult
        With the status ``failed`` and the reason if an exception was raised.
    """
    if cell.balance == "class_weight" and not declaration(cell.model).class_weight:
        reason = f"{cell.model} takes no class weights. Use another --balance."
        return CellResult(cell, "not_run", reason, fold=fold)
    rows = rows.without_variants() if cell.given else rows
    with threadpool_limits(1), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            outcome = _fit_on_features(cell, matrices, rows, keep_model)
        except Exception as error:  # a failed cell is a row of the table; the run continues
            outcome = failure(cell, error)
    outcome.fold = fold
    return _with_warnings(outcome, caught)


def fit_on_images(
    cell: Cell,
    images: ImageStack,
    rows: SplitIndices,
    config: RunConfig,
    folder: Path,
    fold: int = 0,
) -> CellResult:
    """Fit and score an end-to-end cell; an interrupted fit continues after its last epoch.

    Parameters
    ----------
    cell : Cell
    images : ImageStack of shape (n, size, size)
    rows : SplitIndices
    config : RunConfig
        the first of ``backbones``, its ``weights``, ``epochs``, ``batch_size`` and ``quiet`` apply.
    folder : Path
        Run folder. The state after each epoch is kept there until the cell is finished.
    fold : int
        Number of the held-out fold; 0 outside a cross-validation.

    Returns
    -------
    CellResult
        With the status ``failed`` or ``not_run`` and the reason if an exception was raised.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            checkpoint = checkpoint_path(folder, cell, fold)
            if checkpoint.is_symlink() or checkpoint.exists():  # refuse a pipe, device or link
                name = checkpoint.relative_to(folder)
                open_file(folder, name, limit=MAX_CHECKPOINT).close()
            outcome = _fit_on_images(cell, images, rows, config, checkpoint)
        except Exception as error:  # as above
            outcome = failure(cell, error)
    outcome.fold = fold
    return _with_warnings(outcome, caught)


def _fit_on_features(
    cell: Cell, matrices: Mapping[str, Matrix], rows: SplitIndices, keep_model: bool
) -> CellResult:
    outcome = CellResult(cell)
    model = MODELS[cell.model]
    start = time.perf_counter()
    pipeline = model.build(cell.random_state, cell.balance, 1)
    pipeline.set_params(scale__copy=False)  # X is this cell's own copy
    fitted, shown = rows.to_fit()
    y, groups = rows.label[shown], rows.group[shown]
    X = columns_of_cell(cell, matrices, fitted)
    fit_params = {"classify__groups": groups} if _wants_groups(pipeline) else {}
    if cell.tune:
        folds = StratifiedGroupKFold(TUNING_FOLDS, shuffle=True, random_state=cell.random_state)
        search = GridSearchCV(pipeline, model.GRID, scoring="average_precision", cv=folds)
        search.fit(X, y, groups=groups, **fit_params)
        pipeline = search.best_estimator_
        outcome.details["tuned"] = {k.split("__")[-1]: v for k, v in search.best_params_.items()}
    else:
        pipeline.fit(X, y, **fit_params)
    pipeline.set_params(scale__copy=True)
    outcome.fit_seconds = time.perf_counter() - start
    outcome.details["resampling"] = resampling_record(pipeline)
    outcome.model = pipeline if keep_model else None
    block = None if keep_model else WHOLE
    return _score(
        outcome, pipeline, lambda part: columns_of_cell(cell, matrices, part), rows, block
    )


def _fit_on_images(
    cell: Cell, images: ImageStack, rows: SplitIndices, config: RunConfig, checkpoint: Path
) -> CellResult:
    outcome = CellResult(cell)
    network = MODELS[cell.model].build(
        cell.random_state,
        cell.balance,
        backbone=config.backbones[0],
        weights=file_of(config.weights, config.backbones[0]),
        epochs=config.epochs,
        batch_size=config.batch_size,
    )
    chosen_on = rows.parts["validation"]
    validation = (images.take(chosen_on), rows.label[chosen_on])
    train = (images.take(rows.train), rows.label[rows.train])
    checkpoint.parent.mkdir(exist_ok=True)
    with Steps(cell.name, 0, "batches", config.quiet) as steps:
        network.fit(*train, validation=validation, checkpoint=checkpoint, on_batch=steps.reach)
    outcome.training = network.history_
    outcome.fit_seconds = sum(epoch["seconds"] for epoch in network.history_)
    outcome.details = network.record()
    outcome.model = network
    return _score(outcome, network, with_variants(images, rows.variants).take, rows)


def _score(
    outcome: CellResult,
    model: BaseEstimator,
    select: Any,
    rows: SplitIndices,
    block: int | None = None,
) -> CellResult:
    start = time.perf_counter()
    for split, part in rows.parts.items():
        views = [
            score(outcome.cell.model, model, select(view), block) for view in rows.to_score(part)
        ]
        scores = average(views)
        if not (np.isfinite(scores).all() and scores.min() >= 0 and scores.max() <= 1):
            raise ValueError(f"{outcome.cell.name} gave {split} scores outside [0, 1]")
        outcome.scores[split] = scores
    outcome.predict_seconds = time.perf_counter() - start
    return outcome


def columns_of_cell(
    cell: Cell, matrices: Mapping[str, Matrix], part: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Concatenate the columns of a cell's families for some images.

    Parameters
    ----------
    cell : Cell
    matrices : dict of matrices of shape (n, d), float32
        By feature family.
    part : ndarray of int
        Row numbers of the images.

    Returns
    -------
    ndarray of shape (len(part), d), float32
    """
    widths = [matrices[family].shape[1] for family in cell.families]
    columns = np.empty((len(part), sum(widths)), dtype=np.float32)
    for family, end, width in zip(cell.families, np.cumsum(widths), widths, strict=True):
        columns[:, end - width : end] = matrices[family][part]
    return columns


def checkpoint_path(folder: Path, cell: Cell, fold: int = 0) -> Path:
    """Path of the file in the run folder that holds the state of a cell's training.

    Parameters
    ----------
    folder : Path
        The run folder.
    cell : Cell
    fold : int
        Number of the held-out fold; 0 outside a cross-validation.

    Returns
    -------
    Path
    """
    name = cell.name.replace("/", "-") + (f"-fold{fold}" if fold else "")
    return folder / CHECKPOINTS / f"{name}.safetensors"


def _wants_groups(pipeline: Any) -> bool:
    return bool(has_fit_parameter(pipeline.named_steps["classify"], "groups"))


def _with_warnings(outcome: CellResult, caught: list[warnings.WarningMessage]) -> CellResult:
    messages = sorted({f"{w.category.__name__}: {w.message}" for w in caught})
    if messages:
        outcome.details["warnings"] = messages
    return outcome
