"""Open a finished run with its data and features, to compute more from it."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any

from benchmarks import datasets
from benchmarks.config import ConfigError, RunConfig
from benchmarks.datasets import splits
from benchmarks.datasets.dataset import DataError, Dataset
from benchmarks.extraction.extract import extract
from benchmarks.extraction.given_features import is_given
from benchmarks.extraction.given_tables import GivenRows, read_given
from benchmarks.extraction.given_tables import record as given_record
from benchmarks.extraction.prepare import load_preparation, reading_size
from benchmarks.extraction.store import open_store
from benchmarks.extraction.variants import with_variants
from benchmarks.fitting.cell import plan
from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.fitting.study_context import StudyContext
from benchmarks.io import results
from benchmarks.io.progress import say
from benchmarks.saved.finished_cells import finished_cells
from benchmarks.saved.fitted_cells import descriptor_of, wanted_cells
from benchmarks.saved.model_files import other_versions
from benchmarks.saved.stored_config import require_two_classes, stored_config


@contextmanager
def reopen_run(
    run_dir: Path, given: dict[str, Any], wanted: Collection[str] | None = None
) -> Iterator[StudyContext]:
    """Load the data, features and finished cells of a run.

    Parameters
    ----------
    run_dir : Path
        A run folder with saved models.
    given : dict
        Options of this machine: ``data``, ``weights``, ``features_from``, ``cache``, ``jobs``,
        ``quiet``.
    wanted : collection of str, optional
        Names of cells or their beginnings, such as ``hog/svm``; all by default.

    Yields
    ------
    StudyContext
        With the wanted cells that are finished and saved.

    Raises
    ------
    RunError
        If the folder holds no run or no models, or the run has more than two classes.
    ConfigError
        If the weights are not those of the run, or a wanted cell is missing.
    DataError
        If the data can't be read or are not those of the run.
    """
    config = stored_config(run_dir, given)
    run = results.read_results(run_dir)
    require_two_classes(config, run_dir, "importance")
    saved = wanted_cells(run, wanted)
    cells = [cell for cell in plan(config) if cell.name in saved]
    if other := other_versions(run.run.get("versions", {})):
        say(f"CAUTION: the run was made with {other}; scores may differ.", config.quiet)
    dataset = load_same_data(run, config)
    rows = SplitIndices.of_manifest(run.manifest, config.augment, config.views)
    fold = splits.folds(
        run.manifest.iloc[rows.train], config.folds or RunConfig.model_fields["folds"].default
    )
    crossed = fold if config.folds else None
    finished = {o.cell.name: o for o in finished_cells(run_dir, cells, rows, crossed)}
    images = load_preparation(run_dir, config).applied_to(dataset.images, config.quiet)
    several = with_variants(images, rows.variants)
    families = {family for cell in cells for family in cell.families}
    for family in families:
        descriptor_of(run, config, family)  # refuses other parameters or weights than the run's
    given = given_of_run(run, config, families)
    with tempfile.TemporaryDirectory() as scratch, open_store(config) as store:
        extracted = extract(several, config, families, Path(scratch), store, given)
        for family, (_, reason) in extracted.reasons.items():
            say(f"  {family}: {reason}", quiet=False)
        known = {
            name: outcome for name, outcome in finished.items()
            if outcome.cell.on_features and set(outcome.cell.families) <= set(extracted.matrices)
        }  # fmt: skip
        yield StudyContext(
            config, run.manifest, rows, fold, images, extracted.matrices, known, run_dir
        )


def given_of_run(
    run: results.Results, config: RunConfig, families: Collection[str]
) -> dict[str, GivenRows]:
    """Read the tables that the run read, and refuse tables of another content.

    Parameters
    ----------
    run : Results
    config : RunConfig
        ``features_from`` says where the tables are now.
    families : collection of str
        Only their tables are read.

    Returns
    -------
    dict of GivenRows
        By feature set.

    Raises
    ------
    ConfigError
        If a table is missing, or is not that of the run.
    """
    needed = tuple(
        (name, file) for name, file in config.features_from
        if name in families and is_given(name)
    )  # fmt: skip
    for name, file in needed:
        if not file.is_file():
            raise ConfigError(
                f"--features-from {name}={file}: expected the table of the run, found no file. "
                f"Give it with --features-from {name}=TABLE."
            )
    own = config.model_copy(update={"features_from": needed})
    given = read_given(own, run.manifest)
    known = run.run.get("features_from", {})
    for name, now in given_record(own, given).items():
        was = known.get(name, {}).get("sha256", "none")
        if now["sha256"] != was:
            raise ConfigError(
                f"--features-from {name}: got the table {now['file']} with the sha256 "
                f"{now['sha256']}, but expected that of the run, {was}. Give that table."
            )
    return given


def load_same_data(run: results.Results, config: RunConfig) -> Dataset:
    """Load the data of a run, and refuse data that differ in any image.

    Parameters
    ----------
    run : Results
    config : RunConfig
        ``data`` is the current path of the data.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If the data can't be read or differ from the run's; it names the first image that differs.
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
        f"--data {config.data}: found {len(now)} images, of which {len(set(before) & set(now))} "
        f"belong to the run, but expected its {len(before)} images, unchanged and in the same "
        f"order. The first difference is {first}. Give the data of the run {run.folder} with "
        "--data."
    )
