"""A finished run opened again with its data and features, so that more can be asked of it."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any

from benchmarks import datasets
from benchmarks.config import RunConfig
from benchmarks.datasets import splits
from benchmarks.datasets.dataset import DataError, Dataset
from benchmarks.extraction.extract import extract
from benchmarks.extraction.prepare import prepared, reading_size
from benchmarks.extraction.store import open_store
from benchmarks.fitting.cell import plan
from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.fitting.study_context import StudyContext
from benchmarks.io import results
from benchmarks.io.progress import say
from benchmarks.io.results import RunError
from benchmarks.saved.fitted_run import descriptor_of, wanted_cells
from benchmarks.saved.models import other_versions
from benchmarks.saved.stored_run import finished_cells, stored_config


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
        If the weights are not those of the run, or a wanted cell is not there.
    DataError
        If the data can't be read or are not the run's.
    """
    config = stored_config(run_dir, given)
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
    dataset = same_data(run, config)
    rows = SplitIndices.of_manifest(run.manifest)
    fold = splits.folds(
        run.manifest.iloc[rows.train], config.folds or RunConfig.model_fields["folds"].default
    )
    crossed = fold if config.folds else None
    finished = {o.cell.name: o for o in finished_cells(run_dir, cells, rows, crossed)}
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


def same_data(run: results.Results, config: RunConfig) -> Dataset:
    """Read a run's data again and refuse others, image by image.

    Parameters
    ----------
    run : Results
    config : RunConfig
        With the place of the data.

    Raises
    ------
    DataError
        If the data can't be read or are not the run's; it names the first image that differs.
    """
    dataset = datasets.load(config, reading_size(config))
    before, now = (
        list(zip(table["image"], table["sha256"], strict=True))
        for table in (run.manifest.astype(str), dataset.manifest.astype(str))
    )
    if before == now:
        return dataset
    first = next((a or b)[0] for a, b in zip_longest(before, now) if a != b)
    raise DataError(
        f"--data {config.data}: found {len(now)} images of which {len(set(before) & set(now))} are "
        f"the run's, but expected its {len(before)}, in the same order and unchanged. The first "
        f"that differs is {first}. Give the data of the run {run.folder} with --data."
    )
