"""The command explain: read the image, ask every cell, write the page."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.commands.predict import CAUTION, require_two_classes, say_versions, score_cell
from benchmarks.config import ConfigError, RunConfig
from benchmarks.datasets import image_size
from benchmarks.datasets.dataset import DataError
from benchmarks.explain.contributions import contribute, decide, default_cells
from benchmarks.explain.explanation import Explained, Explanation
from benchmarks.explain.grad_cam import look
from benchmarks.explain.occlusion import BATCH, occlusion_map
from benchmarks.explain.page import PAGE, write_page
from benchmarks.explain.training_images import (
    TrainingRows,
    find_neighbours,
    read_training,
    recorded_cache,
)
from benchmarks.extraction.prepare import prepare, reading_size
from benchmarks.io.progress import say
from benchmarks.io.results import Results, read_results
from benchmarks.saved.fitted_run import FittedCell, config_of, descriptors_of, load_cells
from benchmarks.saved.models import saved_cells
from features import ImageDescriptor
from features.backbone import MissingExtra
from features.reading.images import ImageError, read_image
from features.reading.preprocess import resize

PATCHES = 7  # squares of the occlusion along a side, if they did not overlap


def explain(
    run_dir: Path,
    image: Path,
    out: Path | None = None,
    *,
    cells: Collection[str] | None = None,
    weights: Path | None = None,
    data: str | None = None,
    cache: Path | None = None,
    quiet: bool = False,
) -> Path:
    """Explain the scores of one image and write a page, a table and the maps.

    Parameters
    ----------
    run_dir : Path
        Run folder that keeps its models.
    image : Path
        Read and prepared as the run did its own.
    out : Path, optional
        New or empty folder; by default ``explain-<name of the image>``.
    cells : collection of str, optional
        Names of cells or their beginnings; by default for each feature set the classifier of best
        average precision on validation, and the CNN.
    weights : Path, optional
        File of the backbone's weights, if it has moved since the run.
    data : str, optional
        Where the run's data are, if they have moved. Without them the page has no neighbours.
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
        If the image, the folder, a cell, the weights or the data can't be used.
    RunError
        As :func:`benchmarks.commands.predict.predict`.
    ModelFileError
        If a saved model is damaged or unsafe.
    """
    say(CAUTION, quiet=False)
    folder = _empty(Path(f"explain-{image.stem}") if out is None else out)
    run = read_results(run_dir)
    say_versions(run)
    config = recorded_cache(run, config_of(run, weights, quiet), cache)
    require_two_classes(config, run_dir, "explain")
    found = _read(run, image, config)
    try:
        wanted = default_cells(run, saved_cells(run.folder)) or None if cells is None else cells
        fitted = load_cells(run, wanted)
    except MissingExtra as error:
        raise ConfigError(f"{error} Or leave those cells out with --cells.") from error
    fitted = _in_order(run, fitted)
    descriptors = descriptors_of(run, config, fitted)
    with tempfile.TemporaryDirectory() as scratch:
        training = _training(found, config, data, descriptors, Path(scratch))
        _explain_cells(found, fitted, descriptors, training, quiet)
    folder.mkdir(parents=True, exist_ok=True)
    write_page(found, folder)
    return folder / PAGE


def _empty(folder: Path) -> Path:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        kind = "files in it" if folder.is_dir() else "a file"
        raise ConfigError(
            f"--out {folder}: expected a new or empty folder, found {kind}. Name another."
        )
    return folder


def _read(run: Results, path: Path, config: RunConfig) -> Explanation:
    if path.is_dir() or not path.exists():
        found = "a folder" if path.is_dir() else "nothing"
        raise ConfigError(f"{path}: expected an image, found {found}.")
    size = reading_size(config)
    try:
        read = read_image(path, size=size)
    except ImageError as error:
        raise ConfigError(str(error)) from error
    image = prepare(resize(read.pixels, size)[None], config)[0]
    # Images that have no file of their own are known by their pixels.
    hashes = [read.sha256, fingerprint_of(read.pixels)]
    rows = run.manifest[run.manifest["sha256"].isin(hashes)]
    patch = max(4, round(image_size(config) / PATCHES))
    return Explanation(
        run=run, name=path.name, sha256=read.sha256, image=image,
        known=rows.iloc[0] if len(rows) else None, patch=patch, stride=max(2, patch // 2),
    )  # fmt: skip


def fingerprint_of(pixels: NDArray[np.uint8]) -> str:
    """Hash of an image's pixels, as data sets without files of their own have it."""
    import hashlib

    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


def _in_order(run: Results, cells: list[FittedCell]) -> list[FittedCell]:
    """Order as the run has them, the CNN last."""
    order = list(dict.fromkeys(run.scores["cell"]))
    return sorted(cells, key=lambda cell: (not cell.families, order.index(cell.name)))


def _training(
    found: Explanation,
    config: RunConfig,
    data: str | None,
    descriptors: dict[str, ImageDescriptor],
    scratch: Path,
) -> TrainingRows | None:
    """Read the training images; if only the record says where they are, they may be missing."""
    if data is not None:
        config = config.model_copy(update={"data": data})
    say(f"Reading the run's data from {config.data} …", config.quiet)
    try:
        return read_training(found.run, config, list(descriptors), scratch)
    except DataError as error:
        if data is not None:
            raise ConfigError(str(error)) from error
        found.without_data = f"The run's data can't be read here: {error}"
        say(f"{found.without_data} There will be no neighbours.", quiet=False)
    return None


def _explain_cells(
    found: Explanation,
    cells: list[FittedCell],
    descriptors: dict[str, ImageDescriptor],
    training: TrainingRows | None,
    quiet: bool,
) -> None:
    images = found.image[None]
    rows = {family: d.transform(images) for family, d in descriptors.items()}
    for cell in cells:
        say(f"{cell.name} …", quiet)
        score = float(score_cell(cell, images, rows)[0])
        explained = Explained(cell, score, decide(found.run, cell, score))
        row = None
        if cell.families:
            row = np.concatenate([rows[family][0] for family in cell.families])
            background = training.background(cell.families) if training else None
            contribute(explained, row, background, descriptors, images.shape[1:])
        look(explained, found.image, row, descriptors)
        found.cells.append(explained)
        if training and cell.families and cell.features not in found.neighbours:
            itself = found.sha256 if found.known is None else str(found.known["sha256"])
            found.neighbours[cell.features] = find_neighbours(
                training, cell.families, rows, found.image, itself
            )
    _occlude(found, descriptors, quiet)


def _occlude(found: Explanation, descriptors: dict[str, ImageDescriptor], quiet: bool) -> None:
    """Cover the image square by square; describe each image once for all cells."""
    say("occlusion …", quiet)

    def scores(images: NDArray[np.uint8]) -> NDArray[np.float64]:
        rows = {family: d.transform(images) for family, d in descriptors.items()}
        own = [score_cell(one.cell, images, rows, block=BATCH) for one in found.cells]
        return np.stack(own, axis=1)

    drops = occlusion_map(found.image, scores, found.patch, found.stride)
    for k, one in enumerate(found.cells):
        one.maps["occlusion"] = drops[..., k]
