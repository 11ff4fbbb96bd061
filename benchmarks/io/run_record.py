"""What a run folder says about its data and networks."""

from __future__ import annotations

import math

from benchmarks.io.results import Results


def data_name(results: Results) -> str:
    """Short name of the data."""
    return str(results.run.get("data", {}).get("name", "unnamed data"))


def is_synthetic(results: Results) -> bool:
    """Whether the images are phantoms."""
    return bool(results.run.get("data", {}).get("synthetic", False))


def validation_carved(results: Results) -> bool:
    """Whether the run took its validation images from the training split."""
    notes = results.run.get("data", {}).get("notes", [])
    return any("carved" in str(note) for note in notes)


def network_start(results: Results, cell: str) -> tuple[str, str]:
    """Where a network's first weights came from, in few words, and why they were random.

    Parameters
    ----------
    results : Results
    cell : str
        Name of a CNN cell.

    Returns
    -------
    (str, str)
        Words for after "trained end to end", empty if nothing was recorded; a reason, empty
        if there is none.
    """
    details = results.run.get("cells", {}).get(cell) or {}
    start = details.get("initialised_from")
    if not isinstance(start, str) or not start:
        return "", ""
    if start.startswith("random"):
        return "from random weights", start.partition(": ")[2]
    return f"from pretrained weights ({start})", ""


def prevalence(results: Results, split: str = "test") -> float:
    """Fraction of positives in a split; NaN if the manifest has none of its images."""
    part = results.manifest[results.manifest["split"] == split]
    return float(part["label"].mean()) if len(part) else math.nan
