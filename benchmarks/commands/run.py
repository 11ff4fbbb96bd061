"""The stages of a run: data in, run folder out. Finished cells are kept, whatever comes after."""

from __future__ import annotations

import warnings
from contextlib import suppress
from pathlib import Path

import pandas as pd

from benchmarks import datasets
from benchmarks.audit.checks import audit
from benchmarks.audit.findings import shown, stop_or_mark, summary
from benchmarks.audit.patient_groups import keep_together
from benchmarks.commands.report import render_report
from benchmarks.config import ConfigError, RunConfig
from benchmarks.datasets import splits
from benchmarks.datasets.dataset import Dataset
from benchmarks.extraction.prepare import prepared, reading_size
from benchmarks.fitting import external
from benchmarks.fitting.cell import Cell, plan
from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.io import results
from benchmarks.io.columns import FEATURE_COLUMNS
from benchmarks.io.progress import say
from benchmarks.io.workers import Interrupted, interruptible, stop_workers
from benchmarks.run import exploration
from benchmarks.run.multiclass_tables import MulticlassTables
from benchmarks.run.result_tables import ResultTables
from benchmarks.run.resume import check_same, finished, read_record
from benchmarks.run.stages import fit_features, fit_images
from benchmarks.run.state import RunState, make_folder, stage_names
from benchmarks.statistics import tabulate_all
from features.backbone import MissingExtra, WeightsError, check_name, check_weights

WRONG_SHOWN = 12  # of each class
ALL_DONE, SOME_FAILED = 0, 1


def run_benchmark(config: RunConfig, command: str = "", resume: bool = False) -> int:
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
    if families & {"embedding", "embedding_random"} or any(cell.on_images for cell in cells):
        _check_network(config)
    if resume:
        state = RunState(config, command, before=read_record(_folder(config)))
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
    rows = SplitIndices.of_manifest(manifest)
    folds = state.config.folds
    fold = splits.folds(manifest.iloc[rows.train], folds) if folds else None
    kind = MulticlassTables if state.config.task == "subtype" else ResultTables
    all_cells = [*cells, *(outcome.cell for outcome in foreign)]
    tables = kind(state.folder, all_cells, manifest, rows, fold)
    if state.before:
        tables.add(*finished(state.folder, cells, rows, fold))
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
            fit_features(state, images, tables, scratch)
    if "cnn" in stages:
        fit_images(state, images, tables)
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


def _load(state: RunState) -> tuple[Dataset, pd.DataFrame, list[CellResult]]:
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
                check_same(state.folder, state.before, state.record)
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


def _explain_errors(state: RunState, dataset: Dataset) -> None:
    """Keep thumbnails of the test images that most cells get wrong."""
    tables = results.read_tables(state.folder, ("predictions", "scores"))
    wrong = exploration.hardest(tables["predictions"], tables["scores"], WRONG_SHOWN)
    exploration.save_thumbnails(dataset, wrong["image"].tolist(), state.folder)


def _summarise(state: RunState, tables: ResultTables) -> int:
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
