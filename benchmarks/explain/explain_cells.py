"""Explain the scores of one image with every method, cell by cell."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.config import ConfigError, RunConfig
from benchmarks.datasets import image_size
from benchmarks.explain.contributions import contribute, decide
from benchmarks.explain.explanation import Explained, Explanation
from benchmarks.explain.grad_cam import add_grad_cam
from benchmarks.explain.occlusion import BATCH, occlusion_map
from benchmarks.explain.training_images import TrainingRows, find_neighbours
from benchmarks.extraction.given_features import is_given
from benchmarks.extraction.prepare import load_preparation, reading_size
from benchmarks.extraction.variants import views_of
from benchmarks.io.progress import say
from benchmarks.io.results import Results
from benchmarks.io.workers import stop_if_memory_runs_out
from benchmarks.saved.fitted_cells import FittedCell, describe, score_cell, score_views
from features import ImageDescriptor
from features.reading.images import ImageError, read_image
from features.reading.preprocess import resize

FROM_TABLE = (
    "the features were read from a table, and can't be computed again for an image that is partly "
    "covered"
)
PATCHES = 7  # squares of the occlusion along a side, without overlap


def read_explained(run: Results, path: Path, config: RunConfig) -> Explanation:
    """Read and prepare the image that is explained, in the same way as the images of the run.

    Parameters
    ----------
    run : Results
    path : Path
        File of the image.
    config : RunConfig

    Returns
    -------
    Explanation
        Without cells.

    Raises
    ------
    ConfigError
        If the file is not a readable image.
    """
    if path.is_dir() or not path.exists():
        found = "a folder" if path.is_dir() else "nothing"
        raise ConfigError(f"{path}: expected an image, found {found}.")
    size = reading_size(config)
    try:
        with stop_if_memory_runs_out(f"reading {path}"):
            read = read_image(path, size=size)
    except ImageError as error:
        raise ConfigError(str(error)) from error
    image = load_preparation(run.folder, config)(resize(read.pixels, size)[None])[0]
    # Images without a file of their own are identified by their pixels.
    hashes = [read.sha256, _pixel_hash(read.pixels)]
    rows = run.manifest[run.manifest["sha256"].isin(hashes)]
    patch = max(4, round(image_size(config) / PATCHES))
    return Explanation(
        run=run, name=path.name, sha256=read.sha256, image=image,
        known=rows.iloc[0] if len(rows) else None, patch=patch, stride=max(2, patch // 2),
    )  # fmt: skip


def _pixel_hash(pixels: NDArray[np.uint8]) -> str:
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


def explain_cells(
    found: Explanation,
    cells: list[FittedCell],
    descriptors: dict[str, ImageDescriptor],
    training: TrainingRows | None,
    quiet: bool,
    views: int = 1,
) -> None:
    """Add the scores and explanations of fitted cells to an explanation.

    Parameters
    ----------
    found : Explanation
        Is modified.
    cells : list of FittedCell
    descriptors : dict of ImageDescriptor
        Fitted, by family.
    training : TrainingRows, optional
        Without them there are no neighbours.
    quiet : bool
    views : int
        Views of the image whose scores are averaged; the maps explain the image itself.
    """
    images = found.image[None]
    rows = {**describe(descriptors, images), **found.given}
    scores = score_views(cells, views_of(images, views), descriptors, found.given)
    for cell, own in zip(cells, scores, strict=True):
        say(f"{cell.name} …", quiet)
        score = float(own[0])
        explained = Explained(cell, score, decide(found.run, cell, score))
        row = None
        if cell.families:
            row = np.concatenate([rows[family][0] for family in cell.families])
            background = training.background(cell.families) if training else None
            contribute(explained, row, background, descriptors, images.shape[1:])
        add_grad_cam(explained, found.image, row, descriptors)
        found.cells.append(explained)
        if training and cell.families and cell.features not in found.neighbours:
            itself = found.sha256 if found.known is None else str(found.known["sha256"])
            found.neighbours[cell.features] = find_neighbours(
                training, cell.families, rows, found.image, itself
            )
    _occlude(found, descriptors, quiet)


def _occlude(found: Explanation, descriptors: dict[str, ImageDescriptor], quiet: bool) -> None:
    """Add occlusion maps; features of each occluded image are computed once for all cells."""
    able = [one for one in found.cells if not any(map(is_given, one.cell.families))]
    for one in (one for one in found.cells if one not in able):
        one.notes["occlusion"] = FROM_TABLE
    if not able:
        return
    say("occlusion …", quiet)

    def scores(images: NDArray[np.uint8]) -> NDArray[np.float64]:
        rows = describe(descriptors, images)
        own = [score_cell(one.cell, images, rows, block=BATCH) for one in able]
        return np.stack(own, axis=1)

    drops = occlusion_map(found.image, scores, found.patch, found.stride)
    for k, one in enumerate(able):
        one.maps["occlusion"] = drops[..., k]
