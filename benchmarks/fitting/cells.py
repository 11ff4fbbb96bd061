"""A cell: one feature set × classifier × seed, or the CNN × seed, fitted and scored."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.utils.validation import has_fit_parameter
from threadpoolctl import threadpool_limits

from benchmarks.config import RunConfig
from benchmarks.fitting.scoring import WHOLE, score
from benchmarks.io.image_stack import ImageStack
from benchmarks.io.matrix_file import StoredMatrix
from benchmarks.io.progress import Steps
from features import FEATURE_SETS
from features.backbone import MissingExtra, WeightsUnavailable
from models import IMAGE_MODELS, MODELS
from models.balance import resampling_record

PIXELS = "pixels"
EXTERNAL = "external"
TUNING_FOLDS = 3
Matrix = NDArray[np.float32] | StoredMatrix
CHECKPOINTS = "checkpoints"


@dataclass(frozen=True)
class Cell:
    """One row of the benchmark.

    Attributes
    ----------
    features : str
        Key of ``FEATURE_SETS``, ``pixels`` for a model on images, or ``external`` for scores that
        were computed elsewhere.
    model : str
        Key of ``MODELS``, or the name of an external model.
    balance : str
    seed : int
    """

    features: str
    model: str
    balance: str
    seed: int

    @property
    def name(self) -> str:
        """``features/model/seedN``."""
        return f"{self.features}/{self.model}/seed{self.seed}"

    @property
    def random_state(self) -> int:
        """Seed of everything random in the cell; no other cell's presence changes it."""
        key = crc32(f"{self.features}/{self.model}".encode())
        return int(np.random.SeedSequence([self.seed, key]).generate_state(1)[0] >> 1)

    @property
    def families(self) -> tuple[str, ...]:
        """Feature families whose columns it uses."""
        return FEATURE_SETS.get(self.features, ())

    @property
    def on_features(self) -> bool:
        """Whether it is a classifier on feature columns."""
        return self.features in FEATURE_SETS

    @property
    def on_images(self) -> bool:
        """Whether it is a network on the images themselves."""
        return self.features == PIXELS


@dataclass(frozen=True)
class SplitIndices:
    """Which images to fit on and which to score, given by position.

    Attributes
    ----------
    label, group : ndarrays of shape (n,)
        Of all images: label and patient.
    train : ndarray of int
        Images to fit on.
    parts : dict of ndarray of int
        Images to score, by name: ``validation`` and ``test``, or ``cv`` for a held-out fold.
    """

    label: NDArray[np.integer]
    group: NDArray[np.object_]
    train: NDArray[np.intp]
    parts: dict[str, NDArray[np.intp]]

    @classmethod
    def of_manifest(cls, manifest: pd.DataFrame) -> SplitIndices:
        """Rows of the official split."""
        split = manifest["split"].to_numpy()
        return cls(
            label=manifest["label"].to_numpy(dtype=np.int64),
            group=manifest["group"].to_numpy(dtype=object),
            train=np.flatnonzero(split == "train"),
            parts={name: np.flatnonzero(split == name) for name in ("validation", "test")},
        )


@dataclass
class CellResult:
    """What became of a cell: scores by split, or a reason.

    Attributes
    ----------
    scores : dict of ndarray of shape (n,), float64
        Probability of pneumonia, by the parts of ``SplitIndices``.
    folds : dict of ndarray of float64
        The same of the held-out images of each fold of a cross-validation, by its number.
    fold : int
        Which fold was held out; 0 outside a cross-validation.
    status : str
        ``ok``, ``failed`` or ``not_run``.
    model : Pipeline or CnnClassifier, or None
        As fitted.
    """

    cell: Cell
    status: str = "ok"
    reason: str = ""
    scores: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    folds: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    fold: int = 0
    fit_seconds: float | None = None
    predict_seconds: float | None = None
    details: dict[str, Any] = field(default_factory=dict)
    training: list[dict[str, Any]] = field(default_factory=list)
    model: Any = None


def plan(config: RunConfig) -> list[Cell]:
    """List all cells of a run in the order of its tables."""
    on_features = [name for name in config.models if name not in IMAGE_MODELS]
    on_images = [name for name in config.models if name in IMAGE_MODELS]
    sampling = "none" if config.balance == "none" else "weighted_sampling"
    return [
        *(Cell(features, model, config.balance, seed) for features in config.features
          for model in on_features for seed in config.seeds),
        *(Cell(PIXELS, model, sampling, seed) for model in on_images for seed in config.seeds),
    ]  # fmt: skip


def fit_on_features(
    cell: Cell,
    matrices: Mapping[str, Matrix],
    rows: SplitIndices,
    tune: bool = False,
    keep_model: bool = False,
    fold: int = 0,
) -> CellResult:
    """Fit and score one cell on one thread, so that its numbers don't depend on the machine's load.

    Parameters
    ----------
    cell : Cell
    matrices : dict of ndarray or StoredMatrix of shape (n, d), float32
        By family.
    rows : SplitIndices
    tune : bool
        Search the model's ``GRID`` on training rows, grouped by patient.
    keep_model : bool
        Whether the outcome holds the fitted model; if so, each image is scored by itself, so that
        the model gives the same score to the last bit for that image alone.
    fold : int
        Number of the fold that is held out, for the outcome.

    Returns
    -------
    CellResult
        With status ``failed`` and the reason if anything went wrong.
    """
    with threadpool_limits(1), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            outcome = _fit_on_features(cell, matrices, rows, tune, keep_model)
        except Exception as error:  # a cell's failure is a row of the table, not the run's end
            outcome = failure(cell, error)
    outcome.fold = fold
    return _with_warnings(outcome, caught)


def fit_on_images(
    cell: Cell,
    images: ImageStack,
    rows: SplitIndices,
    config: RunConfig,
    folder: Path,
    fold: int = 0,
) -> CellResult:
    """Fit and score an end-to-end cell, going on from its last epoch if it was interrupted.

    Parameters
    ----------
    cell : Cell
    images : ImageStack of shape (n, size, size)
    rows : SplitIndices
    config : RunConfig
        ``backbone``, ``weights``, ``epochs``, ``batch_size`` and ``quiet`` apply.
    folder : Path
        Run folder: the state after each epoch is kept there until the cell is finished.
    fold : int
        Number of the fold that is held out; 0 outside a cross-validation.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            checkpoint = checkpoint_path(folder, cell, fold)
            outcome = _fit_on_images(cell, images, rows, config, checkpoint)
        except Exception as error:  # as above
            outcome = failure(cell, error)
    outcome.fold = fold
    return _with_warnings(outcome, caught)


def failure(cell: Cell, error: BaseException, fold: int = 0) -> CellResult:
    """Outcome of a cell that could not be run."""
    if isinstance(error, (WeightsUnavailable, MissingExtra)):
        return CellResult(cell, "not_run", str(error), fold=fold)
    return CellResult(cell, "failed", f"{type(error).__name__}: {error}", fold=fold)


def _fit_on_features(
    cell: Cell, matrices: Mapping[str, Matrix], rows: SplitIndices, tune: bool, keep_model: bool
) -> CellResult:
    outcome = CellResult(cell)
    model = MODELS[cell.model]
    start = time.perf_counter()
    pipeline = model.build(cell.random_state, cell.balance, 1)
    pipeline.set_params(scale__copy=False)  # the rows are this cell's own
    y, groups = rows.label[rows.train], rows.group[rows.train]
    X = columns_of_cell(cell, matrices, rows.train)
    fit_params = {"classify__groups": groups} if _wants_groups(pipeline) else {}
    if tune:
        folds = StratifiedGroupKFold(TUNING_FOLDS, shuffle=True, random_state=cell.random_state)
        search = GridSearchCV(pipeline, model.GRID, scoring="average_precision", cv=folds)
        search.fit(X, y, groups=groups, **fit_params)
        pipeline = search.best_estimator_
        outcome.details["tuned"] = {k.split("__")[-1]: v for k, v in search.best_params_.items()}
    else:
        pipeline.fit(X, y, **fit_params)
    pipeline.set_params(scale__copy=True)
    outcome.fit_seconds = time.perf_counter() - start
    outcome.details["resampling"] = resampling_record(pipeline)
    outcome.model = pipeline if keep_model else None
    block = None if keep_model else WHOLE
    return _score(
        outcome, pipeline, lambda part: columns_of_cell(cell, matrices, part), rows, block
    )


def _fit_on_images(
    cell: Cell, images: ImageStack, rows: SplitIndices, config: RunConfig, checkpoint: Path
) -> CellResult:
    outcome = CellResult(cell)
    network = MODELS[cell.model].build(
        cell.random_state,
        cell.balance,
        backbone=config.backbone,
        weights=config.weights,
        epochs=config.epochs,
        batch_size=config.batch_size,
    )
    chosen_on = rows.parts["validation"]
    validation = (images.take(chosen_on), rows.label[chosen_on])
    train = (images.take(rows.train), rows.label[rows.train])
    checkpoint.parent.mkdir(exist_ok=True)
    with Steps(cell.name, 0, "batches", config.quiet) as steps:
        network.fit(*train, validation=validation, checkpoint=checkpoint, on_batch=steps.reach)
    outcome.training = network.history_
    outcome.fit_seconds = sum(epoch["seconds"] for epoch in network.history_)
    outcome.details = network.record()
    outcome.model = network
    return _score(outcome, network, images.take, rows)


def _score(
    outcome: CellResult,
    model: BaseEstimator,
    select: Any,
    rows: SplitIndices,
    block: int | None = None,
) -> CellResult:
    start = time.perf_counter()
    for split, part in rows.parts.items():
        scores = score(outcome.cell.model, model, select(part), block)
        if not (np.isfinite(scores).all() and scores.min() >= 0 and scores.max() <= 1):
            raise ValueError(f"{outcome.cell.name} gave {split} scores that are no probabilities")
        outcome.scores[split] = scores
    outcome.predict_seconds = time.perf_counter() - start
    return outcome


def columns_of_cell(
    cell: Cell, matrices: Mapping[str, Matrix], part: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Columns of a cell's families, side by side, for some images: shape (len(part), d)."""
    widths = [matrices[family].shape[1] for family in cell.families]
    columns = np.empty((len(part), sum(widths)), dtype=np.float32)
    for family, end, width in zip(cell.families, np.cumsum(widths), widths, strict=True):
        columns[:, end - width : end] = matrices[family][part]
    return columns


def checkpoint_path(folder: Path, cell: Cell, fold: int = 0) -> Path:
    """File in the run folder for the state of a cell's training."""
    name = cell.name.replace("/", "-") + (f"-fold{fold}" if fold else "")
    return folder / CHECKPOINTS / f"{name}.safetensors"


def _wants_groups(pipeline: Any) -> bool:
    return bool(has_fit_parameter(pipeline.named_steps["classify"], "groups"))


def _with_warnings(outcome: CellResult, caught: list[warnings.WarningMessage]) -> CellResult:
    messages = sorted({f"{w.category.__name__}: {w.message}" for w in caught})
    if messages:
        outcome.details["warnings"] = messages
    return outcome
