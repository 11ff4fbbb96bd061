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

from benchmarks.config import RunConfig
from benchmarks.datasets.dataset import Dataset
from benchmarks.explain.occlusion import occlusion_map
from benchmarks.explain.replacement import local_change, log_odds
from benchmarks.extraction.extract import make_descriptor
from benchmarks.extraction.prepare import prepare
from benchmarks.fitting.cell import Cell
from benchmarks.importance.groups import BOX, boxes_of, columns_of, group_columns
from benchmarks.importance.importance_map import importance_map
from benchmarks.importance.permutation import permutation_importance
from benchmarks.importance.scorers import make_scorer
from benchmarks.importance.shap_values import explain
from features import ImageDescriptor, all_feature_sets
from models import MODELS

Floats = NDArray[np.float64]
FEATURE_SETS_CHECKED = ("hog", "lbp", "texture", "handcrafted")
MODELS_CHECKED = ("svm", "forest", "xgboost", "logistic")
BACKGROUND = 16  # training images that a region's columns are taken from
TILES = 16  # a side, of an occlusion map; the covering square is two of them wide
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
    for family in dict.fromkeys(
        name for chosen in feature_sets for name in all_feature_sets()[chosen]
    ):
        descriptor = make_descriptor(family, config).fit(images)
        found.descriptors[family] = descriptor
        found.matrices[family] = descriptor.transform(images)
    return found


def fit_cell(data: Described, features: str, model: str) -> FittedCell:
    """Fit one cell with its default settings, as a run does."""
    families = all_feature_sets()[features]
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


@dataclass(frozen=True)
class Regional:
    """What a method says, region by region.

    Attributes
    ----------
    worth : ndarray of shape (n, G) or (G,), float64
        Of each image, or of all together; positive where a region speaks for pneumonia or, of
        all together, matters.
    weights : ndarray of shape (G, P), float64
        Share of each of the image's P pixels in each region; rows sum to 1.
    family : ndarray of shape (G,), str
        Regions of one family cover the image once.
    """

    worth: Floats
    weights: Floats
    family: NDArray[np.object_]


def permutation(cell: FittedCell, rows: NDArray[np.intp]) -> Regional:
    """Drop of the AUC by each region's permutation over all test images, of shape (G,)."""
    rows = cell.data.rows("test")
    manifest = cell.data.manifest.iloc[rows]
    scorer = make_scorer(cell.pipeline, cell.X[rows])
    label = manifest["label"].to_numpy()
    patient = manifest["group"].to_numpy(dtype=object)
    with threadpool_limits(1):
        table = permutation_importance(scorer, cell.groups, label, patient, 0.5, SEED)
    drop = table[table["metric"] == "auc"].set_index("group")["value"]
    return _of_columns(cell, drop.loc[list(cell.groups)].to_numpy())


def replacement(cell: FittedCell, rows: NDArray[np.intp]) -> Regional:
    """Change of each image's log odds by each region's replacement, of shape (n, G)."""
    found = local_change(cell.pipeline, cell.X[rows], cell.background, cell.groups)
    return _of_columns(cell, found.changes)


def shap(cell: FittedCell, rows: NDArray[np.intp]) -> Regional:
    """Sum SHAP values by region, of shape (n, G); of an SVM there are none, NotExplainable."""
    values = explain(cell.pipeline, cell.X[rows], cell.background).values  # noqa: PD011 - no table
    sums = [values[:, columns].sum(axis=1) for columns in cell.groups.values()]
    return _of_columns(cell, np.stack(sums, axis=1))


def occlusion(cell: FittedCell, rows: NDArray[np.intp]) -> Regional:
    """Drop of each image's log odds where a grey square covers it, by tiles: shape (n, G)."""
    side = cell.data.images.shape[1]
    step = side // TILES
    descriptors = [cell.data.descriptors[family] for family in all_feature_sets()[cell.features]]

    def score(images: NDArray[np.uint8]) -> Floats:
        X = np.hstack([descriptor.transform(images) for descriptor in descriptors])
        return log_odds(cell.pipeline[-1], cell.pipeline.predict_proba(X)[:, 1])

    with threadpool_limits(1):
        maps = [occlusion_map(cell.data.images[k], score, 2 * step, step) for k in rows]
    edges = side * np.arange(TILES) // TILES
    boxes = pd.DataFrame(
        [(top, top + step, left, left + step) for top in edges for left in edges], columns=BOX
    ).set_index(np.arange(TILES**2).astype(str))
    values = np.stack([one[edges][:, edges].ravel() for one in maps])
    return Regional(values, _weights(boxes, side), np.full(TILES**2, "pixels", dtype=object))


METHODS: dict[str, Callable[[FittedCell, NDArray[np.intp]], Regional]] = {
    "permutation": permutation, "replacement": replacement, "shap": shap, "occlusion": occlusion,
}  # fmt: skip


def _of_columns(cell: FittedCell, values: Floats) -> Regional:
    boxes = cell.boxes.loc[list(cell.groups)]
    family = boxes["family"].to_numpy(dtype=object)
    return Regional(values, _weights(boxes, cell.data.images.shape[1]), family)


def _weights(boxes: pd.DataFrame, side: int) -> Floats:
    """Map of each region that is worth 1, as a row."""
    shape = (side, side)
    return np.stack(
        [importance_map({str(name): 1.0}, boxes, shape).ravel() for name in boxes.index]
    )
