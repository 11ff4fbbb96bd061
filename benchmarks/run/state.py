"""State of a run in progress: its settings, its record (``run.json``) and its stages."""

from __future__ import annotations

import shutil
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.config import RunConfig
from benchmarks.datasets import image_size
from benchmarks.datasets.dataset import Dataset
from benchmarks.fitting import external
from benchmarks.io import provenance, results
from benchmarks.io.progress import say
from benchmarks.io.workers import check_interrupted
from benchmarks.metrics.bootstrap import AUC_INTERVAL, CONFIDENCE, DRAWS
from benchmarks.metrics.operating_points import TARGET_RECALL
from models import MODELS, declaration

SCRATCH = ".scratch"


@dataclass
class RunState:
    """State of a run in progress.

    Attributes
    ----------
    config : RunConfig
        ``out`` is the run folder.
    command : str
        The command line, for the record.
    stages : sequence of str
        Names of all stages in their order.
    before : dict
        ``run.json`` of the run that is resumed; empty for a new run.
    record : dict
        ``run.json`` as it will be written.
    seconds : dict of float
        Elapsed time per stage.
    reported : set of str
        Reasons that were printed and need not be repeated.
    started : datetime
    store : Path or None
        Folder of a feature store that lasts for this run only; used instead of the configured one.
    """

    config: RunConfig
    command: str
    stages: Sequence[str]
    before: dict[str, Any] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    reported: set[str] = field(default_factory=set)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    store: Path | None = None

    @property
    def folder(self) -> Path:
        """The run folder."""
        assert self.config.out is not None
        return self.config.out

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Announce a stage and measure its time.

        Parameters
        ----------
        name : str
            One of ``stages``.

        Yields
        ------
        None
        """
        check_interrupted()
        say(f"[{self.stages.index(name) + 1}/{len(self.stages)}] {name} …", self.config.quiet)
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(time.perf_counter() - start, 2)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Make a folder inside the run folder for large temporary files.

        Yields
        ------
        Path
            The folder; it is removed at the end.
        """
        path = self.folder / SCRATCH
        shutil.rmtree(path, ignore_errors=True)  # left by a run that was killed
        path.mkdir()
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def begin(
        self,
        dataset: Dataset,
        manifest: pd.DataFrame,
        notes: list[str],
        leakage: list[str],
        features_from: dict[str, Any] | None = None,
    ) -> None:
        """Fill the record with all that is known before the first cell is fitted.

        Parameters
        ----------
        dataset : Dataset
        manifest : DataFrame
            With the split as assigned.
        notes : list of str
            Notes on the split.
        leakage : list of str
            Findings of the audit that ``--allow-leakage`` accepted.
        features_from : dict, optional
            From :func:`benchmarks.extraction.given_tables.record`.
        """
        config = self.config
        self.record = {
            "status": "running",
            "program": provenance.program(),
            "command": self.before.get("command", self.command),
            "config": {**config.model_dump(mode="json"), "image_size": image_size(config)},
            "protocol": {"bootstrap_draws": DRAWS, "confidence": CONFIDENCE,
                         "target_recall": TARGET_RECALL, "auc_interval": AUC_INTERVAL},
            "data": {
                "name": dataset.name, "classes": list(dataset.classes),
                "synthetic": dataset.synthetic, "licence": dataset.licence,
                "citation": dataset.citation, "limitations": list(dataset.limitations),
                "facts": dict(dataset.facts), "notes": [*dataset.notes, *notes],
                "leakage": " ".join(leakage),
                "fingerprint": provenance.fingerprint(manifest),
                "left_out": dataset.left_out.to_dict("records"),
                "test_drawn": config.test_fraction is not None
                or results.common_data(config.split).get("test_drawn", False),
                "validation_drawn": _validation_drawn(dataset.manifest, manifest),
                "ignored_files": dataset.ignored_files, "groups_known": dataset.patients_known,
            },
            "test_data": self.before.get("test_data", {}),
            "versions": provenance.versions(),
            "machine": provenance.machine(),
            "engines": _engines(),
            "models": {name: MODELS[name].HYPERPARAMETERS for name in config.models},
            "external": external.record(config, self.before.get("external")),
            "features_from": features_from or {},
            "features": self.before.get("features", {}),
            "times": self._start_times(),
            "cells": self.before.get("cells", {}),
            "studies": self.before.get("studies", {}),
            "warnings": self.before.get("warnings", []),
        }  # fmt: skip

    def write(self) -> None:
        """Write ``run.json``."""
        results.write_run(self.folder, self.record)

    def end(self, status: str, caught: list[warnings.WarningMessage]) -> None:
        """Complete and write ``run.json``.

        Parameters
        ----------
        status : {"finished", "interrupted"}
        caught : list of WarningMessage
            Warnings raised in the main process.
        """
        now = datetime.now(UTC)
        cells = self.record["cells"]
        of_cells = {f"{name}: {w}" for name, c in cells.items() for w in c.get("warnings", [])}
        general = {f"{warning.category.__name__}: {warning.message}" for warning in caught}
        self.record["status"] = status
        self.record["warnings"] = sorted({*self.record["warnings"], *general, *of_cells})
        before = self.before.get("times", {})
        earlier = before.get("stages", {})
        stages = {
            name: round(earlier.get(name, 0.0) + self.seconds.get(name, 0.0), 2)
            for name in self.stages if name in earlier or name in self.seconds
        }  # fmt: skip
        seconds = (now - self.started).total_seconds() + before.get("seconds", 0.0)
        self.record["times"].update(
            finished=now.isoformat(timespec="seconds"), seconds=round(seconds, 1), stages=stages
        )
        self.write()

    def _start_times(self) -> dict[str, Any]:
        now = self.started.isoformat(timespec="seconds")
        if not self.before:
            return {"started": now}
        times = self.before["times"]
        return {"started": times["started"], "resumed": [*times.get("resumed", []), now]}


def _engines() -> dict[str, str]:
    engines = {name: declaration(name).engine for name in MODELS}
    return {name: engine() for name, engine in engines.items() if engine}


def _validation_drawn(found: pd.DataFrame, assigned: pd.DataFrame) -> bool:
    """Whether the run drew the validation images from the training images of the data."""
    drawn = (assigned["split"] == "validation") & (found["split"] != "validation")
    return bool(drawn.any())
