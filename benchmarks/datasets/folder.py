"""Folder of images: {train[,val],test}/{NORMAL,PNEUMONIA}/*, or more than two classes."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from benchmarks.config import RunConfig
from benchmarks.datasets.dataset import (
    CLASSES,
    MACRO,
    UNKNOWN,
    DataError,
    Dataset,
    by_subtype,
)
from benchmarks.datasets.image_files import read_files, shown_path
from benchmarks.datasets.kermany import KERMANY, is_kermany
from benchmarks.datasets.splits import limit
from benchmarks.io.workers import stop_if_memory_runs_out
from features.reading.images import ImageError, list_images

EXPECTED = "a folder with {train,test}/{NORMAL,PNEUMONIA}"
LIMITS_ITSELF = True  # before it decodes files
SPLITS = {"train": "train", "val": "validation", "test": "test"}

# Kaggle's names; bacteria and virus are numbered separately, so a number alone is not a patient.
_PERSON = re.compile(r"person(\d+)_(bacteria|virus)_\d+", re.IGNORECASE)
_NORMAL = re.compile(r"(NORMAL2-)?IM-(\d+)-\d+", re.IGNORECASE)
# Mendeley's names: (disease)-(patient)-(image of this patient).
_DISEASE = re.compile(r"(BACTERIA|VIRUS|NORMAL)-(\d+)-\d+", re.IGNORECASE)
_CLASS = re.compile(r"[\w -]+")


def patient_key(name: str) -> tuple[str, str] | None:
    """Read patient and subtype from a file name of the Kermany data set.

    Parameters
    ----------
    name : str
        File name, without folders.

    Returns
    -------
    (str, str) or None
        Patient (series and number) and subtype (bacteria, virus or empty); None for other names.

    Examples
    --------
    >>> patient_key("person12_virus_9.jpeg")
    ('virus/12', 'virus')
    >>> patient_key("NORMAL2-IM-0381-0001.jpeg")
    ('NORMAL2/0381', '')
    >>> patient_key("scan.png") is None
    True
    """
    if match := _PERSON.match(name):
        subtype = match[2].lower()
        return f"{subtype}/{int(match[1])}", subtype
    if match := _NORMAL.match(name):
        return f"{'NORMAL2' if match[1] else 'IM'}/{match[2]}", ""
    if match := _DISEASE.match(name):
        series = match[1].lower()
        return f"{series}/{match[2]}", "" if series == "normal" else series
    return None


def reads(path: Path) -> bool:
    """Whether the path is a folder.

    Parameters
    ----------
    path : Path

    Returns
    -------
    bool
    """
    return path.is_dir()


def load(config: RunConfig, size: int) -> Dataset:
    """Read a folder.

    Parameters
    ----------
    config : RunConfig
        ``data`` is the folder; ``task``, ``limit``, ``max_unreadable``, ``jobs`` and ``quiet``
        apply.
    size : int
        Side to which images are resized, in pixels.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If a split or class is missing, a folder is unexpected, or too many files are unreadable.
    """
    root = Path(config.data)
    try:
        classes = _classes(root, config.task)
        manifest, ignored = _scan(root, classes)
    except (OSError, ImageError) as error:
        raise DataError(f"{root}: expected a folder that can be listed, got: {error}") from error
    source = KERMANY if len(classes) == 2 and is_kermany(manifest) else UNKNOWN
    if config.task == "subtype" and len(classes) == 2:
        manifest, classes = by_subtype(manifest, classes, str(root))
    if config.limit:
        manifest = manifest.iloc[limit(manifest, config.limit)].reset_index(drop=True)
    named = manifest.pop("named")
    with stop_if_memory_runs_out(f"reading the images of {root}"):
        images, manifest, left_out = read_files(root, manifest, size, config)
    notes = _contradictions(manifest)
    if not named.all():
        notes.append(
            f"{(~named).sum()} of {len(named)} file names do not identify a patient: each of these "
            "images counts as its own patient, so splits may leak and intervals may be too narrow."
        )
    several = int((manifest["frames"] > 1).sum())
    if several:
        notes.append(f"{several} files have several frames; the first of each was read.")
    known = bool(named.mean() > 0.5)
    return Dataset(
        name=root.resolve().name,
        images=images,
        manifest=manifest,
        licence=source.licence,
        citation=source.citation,
        classes=classes,
        notes=tuple(notes),
        patients_known=known,
        ignored_files=ignored,
        left_out=left_out,
        limitations=source.limitations,
        facts=source.facts,
    )


def _classes(root: Path, task: str) -> tuple[str, ...]:
    """Names of the classes: of the folders in train, sorted."""
    _expect_folders(root, ("train", "test"), optional=("val",))
    found = tuple(_folders(root / "train"))
    if len(found) <= 2:
        return CLASSES
    listed = ", ".join(found)
    if task != "subtype":
        raise DataError(
            f"{root / 'train'}: found the folders {listed}, but expected {' and '.join(CLASSES)}. "
            "For a run of more than two classes use --task subtype; otherwise remove the others."
        )
    if wrong := [name for name in found if not _CLASS.fullmatch(name) or name == MACRO]:
        raise DataError(
            f"{root / 'train'}: found the class {wrong[0]!r}, but expected names of letters, "
            f"digits, spaces, - and _, other than {MACRO}. Rename it in all splits."
        )
    return found


def _scan(root: Path, classes: tuple[str, ...] = CLASSES) -> tuple[pd.DataFrame, int]:
    """List the files; decode nothing."""
    rows = []
    ignored = _strays(root)
    for folder, split in SPLITS.items():
        if not (root / folder).is_dir():
            continue
        _expect_folders(root / folder, classes)
        ignored += _strays(root / folder)
        for label, name in enumerate(classes):
            files, hidden = list_images(root / folder / name)
            ignored += hidden
            for file in files:
                path = file.relative_to(root).as_posix()
                image = shown_path(path)
                key = patient_key(file.name)
                group, subtype = key or (image, "")
                rows.append((image, label, name, subtype, group, split, path, key is not None))
    columns = ["image", "label", "class", "subtype", "group", "split", "path", "named"]
    manifest = pd.DataFrame(rows, columns=columns).sort_values("image", ignore_index=True)
    if manifest.empty:
        raise DataError(
            f"{root}: found no file, but expected images in train and test. Give another folder."
        )
    return manifest, ignored


def _expect_folders(parent: Path, names: tuple[str, ...], optional: tuple[str, ...] = ()) -> None:
    found = _folders(parent)
    wrong = [name for name in found if name not in (*names, *optional)]
    missing = [name for name in names if name not in found]
    classes = CLASSES if optional else names
    if missing or wrong:
        listed = ", ".join(found) or "none"
        raise DataError(
            f"{parent}: found the folders {listed}, but expected {' and '.join(names)}"
            f"{f' (and optionally {optional[0]})' if optional else ''}. Give the folder with "
            f"{{train,test}}/{{{','.join(classes)}}} as --data."
        )


def _folders(parent: Path) -> list[str]:
    """Names of the folders in a folder, sorted, without those that archive programs create."""
    return sorted(
        path.name
        for path in parent.iterdir()
        if path.is_dir() and not path.name.startswith(".") and path.name != "__MACOSX"
    )


def _strays(folder: Path) -> int:
    """Count files beside the folders of splits or classes, where none are expected."""
    return sum(not path.is_dir() for path in folder.iterdir())


def _contradictions(manifest: pd.DataFrame) -> list[str]:
    """Remove the subtype of images in NORMAL; report files whose name and folder disagree."""
    wrong = (manifest["class"] == "NORMAL") & (manifest["subtype"] != "")
    if not wrong.any():
        return []
    example = manifest.loc[wrong, "image"].iloc[0]
    manifest.loc[wrong, "subtype"] = ""
    return [f"{wrong.sum()} files in NORMAL are named as pneumonia, for example {example}; the "
            "folder was used."]  # fmt: skip
