"""What an audit finds: single findings, their severity, and whether they stop a run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pandas as pd

from benchmarks.datasets.dataset import DataError, Dataset

STOP, WARN, NOTE = SEVERITIES = ("stop", "warn", "note")
FINDINGS_SHOWN, IMAGES_SHOWN = 12, 4
MORE_SHOWN = {"reversed_polarity": 12, "turned": 12, "unlike": 12}  # images; of others 4
_LISTED = 5  # findings that an error message lists


@dataclass(frozen=True)
class Finding:
    """One row of ``audit.csv``.

    Attributes
    ----------
    check : str
        Key of ``CHECKS``.
    severity : {"stop", "warn", "note"}
    detail : str
        What was found and where.
    rows : tuple of int
        Positions of its images in the manifest.
    unlisted : int
        Number of its images that are not in the manifest.
    """

    check: str
    severity: str
    detail: str
    rows: tuple[int, ...] = ()
    unlisted: int = 0


@dataclass(frozen=True)
class Audit:
    """Result of an audit.

    Attributes
    ----------
    findings : DataFrame
        One row per finding, the most severe first: ``check``, ``severity`` (stop, warn or note),
        ``images``, ``patients``, ``detail``.
    images : DataFrame
        The images of each duplicate, conflict and empty image: ``finding`` (position in
        ``findings``), ``image``, ``split`` (as found), ``label``.
    duplicates : tuple of tuple of int
        Manifest rows of the same content or exposure.
    dataset : Dataset or None
        What was audited: with a test split, drawn if the data asked for one.
    """

    findings: pd.DataFrame
    images: pd.DataFrame
    duplicates: tuple[tuple[int, ...], ...] = ()
    dataset: Dataset | None = None

    def count(self, severity: str) -> int:
        """Count the findings of a severity.

        Parameters
        ----------
        severity : {"stop", "warn", "note"}

        Returns
        -------
        int
        """
        return int((self.findings["severity"] == severity).sum())


def stop_or_mark(found: Audit, allow_leakage: bool = False) -> list[str]:
    """Stop a run whose data can't be trusted, or return the warnings for its report.

    Parameters
    ----------
    found : Audit
    allow_leakage : bool
        Continue whatever was found.

    Returns
    -------
    list of str
        Sentences for every page of the report; empty if no finding stops a run.

    Raises
    ------
    DataError
        If a finding stops a run and leakage is not allowed.
    """
    stops = found.findings[found.findings["severity"] == STOP]
    if stops.empty:
        return []
    if allow_leakage:
        return [
            f"The audit has findings that stop a run ({counted(stops)}), and the run was started "
            "with --allow-leakage. Its scores can't be trusted."
        ]
    expected = "no image or patient of the test split in another split"
    raise DataError(
        f"The audit found {reasons(stops, expected)}"
        "\nRemove or move these images, or continue with --allow-leakage and a marked report."
    )


def counted(stops: pd.DataFrame) -> str:
    """Count findings by check, as ``2 × patient leak``.

    Parameters
    ----------
    stops : DataFrame
        With ``check``.

    Returns
    -------
    str
    """
    checks = Counter(stops["check"].astype(str))
    return ", ".join(f"{n} × {check.replace('_', ' ')}" for check, n in checks.items())


def reasons(stops: pd.DataFrame, expected: str) -> str:
    """List the first findings that stop, for an error message.

    Parameters
    ----------
    stops : DataFrame
        With ``check`` and ``detail``.
    expected : str
        What was expected beside one class for each image.

    Returns
    -------
    str
    """
    first = stops.head(_LISTED)
    lines = [
        f"{one}: {detail}" for one, detail in zip(first["check"], first["detail"], strict=True)
    ]
    more = [f"and {len(stops) - _LISTED} more"] * (len(stops) > _LISTED)
    return (
        f"{len(stops)} {'reason' if len(stops) == 1 else 'reasons'} to stop, but expected "
        f"{expected}, and one class for each image:\n  " + "\n  ".join([*lines, *more])
    )


def shown(found: Audit) -> pd.DataFrame:
    """Select the images that the report shows: a few of each of the first twelve findings.

    Parameters
    ----------
    found : Audit

    Returns
    -------
    DataFrame
        Rows of ``images``.
    """
    findings = found.images["finding"].unique()[:FINDINGS_SHOWN]
    few = found.images[found.images["finding"].isin(findings)]
    if few.empty:
        return few
    bound = found.findings["check"].map(MORE_SHOWN).fillna(IMAGES_SHOWN)
    place = few.groupby("finding", sort=False).cumcount()
    return few[(place < few["finding"].map(bound)).to_numpy()]


def summary(found: Audit) -> str:
    """Summarise in one sentence how many findings there are of each severity.

    Parameters
    ----------
    found : Audit

    Returns
    -------
    str

    Examples
    --------
    >>> findings = pd.DataFrame({"severity": ["warn", "note", "note"]})
    >>> summary(Audit(findings, pd.DataFrame()))
    'Audit: 0 findings that stop a run, 1 warning, 2 notes.'
    """
    stops, warns, notes = (found.count(severity) for severity in SEVERITIES)
    return (
        f"Audit: {stops} {'finding that stops' if stops == 1 else 'findings that stop'} a run, "
        f"{warns} warning{'s' * (warns != 1)}, {notes} note{'s' * (notes != 1)}."
    )
