"""Importance of image regions in cells fitted on phantoms, by each method."""

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
from benchmarks.extraction.prepare import Preparation
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
BACKGROUND = 16  # training images from which the columns of a region are taken
TILES = 16  # per side of an occlusion map; the covering square is two tiles wide
SEED = 0


@dataclass(frozen=True)
class PhantomFeatures:
    """Phantoms with their feature matrices.

    Attributes
    ----------
    manifest : DataFrame of n rows
    images : ndarray of shape (n, S, S), uint8
        Prepared, as all models receive them.
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
        """Return the positions of the images of a split.

        Parameters
        ----------
        split : str

        Returns
        -------
        ndarray of int
        """
        return np.flatnonzero(self.manifest["split"] == split)


@dataclass(frozen=True)
class PhantomCell:
    """A feature set × a classifier, fitted on the training phantoms.

    Attributes
    ----------
    features, model : str
    pipeline : fitted pipeline
    X : ndarray of shape (n, d), float32
        Features of all images.
    columns : DataFrame of d rows
        From :func:`benchmarks.importance.groups.columns_of`.
    data : PhantomFeatures
    """

    features: str
    model: str
    pipeline: Any
    X: NDArray[np.float32]
    columns: pd.DataFrame
    data: PhantomFeatures

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
        """Features of a random sample of training images."""
        train = self.data.rows("train")
        drawn = np.random.default_rng(SEED).permutation(train)[:BACKGROUND]
        return self.X[np.sort(drawn)]

    def score(self, rows: NDArray[np.intp]) -> Floats:
        """Compute probabilities of pneumonia.

        Parameters
        ----------
        rows : ndarray of shape (n,), int
            Positions of the images.

        Returns
        -------
        ndarray of shape (n,), float64
        """
        return np.asarray(self.pipeline.predict_proba(self.X[rows])[:, 1], dtype=np.float64)


def describe(dataset: Dataset, feature_sets: Sequence[str], jobs: int = 1) -> PhantomFeatures:
    """Prepare the images in the same way as a run, and compute the families of the feature sets.

    Parameters
    ----------
    dataset : Dataset
        Phantoms.
    feature_sets : sequence of str
    jobs : int

    Returns
    -------
    PhantomFeatures
    """
    side = dataset.images.shape[1]
    config = RunConfig(data="phantoms", image_size=side, jobs=jobs, quiet=True)
    prepare = Preparation(side, config.contrast, {})
    images = prepare(np.asarray(dataset.images[:]))
    found = PhantomFeatures(dataset.manifest, images)
    for family in dict.fromkeys(
        name for chosen in feature_sets for name in all_feature_sets()[chosen]
    ):
        descriptor = make_descriptor(family, config).fit(images)
        found.descriptors[family] = descriptor
        found.matrices[family] = descriptor.transform(images)
    return found


def fit_cell(data: PhantomFeatures, features: str, model: str) -> PhantomCell:
    """Fit one cell with its default settings, in the same way as a run.

    Parameters
    ----------
    data : PhantomFeatures
    features, model : str

    Returns
    -------
    PhantomCell
    """
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
    return PhantomCell(features, model, pipeline, X, columns, data)


@dataclass(frozen=True)
class Regional:
    """Importance of image regions by one method.

    Attributes
    ----------
    importance : ndarray of shape (n, G) or (G,), float64
        For each image, or for all images together. Positive values are evidence for pneumonia or,
        for all images together, of importance.
    weights : ndarray of shape (G, P), float64
        Fraction of each region in each of the P pixels of the image; rows sum to 1.
    family : ndarray of shape (G,), str
        Regions of one family cover the image once.
    """

    importance: Floats
    weights: Floats
    family: NDArray[np.object_]


def permutation(cell: PhantomCell, rows: NDArray[np.intp]) -> Regional:
    """Compute the drop of the AUC when each region is permuted over all test images.

    Parameters
    ----------
    cell : PhantomCell
    rows : ndarray of int
        Not used; all test images are.

    Returns
    -------
    Regional
        Importance of shape (G,).
    """
    rows = cell.data.rows("test")
    manifest = cell.data.manifest.iloc[rows]
    scorer = make_scorer(cell.pipeline, cell.X[rows])
    label = manifest["label"].to_numpy()
    patient = manifest["group"].to_numpy(dtype=object)
    with threadpool_limits(1):
        table = permutation_importance(scorer, cell.groups, label, patient, 0.5, SEED)
    drop = table[table["metric"] == "auc"].set_index("group")["value"]
    return _of_columns(cell, drop.loc[list(cell.groups)].to_numpy())


def replacement(cell: PhantomCell, rows: NDArray[np.intp]) -> Regional:
    """Compute the change of the log-odds of each image when each region is replaced.

    Parameters
    ----------
    cell : PhantomCell
    rows : ndarray of int
        Positions of the images.

    Returns
    -------
    Regional
        Importance of shape (n, G).
    """
    found = local_change(cell.pipeline, cell.X[rows], cell.background, cell.groups)
    return _of_columns(cell, found.changes)


def shap(cell: PhantomCell, rows: NDArray[np.intp]) -> Regional:
    """Sum SHAP values by region.

    Parameters
    ----------
    cell : PhantomCell
    rows : ndarray of int
        Positions of the images.

    Returns
    -------
    Regional
        Importance of shape (n, G).

    Raises
    ------
    NotExplainable
        For an SVM, which has no SHAP values of single columns.
    """
    values = explain(cell.pipeline, cell.X[rows], cell.background).values  # noqa: PD011 - no table
    sums = [values[:, columns].sum(axis=1) for columns in cell.groups.values()]
    return _of_columns(cell, np.stack(sums, axis=1))


def occlusion(cell: PhantomCell, rows: NDArray[np.intp]) -> Regional:
    """Compute the drop of the log-odds of each image when a grey square covers a tile.

    Parameters
    ----------
    cell : PhantomCell
    rows : ndarray of int
        Positions of the images.

    Returns
    -------
    Regional
        Importance of shape (n, G), for square tiles.
    """
    side = cell.data.images.shape[1]
    step = side // TILES
    descriptors = [cell.data.descriptors[family] for family in all_feature_sets()[cell.features]]

    def _score(images: NDArray[np.uint8]) -> Floats:
        X = np.hstack([descriptor.transform(images) for descriptor in descriptors])
        return log_odds(cell.pipeline[-1], cell.pipeline.predict_proba(X)[:, 1])

    with threadpool_limits(1):
        maps = [occlusion_map(cell.data.images[k], _score, 2 * step, step) for k in rows]
    edges = side * np.arange(TILES) // TILES
    boxes = pd.DataFrame(
        [(top, top + step, left, left + step) for top in edges for left in edges], columns=BOX
    ).set_index(np.arange(TILES**2).astype(str))
    values = np.stack([one[edges][:, edges].ravel() for one in maps])
    return Regional(values, _weights(boxes, side), np.full(TILES**2, "pixels", dtype=object))


METHODS: dict[str, Callable[[PhantomCell, NDArray[np.intp]], Regional]] = {
    "permutation": permutation, "replacement": replacement, "shap": shap, "occlusion": occlusion,
}  # fmt: skip


def _of_columns(cell: PhantomCell, values: Floats) -> Regional:
    boxes = cell.boxes.loc[list(cell.groups)]
    family = boxes["family"].to_numpy(dtype=object)
    return Regional(values, _weights(boxes, cell.data.images.shape[1]), family)


def _weights(boxes: pd.DataFrame, side: int) -> Floats:
    """Return a map of each region with importance 1, as rows."""
    shape = (side, side)
    return np.stack(
        [importance_map({str(name): 1.0}, boxes, shape).ravel() for name in boxes.index]
    )
