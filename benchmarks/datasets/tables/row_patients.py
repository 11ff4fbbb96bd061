"""The patient of each image: from a column of a table, or by a pattern in its path."""

from __future__ import annotations

import pandas as pd

from benchmarks.datasets.names.patient_names import patients_by_pattern
from benchmarks.errors import DataError

_UNKNOWN = frozenset({"", "nan", "na", "n/a", "none", "null"})
_REMEDY = " Name their column with --columns patient=NAME, or give --patient-pattern."


def find_patients(rows: pd.DataFrame, pattern: str | None) -> tuple[pd.DataFrame, list[str]]:
    """Find the patient of each row of a table; without one, the image is its own patient.

    Parameters
    ----------
    rows : DataFrame
        ``image``, and ``patient`` if the table has it.
    pattern : str or None
        See :func:`benchmarks.datasets.names.patient_names.patients_by_pattern`.

    Returns
    -------
    rows : DataFrame
        With ``patient`` (empty if unknown), ``group`` and ``named`` (whether it is known).
    notes : list of str
        For the report.

    Raises
    ------
    DataError
        If there are a column and a pattern, or the pattern is found nowhere.
    """
    if pattern is not None and "patient" in rows:
        raise DataError(
            "--patient-pattern: got a table with a column of patients, but expected none. Leave "
            "--patient-pattern out."
        )
    if pattern is not None:
        found = patients_by_pattern(rows["image"].tolist(), pattern)
        patient = pd.Series([one or "" for one in found], index=rows.index, dtype=object)
    elif "patient" in rows:
        patient = rows["patient"].mask(rows["patient"].str.casefold().isin(_UNKNOWN), "")
    else:
        patient = pd.Series("", index=rows.index, dtype=object)
    known = patient != ""
    rows = rows.assign(patient=patient, group=patient.where(known, rows["image"]), named=known)
    return rows, patient_notes(rows)


def patient_notes(rows: pd.DataFrame) -> list[str]:
    """Say how many rows do not identify a patient.

    Parameters
    ----------
    rows : DataFrame
        With ``named``.

    Returns
    -------
    list of str
        Empty if all do.
    """
    known = rows["named"]
    if known.all():
        return []
    return [
        f"{(~known).sum():,} of {len(rows):,} rows do not identify a patient: each of these images "
        "counts as its own patient, so splits may leak and intervals may be too narrow."
        f"{_REMEDY * (not known.any())}"
    ]
