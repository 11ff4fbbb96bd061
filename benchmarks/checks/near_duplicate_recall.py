"""Check the recall of planted near duplicates, and the similarity of real pairs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import click
import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import datasets
from benchmarks.audit.near_duplicates import (
    MAX_DISTANCE,
    candidate_pairs,
    detail_correlation,
    near_duplicates,
    perceptual_hash,
)
from benchmarks.config import RunConfig
from benchmarks.io.tables import write_csv

Grey = NDArray[np.uint8]
COLUMNS = [
    "pairs", "n", "hash", "found", "recall", "false", "precision",
    "correlation_lowest", "correlation_median", "correlation_highest",
]  # fmt: skip


def jpeg(image: Grey, quality: int) -> Grey:
    """Compress as JPEG and decode.

    Parameters
    ----------
    image : ndarray of shape (S, S), uint8
    quality : int

    Returns
    -------
    ndarray of shape (S, S), uint8
    """
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def light(image: Grey, contrast: float, brightness: float) -> Grey:
    """Change contrast and brightness, with clipping to [0, 255].

    Parameters
    ----------
    image : ndarray of shape (S, S), uint8
    contrast, brightness : float
        Factor around grey value 128, and shift.

    Returns
    -------
    ndarray of shape (S, S), uint8
    """
    return np.clip(contrast * (image.astype(float) - 128) + 128 + brightness, 0, 255).astype(
        np.uint8
    )


def gamma(image: Grey, exponent: float) -> Grey:
    """Apply a gamma curve.

    Parameters
    ----------
    image : ndarray of shape (S, S), uint8
    exponent : float

    Returns
    -------
    ndarray of shape (S, S), uint8
    """
    return np.rint(255 * (image / 255) ** exponent).astype(np.uint8)


def resized(image: Grey, fraction: float) -> Grey:
    """Shrink and enlarge.

    Parameters
    ----------
    image : ndarray of shape (S, S), uint8
    fraction : float

    Returns
    -------
    ndarray of shape (S, S), uint8
    """
    side = len(image)
    return _to(cv2.resize(image, None, fx=fraction, fy=fraction, interpolation=cv2.INTER_AREA),
               side)  # fmt: skip


def crop(image: Grey, fraction: float, corner: bool = False) -> Grey:
    """Crop a fraction of the side at every border, or at two of them, and enlarge.

    Parameters
    ----------
    image : ndarray of shape (S, S), uint8
    fraction : float
    corner : bool
        Whether to crop the upper and left borders only.

    Returns
    -------
    ndarray of shape (S, S), uint8
    """
    side = len(image)
    cut = round(fraction * side)
    return _to(image[cut:, cut:] if corner else image[cut : side - cut, cut : side - cut], side)


def turn(image: Grey, degrees: float) -> Grey:
    """Rotate about the centre; the corners become black.

    Parameters
    ----------
    image : ndarray of shape (S, S), uint8
    degrees : float

    Returns
    -------
    ndarray of shape (S, S), uint8
    """
    side = len(image)
    matrix = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), degrees, 1)
    return np.asarray(cv2.warpAffine(image, matrix, (side, side)), np.uint8)


def local_contrast(image: Grey) -> Grey:
    """Equalise the histogram of each tile (CLAHE).

    Parameters
    ----------
    image : ndarray of shape (S, S), uint8

    Returns
    -------
    ndarray of shape (S, S), uint8
    """
    return np.asarray(cv2.createCLAHE(2.0, (8, 8)).apply(image), np.uint8)


PLANTS: dict[str, Callable[[Grey], Grey]] = {
    "JPEG, quality 50": lambda image: jpeg(image, 50),
    "JPEG, quality 20": lambda image: jpeg(image, 20),
    "resized to half and back": lambda image: resized(image, 0.5),
    "brighter by 30": lambda image: light(image, 1, 30),
    "darker by 30": lambda image: light(image, 1, -30),
    "contrast × 1.3": lambda image: light(image, 1.3, 0),
    "gamma 0.7": lambda image: gamma(image, 0.7),
    "1 % off each border": lambda image: crop(image, 0.01),
    "2 % off each border": lambda image: crop(image, 0.02),
    "2 % off two borders": lambda image: crop(image, 0.02, corner=True),
    "turned by 1°": lambda image: turn(image, 1),
    "turned by 2°": lambda image: turn(image, 2),
    "beyond what is promised: local contrast": local_contrast,
    "beyond what is promised: 4 % off each border": lambda image: crop(image, 0.04),
    "beyond what is promised: turned by 4°": lambda image: turn(image, 4),
}


def planted(images: Grey, name: str, rows: NDArray[np.intp]) -> dict[str, object]:
    """Add modified copies of some images and search for near duplicates.

    Parameters
    ----------
    images : ndarray of shape (n, S, S), uint8
        Without duplicates.
    name : str
        Key of ``PLANTS``.
    rows : ndarray of shape (k,), int
        Positions of the images that are copied.

    Returns
    -------
    dict
        ``n`` (planted pairs), ``hash`` (those that the hash proposes), ``found``, ``recall``,
        ``false`` (pairs found that were not planted), ``precision``, and detail correlations.
    """
    copies = np.stack([PLANTS[name](image) for image in images[rows]])
    table = near_duplicates(np.concatenate([images, copies]))
    pairs = set(zip(table["first"], table["second"], strict=True))
    true = {(int(row), len(images) + k) for k, row in enumerate(rows)}
    distance = np.bitwise_count(perceptual_hash(copies) ^ perceptual_hash(images[rows]))
    found = len(pairs & true)
    return {
        "pairs": f"planted: {name}", "n": len(rows), "hash": int((distance <= MAX_DISTANCE).sum()),
        "found": found, "recall": found / len(rows), "false": len(pairs - true),
        "precision": found / len(pairs) if pairs else np.nan,
        **_correlations([(images[row], copy) for row, copy in zip(rows, copies, strict=True)]),
    }  # fmt: skip


def real(images: Grey, group: NDArray[np.object_]) -> list[dict[str, object]]:
    """Compare real pairs: all of one patient, and those of two patients that the hash proposes.

    Parameters
    ----------
    images : ndarray of shape (n, S, S), uint8
        Without duplicates.
    group : ndarray of n str
        Patient of each image.

    Returns
    -------
    list of dict
        Rows of :func:`tabulate`.
    """
    table = near_duplicates(images)
    one = (group[table["first"]] == group[table["second"]]).sum()
    own = [
        pair
        for rows in pd.Series(group).groupby(group).indices.values()
        for pair in combinations(sorted(rows), 2)
    ]
    hashes = perceptual_hash(images)
    proposed = np.concatenate(list(candidate_pairs(hashes)))
    same = group[proposed[:, 0]] == group[proposed[:, 1]]
    others = proposed[~same]
    drawn = others[np.random.default_rng(0).permutation(len(others))[:5000]]
    n = len(images) * (len(images) - 1) // 2
    return [
        {"pairs": "real: one patient", "n": len(own), "hash": int(same.sum()), "found": int(one),
         **_correlations([(images[i], images[j]) for i, j in own])},
        {"pairs": "real: two patients (correlation: of 5,000 that the hash proposes)",
         "n": n - len(own), "hash": len(others), "found": len(table) - int(one),
         **_correlations([(images[i], images[j]) for i, j in drawn.tolist()])},
    ]  # fmt: skip


def tabulate(images: Grey, group: NDArray[np.object_], k: int) -> pd.DataFrame:
    """Compute the rows of both checks.

    Parameters
    ----------
    images : ndarray of shape (n, S, S), uint8
    group : ndarray of n str
        Patient of each image.
    k : int
        Copies of each kind.

    Returns
    -------
    DataFrame
        With the columns ``COLUMNS``.
    """
    rows = np.sort(np.random.default_rng(0).permutation(len(images))[:k])
    lines = [planted(images, name, rows) for name in PLANTS]
    table = pd.DataFrame([*lines, *real(images, group)], columns=COLUMNS)
    return table.astype({"false": "Int64"})


def _to(image: NDArray[np.integer], side: int) -> Grey:
    enlarged = cv2.resize(np.asarray(image), (side, side), interpolation=cv2.INTER_CUBIC)
    return np.asarray(enlarged, np.uint8)


def _correlations(pairs: list[tuple[Grey, Grey]]) -> dict[str, float]:
    values = [detail_correlation(first, second) for first, second in pairs] or [np.nan]
    low, middle, high = np.quantile(values, [0, 0.5, 1])
    return {"correlation_lowest": low, "correlation_median": middle, "correlation_highest": high}


@click.command()
@click.option("--data", required=True, help="As for a run. The training images are used.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="CSV file.")
@click.option("--copies", default=500, show_default=True, help="Planted pairs of each kind.")
def _main(data: str, out: Path, copies: int) -> None:
    """Write the recall of near duplicates that are planted among the training images."""
    config = RunConfig(data=data)
    dataset = datasets.load(config, datasets.image_size(config))
    manifest = dataset.manifest
    chosen = (manifest["split"] == "train") & ~manifest.duplicated("sha256")
    group = manifest.loc[chosen, "group"].to_numpy(dtype=object)
    table = tabulate(dataset.images[np.flatnonzero(chosen)], group, copies)
    write_csv(out, table.round(4))
    click.echo(table.to_markdown(index=False, floatfmt=".3f"))


if __name__ == "__main__":
    _main()
