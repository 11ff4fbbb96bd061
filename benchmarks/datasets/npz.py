"""MedMNIST file: train_images, train_labels, val_…, test_… in one .npz, of any image size."""

from __future__ import annotations

import hashlib
import math
import zipfile
from pathlib import Path
from typing import IO

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.config import RunConfig
from benchmarks.datasets.dataset import CLASSES, UNKNOWN, DataError, Dataset
from benchmarks.datasets.kermany import MEDMNIST, is_pneumoniamnist
from benchmarks.io.columns import MANIFEST_COLUMNS
from benchmarks.io.provenance import memory_bytes
from benchmarks.io.workers import stop_if_memory_runs_out
from features.reading.preprocess import resize

EXPECTED = "a MedMNIST .npz file"
UNKNOWN_MEMORY = 2**33  # bytes that are assumed if the size of the memory is unknown
SPLITS = {"train": "train", "val": "validation", "test": "test"}


def reads(path: Path) -> bool:
    """Whether the path is an ``.npz`` file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    bool
    """
    return path.is_file() and path.suffix == ".npz"


def load(config: RunConfig, size: int) -> Dataset:
    """Read an ``.npz`` file of images and labels: 0 = NORMAL, 1 = PNEUMONIA, or more than two.

    Parameters
    ----------
    config : RunConfig
        ``data`` is the file; labels of more than two classes need the ``task`` ``subtype``.
    size : int
        Side to which images are resized, in pixels; smaller ones are enlarged.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If the file or one of its arrays is missing, damaged, or of another form.
    """
    return read_npz(Path(config.data), size, config.task)


def read_npz(path: Path, size: int, task: str = "pneumonia") -> Dataset:
    """Read one ``.npz`` file; see :func:`load`.

    Parameters
    ----------
    path : Path
    size : int
        Side to which images are resized, in pixels.
    task : {"pneumonia", "subtype"}
        Labels of more than two classes need ``subtype``.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        As :func:`load`; arrays of objects (pickles) and more than 4 GiB are rejected.
    OutOfMemory
        If memory runs out.
    """
    with stop_if_memory_runs_out(f"reading {path}"):
        return _read(path, size, task)


def _read(path: Path, size: int, task: str) -> Dataset:
    try:
        _check_sizes(path)
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            present = [name for name in SPLITS if f"{name}_images" in arrays.files]
            classes = _classes(path, arrays, task)
            parts = [_read_split(path, arrays, name, size, classes) for name in present]
    except (DataError, MemoryError):
        raise
    except Exception as error:  # a damaged archive raises whatever its decompressor does
        raise DataError(f"{path}: expected a readable .npz file, got: {error}") from error
    if "train" not in present or "test" not in present:
        raise DataError(
            f"{path}: found the image arrays {', '.join(present) or 'none'}, but expected "
            "train_images and test_images with their labels. Give another file."
        )
    manifest = pd.concat([table for _, table in parts], ignore_index=True)
    images = np.concatenate([pixels for pixels, _ in parts])
    source = MEDMNIST if is_pneumoniamnist(manifest) else UNKNOWN
    order = manifest["image"].argsort(kind="stable")
    return Dataset(
        name=path.stem,
        images=images[order],
        manifest=manifest.iloc[order].reset_index(drop=True)[MANIFEST_COLUMNS],
        licence=source.licence,
        citation=source.citation,
        classes=classes,
        notes=(
            "The file does not identify patients: each image counts as its own patient, so "
            "validation may share patients with train and intervals may be too narrow.",
        ),
        patients_known=False,
        limitations=source.limitations,
        facts=source.facts,
    )


def _check_sizes(path: Path) -> None:
    """Check that the file is an archive whose arrays fit in memory, by their headers alone."""
    if not zipfile.is_zipfile(path):
        raise DataError(
            f"{path}: found {_kind(path)}, which is not an .npz file, but expected an archive of "
            "NumPy arrays: train_images, train_labels, test_images, … Give a MedMNIST file, or "
            "write the arrays with numpy.savez_compressed."
        )
    read_by_us = {f"{split}_{part}.npy" for split in SPLITS for part in ("images", "labels")}
    total = 0
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.filename in read_by_us:
                with archive.open(entry) as file:
                    total += _check_header(path, entry, file)
    most = (memory_bytes() or UNKNOWN_MEMORY) // 2
    if total > most:
        raise DataError(
            f"{path}: found arrays of {total / 2**30:.1f} GiB, but expected at most "
            f"{most / 2**30:.1f} GiB, half of this machine's memory. Give a file of smaller images "
            "(MedMNIST has 28, 64, 128 and 224 pixels), or a folder of image files, which is read "
            "one image at a time."
        )


def _check_header(path: Path, entry: zipfile.ZipInfo, file: IO[bytes]) -> int:
    """Compare an array's header with its size in the archive; return the size of the array."""
    form = np.lib.format
    version = form.read_magic(file)
    shape, _, dtype = (form.read_array_header_1_0 if version == (1, 0)
                       else form.read_array_header_2_0)(file)  # fmt: skip
    name = f"{path}: {entry.filename.removesuffix('.npy')} is {shape} {dtype}"
    if dtype.hasobject:
        raise DataError(
            f"{name}: pickled Python objects, which are never loaded, but expected numbers. Save "
            "images as uint8 and labels as integers."
        )
    needed = math.prod(shape) * dtype.itemsize
    if needed > entry.file_size:
        raise DataError(
            f"{name} of {needed:,} bytes, but the file holds only {entry.file_size:,} bytes of it. "
            "The file is damaged; copy it again from its source."
        )
    return needed


def _kind(path: Path) -> str:
    """Name the content of a file that is not a ZIP archive."""
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        return "an empty file"
    if head.startswith(b"PK"):
        return "a damaged ZIP archive"
    if head.startswith(b"\x93NUMPY"):
        return "a single NumPy array (.npy)"
    is_text = all(byte in b"\t\n\r" or byte >= 32 for byte in head)
    return "text" if is_text else f"unknown content (first bytes {head[:4].hex(' ')})"


def _classes(path: Path, arrays: np.lib.npyio.NpzFile, task: str) -> tuple[str, ...]:
    """Names of the classes: the labels if train has more than two."""
    labels = np.unique(arrays["train_labels"]) if "train_labels" in arrays.files else np.empty(0)
    if len(labels) <= 2:
        return CLASSES
    if task != "subtype" or not np.array_equal(labels, np.arange(len(labels))):
        raise DataError(
            f"{path}: train_labels holds {len(labels)} labels {labels[:8].tolist()}, but expected "
            "0 (NORMAL) and 1 (PNEUMONIA), or with --task subtype consecutive integers from 0. "
            "For a run of more than two classes use --task subtype."
        )
    return tuple(str(label) for label in range(len(labels)))


def _read_split(
    path: Path, arrays: np.lib.npyio.NpzFile, name: str, size: int, classes: tuple[str, ...]
) -> tuple[NDArray[np.uint8], pd.DataFrame]:
    images, labels = arrays[f"{name}_images"], arrays[f"{name}_labels"].reshape(-1)
    shape = f"{images.shape} {images.dtype}"
    grey, colour = images.ndim == 3, images.ndim == 4 and images.shape[-1] == 3
    if images.dtype != np.uint8 or not (grey or colour) or min(images.shape[1:3]) < 16:
        raise DataError(
            f"{path}: {name}_images is {shape}, but expected (n, height, width) or "
            "(n, height, width, 3) uint8 of at least 16 × 16 pixels."
        )
    binary = "a 0 (NORMAL) or 1 (PNEUMONIA)"
    expected = binary if len(classes) == 2 else f"one from 0 to {len(classes) - 1}"
    if len(labels) != len(images) or not np.isin(labels, range(len(classes))).all():
        raise DataError(
            f"{path}: {name}_labels holds {len(labels)} labels {np.unique(labels)[:8].tolist()} "
            f"for {len(images)} images, but expected {expected} for each."
        )
    flat = [cv2.cvtColor(i, cv2.COLOR_RGB2GRAY) for i in images] if colour else list(images)
    pixels = np.stack([resize(np.asarray(image, dtype=np.uint8), size) for image in flat])
    labels = labels.astype(int)
    table = pd.DataFrame(
        {
            "image": [f"{name}/{i:05d}" for i in range(len(images))],
            "label": labels,
            "class": np.asarray(classes, dtype=object)[labels],
            "subtype": "",
            "split": SPLITS[name],
            "sha256": [hashlib.sha256(image.tobytes()).hexdigest() for image in images],
            "width": images.shape[2],
            "height": images.shape[1],
            "frames": 1,
            "bytes": 0,
        }
    )
    return pixels, table.assign(group=table["image"])
