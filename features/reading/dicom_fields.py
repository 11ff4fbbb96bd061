"""Patient, view, sex and age of a DICOM file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from features.reading.decode import ImageError
from features.reading.dicom_file import HEAD, can_read_dicom, is_dicom, quiet_pydicom, read_elements

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MAX_MEMORY = 2**28  # bytes of a deflated file
_TAGS = ("PatientID", "ViewPosition", "ViewCodeSequence", "PatientSex", "PatientAge")
_AGE = re.compile(r"(\d{1,3})([DWMY]?)")
PER_YEAR = {"D": 365.25, "W": 365.25 / 7, "M": 12.0, "Y": 1.0}
_CODE = re.compile(r"[A-Z0-9 _]{1,16}")
_MEANINGS = {"lateral": "LATERAL", "postero": "PA", "antero": "AP"}


class DicomFields(NamedTuple):
    """What a DICOM file says about its image; empty or None where it says nothing.

    Attributes
    ----------
    patient : str
        Patient ID as it is: it identifies a person and must not be written anywhere.
    view : str
        View position, such as PA, AP, LL or LATERAL; from the view code if there is none.
    sex : str
        F, M or O.
    age : float or None
        In years.
    """

    patient: str
    view: str
    sex: str
    age: float | None


def read_fields(path: Path) -> DicomFields | None:
    """Read the fields of a DICOM file, without its pixels.

    Parameters
    ----------
    path : Path

    Returns
    -------
    DicomFields or None
        None if the file is not DICOM or can't be read, or pydicom is missing.
    """
    try:
        if not can_read_dicom() or not path.is_file():
            return None
        with path.open("rb") as file, quiet_pydicom():
            if not is_dicom(file.read(HEAD)):
                return None
            file.seek(0)
            return _fields(read_elements(file, path.name, _TAGS, MAX_MEMORY, pixels=False))
    except (OSError, ImageError):
        return None


def _fields(dataset: Dataset) -> DicomFields:
    sex = _text(dataset, "PatientSex").upper()
    return DicomFields(
        patient=" ".join(_text(dataset, "PatientID").split()),
        view=_view(dataset),
        sex=sex if sex in ("F", "M", "O") else "",
        age=age_in_years(_text(dataset, "PatientAge")),
    )


def _text(dataset: Dataset, keyword: str) -> str:
    try:
        return str(dataset.get(keyword) or "").strip()
    except Exception:  # a value that pydicom can't convert
        return ""


def _view(dataset: Dataset) -> str:
    position = _text(dataset, "ViewPosition").upper()
    if _CODE.fullmatch(position):
        return position
    try:
        meaning = str(dataset.ViewCodeSequence[0].CodeMeaning).lower()
    except Exception:  # no code, an empty or a damaged one
        return ""
    return next((view for word, view in _MEANINGS.items() if word in meaning), "")


def age_in_years(text: str) -> float | None:
    """Convert an age of DICOM to years.

    Parameters
    ----------
    text : str
        Such as 045Y, 006M, 003W or 010D. A number alone, as some files have it, is in years.

    Returns
    -------
    float or None
        None for other text.

    Examples
    --------
    >>> age_in_years("045Y"), age_in_years("006M"), age_in_years("51"), age_in_years("old")
    (45.0, 0.5, 51.0, None)
    """
    found = _AGE.fullmatch(text.upper())
    return int(found[1]) / PER_YEAR[found[2] or "Y"] if found else None
