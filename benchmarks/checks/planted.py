"""A letter is planted that tells the classes apart, or nothing; importance should say which."""

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
    Described,
    FittedCell,
    Floats,
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
from benchmarks.io.workers import parallel
from benchmarks.metrics.bootstrap import PatientBootstrap, percentile_interval
from benchmarks.metrics.ranking import ranking_metrics
from benchmarks.studies.shortcut_features import from_images
from models import MODELS

SETS = ("none", "random", "glued")
ASKED = ("permutation", "replacement", "shap")
LETTER = ("###..", "#..#.", "#..#.", "###..", "#.#..", "#..#.", "#..#.")  # an R, as on many films
GREY = 240  # of the letter
DRAWS = 1000
COLUMNS = [
    "set", "method", "features", "model", "family", "auc", "lo", "hi", "regions", "marked",
    "rank", "share", "area", "severity", "finding",
]  # fmt: skip
Box = tuple[int, int, int, int]


def letter_box(side: int) -> Box:
    """Edges of the planted letter in pixels: top, bottom, left, right.

    Examples
    --------
    >>> letter_box(128)
    (4, 18, 4, 14)
    """
    scale = side // 64
    return 2 * scale, (2 + len(LETTER)) * scale, 2 * scale, (2 + len(LETTER[0])) * scale


def plant(dataset: Dataset, how: str) -> Dataset:
    """Burn a bright letter into the upper left corner of some images.

    Parameters
    ----------
    dataset : Dataset
        Phantoms of at least 64 pixels a side.
    how : {"none", "random", "glued"}
        In no image; in all images of every second patient of each class and split, in random
        order, so that it tells nothing; in all pneumonias and no other image.

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
    """Tell for each region whether any of its pixels may belong to the letter."""
    top, bottom, left, right = letter_box(side)
    box = boxes[BOX]
    down = (box["top"] < bottom) & (box["bottom"] > top)
    return (down & (box["left"] < right) & (box["right"] > left)).to_numpy()


def stand_out(worth: Floats, marked: NDArray[np.bool_]) -> tuple[int, float]:
    """Rank of the best marked region, equal ones before it, and share of positive importance.

    Parameters
    ----------
    worth : ndarray of shape (G,)
        Of the regions of one family.
    marked : ndarray of shape (G,), bool

    Returns
    -------
    (int, float)
        1 is the first; the share is NaN where nothing is positive.

    Examples
    --------
    >>> stand_out(np.array([2.0, 2.0, -1.0]), np.array([False, True, False]))
    (2, 0.5)
    """
    positive = np.clip(worth, 0, None)
    total = positive.sum()
    share = float(positive[marked].sum() / total) if total > 0 else float("nan")
    return int((worth >= worth[marked].max()).sum()), share


def check_set(dataset: Dataset, data: Described) -> list[dict[str, object]]:
    """Ask the audit and the controls of shortcuts about one planted set."""
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


def check_cell(data: Described, features: str, model: str) -> list[dict[str, object]]:
    """Fit one cell, and see what each method says of the letter's regions."""
    cell = fit_cell(data, features, model)
    test = data.rows("test")
    known: dict[str, object] = {"features": features, "model": model}
    known |= _auc(data.manifest.iloc[test], cell.score(test))
    rows = []
    for name in ASKED:
        try:
            found = METHODS[name](cell, test)
        except NotExplainable:
            continue
        rows += [{"method": name, **known, **one} for one in _families(cell, found)]
    return rows


def _families(cell: FittedCell, found: Regional) -> Iterator[dict[str, object]]:
    """Of each family the letter's regions; values of single images count by their size."""
    worth = found.worth if found.worth.ndim == 1 else np.abs(found.worth).mean(axis=0)
    side = cell.data.images.shape[1]
    boxes = cell.boxes.loc[list(cell.groups)]
    touched = marked_regions(boxes, side)
    area = ((boxes["bottom"] - boxes["top"]) * (boxes["right"] - boxes["left"])).to_numpy()
    for family in dict.fromkeys(found.family):
        own = found.family == family
        rank, share = stand_out(worth[own], touched[own])
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
    """Plant the letter in each way, and ask every cell, method, control and the audit.

    Parameters
    ----------
    dataset : Dataset
        Phantoms.
    features, models : tuple of str
        Cells are all pairs of them.
    jobs : int
        Processes; they change no number.

    Returns
    -------
    DataFrame
        Columns ``COLUMNS``: a row a set, method, cell and family of features; ``auc`` of the test
        images with a 95 % interval over patients (of the audit: the largest of its places, over
        training patients), ``rank`` and ``share`` of the letter's regions among the family's, and
        ``area``, the share of an even map.
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
@click.option("--images", default=600, show_default=True, help="Phantoms.")
@click.option("--side", default=128, show_default=True, help="Pixels a side.")
@click.option("--jobs", default=2, show_default=True, help="Processes.")
def main(out: Path, images: int, side: int, jobs: int) -> None:
    """Plant a letter in phantoms and write whether importance, controls and audit point to it."""
    table = tabulate(generate(images, side), FEATURE_SETS_CHECKED, MODELS_CHECKED, jobs)
    table.round(4).to_csv(out, index=False, lineterminator="\n")
    click.echo(f"{len(table)} rows in {out}")


if __name__ == "__main__":
    main()
