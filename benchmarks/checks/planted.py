"""Check whether importance finds an artificial shortcut: a letter in the corner of phantoms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import click
import numpy as np
import pandas as pd
from joblib import delayed
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from benchmarks.audit.checks import audit
from benchmarks.audit.class_marks import cell_statistics, discriminating_places
from benchmarks.checks.regional_importance import (
    FEATURE_SETS_CHECKED,
    METHODS,
    MODELS_CHECKED,
    SEED,
    Floats,
    PhantomCell,
    PhantomFeatures,
    Regional,
    describe,
    fit_cell,
)
from benchmarks.datasets.dataset import Dataset
from benchmarks.datasets.phantoms import generate
from benchmarks.importance.groups import BOX
from benchmarks.importance.shap_values import NotExplainable
from benchmarks.io.image_stack import ImageStack
from benchmarks.io.progress import track
from benchmarks.io.tables import write_csv
from benchmarks.io.workers import parallel
from benchmarks.metrics.bootstrap import PatientBootstrap, percentile_interval
from benchmarks.metrics.ranking import ranking_metrics
from benchmarks.studies.shortcut_features import from_images
from models import MODELS

SETS = ("none", "random", "glued")
CHECKED = ("permutation", "replacement", "shap")
LETTER = ("###..", "#..#.", "#..#.", "###..", "#.#..", "#..#.", "#..#.")  # an R, as on many films
GREY = 240  # of the letter
DRAWS = 1000
COLUMNS = [
    "set", "method", "features", "model", "family", "auc", "lo", "hi", "regions", "marked",
    "rank", "share", "area", "severity", "finding",
]  # fmt: skip
Box = tuple[int, int, int, int]


def letter_box(side: int) -> Box:
    """Return the edges of the planted letter in pixels: top, bottom, left, right.

    Parameters
    ----------
    side : int
        Width and height of the image in pixels.

    Returns
    -------
    (int, int, int, int)

    Examples
    --------
    >>> letter_box(128)
    (4, 18, 4, 14)
    """
    scale = side // 64
    return 2 * scale, (2 + len(LETTER)) * scale, 2 * scale, (2 + len(LETTER[0])) * scale


def plant(dataset: Dataset, how: str) -> Dataset:
    """Draw a bright letter in the upper left corner of some images.

    Parameters
    ----------
    dataset : Dataset
        Phantoms at least 64 pixels wide and high.
    how : {"none", "random", "glued"}
        ``none``: in no image. ``random``: in all images of a random half of the patients of each
        class and split, so that it is not predictive. ``glued``: in all images with pneumonia and
        in no other image.

    Returns
    -------
    Dataset
    """
    manifest = dataset.manifest
    chosen = np.zeros(len(manifest), dtype=bool)
    if how == "glued":
        chosen = (manifest["label"] == 1).to_numpy()
    elif how == "random":
        patients = manifest.drop_duplicates("group").sample(frac=1, random_state=SEED)
        turn = patients.groupby(["split", "class"]).cumcount() % 2 == 0
        chosen = manifest["group"].isin(patients.loc[turn, "group"]).to_numpy()
    images = np.array(dataset.images[:])
    top, bottom, left, right = letter_box(images.shape[1])
    ink = np.array([[dot == "#" for dot in line] for line in LETTER])
    ink = ink.repeat(images.shape[1] // 64, axis=0).repeat(images.shape[1] // 64, axis=1)
    corner = images[chosen, top:bottom, left:right]
    images[chosen, top:bottom, left:right] = np.where(ink, np.uint8(GREY), corner)
    return replace(dataset, images=images)


def marked_regions(boxes: pd.DataFrame, side: int) -> NDArray[np.bool_]:
    """Find the regions that overlap with the letter.

    Parameters
    ----------
    boxes : DataFrame of G rows
        Edges of the regions.
    side : int
        Width and height of the image in pixels.

    Returns
    -------
    ndarray of shape (G,), bool
    """
    top, bottom, left, right = letter_box(side)
    box = boxes[BOX]
    down = (box["top"] < bottom) & (box["bottom"] > top)
    return (down & (box["left"] < right) & (box["right"] > left)).to_numpy()


def stand_out(importance: Floats, marked: NDArray[np.bool_]) -> tuple[int, float]:
    """Compute the rank of the best marked region, and the fraction of importance in marked regions.

    Parameters
    ----------
    importance : ndarray of shape (G,)
        Importance of the regions of one family.
    marked : ndarray of shape (G,), bool

    Returns
    -------
    (int, float)
        Ties rank before the marked region. The fraction is of the positive importance; NaN if no
        value is positive.

    Examples
    --------
    >>> stand_out(np.array([2.0, 2.0, -1.0]), np.array([False, True, False]))
    (2, 0.5)
    """
    positive = np.clip(importance, 0, None)
    total = positive.sum()
    share = float(positive[marked].sum() / total) if total > 0 else float("nan")
    return int((importance >= importance[marked].max()).sum()), share


def check_set(dataset: Dataset, data: PhantomFeatures) -> list[dict[str, object]]:
    """Apply the audit and the shortcut controls to one planted set.

    Parameters
    ----------
    dataset : Dataset
    data : PhantomFeatures
        The prepared images of the same set.

    Returns
    -------
    list of dict
        Rows of :func:`tabulate`.
    """
    manifest = data.manifest
    train, test = data.rows("train"), data.rows("test")
    label, patient = (manifest[c].to_numpy(dtype=object) for c in ("class", "group"))
    places = discriminating_places(
        cell_statistics(dataset.images[train]),
        label[train],
        patient[train],
        dataset.images.shape[1],
    )
    found = audit(dataset).findings.set_index("check")
    row: dict[str, object] = {"method": "audit", "auc": places["auc"].max()}
    if "class_mark" in found.index:
        row |= {"severity": found.loc["class_mark", "severity"],
                "finding": found.loc["class_mark", "detail"]}  # fmt: skip
    rows = [row]
    for name, X in from_images(ImageStack.of(data.images)).items():
        pipeline = MODELS["logistic"].build(SEED, "none")
        with threadpool_limits(1):
            pipeline.fit(X[train], manifest["label"].to_numpy()[train])
        score = pipeline.predict_proba(X[test])[:, 1]
        known: dict[str, object] = {"method": "control", "features": name, "model": "logistic"}
        rows.append(known | _auc(manifest.iloc[test], score))
    return rows


def check_cell(data: PhantomFeatures, features: str, model: str) -> list[dict[str, object]]:
    """Fit one cell and compute the importance of the regions of the letter by each method.

    Parameters
    ----------
    data : PhantomFeatures
    features, model : str

    Returns
    -------
    list of dict
        Rows of :func:`tabulate`.
    """
    cell = fit_cell(data, features, model)
    test = data.rows("test")
    known: dict[str, object] = {"features": features, "model": model}
    known |= _auc(data.manifest.iloc[test], cell.score(test))
    rows = []
    for name in CHECKED:
        try:
            found = METHODS[name](cell, test)
        except NotExplainable:
            continue
        rows += [{"method": name, **known, **one} for one in _families(cell, found)]
    return rows


def _families(cell: PhantomCell, found: Regional) -> Iterator[dict[str, object]]:
    """Summarise the regions of the letter by family; single images count by absolute value."""
    importance = (
        found.importance if found.importance.ndim == 1 else np.abs(found.importance).mean(axis=0)
    )
    side = cell.data.images.shape[1]
    boxes = cell.boxes.loc[list(cell.groups)]
    touched = marked_regions(boxes, side)
    area = ((boxes["bottom"] - boxes["top"]) * (boxes["right"] - boxes["left"])).to_numpy()
    for family in dict.fromkeys(found.family):
        own = found.family == family
        rank, share = stand_out(importance[own], touched[own])
        yield {
            "family": family, "regions": int(own.sum()), "marked": int(touched[own].sum()),
            "rank": rank, "share": share, "area": area[own & touched].sum() / side**2,
        }  # fmt: skip


def _auc(manifest: pd.DataFrame, score: Floats) -> dict[str, object]:
    label = manifest["label"].to_numpy()
    drawn = PatientBootstrap.draw(manifest["group"].to_numpy(dtype=object), label, SEED, DRAWS)
    low, high = percentile_interval(ranking_metrics(label, score, drawn.weights)[0])
    return {"auc": float(roc_auc_score(label, score)), "lo": low, "hi": high}


def tabulate(
    dataset: Dataset, features: tuple[str, ...], models: tuple[str, ...], jobs: int
) -> pd.DataFrame:
    """Plant the letter in each way, and apply all methods, the controls and the audit.

    Parameters
    ----------
    dataset : Dataset
        Phantoms.
    features, models : tuple of str
        The cells are all pairs of them.
    jobs : int
        Number of processes, which does not change the results.

    Returns
    -------
    DataFrame
        One row per set, method, cell and family, with the columns ``COLUMNS``: ``auc`` on the test
        images with a 95 % interval over patients (for the audit: the largest AUC of an image cell
        over training patients), ``rank`` and ``share`` of the regions of the letter in the family,
        and ``area``, the share of a uniform map.
    """
    tables = []
    for how in SETS:
        planted = plant(dataset, how)
        data = describe(planted, features, jobs)
        tasks = list(product(features, models))
        work = (delayed(check_cell)(data, *task) for task in tasks)
        cells = track(parallel(jobs, return_as="generator")(work), how, len(tasks), "cells", False)
        rows = [*check_set(planted, data), *(row for cell in cells for row in cell)]
        tables.append(pd.DataFrame(rows).assign(set=how))
    return pd.concat(tables, ignore_index=True).reindex(columns=COLUMNS)


@click.command()
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False),
              default=Path("docs/checks/planted.csv"), show_default=True)  # fmt: skip
@click.option("--images", default=600, show_default=True, help="Number of phantoms.")
@click.option("--side", default=128, show_default=True, help="Width and height in pixels.")
@click.option("--jobs", default=2, show_default=True, help="Number of processes.")
def _main(out: Path, images: int, side: int, jobs: int) -> None:
    """Write whether importance, shortcut controls and audit find a letter planted in phantoms."""
    table = tabulate(generate(images, side), FEATURE_SETS_CHECKED, MODELS_CHECKED, jobs)
    write_csv(out, table.round(4))
    click.echo(f"{len(table)} rows in {out}")


if __name__ == "__main__":
    _main()
