"""Patients, views, sex and age of DICOM files in a manifest; lateral views are left out."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import pandas as pd
import pooch
from joblib import delayed

from benchmarks.config import RunConfig
from benchmarks.datasets.dicom.patient_key import hash_patient, patient_key_file
from benchmarks.datasets.tables.lateral_views import is_lateral, views_are_chosen
from benchmarks.errors import DataError
from benchmarks.io.workers import FEW_FILES, parallel
from features.reading.dicom_fields import DicomFields, read_fields
from features.reading.dicom_file import can_read_dicom

OLDEST = 90.0  # ages above are so rare that they can identify a person
COLUMNS = ("view", "sex", "age")
FIRST = 20  # files that are looked at where a table says all that headers could add
_CHUNK = 100  # files that a worker reads at once
_NO_PATIENT = re.compile(r"(anon\w*|unknown|none|null|n/?a|patient|test|[x*. -]*)", re.IGNORECASE)


def fill_from_dicom(
    root: Path, manifest: pd.DataFrame, config: RunConfig
) -> tuple[pd.DataFrame, list[str]]:
    """Fill patient, view, sex and age of DICOM files where a manifest lacks them.

    Parameters
    ----------
    root : Path
        The folder that contains all files.
    manifest : DataFrame
        One row per file: ``path`` (relative to ``root``), ``group``, ``named`` (whether the group
        is a known patient), and optionally ``view``, ``sex`` and ``age``.
    config : RunConfig
        ``keep_laterals``, ``where``, ``columns``, ``jobs`` and ``quiet`` apply.

    Returns
    -------
    manifest : DataFrame
        Without lateral views, unless ``keep_laterals`` is set or ``where`` names the view. A
        patient is a keyed hash of the patient ID; ages above 90 are 90.
    notes : list of str

    Raises
    ------
    DataError
        If the key of the hashes can't be read or written, or only lateral views are found.
    """
    paths = [str(path) for path in manifest["path"]]
    if _is_complete(manifest) and not any(_read_chunk(root, paths[:FIRST])):
        return manifest, []
    found = _read(root, paths, config.jobs)
    is_dicom = pd.Series([fields is not None for fields in found], index=manifest.index)
    if not is_dicom.any():
        return manifest, []
    rows = [fields for fields in found if fields is not None]
    manifest = _with_columns(manifest, is_dicom, rows)
    manifest, notes = _with_patients(manifest, is_dicom, rows)
    notes.insert(
        0,
        f"{is_dicom.sum()} of {len(manifest)} images are DICOM files. Patients read from their "
        "headers are written as keyed hashes. Names burned into the pixels are not detected, and "
        "names of files are written as they are.",
    )
    if views_are_chosen(config):
        return manifest, notes
    lateral = is_dicom & manifest["view"].map(is_lateral)
    if lateral.any():
        notes.append(
            f"{lateral.sum()} DICOM files of lateral views were left out; --keep-laterals keeps "
            "them."
        )
    if lateral.all():
        raise DataError(
            f"{root}: all {len(manifest)} images are lateral views, but expected frontal ones. Use "
            "--keep-laterals to keep them."
        )
    return manifest[~lateral].reset_index(drop=True), notes


def _is_complete(manifest: pd.DataFrame) -> bool:
    """Whether the headers of files could add nothing."""
    filled = (
        name in manifest and not (manifest[name].isna() | (manifest[name] == "")).any()
        for name in COLUMNS
    )  # fmt: skip
    return bool(manifest["named"].all()) and all(filled)


def _read(root: Path, paths: list[str], jobs: int) -> list[DicomFields | None]:
    if not can_read_dicom():
        return [None] * len(paths)
    chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    read = parallel(jobs if len(paths) > FEW_FILES else 1)(
        delayed(_read_chunk)(root, chunk) for chunk in chunks
    )
    return [fields for chunk in read for fields in chunk]


def _read_chunk(root: Path, paths: list[str]) -> list[DicomFields | None]:
    return [read_fields(root / path) for path in paths]


def _with_columns(
    manifest: pd.DataFrame, is_dicom: pd.Series, rows: list[DicomFields]
) -> pd.DataFrame:
    """Fill view, sex and age where they are blank."""
    manifest = manifest.copy()
    for name in COLUMNS:
        if name not in manifest:
            manifest[name] = float("nan") if name == "age" else ""
        values: list[str | float] = [_value(fields, name) for fields in rows]
        if not pd.api.types.is_float_dtype(manifest[name].dtype):
            values = ["" if value != value else str(value) for value in values]
        ours = pd.Series(values, index=manifest.index[is_dicom], dtype=manifest[name].dtype)
        lacks = is_dicom & (manifest[name].isna() | (manifest[name].astype(str) == ""))
        manifest.loc[lacks, name] = ours[lacks[is_dicom]]
    return manifest


def _value(fields: DicomFields, name: str) -> str | float:
    if name == "age":
        return float("nan") if fields.age is None else min(fields.age, OLDEST)
    return str(getattr(fields, name))


def _with_patients(
    manifest: pd.DataFrame, is_dicom: pd.Series, rows: list[DicomFields]
) -> tuple[pd.DataFrame, list[str]]:
    """Name the patients that are not known otherwise by hashes of their IDs."""
    patients = pd.Series([fields.patient for fields in rows], index=manifest.index[is_dicom])
    no_patient = patients.map(lambda patient: bool(_NO_PATIENT.fullmatch(patient)))
    stems = manifest.loc[is_dicom, "path"].map(lambda path: PurePosixPath(str(path)).stem)
    each_its_own = bool((patients == stems).all()) and patients.is_unique
    if len(patients) > 2 and (patients.nunique() == 1 or each_its_own):
        no_patient[:] = True
    open_rows = is_dicom & ~manifest["named"].astype(bool)
    usable = patients[~no_patient & open_rows[is_dicom]]
    if len(usable):
        key = patient_key_file(Path(pooch.os_cache("cxr-classical-baseline")))
        manifest.loc[usable.index, "group"] = [hash_patient(one, key) for one in usable]
        manifest.loc[usable.index, "named"] = True
    without = int(no_patient[open_rows[is_dicom]].sum())
    if not without:
        return manifest, []
    return manifest, [
        f"{without} DICOM files have no patient ID, or one that tells no patients apart: it is "
        "the same in all files, the name of each file, or a word such as ANONYMOUS."
    ]
