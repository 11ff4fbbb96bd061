"""A finished run opened again with its data and features, so that more can be asked of it."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import datasets, results, resume, splits
from benchmarks.cells import Rows, plan
from benchmarks.config import ConfigError, RunConfig
from benchmarks.dataset import Dataset
from benchmarks.extract import extract, prepared, reading_size
from benchmarks.progress import say
from benchmarks.results import RunError
from benchmarks.saved import other_versions
from benchmarks.saved_run import descriptor_of, wanted_cells
from benchmarks.stages import open_store
from benchmarks.studies.base import StudyContext


@contextmanager
def reopened(
    run_dir: Path, given: dict[str, Any], wanted: Collection[str] | None = None
) -> Iterator[StudyContext]:
    """Read a run's data again, and its features from the store or anew.

    Parameters
    ----------
    run_dir : Path
        A run folder that keeps its models.
    given : dict
        Where things lie now: ``data``, ``weights``, ``cache``, ``jobs``, ``quiet``.
    wanted : collection of str, optional
        Names of cells or their beginnings, as ``hog/svm``; all by default.

    Yields
    ------
    StudyContext
        With the wanted cells that are finished and kept.

    Raises
    ------
    RunError
        If the folder is no run's, keeps no models, or is of a run of more than two classes.
    ConfigError
        If the data or weights are not those of the run, or a wanted cell is not there.
    DataError
        If the data can't be read.
    """
    config = resume.stored_config(run_dir, given)
    run = results.read_results(run_dir)
    if config.task == "subtype":
        raise RunError(
            f"{run_dir}: the run has more than two classes (--task subtype), but importance is "
            "that of two. Give another run folder."
        )
    kept = wanted_cells(run, wanted)
    cells = [cell for cell in plan(config) if cell.name in kept]
    if other := other_versions(run.run.get("versions", {})):
        say(f"CAUTION: the run was made with {other}; scores may differ.", config.quiet)
    dataset = datasets.load(config, reading_size(config))
    check_same_images(run, dataset)
    rows = rows_of(run.manifest)
    fold = splits.folds(
        run.manifest.iloc[rows.train], config.folds or RunConfig.model_fields["folds"].default
    )
    crossed = fold if config.folds else None
    finished = {o.cell.name: o for o in resume.finished(run_dir, cells, rows, crossed)}
    images = prepared(dataset.images, config)
    families = {family for cell in cells for family in cell.families}
    for family in families:
        descriptor_of(run, config, family)  # parameters and weights are the run's, or it says so
    with tempfile.TemporaryDirectory() as scratch, open_store(config) as store:
        extracted = extract(images, config, families, Path(scratch), store)
        for family, (_, reason) in extracted.reasons.items():
            say(f"  {family}: {reason}", quiet=False)
        known = {
            name: outcome for name, outcome in finished.items()
            if outcome.cell.on_features and set(outcome.cell.families) <= set(extracted.matrices)
        }  # fmt: skip
        yield StudyContext(
            config, run.manifest, rows, fold, images, extracted.matrices, known, run_dir
        )


def rows_of(manifest: pd.DataFrame) -> Rows:
    """Which images of a manifest to fit on and which to score."""
    split = manifest["split"].to_numpy()
    return Rows(
        label=manifest["label"].to_numpy(dtype=np.int64),
        group=manifest["group"].to_numpy(dtype=object),
        train=np.flatnonzero(split == "train"),
        parts={name: np.flatnonzero(split == name) for name in ("validation", "test")},
    )


def check_same_images(run: results.Results, dataset: Dataset) -> None:
    """Refuse data that are not the run's, image by image.

    Raises
    ------
    ConfigError
        Naming the first image that differs.
    """
    keys = ["image", "sha256"]
    before, now = (table[keys].astype(str) for table in (run.manifest, dataset.manifest))
    if before.reset_index(drop=True).equals(now.reset_index(drop=True)):
        return
    both = before.merge(now, how="outer", indicator=True)
    image = both.loc[both["_merge"] != "both", "image"].iloc[0] if len(both) else "none"
    raise ConfigError(
        f"--data: got other images than the run {run.folder} has, for example {image}. Give the "
        "folder or file that the run was made from."
    )
