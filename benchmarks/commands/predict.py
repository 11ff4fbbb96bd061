"""The command ``predict``: score new images with the fitted cells of a run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.config import ConfigError, RunConfig
from benchmarks.extraction.prepare import load_preparation, reading_size
from benchmarks.extraction.variants import views_of
from benchmarks.io.progress import say, track
from benchmarks.io.results import Results, read_results
from benchmarks.io.run_files import check_file
from benchmarks.io.run_record import class_pair
from benchmarks.io.tables import write_csv
from benchmarks.io.workers import stop_if_memory_runs_out
from benchmarks.saved.combined_cells import CombinedCell, scoring_cells
from benchmarks.saved.fitted_cells import FittedCell, descriptors_of
from benchmarks.saved.model_files import other_versions
from benchmarks.saved.stored_config import require_two_classes, scoring_config
from benchmarks.saved.tables_of_cells import rows_of, tables_of
from features.reading.images import ImageError, list_images, read_image
from features.reading.preprocess import resize

COLUMNS = [
    "image", "cell", "features", "model", "seed", "score", "decision_0.5",
    "threshold_recall95", "decision_recall95",
]  # fmt: skip
READ_BY = ("numba", "opencv-python-headless", "pillow", "scikit-image")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # beginnings of a formula in a spreadsheet
BATCH = 256  # images in memory at once
CAUTION = "CAUTION: for research only, not for clinical use. No score is a diagnosis."


def predict(
    run_dir: Path,
    paths: Sequence[Path],
    out: Path | None = None,
    *,
    cells: Collection[str] | None = None,
    weights: Path | None = None,
    features_from: Any = None,
    quiet: bool = False,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score images with the fitted cells of a run, preprocessed as in the run.

    Parameters
    ----------
    run_dir : Path
        Run folder that keeps its models.
    paths : sequence of Path
        Images and folders. The images of a folder and its sub-folders are sorted by name.
    out : Path, optional
        CSV file for the predictions.
    cells : collection of str, optional
        Names of cells or the first parts of names (``hog``, ``hog/svm``); all by default.
    weights : Path, optional
        File of the backbone's weights, if it has moved since the run.
    features_from : object, optional
        Name and table of each feature set that the run read from a table, for these images; see
        :func:`benchmarks.option_values.names_and_files`.
    quiet : bool

    Returns
    -------
    predictions : DataFrame
        One row per image and cell: image, cell, features, model, seed, score (probability of
        the positive class), decision_0.5, threshold_recall95, decision_recall95. A decision is the
        name of the positive class if the score reaches the threshold, otherwise of the negative
        class. An image whose name begins as a
        formula of a spreadsheet, with one of ``= + - @``, is named ``./=a.png``: the same path.
    left_out : DataFrame
        Image and reason for each image that can't be read. Also printed to standard error.

    Raises
    ------
    RunError
        If the folder is not a run folder, has no models, was written by another version of the
        program, or if the run has more than two classes.
    ConfigError
        If a path, a cell, the weights or a table can't be used.
    ModelFileError
        If a saved model is damaged or unsafe.
    OutOfMemory
        If memory runs out while an image is read.
    """
    say(CAUTION, quiet=False)
    if out is not None:
        check_file("--out", out)
    files = _list(paths)
    run = read_results(run_dir)
    say_versions(run)
    config = scoring_config(run, weights, quiet)
    require_two_classes(config, run_dir, "predict")
    preparation = load_preparation(run_dir, config)
    scoring = scoring_cells(run, cells)
    tables = tables_of(run, scoring.fitted, features_from, list(map(_name, files)))
    descriptors = descriptors_of(run, config, scoring.fitted)
    rows: list[pd.DataFrame] = []
    left_out: list[tuple[str, str]] = []
    seen: list[str] = []
    inverted = 0
    for names, hashes, images in _batches(files, config, left_out):
        inverted += int(preparation.inverted(images).sum())
        views = views_of(preparation(images), config.views)
        scores = scoring.scores(views, descriptors, rows_of(tables, names))
        rows.append(_score_rows(names, scoring.shown, scores, class_pair(run)))
        seen += hashes
    _say_known(run, seen)
    if inverted:
        say(f"Note: {inverted} of the images look inverted and were inverted, as in the run.",
            config.quiet)  # fmt: skip
    table = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=COLUMNS)
    if out is not None:
        write_csv(out, table)
    return table, pd.DataFrame(left_out, columns=["image", "reason"], dtype=str)


def _list(paths: Sequence[Path]) -> list[Path]:
    """List files and the files of folders, without repetition."""
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise ConfigError(f"{path}: expected an image or a folder of images, found nothing.")
        files += _in_folder(path) if path.is_dir() else [path]
    if not files:
        raise ConfigError(f"{', '.join(map(str, paths))}: expected images, found an empty folder.")
    return list(dict.fromkeys(files))


def _in_folder(folder: Path) -> list[Path]:
    files: list[Path] = []
    for child in list_images(folder)[0]:
        # A link to a folder could lead back here: read_image refuses it with a reason.
        inside = child.is_dir() and not child.is_symlink()
        files += _in_folder(child) if inside else [child]
    return files


def _batches(
    files: list[Path], config: RunConfig, left_out: list[tuple[str, str]]
) -> Iterator[tuple[list[str], list[str], NDArray[np.uint8]]]:
    """Yield names, hashes and resized images; report and skip unreadable images."""
    size = reading_size(config)
    names, hashes, images = [], [], []
    for file in track(files, "predict", len(files), "images", config.quiet):
        name = _name(file)
        try:
            with stop_if_memory_runs_out(f"reading {name}"):
                read = read_image(file, size=size)
        except ImageError as error:
            left_out.append((name, str(error)))
            say(str(error), quiet=False)
            continue
        names.append(name)
        hashes.append(read.sha256)
        images.append(resize(read.pixels, size))
        if len(names) == BATCH:
            yield names, hashes, np.stack(images)
            names, hashes, images = [], [], []
    if names:
        yield names, hashes, np.stack(images)


def _name(file: Path) -> str:
    """Name a file so that no spreadsheet takes its name for a formula: ``./=a.png``."""
    name = file.as_posix().encode("utf-8", "backslashreplace").decode()
    return f"./{name}" if name.startswith(_FORMULA) else name


def _score_rows(
    names: list[str],
    cells: list[FittedCell | CombinedCell],
    scores: list[NDArray[np.float64]],
    classes: tuple[str, str],
) -> pd.DataFrame:
    parts = [_rows(names, cell, own, classes) for cell, own in zip(cells, scores, strict=True)]
    # Sort by image, with the cells in order.
    return pd.concat(parts).sort_values("position", kind="stable")[COLUMNS]


def _rows(
    names: list[str],
    cell: FittedCell | CombinedCell,
    scores: NDArray[np.float64],
    classes: tuple[str, str],
) -> pd.DataFrame:
    names_of = np.array(classes, dtype=object)
    columns: dict[str, Any] = {
        "position": np.arange(len(names)), "image": names, "cell": cell.name,
        "features": cell.features, "model": cell.model, "seed": cell.seed, "score": scores,
        "decision_0.5": names_of[(scores >= 0.5).astype(int)],
        "threshold_recall95": cell.threshold,
        "decision_recall95": names_of[(scores >= cell.threshold).astype(int)],
    }  # fmt: skip
    return pd.DataFrame(columns)


def say_versions(run: Results) -> None:
    """Print a caution if libraries that extract or score features have other versions here.

    Parameters
    ----------
    run : Results
    """
    other = other_versions(run.run.get("versions", {}), READ_BY)
    if other:
        say(f"CAUTION: the run was made with {other}; scores may differ.", quiet=False)


def _say_known(run: Results, hashes: list[str]) -> None:
    """Print a caution if the models were fitted or selected on some of the images."""
    fitted_on = run.manifest[run.manifest["split"].isin(["train", "validation"])]
    known = len(set(hashes) & set(fitted_on["sha256"]))
    if known:
        say(
            f"CAUTION: {known} of the images are among the run's train or validation images; "
            "their scores say nothing about unseen patients.",
            quiet=False,
        )
