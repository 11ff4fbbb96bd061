"""What a run folder records about its data and its networks."""

from __future__ import annotations

import math
from typing import Any

from benchmarks.io.results import Results, class_names


def data_name(results: Results) -> str:
    """Return the short name of the data.

    Parameters
    ----------
    results : Results

    Returns
    -------
    str
    """
    return str(results.run.get("data", {}).get("name", "unnamed data"))


def class_pair(results: Results) -> tuple[str, str]:
    """Return the names of the negative and of the positive class.

    Parameters
    ----------
    results : Results
        Of a run of two classes.

    Returns
    -------
    (str, str)
        ``negative`` or ``positive`` where a class has no name in the run folder.
    """
    recorded = results.run.get("data", {}).get("classes") or []
    if len(recorded) == 2:
        return str(recorded[0]), str(recorded[1])
    if "class" not in results.manifest:
        return "negative", "positive"
    known = results.manifest[["label", "class"]].drop_duplicates("label")
    named = dict(zip(known["label"].tolist(), known["class"].tolist(), strict=True))
    return str(named.get(0, "negative")), str(named.get(1, "positive"))


def classes(results: Results) -> list[str]:
    """Return the names of all classes by label.

    Parameters
    ----------
    results : Results

    Returns
    -------
    list of str
        Of two classes both, even where one has no images.
    """
    found = class_names(results.manifest)
    return found if len(found) > 2 else list(class_pair(results))


def is_synthetic(results: Results) -> bool:
    """Whether the images are phantoms.

    Parameters
    ----------
    results : Results

    Returns
    -------
    bool
    """
    return bool(results.run.get("data", {}).get("synthetic", False))


def validation_drawn(results: Results) -> bool:
    """Whether the validation images were drawn from the training images by the run.

    Parameters
    ----------
    results : Results

    Returns
    -------
    bool
    """
    return bool(results.run.get("data", {}).get("validation_drawn", False))


def test_drawn(results: Results) -> bool:
    """Whether the test images were drawn by the run, from data without a test split.

    Parameters
    ----------
    results : Results

    Returns
    -------
    bool
    """
    return bool(results.run.get("data", {}).get("test_drawn", False))


def cnn_backbone(record: dict[str, Any]) -> str:
    """Return the name of the network that a run trains end to end.

    Parameters
    ----------
    record : dict
        Content of ``run.json``.

    Returns
    -------
    str
        The first of the run's networks; empty if none was recorded.
    """
    return str(record.get("config", {}).get("backbone") or "").split(",")[0]


def network_start(results: Results, cell: str) -> tuple[str, str]:
    """Describe a network's initial weights.

    Parameters
    ----------
    results : Results
    cell : str
        Name of a CNN cell.

    Returns
    -------
    description : str
        Follows "trained end to end"; empty if nothing was recorded.
    reason : str
        Why the weights were random; empty if they were not, or if no reason was recorded.
    """
    details = results.run.get("cells", {}).get(cell) or {}
    start = details.get("initialised_from")
    if not isinstance(start, str) or not start:
        return "", ""
    if start.startswith("random"):
        return "from random weights", start.partition(": ")[2]
    return f"from pretrained weights ({start})", ""


def prevalence(results: Results, split: str = "test") -> float:
    """Return the fraction of positive images in a split.

    Parameters
    ----------
    results : Results
    split : str

    Returns
    -------
    float
        NaN if the manifest has no image of the split.
    """
    part = results.manifest[results.manifest["split"] == split]
    return float(part["label"].mean()) if len(part) else math.nan
