"""Fitted cells on phantoms, and what each method of importance says of their regions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import has_fit_parameter
from threadpoolctl import threadpool_limits

from benchmarks.cells import Cell
from benchmarks.config import RunConfig
from benchmarks.dataset import Dataset
from benchmarks.extract import make_descriptor, prepare
from benchmarks.importance.groups import boxes_of, columns_of, group_columns
from benchmarks.importance.local import drop_unused, regional_change
from benchmarks.importance.maps import importance_map
from benchmarks.importance.permutation import permutation_importance
from benchmarks.importance.scorers import PlainScorer, make_scorer
from features import FEATURE_SETS, ImageDescriptor
from models import MODELS

Floats = NDArray[np.float64]
FEATURE_SETS_CHECKED = ("hog", "lbp", "texture", "handcrafted")
MODELS_CHECKED = ("svm", "forest", "xgboost", "logistic")
BACKGROUND = 16  # training images that a region's columns are taken from
SEED = 0


@dataclass(frozen=True)
class Described:
    """Phantoms with their feature matrices.

    Attributes
    ----------
    manifest : DataFrame of n rows
    images : ndarray of shape (n, S, S), uint8
        As every model sees them.
    matrices : dict of ndarray of shape (n, d), float32
        By family.
    descriptors : dict of ImageDescriptor
        Fitted, by family.
    """

    manifest: pd.DataFrame
    images: NDArray[np.uint8]
    matrices: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    descriptors: dict[str, ImageDescriptor] = field(default_factory=dict)

    def rows(self, split: str) -> NDArray[np.intp]:
        """Positions of the images of a split."""
        return np.flatnonzero(self.manifest["split"] == split)


@dataclass(frozen=True)
class FittedCell:
    """A feature set × a classifier, fitted on the training phantoms.

    Attributes
    ----------
    features, model : str
    pipeline : fitted pipeline
    X : ndarray of shape (n, d), float32
        Of all images.
    columns : DataFrame of d rows
        From :func:`benchmarks.importance.groups.columns_of`.
    data : Described
    """

    features: str
    model: str
    pipeline: Any
    X: NDArray[np.float32]
    columns: pd.DataFrame
    data: Described

    @cached_property
    def groups(self) -> dict[str, NDArray[np.intp]]:
        """Columns of each region."""
        return group_columns(self.columns, "region")

    @cached_property
    def boxes(self) -> pd.DataFrame:
        """Edges of each region, in the order of ``groups``."""
        return boxes_of(self.columns)

    @cached_property
    def background(self) -> NDArray[np.float32]:
        """Rows of some training images, drawn at random."""
        train = self.data.rows("train")
        drawn = np.random.default_rng(SEED).permutation(train)[:BACKGROUND]
        return self.X[np.sort(drawn)]

    def score(self, rows: NDArray[np.intp]) -> Floats:
        """Probabilities of pneumonia."""
        return np.asarray(self.pipeline.predict_proba(self.X[rows])[:, 1], dtype=np.float64)


def describe(dataset: Dataset, feature_sets: Sequence[str], jobs: int = 1) -> Described:
    """Prepare the images as a run does and compute all families that the feature sets need."""
    side = dataset.images.shape[1]
    config = RunConfig(data="phantoms", image_size=side, jobs=jobs, quiet=True)
    images = prepare(np.asarray(dataset.images[:]), config)
    found = Described(dataset.manifest, images)
    for family in dict.fromkeys(name for chosen in feature_sets for name in FEATURE_SETS[chosen]):
        descriptor = make_descriptor(family, config).fit(images)
        found.descriptors[family] = descriptor
        found.matrices[family] = descriptor.transform(images)
    return found


def fit_cell(data: Described, features: str, model: str) -> FittedCell:
    """Fit one cell with its default settings, as a run does."""
    families = FEATURE_SETS[features]
    X = np.hstack([data.matrices[family] for family in families])
    train, manifest = data.rows("train"), data.manifest
    cell = Cell(features, model, RunConfig.model_fields["balance"].default, SEED)
    pipeline = MODELS[model].build(cell.random_state, cell.balance, n_jobs=1)
    extra = {}
    if has_fit_parameter(pipeline.named_steps["classify"], "groups"):
        extra = {"classify__groups": manifest["group"].to_numpy(dtype=object)[train]}
    with threadpool_limits(1):
        pipeline.fit(X[train], manifest["label"].to_numpy()[train], **extra)
    columns = columns_of({family: data.descriptors[family] for family in families})
    return FittedCell(features, model, pipeline, X, columns, data)


def change_of_regions(cell: FittedCell, rows: NDArray[np.intp]) -> Floats:
    """Change of log odds by each region's replacement, of shape (n, G)."""
    return regional_change(cell.pipeline, cell.X[rows], cell.background, cell.groups)


def permutation_of_regions(cell: FittedCell, rows: NDArray[np.intp]) -> Floats:
    """Drop of the AUC by each region's permutation over the rows, of shape (G,)."""
    manifest = cell.data.manifest.iloc[rows]
    tail, (X,), groups = drop_unused(cell.pipeline, [cell.X[rows]], cell.groups)
    scorer = make_scorer(tail, X) if tail is cell.pipeline else PlainScorer(tail, X)
    used = {name: columns for name, columns in groups.items() if len(columns)}
    label = manifest["label"].to_numpy()
    patient = manifest["group"].to_numpy(dtype=object)
    with threadpool_limits(1):
        table = permutation_importance(scorer, used, label, patient, 0.5, SEED)
    drop = table[table["metric"] == "auc"].set_index("group")["value"]
    return drop.reindex(list(groups), fill_value=0.0).to_numpy()


LOCAL: dict[str, Callable[[FittedCell, NDArray[np.intp]], Floats | None]] = {
    "replacement": change_of_regions,
}
"""Values of each region for each image, (n, G); None where a method does not know the model."""


def region_weights(cell: FittedCell) -> Floats:
    """Map of each region that is worth 1, as a row: shape (G, S × S)."""
    side = cell.data.images.shape[1]
    return np.stack(
        [importance_map({name: 1.0}, cell.boxes, (side, side)).ravel() for name in cell.groups]
    )
