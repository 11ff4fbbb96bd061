"""Exploratory data analysis: histograms, mean images, samples, misclassified images."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.datasets.dataset import DataError, Dataset
from benchmarks.io.image_stack import ImageStack
from benchmarks.io.results import write_table
from benchmarks.io.run_files import IMAGES, subfolder, write_bytes

DIFFERENCE_SCALE = 50.0
HARDEST_COLUMNS = ["image", "label", "group", "subtype", "wrong", "cells", "mean_score"]
SAMPLES = 6
SPLITS = ("train", "validation", "test")
THUMBNAIL = 160
_IN_FILE_NAME = re.compile(r"[\w -]{1,40}")
_KEY = 60  # characters
_BLUE = np.array([0, 114, 178], dtype=np.float64)
_VERMILION = np.array([213, 94, 0], dtype=np.float64)


def explore(dataset: Dataset, split: pd.Series, folder: Path) -> None:
    """Write the tables and images of exploratory data analysis.

    ``intensity.csv`` holds the histogram of pixel values of each split and class; ``images/``
    holds the mean training image of each class, the difference of two classes, and samples.

    Parameters
    ----------
    dataset : Dataset
        Images and manifest of ``n`` rows.
    split : Series of n strings
        ``train``, ``validation`` or ``test`` for each manifest row, in its order.
    folder : Path
        The run folder; it exists.

    Raises
    ------
    ValueError
        If ``split`` has another length than the manifest.

    Notes
    -----
    Means and samples come from the training split only. Samples are seeded: a fixed number of
    patients per class, one image each. Files have the same bytes every time.
    """
    names = np.asarray(split, dtype=object)
    if len(names) != len(dataset.manifest):
        raise ValueError(
            f"Got {len(names)} splits, but expected one for each of the "
            f"{len(dataset.manifest)} manifest rows."
        )
    write_table(folder, "intensity", intensity_histograms(dataset, names))
    images = subfolder(folder, IMAGES)
    means = _means(dataset.images, dataset.manifest["class"], names == "train", dataset.classes)
    for name, mean in means.items():
        _write_grey(images / mean_name(name), mean)
    if len(means) == len(dataset.classes) == 2:
        negative, positive = (means[name] for name in dataset.classes)
        _write_png(images / "difference.png", _diverging(positive - negative))
    for kind, rows in _samples(dataset.manifest, names == "train").items():
        for k, row in enumerate(rows):
            _write_png(images / f"sample_{kind}_{k}.png", thumbnail(dataset.images[row]))


def explore_prepared(
    images: ImageStack, manifest: pd.DataFrame, classes: tuple[str, ...], folder: Path
) -> None:
    """Write the mean training image of each class as the models receive it.

    Parameters
    ----------
    images : ImageStack of n images
        After preprocessing.
    manifest : DataFrame of n rows
        With the columns ``class`` and ``split``.
    classes : tuple of str
    folder : Path
        The run folder; it exists.
    """
    train = (manifest["split"] == "train").to_numpy()
    for name, mean in _means(images, manifest["class"], train, classes).items():
        _write_grey(subfolder(folder, IMAGES) / mean_name(name, prepared=True), mean)


def intensity_histograms(dataset: Dataset, split: NDArray[np.object_]) -> pd.DataFrame:
    """Compute the fraction of pixels at each grey value, by split and class.

    Parameters
    ----------
    dataset : Dataset
    split : ndarray of n strings

    Returns
    -------
    DataFrame
        ``split``, ``class``, ``value`` (0 to 255), ``fraction`` (sums to 1 in each split and
        class); a split or class without images has no rows.
    """
    parts = []
    for part, rows in _by_split_and_class(dataset, split):
        counts = np.zeros(256, dtype=np.int64)
        for chunk in _chunks(rows):
            counts += np.bincount(dataset.images[chunk].ravel(), minlength=256)
        parts.append(part | {"value": np.arange(256), "fraction": counts / counts.sum()})
    columns = ["split", "class", "value", "fraction"]
    if not parts:
        return pd.DataFrame(columns=columns)
    return pd.concat([pd.DataFrame(part)[columns] for part in parts], ignore_index=True)


def hardest(predictions: pd.DataFrame, scores: pd.DataFrame, k: int) -> pd.DataFrame:
    """Find the test images that most cells misclassify at the threshold for a recall of 0.95.

    Parameters
    ----------
    predictions, scores : DataFrame
        Tables of a run folder.
    k : int
        Largest number of images per class.

    Returns
    -------
    DataFrame
        ``image``, ``label``, ``group``, ``subtype``, ``wrong`` (number of cells that
        misclassify it), ``cells`` (number of cells), ``mean_score`` (mean
        score). Only images that more than half of the cells misclassify; label 0 first, then label
        1, each sorted from most to least often misclassified.

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "cell": ["a", "b"], "split": "test", "image": "x.png", "label": 0, "group": "p1",
    ...     "subtype": "", "score": [0.9, 0.8]})
    >>> points = pd.DataFrame({
    ...     "cell": ["a", "b"], "split": "test", "operating_point": "recall95",
    ...     "status": "ok", "threshold": [0.5, 0.8]})
    >>> hardest(table, points, 3)[["image", "wrong", "cells"]].values.tolist()
    [['x.png', 2, 2]]
    """
    chosen = (
        (scores["split"] == "test")
        & (scores["operating_point"] == "recall95")
        & (scores["status"] == "ok")
    )
    thresholds = scores[chosen].set_index("cell")["threshold"].dropna()
    test = predictions[
        (predictions["split"] == "test") & predictions["cell"].isin(thresholds.index)
    ]
    if test.empty:
        return pd.DataFrame(columns=HARDEST_COLUMNS)
    predicted = test["score"].to_numpy() >= test["cell"].map(thresholds).to_numpy()
    judged = test.assign(wrong=predicted != (test["label"].to_numpy() == 1))
    table = judged.groupby(["image", "label", "group", "subtype"], sort=True, as_index=False).agg(
        wrong=("wrong", "sum"), cells=("wrong", "size"), mean_score=("score", "mean")
    )
    table = table[table["wrong"] * 2 > table["cells"]]
    table = table.assign(
        _share=table["wrong"] / table["cells"], _miss=(table["mean_score"] - table["label"]).abs()
    )
    order = ["label", "_share", "_miss", "image"]
    table = table.sort_values(order, ascending=[True, False, False, True])
    worst = table.groupby("label", sort=True).head(k)
    return worst[HARDEST_COLUMNS].reset_index(drop=True)


def save_thumbnails(dataset: Dataset, images: list[str], folder: Path) -> None:
    """Write thumbnails of images into the folder ``images/`` of the run folder.

    Parameters
    ----------
    dataset : Dataset
    images : list of str
        Identifiers as in the manifest.
    folder : Path
        The run folder; it exists.

    Raises
    ------
    DataError
        If an identifier is not in the manifest.
    """
    target = subfolder(folder, IMAGES)
    rows = {name: row for row, name in enumerate(dataset.manifest["image"])}
    for name in images:
        if name not in rows:
            raise DataError(
                f"Got the image {name!r}, but expected one of the {len(rows)} images of "
                f"{dataset.name}. Take identifiers from the manifest of the same data."
            )
        _write_png(target / thumbnail_name(name), thumbnail(dataset.images[rows[name]]))


def thumbnail_name(image: str) -> str:
    """Make a file name for an image's thumbnail that is safe for any identifier.

    Parameters
    ----------
    image : str
        Identifier as in the manifest.

    Returns
    -------
    str

    Examples
    --------
    >>> thumbnail_name("test/NORMAL/IM-0001-0001.jpeg")
    'image_7b2ca9cc2bfb7572.png'
    """
    digest = hashlib.sha256(image.encode("utf-8", errors="surrogatepass")).hexdigest()
    return f"image_{digest[:16]}.png"


def mean_name(name: str, prepared: bool = False) -> str:
    """Make a file name for the mean training image of a class.

    Parameters
    ----------
    name : str
        Of the class.
    prepared : bool
        Whether the images are as the models receive them, not as they are read.

    Returns
    -------
    str

    Examples
    --------
    >>> mean_name("Viral Pneumonia"), mean_name("Mass|Nodule")
    ('mean_Viral Pneumonia.png', 'mean_class_08accc04.png')
    """
    start = "prepared_mean" if prepared else "mean"
    if _IN_FILE_NAME.fullmatch(name):
        return f"{start}_{name}.png"
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()
    return f"{start}_class_{digest[:8]}.png"


def sample_key(name: str) -> str:
    """Make the part of the file names of samples that stands for a class or subtype.

    Parameters
    ----------
    name : str

    Returns
    -------
    str

    Examples
    --------
    >>> sample_key("Viral Pneumonia")
    'Viral-Pneumonia'
    """
    return "".join(c if c.isalnum() and c.isascii() else "-" for c in name)[:_KEY]


def thumbnail(image: NDArray[Any]) -> NDArray[Any]:
    """Shrink a grey image to at most 160 pixels per side; a smaller image is unchanged.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8 or float64

    Returns
    -------
    ndarray of shape (h, w), same dtype
        ``max(h, w) <= 160``, with the proportions of the original.
    """
    import cv2

    height, width = image.shape
    factor = THUMBNAIL / max(height, width)
    if factor >= 1:
        return image
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def _means(
    images: NDArray[np.uint8] | ImageStack,
    class_of: pd.Series,
    train: NDArray[np.bool_],
    classes: tuple[str, ...],
) -> dict[str, NDArray[np.float64]]:
    """Mean training image of each class that has any."""
    rows = {name: np.flatnonzero(train & (class_of == name).to_numpy()) for name in classes}
    return {name: _mean(images, own) for name, own in rows.items() if len(own)}


def _write_grey(path: Path, image: NDArray[np.float64]) -> None:
    _write_png(path, thumbnail(np.rint(image).astype(np.uint8)))


def _diverging(difference: NDArray[np.float64]) -> NDArray[np.uint8]:
    # White: no difference. Full colour: DIFFERENCE_SCALE grey levels or more.
    share = np.clip(thumbnail(difference) / DIFFERENCE_SCALE, -1, 1)[..., None]
    pole = np.where(share > 0, _VERMILION, _BLUE)
    return np.rint(255 - np.abs(share) * (255 - pole)).astype(np.uint8)


def _samples(manifest: pd.DataFrame, train: NDArray[np.bool_]) -> dict[str, list[int]]:
    kind = manifest["class"].where(manifest["subtype"] == "", manifest["subtype"]).to_numpy()
    groups = manifest["group"].to_numpy()
    generator = np.random.default_rng(0)
    chosen = {}
    for name in sorted(set(kind[train])):
        rows = np.flatnonzero(train & (kind == name))
        _, first = np.unique(groups[rows].astype(str), return_index=True)
        patients = rows[first]
        picked = generator.choice(patients, size=min(SAMPLES, len(patients)), replace=False)
        chosen[sample_key(name)] = picked.tolist()
    return chosen


def _by_split_and_class(
    dataset: Dataset, split: NDArray[np.object_]
) -> Iterator[tuple[dict[str, object], NDArray[np.intp]]]:
    for part in SPLITS:
        for name in dataset.classes:
            rows = np.flatnonzero((split == part) & (dataset.manifest["class"] == name).to_numpy())
            if len(rows):
                yield {"split": part, "class": name}, rows


def _mean(images: NDArray[np.uint8] | ImageStack, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    total = np.zeros(images.shape[1:], dtype=np.float64)
    for chunk in _chunks(rows):
        total += images[chunk].sum(axis=0, dtype=np.float64)
    return total / len(rows)


def _chunks(rows: NDArray[np.intp], size: int = 64) -> Iterator[NDArray[np.intp]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _write_png(path: Path, image: NDArray[np.uint8]) -> None:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    write_bytes(path, buffer.getvalue())
