"""The stages of a run: data in, run folder out. Finished cells are kept, whatever comes after."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import delayed

from benchmarks import datasets, exploration, results, resume, splits
from benchmarks.cells import (
    CHECKPOINTS,
    Cell,
    Outcome,
    Rows,
    failure,
    fit_on_features,
    fit_on_images,
    plan,
)
from benchmarks.config import ConfigError, RunConfig
from benchmarks.dataset import Dataset
from benchmarks.extract import Extracted, extract, prepared, reading_size
from benchmarks.image_stack import ImageStack
from benchmarks.outcome_tables import OutcomeTables
from benchmarks.progress import say, track
from benchmarks.report import render_report
from benchmarks.results import FEATURE_COLUMNS
from benchmarks.run_state import RunState, make_folder, stage_names
from benchmarks.store import FeatureStore, default_folder
from benchmarks.workers import Interrupted, interruptible, parallel, stop_workers
from features.backbone import MissingExtra, WeightsError, check_name, check_weights
from models import IMAGE_MODELS

WRONG_SHOWN = 12  # of each class
ALL_DONE, SOME_FAILED = 0, 1


def run_benchmark(config: RunConfig, command: str = "", going_on: bool = False) -> int:
    """Run every cell and write the run folder and its report.

    Parameters
    ----------
    config : RunConfig
    command : str
        As the user typed it, for the record.
    going_on : bool
        Keep the finished cells of the run in ``config.out`` and compute the others.

    Returns
    -------
    int
        0 if every cell is done or could not run for want of weights or an extra, 1 if one failed,
        130 or 143 if SIGINT or SIGTERM ended the run.

    Raises
    ------
    ConfigError
        If the run folder is in use or can't be written, no network fits the settings, or the run
        can't be gone on with.
    DataError
        If the data can't be used; no feature has been computed then.
    """
    cells = plan(config)
    families = {family for cell in cells for family in cell.families}
    if families & {"embedding", "embedding_random"} or set(config.models) & set(IMAGE_MODELS):
        _check_network(config)
    if going_on:
        state = RunState(config, command, before=resume.read_record(_folder(config)))
    else:
        state = RunState(config.model_copy(update={"out": make_folder(config)}), command)
    with warnings.catch_warnings(record=True) as caught, interruptible():
        warnings.simplefilter("default")
        # joblib starts workers anew that hold much memory after a large cell: no concern of a user.
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given")
        try:
            return _run(state, cells, caught)
        except Interrupted as interruption:
            stop_workers()
            _say_interrupted(state, caught)
            return interruption.exit_code


def _run(state: RunState, cells: list[Cell], caught: list[warnings.WarningMessage]) -> int:
    dataset, manifest = _load(state)
    with state.stage("exploration"):
        exploration.explore(dataset, manifest["split"], state.folder)
    rows = _rows(manifest)
    tables = OutcomeTables(state.folder, cells, manifest, rows)
    if state.before:
        tables.add(*resume.finished(state.folder, cells, rows))
        say(f"  {len(tables.outcomes)} of {len(cells)} cells are kept", state.config.quiet)
    else:
        tables.add()
        results.write_table(state.folder, "features", pd.DataFrame(columns=FEATURE_COLUMNS))
    images = prepared(dataset.images, state.config)
    stages = stage_names(state.config)
    if "features" in stages:
        with state.scratch() as scratch:
            _fit_features(state, images, tables, scratch)
    if "cnn" in stages:
        _fit_images(state, images, tables)
    _explain_errors(state, dataset)
    state.end("finished", caught)
    with state.stage("report"):
        render_report(state.folder)
    return _summarise(state, tables)


def _folder(config: RunConfig) -> Path:
    assert config.out is not None
    return config.out


def _check_network(config: RunConfig) -> None:
    """Refuse a misspelt backbone or a broken file of weights before anything is computed."""
    try:
        check_name(config.backbone)
        if config.weights is not None:
            check_weights(config.backbone, config.weights)
    except MissingExtra:
        return  # the cells that need it will say so
    except WeightsError as error:
        raise ConfigError(f"--weights {error}") from error
    except ValueError as error:
        raise ConfigError(f"--backbone: {error}") from error


def _load(state: RunState) -> tuple[Dataset, pd.DataFrame]:
    """Read and split the data; write the manifest and the first record."""
    try:
        with state.stage("data"):
            dataset = datasets.load(state.config, reading_size(state.config))
            split, notes = splits.assign(dataset.manifest)
            manifest = dataset.manifest.assign(split=split)
            notes += splits.copies(manifest)
            state.begin(dataset, manifest, notes)
            if state.before:
                resume.check_same(state.folder, state.before, state.record)
            results.write_table(state.folder, "manifest", manifest)
    except BaseException:
        if not state.before:
            with suppress(OSError):
                state.folder.rmdir()
        raise
    for note in notes:
        say(f"  {note}", state.config.quiet)
    state.write()
    return dataset, manifest


def _rows(manifest: pd.DataFrame) -> Rows:
    split = manifest["split"].to_numpy()
    train, validation, test = (
        np.flatnonzero(split == name) for name in ("train", "validation", "test")
    )
    return Rows(
        label=manifest["label"].to_numpy(dtype=np.int64),
        group=manifest["group"].to_numpy(dtype=object),
        train=train, validation=validation, test=test,
    )  # fmt: skip


def _fit_features(
    state: RunState, images: ImageStack, tables: OutcomeTables, scratch: Path
) -> None:
    """Describe the images and fit the cells that need the features."""
    cells = [cell for cell in _left(tables) if cell.model not in IMAGE_MODELS]
    families = {family for cell in cells for family in cell.families}
    with state.stage("features"), _store(state.config) as store:
        extracted = extract(images, state.config, families, scratch, store)
        _write_features(state, extracted)
        state.told.update(reason for _, reason in extracted.reasons.values())
    with state.stage("classifiers"):
        ready = []
        for cell in cells:
            reasons = [extracted.reasons[f] for f in cell.families if f in extracted.reasons]
            if reasons:
                state.keep(tables, Outcome(cell, *reasons[0]))
            else:
                ready.append(cell)
        for outcome in _fit_all(ready, extracted, tables.rows, state):
            state.keep(tables, outcome)


def _fit_images(state: RunState, images: ImageStack, tables: OutcomeTables) -> None:
    """Fit the end-to-end cells, one after the other."""
    with state.stage("cnn"):
        for cell in [cell for cell in _left(tables) if cell.model in IMAGE_MODELS]:
            outcome = fit_on_images(cell, images, tables.rows, state.config, state.folder)
            state.keep(tables, outcome)
            shutil.rmtree(state.folder / CHECKPOINTS, ignore_errors=True)


def _left(tables: OutcomeTables) -> list[Cell]:
    return [cell for cell in tables.cells if cell not in tables.outcomes]


@contextmanager
def _store(config: RunConfig) -> Iterator[FeatureStore | None]:
    if not config.use_cache:
        yield None
        return
    with FeatureStore(config.cache or default_folder()) as store:
        yield store


def _write_features(state: RunState, extracted: Extracted) -> None:
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
    cells: list[Cell], extracted: Extracted, rows: Rows, state: RunState
) -> Iterator[Outcome]:
    """Fit cells side by side, one thread each; yield them as they finish."""
    config = state.config
    # Model by model: side by side the cells of the widest feature set would need the most memory.
    cells = sorted(cells, key=lambda cell: config.models.index(cell.model))
    left = set(cells)
    try:
        outcomes = parallel(config.jobs, return_as="generator_unordered")(
            delayed(fit_on_features)(cell, extracted.matrices, rows, config.tune) for cell in cells
        )
        for outcome in track(outcomes, "classifiers", len(cells), "cells", config.quiet):
            left.discard(outcome.cell)
            yield outcome
    except (RuntimeError, OSError) as error:  # a worker was killed, for want of memory say
        for cell in sorted(left, key=cells.index):
            yield failure(cell, error)


def _explain_errors(state: RunState, dataset: Dataset) -> None:
    """Keep thumbnails of the test images that most cells get wrong."""
    tables = results.read_tables(state.folder, ("predictions", "scores"))
    wrong = exploration.hardest(tables["predictions"], tables["scores"], WRONG_SHOWN)
    exploration.save_thumbnails(dataset, wrong["image"].tolist(), state.folder)


def _summarise(state: RunState, tables: OutcomeTables) -> int:
    """Print times, failures and where the report is."""
    quiet = state.config.quiet
    width = max(map(len, state.stages))
    for name, seconds in state.stages.items():
        say(f"  {name:<{width}} {seconds:8.1f} s", quiet)
    failed = [o for o in tables.outcomes.values() if o.status == "failed"]
    for outcome in failed:
        say(f"{outcome.cell.name} failed: {outcome.reason}", quiet=False)
    say(f"Report: {state.folder / 'report.html'}", quiet)
    return SOME_FAILED if failed else ALL_DONE


def _say_interrupted(state: RunState, caught: list[warnings.WarningMessage]) -> None:
    if not state.record:
        say("Interrupted before the data were read: nothing was kept.", quiet=False)
        return
    state.end("interrupted", caught)
    done = sum(bool(details) for details in state.record["cells"].values())
    say(
        f"Interrupted: {done} cells are finished and kept. Go on with: "
        f"python run_benchmark.py --resume {state.folder}",
        quiet=False,
    )
