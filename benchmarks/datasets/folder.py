"""Folder of images: {train[,val],test}/{NORMAL,PNEUMONIA}/*, or other splits and classes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.config import RunConfig
from benchmarks.datasets.dataset import (
    CLASSES,
    UNKNOWN,
    DataError,
    Dataset,
    by_subtype,
)
from benchmarks.datasets.dicom.fields import fill_from_dicom
from benchmarks.datasets.folder_layout import Layout, find_layout, is_mask_folder
from benchmarks.datasets.image_files import read_files, shown_path
from benchmarks.datasets.kermany import KERMANY, is_kermany
from benchmarks.datasets.names.class_names import (
    binary_classes,
    check_class_names,
    is_known_negative,
)
from benchmarks.datasets.names.patient_names import patient_key, patients_by_pattern
from benchmarks.datasets.splits import before_drawing, limit
from benchmarks.io.workers import stop_if_memory_runs_out
from features.reading.images import ImageError, list_images

EXPECTED = "a folder with {train,test}/{NORMAL,PNEUMONIA} or other classes"
OPTIONS = ("positive", "negative", "test_fraction", "patient_pattern", "keep_laterals")
LIMITS_ITSELF = True  # before it decodes files


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
        ``data`` is the folder; ``positive``, ``negative``, ``test_fraction``, ``patient_pattern``,
        ``keep_laterals``, ``task``, ``limit``, ``max_unreadable``, ``jobs`` and ``quiet`` apply.
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
    given = Path(config.data)
    try:
        layout = find_layout(given)
        classes, values = _classes(layout, config)
        manifest, ignored = _scan(layout, classes, values, config.patient_pattern)
    except (OSError, ImageError) as error:
        raise DataError(f"{given}: expected a folder that can be listed, got: {error}") from error
    source = KERMANY if len(classes) == 2 and is_kermany(manifest) else UNKNOWN
    manifest, of_dicom = fill_from_dicom(layout.root, manifest, config)
    notes = [*layout.notes, *_others(layout, values), *_contradictions(manifest, classes)]
    notes += of_dicom
    manifest, to_draw = before_drawing(manifest, config.test_fraction)
    if config.task == "subtype" and len(classes) == 2:
        manifest, classes = by_subtype(manifest, classes, str(given))
    if config.limit:
        manifest = manifest.iloc[limit(manifest, config.limit)].reset_index(drop=True)
    named = manifest.pop("named")
    with stop_if_memory_runs_out(f"reading the images of {given}"):
        images, manifest, left_out = read_files(layout.root, manifest, size, config)
    if not named.all():
        notes.append(
            f"{(~named).sum()} of {len(named)} file names do not identify a patient: each of these "
            "images counts as its own patient, so splits may leak and intervals may be too narrow."
        )
    several = int((manifest["frames"] > 1).sum())
    if several:
        notes.append(f"{several} files have several frames; the first of each was read.")
    return Dataset(
        name=layout.root.resolve().name, images=images, manifest=manifest, licence=source.licence,
        citation=source.citation, classes=classes, notes=tuple(notes),
        patients_known=bool(named.mean() > 0.5), ignored_files=ignored, left_out=left_out,
        limitations=source.limitations, facts=source.facts, test_fraction=to_draw,
    )  # fmt: skip


def _classes(layout: Layout, config: RunConfig) -> tuple[tuple[str, ...], dict[str, int]]:
    """Find the classes, and the label of each folder name that is used."""
    found = layout.classes
    if config.task == "subtype" and len(found) > 2:
        check_class_names(found, str(layout.root))
        if config.positive or config.negative:
            raise DataError(
                f"{layout.root}: got --positive or --negative, but --task subtype has all "
                f"{len(found)} classes. Leave them out, or leave --task out."
            )
        classes, values = tuple(found), {name: k for k, name in enumerate(found)}
    else:
        classes, values = _two_classes(found, config, layout.root)
    layout.require(list(values), config.test_fraction)
    return classes, values


def _two_classes(
    found: list[str], config: RunConfig, root: Path
) -> tuple[tuple[str, ...], dict[str, int]]:
    if len(found) < 2:  # name what is missing
        return CLASSES, {name: k for k, name in enumerate(CLASSES)}
    try:
        return binary_classes(found, config.positive, config.negative, str(root))
    except DataError as error:
        if len(found) > 2:
            raise DataError(f"{error} For all classes at once, use --task subtype.") from error
        raise


def _scan(
    layout: Layout, classes: tuple[str, ...], values: dict[str, int], pattern: str | None = None
) -> tuple[pd.DataFrame, int]:
    """List the files of the classes that are used; decode nothing.

    Of several folders that are one class together, each is a subtype.
    """
    rows: list[tuple[str, int, str, str, str, str, str, bool]] = []
    ignored = layout.ignored
    for one in layout.folders:
        if one.name not in values:
            continue
        files, hidden = list_images(one.path)
        ignored += hidden
        for file in files:
            if is_mask_folder(file):
                continue
            path = file.relative_to(layout.root).as_posix()
            image = shown_path(path)
            key = patient_key(file.name)
            group, subtype = key or (image, "")
            label = values[one.name]
            if label and classes[label] != one.name:
                subtype = one.name
            rows.append((image, label, classes[label], subtype, group, one.split or "train", path,
                         key is not None))  # fmt: skip
    columns = ["image", "label", "class", "subtype", "group", "split", "path", "named"]
    manifest = pd.DataFrame(rows, columns=columns).sort_values("image", ignore_index=True)
    if manifest.empty:
        raise DataError(
            f"{layout.root}: found no file, but expected images in train and test. Give another "
            "folder."
        )
    if pattern is not None:
        found = pd.Series(patients_by_pattern(manifest["path"].tolist(), pattern), dtype=object)
        manifest["named"] = found.notna()
        manifest["group"] = found.where(found.notna(), manifest["image"])
    return manifest, ignored


def _others(layout: Layout, values: dict[str, int]) -> list[str]:
    """Name the classes that are left out, with their numbers of files."""
    counts: dict[str, int] = {}
    for one in layout.folders:
        if one.name not in values:
            counts[one.name] = counts.get(one.name, 0) + len(list_images(one.path)[0])
    if not counts:
        return []
    listed = ", ".join(f"{name} ({count:,} files)" for name, count in sorted(counts.items()))
    return [f"Classes left out, as neither positive nor negative: {listed}."]


def _contradictions(manifest: pd.DataFrame, classes: tuple[str, ...]) -> list[str]:
    """Remove the subtype of negative images; report files whose name and folder disagree."""
    normal = [classes[0]] if len(classes) == 2 else list(filter(is_known_negative, classes))
    wrong = manifest["class"].isin(normal) & (manifest["subtype"] != "")
    if not wrong.any():
        return []
    example = manifest.loc[wrong, "image"].iloc[0]
    manifest.loc[wrong, "subtype"] = ""
    return [f"{wrong.sum()} files of {normal[0]} have names of a disease, for example {example}; "
            "the folder was used."]  # fmt: skip
