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

from benchmarks import datasets, exploration, external, results, resume, splits
from benchmarks.audit import audit, keep_together, shown, stop_or_mark, summary
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
from benchmarks.cross_validation import CV, fold_rows
from benchmarks.dataset import Dataset
from benchmarks.extract import Extracted, extract, prepared, reading_size
from benchmarks.image_stack import ImageStack
from benchmarks.multiclass_tables import MulticlassTables
from benchmarks.outcome_tables import OutcomeTables
from benchmarks.progress import say, track
from benchmarks.report import render_report
from benchmarks.results import FEATURE_COLUMNS
from benchmarks.run_state import RunState, make_folder, stage_names
from benchmarks.statistics import tabulate_all
from benchmarks.store import FeatureStore, default_folder
from benchmarks.studies import STUDIES
from benchmarks.studies.base import StudyContext
from benchmarks.workers import Interrupted, check_interrupted, interruptible, parallel, stop_workers
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
    if config.task == "subtype" and config.external:
        raise ConfigError("--external: its scores are of two classes, so --task subtype has none.")
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
    dataset, manifest, foreign = _load(state)
    with state.stage("exploration"):
        exploration.explore(dataset, manifest["split"], state.folder)
    rows = _rows(manifest)
    folds = state.config.folds
    fold = splits.folds(manifest.iloc[rows.train], folds) if folds else None
    kind = MulticlassTables if state.config.task == "subtype" else OutcomeTables
    all_cells = [*cells, *(outcome.cell for outcome in foreign)]
    tables = kind(state.folder, all_cells, manifest, rows, fold)
    if state.before:
        tables.add(*resume.finished(state.folder, cells, rows, fold))
        say(f"  {len(tables.outcomes)} of {len(cells)} cells are kept", state.config.quiet)
    else:
        tables.add()
        results.write_table(state.folder, "features", pd.DataFrame(columns=FEATURE_COLUMNS))
    for outcome in foreign:
        state.keep(tables, outcome)
    images = prepared(dataset.images, state.config)
    stages = stage_names(state.config)
    if "features" in stages:
        with state.scratch() as scratch:
            _fit_features(state, images, tables, scratch)
    if "cnn" in stages:
        _fit_images(state, images, tables)
    _explain_errors(state, dataset)
    if "statistics" in stages:
        with state.stage("statistics"):
            tabulate_all(results.read_results(state.folder))
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


def _load(state: RunState) -> tuple[Dataset, pd.DataFrame, list[Outcome]]:
    """Read and split the data, read others' scores; write the manifest and the first record."""
    try:
        with state.stage("data"):
            dataset = datasets.load(state.config, reading_size(state.config))
            found = audit(dataset)
            leakage = stop_or_mark(found, state.config.allow_leakage)
            group = keep_together(dataset.manifest, found.duplicates)
            joined = dataset.manifest.assign(group=group)
            split, notes = splits.assign(
                joined, allow_leakage=state.config.allow_leakage, classes=dataset.classes
            )
            manifest = joined.assign(split=split)
            state.begin(dataset, manifest, notes, leakage)
            if state.before:
                resume.check_same(state.folder, state.before, state.record)
            foreign = external.read_all(state.config, manifest)
            results.write_table(state.folder, "manifest", manifest)
            results.write_table(state.folder, "audit", found.findings)
            results.write_table(state.folder, "audit_images", found.images)
            pictured = shown(found)["image"].unique().tolist()
            exploration.save_thumbnails(dataset, pictured, state.folder)
    except BaseException:
        if not state.before:
            with suppress(OSError):
                state.folder.rmdir()
        raise
    for note in [summary(found), *notes, *leakage]:
        say(f"  {note}", state.config.quiet)
    state.write()
    return dataset, manifest, foreign


def _rows(manifest: pd.DataFrame) -> Rows:
    split = manifest["split"].to_numpy()
    return Rows(
        label=manifest["label"].to_numpy(dtype=np.int64),
        group=manifest["group"].to_numpy(dtype=object),
        train=np.flatnonzero(split == "train"),
        parts={name: np.flatnonzero(split == name) for name in ("validation", "test")},
    )


def _fit_features(
    state: RunState, images: ImageStack, tables: OutcomeTables, scratch: Path
) -> None:
    """Describe the images, fit the cells that need the features, cross-validate and study them."""
    cells = [cell for cell in tables.cells if cell.on_features]
    done = state.record["studies"]
    studies = [name for name in state.config.studies if done.get(name) != "ok"]
    to_do = cells if studies else [cell for cell in cells if not tables.complete(cell)]
    families = {family for cell in to_do for family in cell.families}
    with state.stage("features"), _store(state.config) as store:
        extracted = extract(images, state.config, families, scratch, store)
        _write_features(state, extracted)
        state.told.update(reason for _, reason in extracted.reasons.values())
    with state.stage("classifiers"):
        ready = []
        for cell in _left(tables, cells):
            reasons = [extracted.reasons[f] for f in cell.families if f in extracted.reasons]
            if reasons:
                state.keep(tables, Outcome(cell, *reasons[0]))
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


def _cross_validate(state: RunState, extracted: Extracted, tables: OutcomeTables) -> None:
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


def _keep_fold(state: RunState, tables: OutcomeTables, fitted: Outcome) -> None:
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
    state: RunState, name: str, images: ImageStack, extracted: Extracted, tables: OutcomeTables
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
        state.config, tables.manifest, tables.rows, fold, images, extracted.matrices, finished
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


def _fit_images(state: RunState, images: ImageStack, tables: OutcomeTables) -> None:
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


def _left(tables: OutcomeTables, cells: list[Cell]) -> list[Cell]:
    return [cell for cell in cells if cell not in tables.outcomes]


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
    tasks: list[tuple[Cell, Rows, int]],
    extracted: Extracted,
    state: RunState,
    stage: str,
    keep_model: bool = False,
) -> Iterator[Outcome]:
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
    studied = all(outcome == "ok" for outcome in state.record["studies"].values())
    crossed = all(tables.complete(cell) for cell in tables.cells if cell.on_features)
    return SOME_FAILED if failed or not studied or not crossed else ALL_DONE


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
