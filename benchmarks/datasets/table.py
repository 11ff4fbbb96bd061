"""Table of images (CSV, TSV or Parquet): one row per image, with its label and more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.config import READING, RunConfig
from benchmarks.datasets.dataset import UNKNOWN, DataError, Dataset, Source, by_subtype
from benchmarks.datasets.dicom.fields import fill_from_dicom
from benchmarks.datasets.image_files import list_below, read_files, shown_path
from benchmarks.datasets.names.class_names import check_class_names
from benchmarks.datasets.names.label_values import (
    Labels,
    canonical,
    left_out_notes,
    read_classes,
    read_labels,
)
from benchmarks.datasets.names.split_names import SPLIT_NAMES
from benchmarks.datasets.splits import ALL, before_drawing, limit
from benchmarks.datasets.tables.ages import years, years_as_text
from benchmarks.datasets.tables.lateral_views import is_lateral, views_are_chosen
from benchmarks.datasets.tables.match_files import NONE, SEVERAL, has_image_extension, match_files
from benchmarks.datasets.tables.row_patients import find_patients, patient_notes
from benchmarks.datasets.tables.same_rows import one_row_each
from benchmarks.datasets.tables.split_list import read_split, split_names
from benchmarks.datasets.tables.table_columns import named_columns
from benchmarks.datasets.tables.table_file import is_table, read_table_file, table_stem
from benchmarks.datasets.tables.where import rows_where
from benchmarks.io.columns import MORE_MANIFEST_COLUMNS, MORE_TABLES
from benchmarks.io.workers import stop_if_memory_runs_out

EXPECTED = "a table of images (.csv, .tsv or .parquet)"
OPTIONS = READING
LIMITS_ITSELF = True  # before it decodes files


@dataclass(frozen=True)
class Listed:
    """What a table says about images, before any is decoded.

    Attributes
    ----------
    manifest : DataFrame
        One row per image, sorted: the columns of a manifest that are known before decoding,
        ``named`` (whether the patient is known), ``path`` (of the file, relative to ``root``) and
        ``missing`` (why there is no file; empty if there is one).
    root : Path
        The folder of the images.
    classes : tuple of str
    excluded : DataFrame
        ``reason``, ``label_value`` and ``images``: how many rows were left out for which label.
    notes : tuple of str
    ignored_files : int
    draw_test : bool
        Whether a test split is still to be drawn.
    absent : DataFrame
        ``image`` and ``reason`` of images without a file of which nothing else is known.
    """

    manifest: pd.DataFrame
    root: Path
    classes: tuple[str, ...]
    excluded: pd.DataFrame
    notes: tuple[str, ...]
    ignored_files: int
    draw_test: bool
    absent: pd.DataFrame


def reads(path: Path) -> bool:
    """Whether the path is a table.

    Parameters
    ----------
    path : Path

    Returns
    -------
    bool
    """
    return path.is_file() and is_table(path)


def load(config: RunConfig, size: int) -> Dataset:
    """Read a table and its images.

    Parameters
    ----------
    config : RunConfig
        ``data`` is the table; the settings in :data:`benchmarks.config.READING`, ``task``,
        ``limit``, ``max_unreadable``, ``jobs`` and ``quiet`` apply.
    size : int
        Side to which images are resized, in pixels.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If the table can't be read or contradicts itself, its classes can't be told, or too many
        images are missing or unreadable.
    """
    listed, notes = _list(config)
    return read_listed(listed, config, size, table_stem(Path(config.data)), notes)


def list_only(config: RunConfig) -> Listed:
    """Find the images of a table with their class, patient and split; decode nothing.

    Parameters
    ----------
    config : RunConfig
        As for :func:`load`.

    Returns
    -------
    Listed

    Raises
    ------
    DataError
        As :func:`load`.
    """
    return _list(config)[0]


def columns_of(config: RunConfig) -> list[str]:
    """List the columns of a table.

    Parameters
    ----------
    config : RunConfig
        ``data`` is the table.

    Returns
    -------
    list of str

    Raises
    ------
    DataError
        If the table can't be read.
    """
    return list(read_table_file(Path(config.data))[0].columns)


def _list(config: RunConfig) -> tuple[Listed, list[str]]:
    path = Path(config.data)
    table, notes = read_table_file(path)
    root = config.images or path.parent
    return list_images_of(table, root, config, f"--data {path}"), notes


def read_listed(
    listed: Listed,
    config: RunConfig,
    size: int,
    name: str,
    notes: list[str],
    source: Source = UNKNOWN,
) -> Dataset:
    """Decode the images that a table lists.

    Parameters
    ----------
    listed : Listed
    config : RunConfig
    size : int
        Side to which images are resized, in pixels.
    name : str
        Of the data set.
    notes : list of str
        On the table, for the report.
    source : Source
        Where the data come from.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If too many images are missing or unreadable.
    """
    manifest, classes = listed.manifest, listed.classes
    if config.task == "subtype" and len(classes) == 2:
        manifest, classes = by_subtype(manifest, classes, f"--data {config.data}")
    if config.limit:
        manifest = manifest.iloc[limit(manifest, config.limit)].reset_index(drop=True)
    known = bool(manifest["named"].mean() > 0.5)
    is_missing = manifest["missing"] != ""
    missing = manifest.loc[is_missing, ["image", "missing"]].set_axis(["image", "reason"], axis=1)
    missing = pd.concat([missing, listed.absent], ignore_index=True)
    with stop_if_memory_runs_out(f"reading the images of {listed.root}"):
        images, manifest, left_out = read_files(
            listed.root, manifest[~is_missing], size, config, missing
        )
    several = int((manifest["frames"] > 1).sum())
    frames = [f"{several} files have several frames; the first of each was read."] * bool(several)
    return Dataset(
        name=name,
        images=images,
        manifest=manifest,
        licence=source.licence,
        citation=source.citation,
        classes=classes,
        notes=(*notes, *listed.notes, *frames),
        patients_known=known,
        ignored_files=listed.ignored_files,
        left_out=left_out,
        limitations=source.limitations,
        facts=source.facts,
        excluded=listed.excluded,
        test_fraction=config.test_fraction if listed.draw_test else None,
    )


def list_images_of(table: pd.DataFrame, root: Path, config: RunConfig, source: str) -> Listed:
    """Find the image, class, patient and split of each row of a table; decode nothing.

    Parameters
    ----------
    table : DataFrame of str
    root : Path
        The folder of the images.
    config : RunConfig
    source : str
        What the table is, for error messages.

    Returns
    -------
    Listed

    Raises
    ------
    DataError
        As :func:`load`.
    """
    rows, label_column, notes = _rows(table, config, source)
    rows, same = one_row_each(rows, "image", source)
    paths, ignored = list_below(root)
    rows, absent, from_folders = _from_folders(rows, paths, root, config, source)
    labels = _labels(rows, label_column, config, source)
    excluded = _excluded(rows["label"], labels)
    rows = rows.assign(class_number=labels.label)
    rows = _kept(rows, labels.label >= 0, "a label in one of the classes", source)
    rows, matched = _with_files(rows, paths, root, source)
    rows, again = one_row_each(rows, "image", source)
    rows, laterals = _frontal(rows, config, source)
    rows, patients = find_patients(rows, config.patient_pattern)
    rows, of_dicom = fill_from_dicom(root, rows, config)
    patients = [*of_dicom, *patient_notes(rows)] if of_dicom else patients
    split, splits, draw_test = _split(rows, config, source)
    rows = _kept(rows.assign(split=split), split != "", "an image that --split lists", source)
    notes += [*from_folders, *labels.notes, *left_out_notes(excluded), *_repeated(same + again)]
    notes += [*matched, *laterals, *patients, *splits]
    return Listed(
        manifest=_manifest(rows, labels.classes),
        root=root,
        classes=labels.classes,
        excluded=excluded,
        notes=tuple(notes),
        ignored_files=ignored,
        draw_test=draw_test,
        absent=absent,
    )


def _rows(
    table: pd.DataFrame, config: RunConfig, source: str
) -> tuple[pd.DataFrame, str, list[str]]:
    """Select the columns that mean something and the rows that ``where`` keeps.

    Also returns the name of the column of labels, and notes.
    """
    named = named_columns(table, config, source)
    rows = pd.DataFrame({key: table[name] for key, name in named.items()}, dtype=str)
    notes = []
    if config.where is not None:
        meanings = rows.assign(age=years_as_text(rows["age"])) if "age" in rows else rows
        columns = {str(name): table[name] for name in table.columns}
        columns |= {str(name): meanings[name] for name in meanings.columns}
        kept = rows_where(config.where, columns)
        rows = _kept(rows, kept, f"--where {config.where!r}", source)
        notes.append(f"Kept {len(rows):,} of {len(kept):,} rows of the table: {config.where}.")
    for key in ("label", "patient"):
        if key in rows:
            rows[key] = canonical(rows[key])
    return rows, named.get("label", "label"), notes


def _frontal(rows: pd.DataFrame, config: RunConfig, source: str) -> tuple[pd.DataFrame, list[str]]:
    """Leave out lateral views, unless a setting keeps them or speaks of views."""
    if "view" not in rows or views_are_chosen(config):
        return rows, []
    views = rows["view"].unique()
    lateral = rows["view"].isin([view for view in views if is_lateral(view)])
    if not lateral.any():
        return rows, []
    notes = [
        f"{lateral.sum():,} images of lateral views were left out; --keep-laterals keeps them."
    ]
    return _kept(rows, ~lateral, "a frontal view (--keep-laterals keeps the others)", source), notes


def _repeated(rows: int) -> list[str]:
    if not rows:
        return []
    return [f"{rows:,} rows repeat an image with equal values; each image is used once."]


def _kept(rows: pd.DataFrame, keep: object, what: str, source: str) -> pd.DataFrame:
    kept = rows[np.asarray(keep, dtype=bool)].reset_index(drop=True)
    if kept.empty:
        raise DataError(
            f"{source}: found {len(rows):,} rows, but expected at least one with {what}. Change "
            "the option, or give another table."
        )
    return kept


def _from_folders(
    rows: pd.DataFrame, paths: list[str], root: Path, config: RunConfig, source: str
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Take label and split from folders ``split/class/image`` where the table has no such column.

    Also returns the images without a file, of which the class is then unknown.
    """
    given = config.split is not None or config.test_fraction is not None
    lacking = [key for key in ("split", "label") if key not in rows]
    lacking = [key for key in lacking if key != "split" or not given]
    none = pd.DataFrame(columns=["image", "reason"], dtype=str)
    if not lacking:
        return rows, none, []
    position = match_files(rows["image"].tolist(), paths).position
    found = position >= 0
    parts = [paths[k].split("/") for k in position[found]]
    if not (parts and all(len(p) == 3 and p[0].casefold() in SPLIT_NAMES for p in parts)):
        if "label" in lacking:
            raise DataError(
                f"{source}: found no column label, but expected one, or images in "
                f"{{train,test}}/{{class}} below {root}. Give its name with --columns label=NAME."
            )
        return rows, none, []
    absent = _without_file(rows["image"], position, root)
    rows = rows[found].reset_index(drop=True)
    for key in lacking:
        rows[key] = [p[("split", "label").index(key)] for p in parts]
    notes = [f"The table has no column {' and '.join(lacking)}: read from the folders of images."]
    return rows, absent[absent["reason"] != ""], notes


def _without_file(images: pd.Series, position: NDArray[np.intp], root: Path) -> pd.DataFrame:
    """Say why images have no file; the reason is empty for those that have one."""
    reasons = {
        NONE: f"found no such file below {root}, but expected the image",
        SEVERAL: f"found several files of this name below {root}, but expected one",
    }
    reason = [
        "" if k >= 0 else f"{image}: {reasons[k]}"
        for image, k in zip(images, position.tolist(), strict=True)
    ]
    return pd.DataFrame({"image": images, "reason": reason})


def _labels(rows: pd.DataFrame, column: str, config: RunConfig, source: str) -> Labels:
    labels = None
    if config.task == "subtype" and not (config.positive or config.negative):
        labels = read_classes(rows["label"])
    if labels is None or len(labels.classes) < 3:
        labels = read_labels(
            rows["label"], column, config.positive, config.negative, config.uncertain, source
        )
    return _renamed(labels, config.class_names, f"{source}, column {column}", source)


def _renamed(labels: Labels, names: tuple[str, ...], found_in: str, source: str) -> Labels:
    """Give the classes the names of the user, and check those of more than two classes."""
    if names and len(names) != len(labels.classes):
        raise DataError(
            f"{source}: --class-names: got {len(names)} names, but expected "
            f"{len(labels.classes)}, of {', '.join(labels.classes)}."
        )
    classes = names or labels.classes
    if len(classes) > 2:
        check_class_names(classes, f"{source}: --class-names" if names else found_in)
    return replace(labels, classes=classes)


def _excluded(values: pd.Series, labels: Labels) -> pd.DataFrame:
    """Count the rows that are left out, by reason and value, the most frequent first."""
    out = pd.DataFrame({"reason": labels.reason, "label_value": values})
    out = out[labels.label < 0]
    counted = out.groupby(["reason", "label_value"]).size().rename("images").reset_index()
    counted = counted.sort_values(
        ["reason", "images", "label_value"], ascending=[True, False, True], ignore_index=True
    )
    return counted[MORE_TABLES["excluded"]]


def _with_files(
    rows: pd.DataFrame, paths: list[str], root: Path, source: str
) -> tuple[pd.DataFrame, list[str]]:
    """Find the file of each row; name images by the path of their file."""
    found = match_files(rows["image"].tolist(), paths)
    if not (found.position >= 0).any():
        raise DataError(
            f"{source}: found none of its {len(rows):,} images, such as {rows['image'].iloc[0]!r}, "
            f"among the {len(paths):,} files below {root}, but expected them there. Give their "
            "folder with --images, and their column with --columns image=NAME."
        )
    missing = _without_file(rows["image"], found.position, root)["reason"]
    path = [paths[k] if k >= 0 else "" for k in found.position]
    image = [shown_path(p) or name for p, name in zip(path, rows["image"], strict=True)]
    notes = found.note()
    used = set(path)
    if unused := sum(one not in used and has_image_extension(one) for one in paths):
        notes.append(
            f"{unused:,} image files below the folder of images are in no row that is used."
        )
    return rows.assign(image=image, path=path, missing=missing), notes


def _split(rows: pd.DataFrame, config: RunConfig, source: str) -> tuple[pd.Series, list[str], bool]:
    """Find the split of each image, notes on it, and whether a test split is to be drawn."""
    if config.test_fraction == ALL:  # an external test set
        return pd.Series("test", index=rows.index, dtype=object), [], False
    if config.split is not None:
        if config.test_fraction is not None:
            raise DataError(
                "--test-fraction: got --split, too, but expected one of them. Leave one out."
            )
        split, notes = read_split(config.split, rows[["image", "patient"]])
        if "split" in rows:
            notes.append("The column split of the table was not used.")
        return split, notes, False
    if "split" in rows:
        split = split_names(rows["split"], source)
        before_drawing(pd.DataFrame({"split": split}), config.test_fraction)
    else:
        split = pd.Series("train", index=rows.index, dtype=object)
    if not (split == "test").any() and config.test_fraction is None:
        raise DataError(
            f"{source}: found no test split, but expected one. Name its column with --columns "
            "split=NAME, give a list of test images or patients with --split FILE, or draw one "
            "with --test-fraction 0.2."
        )
    return split, [], config.test_fraction is not None


def _manifest(rows: pd.DataFrame, classes: tuple[str, ...]) -> pd.DataFrame:
    """Order the columns of a manifest and sort the images."""
    label = rows["class_number"].to_numpy()
    subtype = rows["subtype"] if "subtype" in rows else pd.Series("", index=rows.index)
    if len(classes) == 2:
        subtype = subtype.mask(label == 0, "")
    table = pd.DataFrame(
        {
            "image": rows["image"],
            "label": label,
            "class": np.asarray(classes, dtype=object)[label],
            "subtype": subtype,
            "group": rows["group"],
            "split": rows["split"],
            "named": rows["named"],
            "path": rows["path"],
            "missing": rows["missing"],
        }
    )
    for key in MORE_MANIFEST_COLUMNS:
        if key in rows:
            table[key] = years(rows[key]) if key == "age" else rows[key]
    return table.sort_values("image", ignore_index=True)
