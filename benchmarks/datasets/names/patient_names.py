"""Patients by the names of their files."""

from __future__ import annotations

import re
from collections.abc import Sequence

from benchmarks.errors import DataError

# Kaggle's names; bacteria and virus are numbered separately, so a number alone is not a patient.
_PERSON = re.compile(r"person(\d+)_(bacteria|virus)_\d+", re.IGNORECASE)
_NORMAL = re.compile(r"(NORMAL2-)?IM-(\d+)-\d+", re.IGNORECASE)
# Mendeley's names: (disease)-(patient)-(image of this patient).
_DISEASE = re.compile(r"(BACTERIA|VIRUS|NORMAL)-(\d+)-\d+", re.IGNORECASE)


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


def patients_by_pattern(paths: Sequence[str], pattern: str) -> list[str | None]:
    r"""Find the patient in the path of each image by a regular expression.

    Parameters
    ----------
    paths : sequence of str
        With ``/`` between folders.
    pattern : str
        Searched anywhere in the path. The patient is what its groups match, joined by ``/``, or the
        whole match if it has no groups.

    Returns
    -------
    list of str or None
        None where the pattern does not match.

    Raises
    ------
    DataError
        If it matches no path.

    Examples
    --------
    >>> patients_by_pattern(["a/p12_1.png", "a/x.png"], r"p(\d+)_")
    ['12', None]
    """
    compiled = re.compile(pattern)
    found = [_patient(compiled.search(path)) for path in paths]
    if paths and not any(found):
        raise DataError(
            f"--patient-pattern: got {pattern}, which finds no patient in the {len(paths):,} paths "
            f"of images, such as {paths[0]}, but expected it to. Correct it, or leave it out if "
            "the names don't tell the patients."
        )
    return found


def _patient(match: re.Match[str] | None) -> str | None:
    if match is None:
        return None
    groups = [one for one in match.groups() if one]
    return ("/".join(groups) if match.re.groups else match[0]) or None
