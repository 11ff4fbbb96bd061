"""One external set from its images to its tables in the run folder, in a run and afterwards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.config import RunConfig
from benchmarks.datasets.dataset import Dataset
from benchmarks.external_test.external_differences import tabulate_differences
from benchmarks.external_test.external_set import ExternalSet
from benchmarks.external_test.external_tables import keep_tables, set_tables, tabulate
from benchmarks.external_test.score_external import score_external
from benchmarks.io.columns import EXTERNAL
from benchmarks.io.results import read_results
from benchmarks.run.exploration import save_thumbnails

PAIRS_SHOWN = 12  # copies whose thumbnails are kept


def score_set(
    folder: Path,
    config: RunConfig,
    external: ExternalSet,
    known: Dataset | None,
    features_from: Any = None,
) -> None:
    """Score a set and write what is known of its images into the run folder.

    Parameters
    ----------
    folder : Path
        A run folder with saved models.
    config : RunConfig
        Settings of the run.
    external : ExternalSet
    known : Dataset or None
        The run's data, for the thumbnails of copied images.
    features_from : object, optional
        See :func:`benchmarks.external_test.score_external.score_external`.
    """
    predictions = score_external(read_results(folder), config, external, features_from)
    keep_tables(folder, external.name, set_tables(external, predictions))
    _save_pictures(folder, external, known)


def tabulate_set(folder: Path, name: str) -> None:
    """Compute the tables of a scored set from those of the run folder.

    Parameters
    ----------
    folder : Path
        A run folder.
    name : str
        Of the set.
    """
    keep_tables(folder, name, tabulate(read_results(folder), name))
    differences = tabulate_differences(read_results(folder), name)
    keep_tables(folder, name, {"external_differences": differences})


def picture_key(name: str, image: str) -> str:
    """Name an image of an external set as no image of the run is named.

    Parameters
    ----------
    name : str
        Of the set.
    image : str

    Returns
    -------
    str

    Examples
    --------
    >>> picture_key("other", "a.png")
    'external:other/a.png'
    """
    return f"{EXTERNAL}{name}/{image}"


def _save_pictures(folder: Path, external: ExternalSet, known: Dataset | None) -> None:
    """Save thumbnails of the first copies, and of what they are copies of."""
    if known is None:
        return
    shown = external.copies.head(PAIRS_SHOWN)
    manifest = external.dataset.manifest
    keys = [picture_key(external.name, str(image)) for image in manifest["image"]]
    named = replace(external.dataset, manifest=manifest.assign(image=keys))
    chosen = [picture_key(external.name, image) for image in shown["image"].unique()]
    save_thumbnails(named, chosen, folder)
    save_thumbnails(known, shown["copy_of"].unique().tolist(), folder)
