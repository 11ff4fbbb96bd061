"""The stages of a run that fit: features, classifiers, cross-validation, studies, networks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from joblib import delayed

from benchmarks.config import ConfigError, RunConfig
from benchmarks.datasets import splits
from benchmarks.extraction.extract import FeatureMatrices, extract
from benchmarks.extraction.store import open_store
from benchmarks.fitting.cell import Cell
from benchmarks.fitting.cell_result import CellResult, failure
from benchmarks.fitting.cross_validation import CV, fold_rows
from benchmarks.fitting.fit import CHECKPOINTS, fit_on_features, fit_on_images
from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.fitting.study_context import StudyContext
from benchmarks.io import results
from benchmarks.io.image_stack import ImageStack
from benchmarks.io.progress import say, track
from benchmarks.io.workers import check_interrupted, parallel
from benchmarks.run.result_tables import ResultTables
from benchmarks.run.state import RunState
from benchmarks.studies import STUDIES


def fit_features(state: RunState, images: ImageStack, tables: ResultTables, scratch: Path) -> None:
    """Describe the images, fit the cells that need the features, cross-validate and study them."""
    cells = [cell for cell in tables.cells if cell.on_features]
    done = state.record["studies"]
    studies = [name for name in state.config.studies if done.get(name) != "ok"]
    to_do = cells if studies else [cell for cell in cells if not tables.complete(cell)]
    families = {family for cell in to_do for family in cell.families}
    with state.stage("features"), open_store(state.config) as store:
        extracted = extract(images, state.config, families, scratch, store)
        _write_features(state, extracted)
        state.told.update(reason for _, reason in extracted.reasons.values())
    with state.stage("classifiers"):
        ready = []
        for cell in _left(tables, cells):
            reasons = [extracted.reasons[f] for f in cell.families if f in extracted.reasons]
            if reasons:
                state.keep(tables, CellResult(cell, *reasons[0]))
            else:
                ready.append((cell, tables.rows, 0))
        for outcome in _fit_all(ready, extracted, state, "classifiers", keep_model=True):
            state.keep(tables, outcome)
    if tables.fold is not None:
        with state.stage("cross-validation"):
            _cross_validate(state, extracted, tables)
    for name in studies:
        with state.stage(name):
            _study(state, name, images, extracted, tables)


def _cross_validate(state: RunState, extracted: FeatureMatrices, tables: ResultTables) -> None:
    """Fit every finished cell on features once a fold; keep it when all its folds are done."""
    assert tables.fold is not None
    rows_of = fold_rows(tables.rows, tables.fold)
    tasks = [
        (cell, rows_of[k], k) for cell, outcome in tables.outcomes.items()
        if outcome.status == "ok" and cell.on_features
        for k in rows_of if k not in outcome.folds
    ]  # fmt: skip
    for outcome in _fit_all(tasks, extracted, state, "cross-validation"):
        _keep_fold(state, tables, outcome)


def _keep_fold(state: RunState, tables: ResultTables, fitted: CellResult) -> None:
    """Put the scores of one fold to its cell; a fold that failed leaves the cell without."""
    outcome = tables.outcomes[fitted.cell]
    if fitted.status == "ok":
        outcome.folds[fitted.fold] = fitted.scores[CV]
    else:
        failed = f"fold {fitted.fold} of the cross-validation failed: {fitted.reason}"
        outcome.details.setdefault("warnings", []).append(failed)
        say(f"  {fitted.cell.name}: {failed}", quiet=False)
    if tables.complete(fitted.cell) or fitted.cell.on_images:
        tables.add(outcome)
    check_interrupted()


def _study(
    state: RunState, name: str, images: ImageStack, extracted: FeatureMatrices, tables: ResultTables
) -> None:
    """Make one study and write its tables; if it fails, the run goes on without them."""
    fold = tables.fold
    if fold is None:
        train = tables.manifest.iloc[tables.rows.train]
        fold = splits.folds(train, RunConfig.model_fields["folds"].default)
    finished = {
        cell.name: outcome for cell, outcome in tables.outcomes.items()
        if outcome.status == "ok" and cell.on_features
    }  # fmt: skip
    context = StudyContext(
        state.config,
        tables.manifest,
        tables.rows,
        fold,
        images,
        extracted.matrices,
        finished,
        state.folder,
    )
    try:
        made = STUDIES[name].run(context)
    except Exception as error:  # as with a cell
        state.record["studies"][name] = f"failed: {type(error).__name__}: {error}"
        say(f"  {name} {state.record['studies'][name]}", quiet=False)
    else:
        for table, rows in made.items():
            results.write_table(state.folder, table, rows)
        state.record["studies"][name] = "ok"
    state.write()
    check_interrupted()


def fit_images(state: RunState, images: ImageStack, tables: ResultTables) -> None:
    """Fit the end-to-end cells, one after the other; cross-validate them if asked."""
    config = state.config
    cells = [cell for cell in tables.cells if cell.on_images]
    with state.stage("cnn"):
        for cell in _left(tables, cells):
            outcome = fit_on_images(cell, images, tables.rows, config, state.folder)
            state.keep(tables, outcome)
            shutil.rmtree(state.folder / CHECKPOINTS, ignore_errors=True)
    if tables.fold is None or not (config.cv_cnn or config.full):
        return
    rows_of = fold_rows(tables.rows, tables.fold, keep=("validation",))
    with state.stage("cnn, cross-validation"):
        for cell in cells:
            outcome = tables.outcomes[cell]
            for k in rows_of if outcome.status == "ok" else ():
                if k not in outcome.folds:
                    fitted = fit_on_images(cell, images, rows_of[k], config, state.folder, k)
                    _keep_fold(state, tables, fitted)
                    shutil.rmtree(state.folder / CHECKPOINTS, ignore_errors=True)


def _left(tables: ResultTables, cells: list[Cell]) -> list[Cell]:
    return [cell for cell in cells if cell not in tables.outcomes]


def _write_features(state: RunState, extracted: FeatureMatrices) -> None:
    """Write ``features.csv``; a run that goes on keeps the rows of families it has no need of."""
    table = extracted.table
    if state.before and (state.folder / "features.csv").exists():
        known = results.read_tables(state.folder, ("features",))["features"]
        _check_weights_source(state, known, table)
        others = known[~known["family"].isin(table["family"])]
        table = pd.concat([others, table]) if len(table) else others
    results.write_table(state.folder, "features", table)
    state.record["features"] = {**state.record["features"], **extracted.settings}
    state.write()


def _check_weights_source(state: RunState, known: pd.DataFrame, table: pd.DataFrame) -> None:
    both = known.merge(table, on="family", suffixes=("_before", "_now"))
    other = both[(both["status_before"] == "ok") & (both["status_now"] == "ok")
                 & (both["weights_before"] != both["weights_now"])]  # fmt: skip
    if len(other):
        row = other.iloc[0]
        raise ConfigError(
            f"--resume {state.folder}: {row['family']} had the weights {row['weights_before']}, "
            f"but now {row['weights_now']}. Give the same --weights, or start a new run."
        )


def _fit_all(
    tasks: list[tuple[Cell, SplitIndices, int]],
    extracted: FeatureMatrices,
    state: RunState,
    stage: str,
    keep_model: bool = False,
) -> Iterator[CellResult]:
    """Fit cells side by side, one thread each; yield them as they finish.

    A task is a cell, the rows to fit it on and to score, and the number of the fold or 0.
    """
    config = state.config
    # Model by model: side by side the cells of the widest feature set would need the most memory.
    tasks = sorted(tasks, key=lambda task: config.models.index(task[0].model))
    left = {(cell, fold) for cell, _, fold in tasks}
    unit = "fits" if any(fold for _, fold in left) else "cells"
    try:
        outcomes = parallel(config.jobs, return_as="generator_unordered")(
            delayed(fit_on_features)(cell, extracted.matrices, rows, config.tune, keep_model, fold)
            for cell, rows, fold in tasks
        )
        for outcome in track(outcomes, stage, len(tasks), unit, config.quiet):
            left.discard((outcome.cell, outcome.fold))
            yield outcome
    except (RuntimeError, OSError) as error:  # a worker was killed, for want of memory say
        for cell, _, fold in tasks:
            if (cell, fold) in left:
                yield failure(cell, error, fold)
