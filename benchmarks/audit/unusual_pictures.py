"""Pictures that are unlike the training images: inverted, turned, or perhaps no frontal chest.

A kind that many training images share is typical and not found, apart from reversed polarity,
which the brightness of centre and border tells.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import fisher_exact

from benchmarks.audit.evidence import Evidence
from benchmarks.audit.findings import NOTE, WARN, Finding

ALPHA = 0.01  # of Fisher's exact tests, divided by their number
DRAWN_LEVELS, DRAWN_SHARE = 16, 0.8  # so few grey levels with that share of the pixels: a drawing
_LISTED = 4  # images that a finding lists
_TURNS = {
    1: "by 90° to the right",
    2: "by 180°, or upside down",
    3: "by 90° to the left",
}
_PAGE = "unlike the training images, with few grey levels as a page or a drawing"
_OTHER = (
    "unlike the training images: a lateral view, another part of the body, no radiograph, or "
    "only another exposure or frame"
)


def reversed_polarity(evidence: Evidence) -> list[Finding]:
    """Find pictures in which bone seems black.

    Parameters
    ----------
    evidence : Evidence

    Returns
    -------
    list of Finding
        At most one; a warning if it goes with a class or a split, or if most training images are
        among them.
    """
    if evidence.typical is None or evidence.nearest is None:
        return []
    most = evidence.typical.mostly_inverted
    rows = _rows(evidence, evidence.typical.reversed_polarity(evidence.nearest))
    if not len(rows):
        return []
    found = _finding(evidence, "reversed_polarity", rows, "bone seems black")
    if not most:
        return [found]
    said = "most training images have a darker centre than border"
    return [Finding(found.check, WARN, f"{found.detail}; {said}", found.rows)]


def turned(evidence: Evidence) -> list[Finding]:
    """Find pictures that are nearer to the training images after a quarter or half turn.

    Parameters
    ----------
    evidence : Evidence

    Returns
    -------
    list of Finding
        One for each turn.
    """
    if evidence.nearest is None:
        return []
    each = ((_rows(evidence, evidence.nearest.turns == k), what) for k, what in _TURNS.items())
    return [_finding(evidence, "turned", rows, what) for rows, what in each if len(rows)]


def unlike(evidence: Evidence) -> list[Finding]:
    """Find pictures that are far from all training images in any polarity or turn.

    Parameters
    ----------
    evidence : Evidence

    Returns
    -------
    list of Finding
        One for those with few grey levels, one for the others.
    """
    if evidence.nearest is None:
        return []
    rows = _rows(evidence, evidence.nearest.unlike)
    drawn = np.array([_is_drawn(evidence.dataset.images[row]) for row in rows], dtype=bool)
    each = ((rows[drawn], _PAGE), (rows[~drawn], _OTHER))
    return [_finding(evidence, "unlike", own, what) for own, what in each if len(own)]


def _rows(evidence: Evidence, found: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return positions, without the empty images, which another check lists."""
    return np.flatnonzero(found & ~evidence.empty)


def _is_drawn(image: NDArray[np.uint8]) -> bool:
    counts = np.sort(np.bincount(image.ravel(), minlength=256))
    return bool(counts[-DRAWN_LEVELS:].sum() >= DRAWN_SHARE * image.size)


def _finding(evidence: Evidence, check: str, rows: NDArray[np.intp], what: str) -> Finding:
    manifest = evidence.manifest
    names = manifest["image"].iloc[rows[:_LISTED]].tolist()
    more = f" and {len(rows) - _LISTED:,} more" if len(rows) > _LISTED else ""
    listed = np.zeros(len(manifest), bool)
    listed[rows] = True
    uneven = list(_uneven(manifest, listed))
    detail = "; ".join([f"{what}: {', '.join(names)}{more}", *uneven])
    return Finding(check, WARN if uneven else NOTE, detail, tuple(rows.tolist()))


def _uneven(manifest: pd.DataFrame, listed: NDArray[np.bool_]) -> Iterator[str]:
    """Say in which classes and splits more patients are listed than in the others."""
    for column in ("class", "split"):
        patients = pd.Series(listed).groupby([manifest[column], manifest["group"]]).any()
        value = patients.index.get_level_values(0)
        names = sorted(set(value))
        for name in names if len(names) > 1 else ():
            own, others = patients[value == name], patients[value != name]
            table = [[part.sum(), (~part).sum()] for part in (own, others)]
            p = fisher_exact(table, alternative="greater").pvalue
            if p < ALPHA / len(names):
                yield (
                    f"more often in {name} ({own.sum():,} of {len(own):,} patients) than "
                    f"elsewhere ({others.sum():,} of {len(others):,})"
                )
