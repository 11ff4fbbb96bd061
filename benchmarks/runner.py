"""The loop over cells: data in, run folder out. Finished cells are kept, whatever comes after."""

from __future__ import annotations

import re
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from benchmarks import datasets, exploration, provenance, results, splits
from benchmarks.cells import Cell, Outcome, Rows, failure, fit_on_features, fit_on_images, plan
from benchmarks.config import ConfigError, RunConfig
from benchmarks.dataset import Dataset
from benchmarks.extract import Extracted, extract, prepare, reading_size
from benchmarks.metrics import CONFIDENCE, DRAWS
from benchmarks.outcome_tables import TARGET_RECALL, OutcomeTables
from benchmarks.progress import say, track
from benchmarks.report import render_report
from features.backbone import MissingExtra, WeightsError, check_name, check_weights
from models import IMAGE_MODELS, MODELS

WRONG_SHOWN = 12  # of each class
ALL_DONE, SOME_FAILED = 0, 1


@dataclass
class Run:
    """A run in progress: its settings, the folder it is kept in, its times."""

    config: RunConfig
    folder: Path
    command: str
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    stages: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Announce a stage and note its time."""
        say(f"{name} …", self.config.quiet)
        start = time.perf_counter()
        yield
        self.stages[name] = round(time.perf_counter() - start, 2)


def run_benchmark(config: RunConfig, command: str = "") -> int:
    """Run every cell and write the run folder and its report.

    Parameters
    ----------
    config : RunConfig
    command : str
        As the user typed it, for the record.

    Returns
    -------
    int
        0 if every cell is done or could not run for want of weights or an extra, 1 if one failed.

    Raises
    ------
    ConfigError
        If the run folder is in use or can't be written, or no network fits the settings.
    DataError
        If the data can't be used; no feature has been computed then.
    """
    cells = plan(config)
    families = {family for cell in cells for family in cell.families}
    if families & {"embedding", "embedding_random"} or set(config.models) & set(IMAGE_MODELS):
        _check_network(config)
    run = Run(config, _make_folder(config), command)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        try:
            dataset, manifest, record = _load(run)
        except BaseException:
            with suppress(OSError):
                run.folder.rmdir()
            raise
        with run.stage("exploration"):
            exploration.explore(dataset, manifest["split"], run.folder)
        with run.stage("features"):
            images = prepare(dataset.images, config)
            extracted = extract(images, config, families)
            results.write_table(run.folder, "features", extracted.table)
        tables = OutcomeTables(run.folder, cells, manifest, _rows(manifest))
        _run_cells(run, images, extracted, tables)
        _explain_errors(run, dataset)
    record["features"] = extracted.settings
    results.write_run(run.folder, _finished(record, run, tables, caught))
    render_report(run.folder)
    failed = [o for o in tables.outcomes.values() if o.status == "failed"]
    for outcome in failed:
        say(f"{outcome.cell.name} failed: {outcome.reason}", quiet=False)
    say(f"Report: {run.folder / 'report.html'}", config.quiet)
    return SOME_FAILED if failed else ALL_DONE


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


def _make_folder(config: RunConfig) -> Path:
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", Path(config.data).name.removesuffix(".npz")) or "data"
    folder = config.out or Path("runs") / f"{stem}-{datetime.now():%Y%m%d-%H%M%S}"
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConfigError(f"--out {folder}: expected a new or empty folder. Choose another.")
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(
            f"--out {folder}: expected a folder that can be written, got: {error.strerror}."
        ) from error
    return folder


def _load(run: Run) -> tuple[Dataset, pd.DataFrame, dict[str, Any]]:
    """Read and split the data; write the manifest and the first record."""
    with run.stage("data"):
        dataset = datasets.load(run.config, reading_size(run.config))
        split, notes = splits.assign(dataset.manifest)
        manifest = dataset.manifest.assign(split=split)
        notes += splits.copies(manifest)
        results.write_table(run.folder, "manifest", manifest)
    for note in notes:
        say(f"  {note}", run.config.quiet)
    record = _record(run, dataset, manifest, notes)
    results.write_run(run.folder, record)
    return dataset, manifest, record


def _run_cells(run: Run, images: Any, extracted: Extracted, tables: OutcomeTables) -> None:
    blocked = []
    ready = []
    for cell in tables.cells:
        reasons = [extracted.reasons[f] for f in cell.families if f in extracted.reasons]
        if reasons:
            blocked.append(Outcome(cell, *reasons[0]))
        elif cell.model not in IMAGE_MODELS:
            ready.append(cell)
    tables.add(*blocked)
    if ready:
        with run.stage("classifiers"):
            for outcome in _fit_all(ready, extracted, tables.rows, run.config):
                _keep(run, tables, outcome)
    on_images = [cell for cell in tables.cells if cell.model in IMAGE_MODELS]
    if on_images:
        with run.stage("cnn"):
            for cell in on_images:
                _keep(run, tables, fit_on_images(cell, images, tables.rows, run.config))


def _keep(run: Run, tables: OutcomeTables, outcome: Outcome) -> None:
    tables.add(outcome)
    seconds = f", {outcome.fit_seconds:.1f} s" if outcome.fit_seconds is not None else ""
    reason = f": {outcome.reason}" if outcome.reason else ""
    say(f"  {outcome.cell.name}: {outcome.status}{seconds}{reason}", run.config.quiet)


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


def _fit_all(
    cells: list[Cell], extracted: Extracted, rows: Rows, config: RunConfig
) -> Iterator[Outcome]:
    """Fit cells side by side, one thread each; yield them as they finish."""
    parallel = Parallel(n_jobs=config.jobs, return_as="generator_unordered")
    left = set(cells)
    try:
        outcomes = parallel(
            delayed(fit_on_features)(cell, extracted.matrices, rows, config.tune) for cell in cells
        )
        for outcome in track(outcomes, "cells", len(cells), config.quiet):
            left.discard(outcome.cell)
            yield outcome
    except (RuntimeError, OSError) as error:  # a worker was killed, for want of memory say
        for cell in sorted(left, key=cells.index):
            yield failure(cell, error)


def _explain_errors(run: Run, dataset: Dataset) -> None:
    """Keep thumbnails of the test images that most cells get wrong."""
    tables = results.read_tables(run.folder, ("predictions", "scores"))
    wrong = exploration.hardest(tables["predictions"], tables["scores"], WRONG_SHOWN)
    exploration.save_thumbnails(dataset, wrong["image"].tolist(), run.folder)


def _record(run: Run, dataset: Dataset, manifest: pd.DataFrame, notes: list[str]) -> dict[str, Any]:
    """Build the first ``run.json``: everything that is known before the first cell."""
    config = run.config
    return {
        "status": "running",
        "program": provenance.program(),
        "command": run.command,
        "config": {**config.model_dump(mode="json"), "image_size": config.size},
        "protocol": {"bootstrap_draws": DRAWS, "confidence": CONFIDENCE,
                     "target_recall": TARGET_RECALL},
        "data": {
            "name": dataset.name, "synthetic": dataset.synthetic, "licence": dataset.licence,
            "citation": dataset.citation, "notes": [*dataset.notes, *notes],
            "fingerprint": provenance.fingerprint(manifest),
            "left_out": dataset.left_out.to_dict("records"),
            "ignored_files": dataset.ignored_files, "groups_known": dataset.patients_known,
        },
        "versions": provenance.versions(),
        "machine": provenance.machine(),
        "models": {name: MODELS[name].HYPERPARAMETERS for name in config.models},
        "times": {"started": run.started.isoformat(timespec="seconds")},
        "cells": {},
        "warnings": [],
    }  # fmt: skip


def _finished(
    record: dict[str, Any], run: Run, tables: OutcomeTables, caught: list[warnings.WarningMessage]
) -> dict[str, Any]:
    """Complete ``run.json``."""
    now = datetime.now(UTC)
    cells = {cell.name: tables.outcomes[cell].details for cell in tables.cells}
    warned = [f"{name}: {w}" for name, detail in cells.items() for w in detail.get("warnings", [])]
    general = {f"{warning.category.__name__}: {warning.message}" for warning in caught}
    return {
        **record,
        "status": "finished",
        "times": {
            **record["times"],
            "finished": now.isoformat(timespec="seconds"),
            "seconds": round((now - run.started).total_seconds(), 1),
            "stages": run.stages,
        },
        "cells": cells,
        "warnings": [*sorted(general), *warned],
    }
