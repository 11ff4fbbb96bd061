"""The loop over cells: data in, run folder out. Finished cells are kept, whatever comes after."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
from benchmarks.metrics import CONFIDENCE, DRAWS, PatientBootstrap, evaluate, threshold_at_recall
from benchmarks.progress import say, track
from benchmarks.report import render_report
from models import IMAGE_MODELS, MODELS

TARGET_RECALL = 0.95
WRONG_SHOWN = 24
ALL_DONE, SOME_FAILED = 0, 1


@dataclass
class Run:
    """A run in progress: what is known so far, and the folder it is kept in."""

    config: RunConfig
    folder: Path
    command: str
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    stages: dict[str, float] = field(default_factory=dict)
    outcomes: dict[Cell, Outcome] = field(default_factory=dict)

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
        If the run folder holds a run already or can't be made.
    DataError
        If the data can't be used; nothing has been computed then.
    """
    run = Run(config, _make_folder(config), command)
    with run.stage("data"):
        dataset = datasets.load(config, reading_size(config))
        split, notes = splits.assign(dataset.manifest, config.seeds[0])
        manifest = dataset.manifest.assign(split=split)
        run.folder.mkdir(parents=True, exist_ok=True)
        results.write_table(run.folder, "manifest", manifest)
    record = _record(run, dataset, manifest, notes)
    results.write_run(run.folder, record)
    with run.stage("exploration"):
        exploration.explore(dataset, split, run.folder)
    with run.stage("features"):
        images = prepare(dataset.images, config)
        extracted = extract(images, config)
        results.write_table(run.folder, "features", extracted.table)
    _run_cells(run, images, extracted, manifest)
    with run.stage("report"):
        tables = results.read_tables(run.folder, ("predictions", "scores"))
        wrong = exploration.hardest(tables["predictions"], tables["scores"], WRONG_SHOWN)
        exploration.save_thumbnails(dataset, wrong["image"].tolist(), run.folder)
        results.write_run(run.folder, _finished(record, run))
        render_report(run.folder)
    failed = [o for o in run.outcomes.values() if o.status == "failed"]
    for outcome in failed:
        say(f"{outcome.cell.name} failed: {outcome.reason}", config.quiet)
    say(f"Report: {run.folder / 'report.html'}", config.quiet)
    return SOME_FAILED if failed else ALL_DONE


def _make_folder(config: RunConfig) -> Path:
    """Where the run goes; the folder is made only once the data proved usable."""
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", Path(config.data).name.removesuffix(".npz")) or "data"
    folder = config.out or Path("runs") / f"{stem}-{datetime.now():%Y%m%d-%H%M%S}"
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"--out {folder}: expected a new or empty folder. Choose another.")
    return folder


def _run_cells(run: Run, images: Any, extracted: Extracted, manifest: pd.DataFrame) -> None:
    rows = _rows(manifest)
    bootstraps = {
        split: PatientBootstrap.draw(rows.group[part], rows.label[part], run.config.seeds[0])
        for split, part in (("validation", rows.validation), ("test", rows.test))
    }
    cells = plan(run.config)
    ready = []
    for cell in cells:
        reasons = [extracted.reasons[f] for f in cell.families if f in extracted.reasons]
        if reasons:
            run.outcomes[cell] = Outcome(cell, *reasons[0])
        elif cell.model not in IMAGE_MODELS:
            ready.append(cell)
    tables = _Tables(run, cells, manifest, rows, bootstraps)
    tables.write()
    if ready:
        with run.stage("classifiers"):
            for outcome in _fit_all(ready, extracted, rows, run.config):
                tables.add(outcome)
    on_images = [cell for cell in cells if cell.model in IMAGE_MODELS]
    if on_images:
        with run.stage("cnn"):
            for cell in on_images:
                tables.add(fit_on_images(cell, images, rows, run.config))


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


class _Tables:
    """The tables of predictions, scores and training, written again as each cell finishes."""

    def __init__(
        self, run: Run, cells: list[Cell], manifest: pd.DataFrame, rows: Rows,
        bootstraps: dict[str, PatientBootstrap],
    ) -> None:  # fmt: skip
        self.run, self.cells, self.rows, self.bootstraps = run, cells, rows, bootstraps
        self.manifest = manifest
        self.scores: dict[Cell, pd.DataFrame] = {}

    def add(self, outcome: Outcome) -> None:
        """Keep a finished cell on disk before the next one ends."""
        self.run.outcomes[outcome.cell] = outcome
        self.write()
        seconds = f", {outcome.fit_seconds:.1f} s" if outcome.fit_seconds is not None else ""
        reason = f": {outcome.reason}" if outcome.reason else ""
        say(f"  {outcome.cell.name}: {outcome.status}{seconds}{reason}", self.run.config.quiet)

    def write(self) -> None:
        """Write the three tables in the order of the plan."""
        done = [self.run.outcomes[cell] for cell in self.cells if cell in self.run.outcomes]
        scores = [self._score_rows(outcome) for outcome in done]
        predictions = [self._prediction_rows(o, split) for o in done for split in o.scores]
        training = [{"cell": o.cell.name, **epoch} for o in done for epoch in o.training]
        folder = self.run.folder
        results.write_table(folder, "predictions", _concat(predictions, results.PREDICTION_COLUMNS))
        results.write_table(folder, "scores", _concat(scores, results.SCORE_COLUMNS))
        results.write_table(
            folder, "training", pd.DataFrame(training, columns=results.TRAINING_COLUMNS)
        )

    def _prediction_rows(self, outcome: Outcome, split: str) -> pd.DataFrame:
        cell = outcome.cell
        part = self.manifest.iloc[getattr(self.rows, split)]
        table = part[["image", "group", "subtype", "label"]].assign(
            cell=cell.name, features=cell.features, model=cell.model, seed=cell.seed, split=split,
            score=outcome.scores[split],
        )  # fmt: skip
        return table[results.PREDICTION_COLUMNS]

    def _score_rows(self, outcome: Outcome) -> pd.DataFrame:
        if outcome.cell not in self.scores:
            rows = [self._describe(outcome)]
            if outcome.status == "ok":
                rows = self._evaluate(outcome)
            self.scores[outcome.cell] = pd.DataFrame(rows).reindex(columns=results.SCORE_COLUMNS)
        return self.scores[outcome.cell]

    def _describe(self, outcome: Outcome) -> dict[str, Any]:
        cell = outcome.cell
        return {
            "cell": cell.name, "features": cell.features, "model": cell.model,
            "balance": cell.balance, "seed": cell.seed, "status": outcome.status,
            "reason": outcome.reason, "fit_seconds": outcome.fit_seconds,
            "predict_seconds": outcome.predict_seconds,
        }  # fmt: skip

    def _evaluate(self, outcome: Outcome) -> list[dict[str, Any]]:
        label = self.rows.label
        chosen = threshold_at_recall(
            label[self.rows.validation], outcome.scores["validation"], TARGET_RECALL
        )
        subtype = self.manifest["subtype"].to_numpy(dtype=object)
        rows = []
        for split in ("validation", "test"):
            part = getattr(self.rows, split)
            for point, threshold in zip(results.OPERATING_POINTS, (0.5, chosen), strict=True):
                numbers = evaluate(
                    label[part], outcome.scores[split], threshold, subtype[part],
                    self.bootstraps[split],
                )  # fmt: skip
                rows.append({
                    **self._describe(outcome), "split": split, "operating_point": point,
                    "threshold": threshold, "n": len(part),
                    "n_positive": int(label[part].sum()), **numbers,
                })  # fmt: skip
        return rows


def _concat(parts: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    filled = [part.astype(object) for part in parts]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=columns)


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


def _finished(record: dict[str, Any], run: Run) -> dict[str, Any]:
    """Complete ``run.json``."""
    now = datetime.now(UTC)
    cells = {cell.name: run.outcomes[cell].details for cell in plan(run.config)}
    warned = [f"{name}: {w}" for name, detail in cells.items() for w in detail.get("warnings", [])]
    return {
        **record,
        "status": "finished",
        "times": {
            "started": run.started.isoformat(timespec="seconds"),
            "finished": now.isoformat(timespec="seconds"),
            "seconds": round((now - run.started).total_seconds(), 1),
            "stages": run.stages,
        },
        "cells": cells,
        "warnings": warned,
    }
