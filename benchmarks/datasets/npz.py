"""Arrays as in MedMNIST: train_images, train_labels, val_…, test_… in one .npz file."""

from __future__ import annotations

import hashlib
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.config import RunConfig
from benchmarks.datasets.dataset import CLASSES, UNKNOWN, DataError, Dataset, Source
from benchmarks.datasets.kermany import MEDMNIST, is_pneumoniamnist
from benchmarks.datasets.names.class_names import binary_classes, check_class_names
from benchmarks.datasets.splits import ALL, before_drawing
from benchmarks.io.columns import MANIFEST_COLUMNS
from benchmarks.io.provenance import memory_bytes
from benchmarks.io.workers import stop_if_memory_runs_out
from features.reading.preprocess import resize

EXPECTED = "a MedMNIST .npz file"
OPTIONS = ("label", "positive", "negative", "class_names", "test_fraction")
UNKNOWN_MEMORY = 2**33  # bytes that are assumed if the size of the memory is unknown
SPLITS = {"train": "train", "val": "validation", "test": "test"}
_NO_PATIENTS = (
    "The file does not identify patients: each image counts as its own patient, so "
    "validation may share patients with train and intervals may be too narrow."
)


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


@dataclass(frozen=True)
class _Labels:
    """Labels of the images, and what they mean."""

    of: Mapping[str, NDArray[np.integer]]  # by part of the file
    classes: tuple[str, ...]
    source: Source
    notes: tuple[str, ...]


def load(config: RunConfig, size: int) -> Dataset:
    """Read an ``.npz`` file of images and labels.

    Two labels are 0 and 1; which of them is positive, the user has to say, unless the file is
    PneumoniaMNIST. One-hot labels are read as such, and of several labels an image, one is used.

    Parameters
    ----------
    config : RunConfig
        ``data`` is the file; ``positive``, ``negative``, ``class_names``, ``label`` (number of a
        column of labels) and ``test_fraction`` apply. Labels of more than two classes need the
        ``task`` ``subtype``.
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
    return read_npz(Path(config.data), size, config)


def read_npz(path: Path, size: int, config: RunConfig, pneumoniamnist: bool = False) -> Dataset:
    """Read one ``.npz`` file; see :func:`load`.

    Parameters
    ----------
    path : Path
    size : int
        Side to which images are resized, in pixels.
    config : RunConfig
        As for :func:`load`, but for ``data``.
    pneumoniamnist : bool
        Whether the file is known to be PneumoniaMNIST, however many images it has.

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
        return _read(path, size, config, pneumoniamnist)


def _read(path: Path, size: int, config: RunConfig, pneumoniamnist: bool) -> Dataset:
    try:
        _check_sizes(path)
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            present = [name for name in SPLITS if f"{name}_images" in arrays.files]
            _check_parts(path, present, config.test_fraction)
            raw = {name: arrays[f"{name}_labels"] for name in present}
            labels = _labels(path, raw, config, pneumoniamnist)
            parts = [_read_split(path, arrays, name, size, labels) for name in present]
    except (DataError, MemoryError):
        raise
    except Exception as error:  # a damaged archive raises whatever its decompressor does
        raise DataError(f"{path}: expected a readable .npz file, got: {error}") from error
    manifest = pd.concat([table for _, table in parts], ignore_index=True)
    images = np.concatenate([pixels for pixels, _ in parts])
    order = manifest["image"].argsort(kind="stable")
    manifest = manifest.iloc[order].reset_index(drop=True)[MANIFEST_COLUMNS]
    manifest, to_draw = before_drawing(manifest, config.test_fraction)
    source = labels.source
    return Dataset(
        name=path.stem,
        images=images[order],
        manifest=manifest,
        licence=source.licence,
        citation=source.citation,
        classes=labels.classes,
        notes=(*labels.notes, _NO_PATIENTS),
        patients_known=False,
        limitations=source.limitations,
        facts=source.facts,
        test_fraction=to_draw,
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


def _check_parts(path: Path, present: Sequence[str], fraction: float | None) -> None:
    if fraction == ALL and present:  # an external test set needs no train
        return
    if "train" not in present or ("test" not in present and fraction is None):
        raise DataError(
            f"{path}: found the image arrays {', '.join(present) or 'none'}, but expected "
            "train_images and test_images with their labels. Give another file, or draw a test "
            "split from train with --test-fraction 0.2."
        )


def _labels(
    path: Path, raw: Mapping[str, NDArray[np.generic]], config: RunConfig, pneumoniamnist: bool
) -> _Labels:
    """Find the class of each image, and the names of the classes."""
    config = _label_by_number(path, raw, config)
    column = config.label[0] if config.label else None
    labels, notes = _one_each(path, raw, column)
    parts = labels.values() if config.test_fraction == ALL else [labels["train"]]
    found = np.unique(np.concatenate(list(parts)))
    if len(found) > 2:
        return _Labels(labels, _many_classes(path, found, config), UNKNOWN, tuple(notes))
    known = pneumoniamnist or (column is None and _is_pneumoniamnist(labels))
    classes, positive = _two_classes(path, config, known, column)
    if positive == 0:
        labels = {name: _exchanged(own) for name, own in labels.items()}
        notes.append(f"Label 0 of the file is the positive class, {classes[1]}.")
    return _Labels(labels, classes, MEDMNIST if known else UNKNOWN, tuple(notes))


def _label_by_number(
    path: Path, raw: Mapping[str, NDArray[np.generic]], config: RunConfig
) -> RunConfig:
    """Replace the name of a label, one of ``class_names``, by its number."""
    names, label = config.class_names, config.label[0] if config.label else ""
    width = max(own.shape[1] if own.ndim == 2 else 1 for own in raw.values())
    if label not in names and not (label.isdecimal() and len(names) == width > 2):
        return config
    if len(names) != width:
        raise DataError(
            f"{path}: --class-names: got {len(names)} names and --label {label}, but expected "
            f"{width} names, one for each label of an image."
        )
    if config.positive or config.negative:
        raise DataError(
            f"{path}: got --positive or --negative with the names of {width} labels, of which each "
            "is positive where it is 1. Leave them out."
        )
    number = names.index(label) if label in names else int(label)
    name = names[number] if number < width else label
    return config.model_copy(update={"label": (str(number),), "class_names": (f"no {name}", name)})


def _one_each(
    path: Path, raw: Mapping[str, NDArray[np.generic]], column: str | None
) -> tuple[dict[str, NDArray[np.integer]], list[str]]:
    """Make one label an image of one-hot labels, or of one of several columns of labels."""
    widths = {own.shape[1] if own.ndim == 2 else 1 for own in raw.values()}
    width = widths.pop()
    if widths or width < 2:
        if column is not None:
            raise DataError(
                f"{path}: --label: got {column}, but the file has one label an image. Leave "
                "--label out."
            )
        return {name: np.asarray(own).reshape(-1) for name, own in raw.items()}, []
    flags = all(np.isin(own, (0, 1)).all() for own in raw.values())
    one_hot = flags and all((own.sum(axis=1) == 1).all() for own in raw.values())
    if column is None and one_hot:
        note = f"The labels are one-hot: of {width} columns, that with 1 is the class, from 0."
        return {name: own.argmax(axis=1) for name, own in raw.items()}, [note]
    if not flags or column is None or column not in map(str, range(width)):
        part = next(iter(raw))  # train, if there is one
        raise DataError(
            f"{path}: {part}_labels is {raw[part].shape}: {width} labels an image"
            f"{'' if flags else ' with other values than 0 and 1'}. Got "
            f"{'no --label' if column is None else f'--label {column}'}, but expected the "
            f"number of one column, from --label 0 to --label {width - 1}."
        )
    note = f"Of {width} labels an image, number {column} (from 0) is used."
    return {name: own[:, int(column)].astype(int) for name, own in raw.items()}, [note]


def _many_classes(path: Path, found: NDArray[np.integer], config: RunConfig) -> tuple[str, ...]:
    """Names of more than two classes: the labels, or as given."""
    if config.task != "subtype" or not np.array_equal(found, np.arange(len(found))):
        where = "the file" if config.test_fraction == ALL else "train_labels"
        raise DataError(
            f"{path}: {where} holds {len(found)} labels {found[:8].tolist()}, but expected "
            "0 and 1, or with --task subtype consecutive integers from 0. For a run of more than "
            "two classes use --task subtype."
        )
    if config.positive or config.negative:
        raise DataError(
            f"{path}: got --positive or --negative, but --task subtype has {len(found)} classes. "
            "Leave them out."
        )
    names = config.class_names or tuple(str(label) for label in range(len(found)))
    if len(names) != len(found):
        raise DataError(
            f"{path}: --class-names: got {len(names)} names, but expected {len(found)}, one for "
            "each label from 0."
        )
    check_class_names(names, str(path))
    return names


def _two_classes(
    path: Path, config: RunConfig, known: bool, column: str | None
) -> tuple[tuple[str, str], int]:
    """Names of the negative and the positive class, and the label that is positive."""
    given, positive = config.class_names, 1
    if config.positive or config.negative:
        _, values = binary_classes(["0", "1"], config.positive, config.negative, f"{path}: labels")
        positive = next(int(name) for name, value in values.items() if value == 1)
    elif not (known or given or column is not None):
        raise DataError(
            f"{path}: found the labels 0 and 1, which do not tell which class is positive. Give "
            "--positive 1 or --positive 0, or, where 1 is positive, the names of the classes: "
            "--class-names NEGATIVE,POSITIVE."
        )
    if given and len(given) != 2:
        raise DataError(
            f"{path}: --class-names: got {len(given)} names, but expected two, of the negative and "
            "of the positive class."
        )
    own = (f"without label {column}", f"with label {column}") if column else ("label 0", "label 1")
    names = CLASSES if known else own
    return (given[0], given[1]) if given else (names[1 - positive], names[positive]), positive


def _is_pneumoniamnist(labels: Mapping[str, NDArray[np.integer]]) -> bool:
    parts = [
        pd.DataFrame({"split": SPLITS[name], "class": np.where(own == 1, *CLASSES[::-1])})
        for name, own in labels.items() if np.isin(own, (0, 1)).all()
    ]  # fmt: skip
    return len(parts) == len(labels) and is_pneumoniamnist(pd.concat(parts))


def _exchanged(labels: NDArray[np.integer]) -> NDArray[np.integer]:
    """Exchange 0 and 1; other values, which are refused later, stay."""
    return np.where(np.isin(labels, (0, 1)), 1 - labels, labels)


def _read_split(
    path: Path, arrays: np.lib.npyio.NpzFile, name: str, size: int, known: _Labels
) -> tuple[NDArray[np.uint8], pd.DataFrame]:
    images, labels, classes = arrays[f"{name}_images"], known.of[name], known.classes
    shape = f"{images.shape} {images.dtype}"
    grey, colour = images.ndim == 3, images.ndim == 4 and images.shape[-1] == 3
    if images.dtype != np.uint8 or not (grey or colour) or min(images.shape[1:3]) < 16:
        raise DataError(
            f"{path}: {name}_images is {shape}, but expected (n, height, width) or "
            "(n, height, width, 3) uint8 of at least 16 × 16 pixels."
        )
    binary = "0 or 1"
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
