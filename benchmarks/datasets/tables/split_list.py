"""A published split: a list of test images or patients, or a table of them and their split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.datasets.names.label_values import canonical
from benchmarks.datasets.names.split_names import SPLIT_NAMES
from benchmarks.datasets.tables.match_files import SEVERAL, files_that_fit, match_files
from benchmarks.datasets.tables.table_file import PARQUET, read_rows, read_table_file
from benchmarks.errors import DataError

_IMAGE = ("image", "images", "image index", "image id", "file", "filename", "path")
_PATIENT = ("patient", "patients", "patient id", "patientid", "subject", "subject id")
_SHOWN = 4  # images in a message


def split_names(values: pd.Series, source: str) -> pd.Series:
    """Translate the values of a column of splits to train, validation and test.

    Parameters
    ----------
    values : Series of str
    source : str
        For error messages.

    Returns
    -------
    Series of str

    Raises
    ------
    DataError
        If a value is none of the known names.

    Examples
    --------
    >>> split_names(pd.Series(["Train", "VAL", "test"]), "the example").tolist()
    ['train', 'validation', 'test']
    """
    names = values.str.strip().str.casefold().map(SPLIT_NAMES)
    if names.isna().any():
        wrong = sorted(set(values[names.isna()]))
        raise DataError(
            f"{source}: found the splits {', '.join(map(repr, wrong[:8]))}, but expected "
            f"{', '.join(SPLIT_NAMES)} in any case. Rename them, or leave those rows out with "
            "--where."
        )
    return names


def read_split(path: Path, rows: pd.DataFrame) -> tuple[pd.Series, list[str]]:
    """Assign images to splits as a file says.

    Parameters
    ----------
    path : Path
        A list of test images or of test patients, one per line, of which all others are for
        training; or a table with ``split`` and ``image`` or ``patient``.
    rows : DataFrame
        ``image`` (path of the file) and ``patient``, empty if unknown.

    Returns
    -------
    split : Series of str
        Empty for images that a table does not list.
    notes : list of str
        For the report.

    Raises
    ------
    DataError
        If the file has another form, lists something in two splits, names what may be several
        images, or none of it is found.
    """
    listed, kind = _read(path)
    if kind != "image":
        listed["name"] = canonical(listed["name"])  # as the patients of the table
    if (listed.groupby("name")["split"].nunique() > 1).any():
        twice = listed[listed.duplicated("name", keep=False)]["name"].iloc[0]
        raise DataError(f"--split {path}: found {twice!r} in two splits, but expected one.")
    listed = listed.drop_duplicates("name", ignore_index=True)
    names = listed["name"].tolist()
    by_image = _of_images(names, rows["image"]) if kind != "patient" else _none(rows)
    by_patient = _of_patients(names, rows["patient"]) if kind != "image" else _none(rows)
    chosen, what = max(((by_image, "images"), (by_patient, "patients")),
                       key=lambda one: (one[0] >= 0).sum())  # fmt: skip
    if what == "images":
        _refuse_several(names, rows["image"].tolist(), path)
        _refuse_two_splits(listed, rows["image"].tolist(), path)
    if not (chosen >= 0).any():
        raise DataError(
            f"--split {path}: found {len(names):,} entries such as {names[0]!r}, but expected "
            f"images such as {rows['image'].iloc[0]!r} or patients of the data. Give another file."
        )
    is_list = kind == "list" or set(listed["split"]) == {"test"}
    splits = np.append(listed["split"].to_numpy(dtype=object), "train" if is_list else "")
    found = len(set(chosen[chosen >= 0].tolist()))
    notes = [f"Split from {path.name}: {found:,} of {len(names):,} {what} listed are in the data."]
    split = pd.Series(splits[chosen], index=rows.index)  # -1, not listed, is the last entry
    if without := int((split == "").sum()):
        notes.append(f"{without:,} images are not in {path.name} and were left out.")
    return split, notes


def _read(path: Path) -> tuple[pd.DataFrame, str]:
    """Read ``name`` and ``split``, and what the names are: image, patient, or not said (list)."""
    if path.name.lower().endswith(PARQUET):
        table, _ = read_table_file(path)
    else:
        rows, _ = read_rows(path)
        if not rows:
            raise DataError(f"--split {path}: found no line, but expected images or patients.")
        if len(rows[0]) == 1 and rows[0][0].casefold() not in (*_IMAGE, *_PATIENT):
            names = pd.DataFrame({"name": [row[0] for row in rows], "split": "test"})
            return names, "list"
        table = pd.DataFrame(rows[1:], columns=rows[0], dtype=str)
    columns = {str(name).strip().casefold(): name for name in table.columns}
    image = next((columns[name] for name in _IMAGE if name in columns), None)
    patient = next((columns[name] for name in _PATIENT if name in columns), None)
    name = patient if image is None else image
    if name is None or (len(columns) > 1 and "split" not in columns) or table.empty:
        raise DataError(
            f"--split {path}: found the columns {', '.join(map(str, table.columns))}, but expected "
            "image or patient, and split; or one column of test images or patients."
        )
    split = (
        split_names(table[columns["split"]], f"--split {path}") if "split" in columns else "test"
    )
    return (
        pd.DataFrame({"name": table[name], "split": split}),
        "patient" if image is None else "image",
    )


def _none(rows: pd.DataFrame) -> np.ndarray:
    return np.full(len(rows), -1)


def _of_images(names: list[str], images: pd.Series) -> np.ndarray:
    """Position in the list of each image."""
    position = match_files(names, images.tolist()).position
    entry = np.full(len(images), -1)
    entry[position[position >= 0]] = np.flatnonzero(position >= 0)
    return entry


def _refuse_several(names: list[str], images: list[str], path: Path) -> None:
    """Refuse a name that may mean several images: its split would be that of none of them."""
    several = np.flatnonzero(match_files(names, images).position == SEVERAL)
    if len(several):
        fit = files_that_fit(int(several[0]), names, images)
        more = f" and {len(fit) - _SHOWN:,} more" * (len(fit) > _SHOWN)
        raise DataError(
            f"--split {path}: found {names[several[0]]!r}, which may be any of {len(fit):,} images "
            f"({', '.join(fit[:_SHOWN])}{more}), but expected one. Write the path of the image in "
            "place of its name."
        )


def _refuse_two_splits(listed: pd.DataFrame, images: list[str], path: Path) -> None:
    """Refuse two names of one image, such as its path and its file name, in two splits."""
    position = match_files(listed["name"].tolist(), images).position
    found = listed.assign(position=position)[position >= 0]
    splits = found.groupby("position")["split"].nunique()
    if len(wrong := splits.index[splits > 1]):
        own = found[found["position"] == wrong[0]]
        raise DataError(
            f"--split {path}: found {' and '.join(own['name'])} in {' and '.join(own['split'])}, "
            f"but both are {images[wrong[0]]}, which can be in one split only. Correct the list."
        )


def _of_patients(names: list[str], patients: pd.Series) -> np.ndarray:
    entry = {name: k for k, name in enumerate(names) if name}
    return patients.map(entry).fillna(-1).to_numpy(dtype=np.intp)
