"""External models in the comparison: their scores of the same images, from a CSV file."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.config import ConfigError, RunConfig
from benchmarks.extraction.image_tables import IMAGE, check_columns, header, matched, some
from benchmarks.fitting.cell import EXTERNAL, Cell
from benchmarks.fitting.cell_result import CellResult
from benchmarks.io.progress import say
from benchmarks.io.tables import read_csv

SPLITS = ("validation", "test")
_COLUMNS = (IMAGE, "score")


def cell_of(name: str) -> Cell:
    """Make the cell of an external model.

    Parameters
    ----------
    name : str
        Name of the model.

    Returns
    -------
    Cell
    """
    return Cell(EXTERNAL, name, "none", 0)


def read_all(
    config: RunConfig, manifest: pd.DataFrame, kept: Mapping[str, CellResult] | None = None
) -> list[CellResult]:
    """Read every file of ``--external``.

    Parameters
    ----------
    config : RunConfig
    manifest : DataFrame
        ``image`` and ``split`` of all images.
    kept : dict of CellResult, optional
        Results that a resumed run has already, by cell name; used for files that no longer exist.

    Returns
    -------
    list of CellResult

    Raises
    ------
    ConfigError
        If the task has more than two classes, and as in :func:`read_external`.
    """
    if config.external and config.task == "subtype":
        raise ConfigError(
            f"--external: got --task {config.task}, but a file with one score per image needs "
            "--task binary. Leave one of them out."
        )
    results = []
    for name, file in config.external:
        stored = (kept or {}).get(cell_of(name).name)
        gone = stored is not None and not file.is_file()
        results.append(stored if gone and stored else read_external(name, file, manifest))
    return results


def read_external(name: str, file: Path, manifest: pd.DataFrame) -> CellResult:
    """Read the scores of an external model.

    Parameters
    ----------
    name : str
        Name of the model in tables and report.
    file : Path
        CSV with the columns ``image``, as in ``manifest.csv``, and ``score``, the probability of
        the positive class in [0, 1]. If no image is named as in the manifest, names without folders
        are compared. Other columns are ignored. Images that are not in the manifest are ignored and
        reported.
    manifest : DataFrame
        ``image`` and ``split`` of all images.

    Returns
    -------
    CellResult
        Of the cell ``external/<name>/seed0``, with scores of the test images and, if the file has
        all of them, of the validation images; its details have a warning if images of the file are
        not in the manifest.

    Raises
    ------
    ConfigError
        If the file can't be read, has a column or an image twice, lacks a test image or has a
        score outside [0, 1].
    """
    start = f"--external {name}={file}"
    table = _read(start, file)
    _check_scores(start, table["score"])
    given, known = matched(start, table["image"], manifest["image"].astype(str))
    twice = given[given.duplicated() & given.isin(known)]
    if len(twice):
        raise ConfigError(
            f"{start}: got {twice.iloc[0]} more than once (again in line {twice.index[0] + 2}), "
            "expected one score per image. Keep one line of each."
        )
    score_of = dict(zip(given, table["score"].to_numpy(dtype=np.float64), strict=True))
    found = known.map(score_of)
    absent = manifest["image"][(manifest["split"] == "test") & found.isna()]
    if len(absent):
        raise ConfigError(
            f"{start}: got no score for {len(absent):,} of the "
            f"{(manifest['split'] == 'test').sum():,} test images ({some(absent)}), expected one "
            "for each. Name images as in manifest.csv of a run, or by file names that occur once."
        )
    scores = {split: found[manifest["split"] == split].to_numpy(dtype=float) for split in SPLITS}
    complete = {split: score for split, score in scores.items() if not np.isnan(score).any()}
    details = _unknown_images(start, table["image"][~given.isin(known)], len(table))
    return CellResult(cell_of(name), scores=complete, details=details)


def record(
    config: RunConfig, before: Mapping[str, dict[str, str]] | None = None
) -> dict[str, dict[str, str]]:
    """Record the name and sha256 of each file for ``run.json``.

    Parameters
    ----------
    config : RunConfig
    before : dict, optional
        The record of the run that is resumed; used for files that no longer exist.

    Returns
    -------
    dict of dict
        ``file`` and ``sha256`` by model name.
    """
    before = before or {}
    return {
        name: before[name] if name in before and not file.is_file() else {
            "file": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()
        }
        for name, file in config.external
    }  # fmt: skip


def _unknown_images(start: str, unknown: pd.Series, rows: int) -> dict[str, list[str]]:
    """Report rows of images that the data do not have."""
    if unknown.empty:
        return {}
    warning = (
        f"{start}: {len(unknown):,} of {rows:,} rows were ignored, since their images are not in "
        f"the data ({some(unknown)})."
    )
    say(f"  {warning}", quiet=False)
    return {"warnings": [warning]}


def _read(start: str, file: Path) -> pd.DataFrame:
    try:
        check_columns(start, header(file), _COLUMNS)
        return read_csv(file)
    except ConfigError:
        raise
    except (OSError, ValueError, csv.Error) as error:
        raise ConfigError(f"{start}: expected a CSV file in UTF-8, got: {error}.") from error


def _check_scores(start: str, scores: pd.Series) -> None:
    values = pd.to_numeric(scores, errors="coerce")
    wrong = scores[~values.between(0, 1)]
    if len(wrong):
        raise ConfigError(
            f"{start}: got the score {wrong.iloc[0]!r} in line {wrong.index[0] + 2}, expected a "
            "probability of the positive class from 0 to 1. Turn logits or margins into "
            "probabilities first, by a sigmoid for example."
        )
