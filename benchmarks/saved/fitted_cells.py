"""Fitted cells of a run with their thresholds and descriptors, ready to score images."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.config import ConfigError, RunConfig
from benchmarks.datasets import image_size
from benchmarks.extraction.extract import make_descriptor
from benchmarks.extraction.given_features import is_given
from benchmarks.fitting.cell import families_of
from benchmarks.fitting.scoring import average, score
from benchmarks.io.results import Results, RunError
from benchmarks.saved.model_files import load_cell, read_saved, saved_cells
from features import FEATURES, ImageDescriptor
from features.backbone import MissingExtra, WeightsError, WeightsUnavailable


@dataclass(frozen=True)
class FittedCell:
    """A fitted cell and what is needed to use it.

    Attributes
    ----------
    name, features, model : str
    seed : int
    families : tuple of str
        Feature families, in the order of their columns; empty for a model on images.
    columns : int or None
        Number of columns it was fitted on; None for a model on images.
    threshold : float
        Selected on the validation set for a recall of 0.95.
    fitted : Pipeline or CnnClassifier
    """

    name: str
    features: str
    model: str
    seed: int
    families: tuple[str, ...]
    columns: int | None
    threshold: float
    fitted: Any


def load_cells(run: Results, wanted: Collection[str] | None) -> list[FittedCell]:
    """Load the fitted cells of a run.

    Parameters
    ----------
    run : Results
    wanted : collection of str or None
        Names of cells or their beginnings (``hog``, ``hog/svm``); None: all.

    Returns
    -------
    list of FittedCell

    Raises
    ------
    RunError
        If the run has no models, or no threshold for one of them.
    ConfigError
        If a wanted cell is missing.
    ModelFileError
        If a file is damaged, unsafe or of another version of the program.
    """
    return [_load(run, name) for name in wanted_cells(run, wanted)]


def wanted_cells(
    run: Results, wanted: Collection[str] | None, also: Sequence[str] = ()
) -> list[str]:
    """List the names of the saved cells of a run.

    Parameters
    ----------
    run : Results
    wanted : collection of str or None
        Names of cells or their beginnings (``hog``, ``hog/svm``); None: all.
    also : sequence of str
        Further cells that can be wanted, though no file holds them.

    Returns
    -------
    list of str

    Raises
    ------
    RunError
        If the run has no models.
    ConfigError
        If a wanted cell is missing.
    """
    names = saved_cells(run.folder)
    if not names:
        raise RunError(
            f"{run.folder}: expected fitted models in its folder models, found none. Run the "
            "benchmark again without --no-models."
        )
    names = [*names, *also]
    if wanted is not None:
        for part in wanted or [""]:
            if not any(_is_part(part, name) for name in names):
                raise ConfigError(f"--cells: got {part!r}, expected some of: {', '.join(names)}")
        names = [name for name in names if any(_is_part(part, name) for part in wanted)]
    return names


def descriptors_of(
    run: Results, config: RunConfig, cells: Collection[FittedCell]
) -> dict[str, ImageDescriptor]:
    """Return the fitted descriptors that cells need, after comparing them with the run's.

    Parameters
    ----------
    run : Results
    config : RunConfig
    cells : collection of FittedCell

    Returns
    -------
    dict of ImageDescriptor
        By feature family.

    Raises
    ------
    RunError
        If a family has other parameters, or a cell other columns, than in the run.
    ConfigError
        If an extra or the weights of a network are missing, or the weights differ from the run's.
    """
    families = {family for cell in cells for family in cell.families}
    order = [name for name in FEATURES if name in families]
    order += sorted(family for family in families if is_given(family))
    found = {name: descriptor_of(run, config, name) for name in order}
    columns = {name: len(d.get_feature_names_out()) for name, d in found.items()}
    for cell in cells:
        d = sum(columns[family] for family in cell.families)
        if cell.columns is not None and cell.columns != d:
            raise RunError(
                f"{run.folder}: {cell.name} was fitted on {cell.columns} columns, but "
                f"{' + '.join(cell.families)} of {image_size(config)} px images gives {d}. The "
                "models and run.json belong to different runs or versions of the program."
            )
    return found


def score_cell(
    cell: FittedCell,
    images: NDArray[np.uint8],
    matrices: dict[str, NDArray[np.float32]],
    block: int | None = None,
) -> NDArray[np.float64]:
    """Score prepared images, or their features, with a fitted cell.

    Parameters
    ----------
    cell : FittedCell
    images : ndarray of shape (n, size, size), uint8
    matrices : dict of ndarray of shape (n, d)
        By feature family, for all families of the cell.
    block : int or None
        See :func:`benchmarks.fitting.scoring.score`.

    Returns
    -------
    ndarray of shape (n,), float64

    Raises
    ------
    RunError
        If the model expects other columns or images.
    """
    try:
        if not cell.families:
            return score(cell.model, cell.fitted, images, block)
        X = np.concatenate([matrices[family] for family in cell.families], axis=1)
        with threadpool_limits(1):  # as in the run
            return score(cell.model, cell.fitted, X, block)
    except ValueError as error:
        raise RunError(
            f"{cell.name}: the saved model can't score these images: {error}. Its file belongs to "
            "another run, or to another version of the program."
        ) from error


def score_views(
    cells: Sequence[FittedCell],
    views: Sequence[NDArray[np.uint8]],
    descriptors: Mapping[str, ImageDescriptor],
    given: Mapping[str, NDArray[np.float32]] | None = None,
) -> list[NDArray[np.float64]]:
    """Score images with fitted cells as in the run: the mean of the scores of their views.

    Parameters
    ----------
    cells : sequence of FittedCell
    views : sequence of ndarray of shape (n, size, size), uint8
        From :func:`benchmarks.extraction.variants.views_of`.
    descriptors : dict of ImageDescriptor
        Fitted, by family.
    given : dict of ndarray of shape (n, d), optional
        Rows of the images in tables, by family: they have no views.

    Returns
    -------
    list of ndarray of shape (n,), float64
        One array per cell.
    """
    given = given or {}
    scores: list[list[NDArray[np.float64]]] = [[] for _ in cells]
    for number, images in enumerate(views):
        matrices = {**describe(descriptors, images), **given}
        for cell, own in zip(cells, scores, strict=True):
            if number == 0 or not any(map(is_given, cell.families)):
                own.append(score_cell(cell, images, matrices))
    return [average(own) for own in scores]


def describe(
    descriptors: Mapping[str, ImageDescriptor], images: NDArray[np.uint8]
) -> dict[str, NDArray[np.float32]]:
    """Compute the features of images, of all families that are no tables.

    Parameters
    ----------
    descriptors : dict of ImageDescriptor
        Fitted, by family.
    images : ndarray of shape (n, size, size), uint8
        Prepared.

    Returns
    -------
    dict of ndarray of shape (n, d), float32
        By family.
    """
    return {
        family: one.transform(images) for family, one in descriptors.items() if not is_given(family)
    }


def descriptor_of(run: Results, config: RunConfig, family: str) -> ImageDescriptor:
    """Return the fitted descriptor of one family, after comparing it with the run's.

    Parameters
    ----------
    run : Results
    config : RunConfig
    family : str

    Returns
    -------
    ImageDescriptor

    Raises
    ------
    RunError
        If the family has other parameters than in the run.
    ConfigError
        If an extra or the weights of a network are missing, or the weights differ from the run's.
    """
    side = image_size(config)
    if is_given(family):
        blank = np.zeros((1, side, side), dtype=np.uint8)
        return make_descriptor(family, config, recorded_columns(run, family)).fit(blank)
    descriptor = make_descriptor(family, config)
    recorded = run.run.get("features", {}).get(family, {})
    now = descriptor.get_params()
    other = [
        f"{key}={value} (here {now.get(key)})"
        for key, value in recorded.items()
        if key != "engine" and _plain(now.get(key)) != value  # recorded as it turned out
    ]
    if other:
        raise RunError(
            f"{run.folder / 'run.json'}: {family} had {', '.join(other)}. Use the version that "
            f"made the run: {run.run.get('program')}."
        )
    try:
        descriptor.fit(np.zeros((1, side, side), dtype=np.uint8))
    except (MissingExtra, WeightsError, WeightsUnavailable) as error:
        raise ConfigError(
            f"{family}: {error} Give the run's weights with --weights FILE, or leave {family} out "
            "with --cells."
        ) from error
    _check_weights(run, family, getattr(descriptor, "weights_source_", ""))
    return descriptor


def recorded_columns(run: Results, family: str) -> tuple[str, ...]:
    """Return the names of the columns of a table that a run read.

    Parameters
    ----------
    run : Results
    family : str

    Returns
    -------
    tuple of str

    Raises
    ------
    RunError
        If ``run.json`` does not record the table.
    """
    known = run.run.get("features_from", {}).get(family)
    if known is None:
        raise RunError(
            f"{run.folder / 'run.json'}: expected the table of {family} in features_from, got "
            "none. Use the version that made the run, or run the benchmark again."
        )
    return tuple(known["columns"])


def _is_part(part: str, name: str) -> bool:
    return name == part or name.startswith(f"{part}/")


def _load(run: Results, name: str) -> FittedCell:
    record = read_saved(run.folder, name)
    features, model, seed = name.split("/")
    families = families_of(features)
    if record["families"] != list(families) or (record["columns"] is None) != (not families):
        raise RunError(
            f"{run.folder}: {name} was fitted on {record['columns']} columns of "
            f"{' + '.join(record['families']) or 'no family'}, but in this version {features} "
            f"consists of {' + '.join(families) or 'images'}. Use the version that made the run: "
            f"{record.get('program')}."
        )
    return FittedCell(
        name=name, features=features, model=model, seed=int(seed.removeprefix("seed")),
        families=families, columns=record["columns"], threshold=threshold_of(run, name),
        fitted=load_cell(run.folder, name, warn=False),  # commands compare versions once per run
    )  # fmt: skip


def threshold_of(run: Results, name: str) -> float:
    """Return the threshold of a cell that was selected on the validation set.

    Parameters
    ----------
    run : Results
    name : str
        Name of the cell.

    Returns
    -------
    float

    Raises
    ------
    RunError
        If ``scores.csv`` has none.
    """
    rows = run.scores[
        (run.scores["cell"] == name)
        & (run.scores["split"] == "validation")
        & (run.scores["operating_point"] == "recall95")
    ]
    values = pd.to_numeric(rows["threshold"], errors="coerce").to_numpy(dtype=np.float64)
    if len(values) != 1 or not np.isfinite(values[0]):
        raise RunError(
            f"{run.folder / 'scores.csv'}: expected one threshold of {name} at recall95 on "
            f"validation images, got {values.tolist()}. Run the benchmark again."
        )
    return float(values[0])


def _check_weights(run: Results, family: str, source: str) -> None:
    sources = run.features.loc[run.features["family"] == family, "weights"]
    recorded = "".join(sources.dropna().astype(str))
    if _identity(source) != _identity(recorded):
        raise ConfigError(
            f"--weights: got {source or 'none'} for {family}, but the run used "
            f"{recorded or 'none'}. Give that file with --weights FILE."
        )


def _identity(source: str) -> str:
    """Hashes of the weights, independent of paths; without a hash, the description itself."""
    return " ".join(re.findall(r"sha256 ([0-9a-f]+)", source)) or source


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
