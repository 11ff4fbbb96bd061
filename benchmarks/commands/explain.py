"""The command ``explain``: explain the scores of one image on a page with maps."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from benchmarks.commands.predict import CAUTION, say_versions
from benchmarks.config import ConfigError, RunConfig
from benchmarks.datasets.dataset import DataError
from benchmarks.explain.contributions import default_cells
from benchmarks.explain.explain_cells import explain_cells, read_explained
from benchmarks.explain.explanation import Explanation
from benchmarks.explain.page import PAGE, write_page
from benchmarks.explain.training_images import (
    TrainingRows,
    read_training,
    recorded_cache,
)
from benchmarks.io.progress import say
from benchmarks.io.results import Results, read_results
from benchmarks.io.run_files import check_writable
from benchmarks.saved.fitted_cells import FittedCell, descriptors_of, load_cells
from benchmarks.saved.model_files import saved_cells
from benchmarks.saved.stored_config import require_two_classes, scoring_config
from benchmarks.saved.tables_of_cells import rows_of, tables_of, with_same_tables
from features import ImageDescriptor
from features.backbone import MissingExtra


def explain(
    run_dir: Path,
    image: Path,
    out: Path | None = None,
    *,
    cells: Collection[str] | None = None,
    weights: Path | None = None,
    moved: Mapping[str, Any] | None = None,
    features_from: Any = None,
    cache: Path | None = None,
    quiet: bool = False,
) -> Path:
    """Explain the scores of one image and write a page, a table and the maps.

    Parameters
    ----------
    run_dir : Path
        Run folder with fitted models.
    image : Path
        Read and prepared in the same way as the images of the run.
    out : Path, optional
        New or empty folder; by default ``explain-<name of the image>``.
    cells : collection of str, optional
        Names of cells or their beginnings; by default for each feature set the classifier of best
        average precision on validation, and the CNN.
    weights : Path, optional
        File of the backbone's weights, if it has moved since the run.
    moved : mapping, optional
        ``data``, ``images`` and ``split``: where the data of the run are, as far as they have
        moved. Without them, the page has no neighbours.
    features_from : object, optional
        Name and table of each feature set that the run read from a table, with a row for this
        image; see :func:`benchmarks.option_values.names_and_files`.
    cache : Path, optional
        Folder of the feature store; by default the run's.
    quiet : bool

    Returns
    -------
    Path
        The page.

    Raises
    ------
    ConfigError
        If the image, the folder, a cell, the weights, a table or the data can't be used.
    RunError
        As :func:`benchmarks.commands.predict.predict`.
    ModelFileError
        If a saved model is damaged or unsafe.
    """
    say(CAUTION, quiet=False)
    folder = _empty(Path(f"explain-{image.stem}") if out is None else out)
    run = read_results(run_dir)
    say_versions(run)
    config = recorded_cache(run, scoring_config(run, weights, quiet), cache)
    require_two_classes(config, run_dir, "explain")
    found = read_explained(run, image, config)
    try:
        wanted = default_cells(run, saved_cells(run.folder)) or None if cells is None else cells
        fitted = load_cells(run, wanted)
    except MissingExtra as error:
        raise ConfigError(f"{error} Or omit those cells with --cells.") from error
    fitted = _in_order(run, fitted)
    tables = tables_of(run, fitted, features_from, [image.as_posix()])
    found.given = rows_of(tables, [image.as_posix()])
    config = with_same_tables(run, config, tables)
    descriptors = descriptors_of(run, config, fitted)
    with tempfile.TemporaryDirectory() as scratch:
        training = _training(found, config, moved or {}, descriptors, Path(scratch))
        explain_cells(found, fitted, descriptors, training, quiet, config.views)
    folder.mkdir(parents=True, exist_ok=True)
    write_page(found, folder)
    return folder / PAGE


def _empty(folder: Path) -> Path:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        kind = "files in it" if folder.is_dir() else "a file"
        raise ConfigError(
            f"--out {folder}: expected a new or empty folder, found {kind}. Name another."
        )
    check_writable("--out", folder / PAGE)
    return folder


def _in_order(run: Results, cells: list[FittedCell]) -> list[FittedCell]:
    """Sort the cells in the order of the run, with the CNN last."""
    order = list(dict.fromkeys(run.scores["cell"]))
    return sorted(cells, key=lambda cell: (not cell.families, order.index(cell.name)))


def _training(
    found: Explanation,
    config: RunConfig,
    moved: Mapping[str, Any],
    descriptors: dict[str, ImageDescriptor],
    scratch: Path,
) -> TrainingRows | None:
    """Read the training images; they may be missing if no place is given."""
    config = config.model_copy(update=dict(moved))
    say(f"Reading the run's data from {config.data} …", config.quiet)
    try:
        return read_training(found.run, config, list(descriptors), scratch)
    except DataError as error:
        if moved:
            raise ConfigError(str(error)) from error
        found.without_data = f"The run's data can't be read here: {error}"
        say(f"{found.without_data} The page will have no neighbours.", quiet=False)
    return None
