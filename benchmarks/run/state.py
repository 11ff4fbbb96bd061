"""A run in progress: its folder, its record, its stages, and the tables that fill up."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.config import ConfigError, RunConfig
from benchmarks.datasets import image_size
from benchmarks.datasets.dataset import Dataset
from benchmarks.fitting import external
from benchmarks.fitting.cell_result import CellResult
from benchmarks.io import provenance, results
from benchmarks.io.progress import say
from benchmarks.io.workers import check_interrupted
from benchmarks.metrics.bootstrap import CONFIDENCE, DRAWS
from benchmarks.metrics.operating_points import TARGET_RECALL
from benchmarks.run.result_tables import ResultTables
from benchmarks.saved.models import save_cell
from benchmarks.saved.pipeline_file import ModelFileError
from models import MODELS, declaration

SCRATCH = ".scratch"


@dataclass
class RunState:
    """What the stages of one run share.

    Attributes
    ----------
    config : RunConfig
        ``out`` is the run folder.
    command : str
        As the user typed it.
    before : dict
        ``run.json`` of the run that is gone on with; empty for a new one.
    record : dict
        ``run.json`` as it will be written.
    stages : dict of float
        Seconds by stage.
    told : set of str
        Reasons that the user has read, which need no second time.
    """

    config: RunConfig
    command: str
    before: dict[str, Any] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)
    stages: dict[str, float] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def folder(self) -> Path:
        """The run folder."""
        assert self.config.out is not None
        return self.config.out

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Announce a stage and note its time."""
        check_interrupted()
        names = stage_names(self.config)
        say(f"[{names.index(name) + 1}/{len(names)}] {name} …", self.config.quiet)
        start = time.perf_counter()
        try:
            yield
        finally:
            self.stages[name] = round(time.perf_counter() - start, 2)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Folder inside the run folder for large files that only this run needs."""
        path = self.folder / SCRATCH
        shutil.rmtree(path, ignore_errors=True)  # of a run that was killed
        path.mkdir()
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def begin(
        self, dataset: Dataset, manifest: pd.DataFrame, notes: list[str], leakage: list[str]
    ) -> None:
        """Build the record: everything that is known before the first cell."""
        config = self.config
        self.record = {
            "status": "running",
            "program": provenance.program(),
            "command": self.before.get("command", self.command),
            "config": {**config.model_dump(mode="json"), "image_size": image_size(config)},
            "protocol": {"bootstrap_draws": DRAWS, "confidence": CONFIDENCE,
                         "target_recall": TARGET_RECALL},
            "data": {
                "name": dataset.name, "synthetic": dataset.synthetic, "licence": dataset.licence,
                "citation": dataset.citation, "notes": [*dataset.notes, *notes],
                "leakage": " ".join(leakage),
                "fingerprint": provenance.fingerprint(manifest),
                "left_out": dataset.left_out.to_dict("records"),
                "ignored_files": dataset.ignored_files, "groups_known": dataset.patients_known,
            },
            "versions": provenance.versions(),
            "machine": provenance.machine(),
            "engines": _engines(),
            "models": {name: MODELS[name].HYPERPARAMETERS for name in config.models},
            "external": external.record(config),
            "features": self.before.get("features", {}),
            "times": self._begun(),
            "cells": self.before.get("cells", {}),
            "studies": self.before.get("studies", {}),
            "warnings": self.before.get("warnings", []),
        }  # fmt: skip

    def write(self) -> None:
        """Write ``run.json``."""
        results.write_run(self.folder, self.record)

    def keep(self, tables: ResultTables, outcome: CellResult) -> None:
        """Write what became of a cell: first its details, the tables after them."""
        name = outcome.cell.name
        self._save_model(outcome)
        self.record["cells"][name] = outcome.details
        self.write()
        tables.add(outcome)
        check_interrupted()
        seconds = f", {outcome.fit_seconds:.1f} s" if outcome.fit_seconds is not None else ""
        reason = f": {outcome.reason}" if outcome.reason else ""
        if reason and outcome.reason in self.told:
            reason = ", as said above"
        self.told.add(outcome.reason)
        say(f"  {name}: {outcome.status}{seconds}{reason}", self.config.quiet)

    def _save_model(self, outcome: CellResult) -> None:
        """Keep a fitted model, and let go of it; the scores stand if it can't be saved."""
        model, outcome.model = outcome.model, None
        if model is None or not self.config.save_models:
            return
        try:
            columns = getattr(model, "n_features_in_", None)  # none of a model on images
            save_cell(self.folder, outcome.cell.name, model, columns=columns)
        except (OSError, ModelFileError) as error:
            warned = outcome.details.setdefault("warnings", [])
            warned.append(f"UserWarning: the fitted model could not be kept: {error}")

    def end(self, status: str, caught: list[warnings.WarningMessage]) -> None:
        """Complete ``run.json``: ``finished`` or ``interrupted``, times, warnings."""
        now = datetime.now(UTC)
        cells = self.record["cells"]
        warned = {f"{name}: {w}" for name, c in cells.items() for w in c.get("warnings", [])}
        general = {f"{warning.category.__name__}: {warning.message}" for warning in caught}
        self.record["status"] = status
        self.record["warnings"] = sorted({*self.record["warnings"], *general, *warned})
        self.record["times"].update(
            finished=now.isoformat(timespec="seconds"),
            seconds=round((now - self.started).total_seconds(), 1),
            stages=self.stages,
        )
        self.write()

    def _begun(self) -> dict[str, Any]:
        now = self.started.isoformat(timespec="seconds")
        if not self.before:
            return {"started": now}
        times = self.before["times"]
        return {"started": times["started"], "resumed": [*times.get("resumed", []), now]}


def _engines() -> dict[str, str]:
    engines = {name: declaration(name).engine for name in MODELS}
    return {name: engine() for name, engine in engines.items() if engine}


def stage_names(config: RunConfig) -> list[str]:
    """Stages of a run in their order."""
    on_images = [name for name in config.models if declaration(name).on_images]
    on_features = []
    if len(on_images) < len(config.models):
        crossed = ["cross-validation"] if config.folds else []
        on_features = ["features", "classifiers", *crossed, *config.studies]
    networks = ["cnn"] if on_images else []
    if networks and config.folds and (config.cv_cnn or config.full):
        networks.append("cnn, cross-validation")
    last = [*networks, *(["statistics"] if config.task == "pneumonia" else []), "report"]
    return ["data", "exploration", *on_features, *last]


def make_folder(config: RunConfig) -> Path:
    """Make the run folder.

    Raises
    ------
    ConfigError
        If it is in use or can't be written.
    """
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", Path(config.data).name.removesuffix(".npz")) or "data"
    folder = config.out or Path("runs") / f"{stem}-{datetime.now():%Y%m%d-%H%M%S}"
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConfigError(
                f"--out {folder}: expected a new or empty folder. Choose another, or go on with "
                f"the run in it: --resume {folder}."
            )
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(
            f"--out {folder}: expected a folder that can be written, got: {error.strerror}."
        ) from error
    return folder
