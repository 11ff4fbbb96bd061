"""Time to read, check and split a large table by patient, without decoding an image.

Run by hand: ``python -m benchmarks.speed.table_reading``. The table has the layout of NIH
ChestX-ray14: file names without folders, findings as ``A|B``, and images in ``images_001/images``,
``images_002/images`` and so on. Its files are tiny and are not decoded.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import click
import numpy as np
import pandas as pd

from benchmarks.config import RunConfig
from benchmarks.datasets.splits import assign, draw_test
from benchmarks.datasets.table import list_images_of
from benchmarks.datasets.tables.table_file import read_table_file
from benchmarks.io.tables import to_csv

ROWS = 112_120
PER_FOLDER = 10_000
FINDINGS = ("No Finding", "Infiltration", "Effusion", "Atelectasis", "Mass", "Pneumonia")
COLUMNS = {
    "image": "Image Index", "label": "Finding Labels", "patient": "Patient ID",
    "view": "View Position", "age": "Patient Age", "sex": "Patient Gender",
}  # fmt: skip
WHERE = "view in ('PA', 'AP') and age < 150"
T = TypeVar("T")


def made_table(rows: int, seed: int = 0) -> pd.DataFrame:
    """Make a table in the layout of NIH ChestX-ray14, with random values.

    Parameters
    ----------
    rows : int
    seed : int

    Returns
    -------
    DataFrame
    """
    rng = np.random.default_rng(seed)
    patient = np.sort(rng.integers(1, max(2, rows // 4), rows))
    follow_up = pd.Series(patient).groupby(patient).cumcount()
    first, second = (rng.choice(FINDINGS, rows, p=[0.5, 0.2, 0.1, 0.1, 0.08, 0.02]) for _ in "ab")
    several = (first != second) & (first != FINDINGS[0]) & (second != FINDINGS[0])
    return pd.DataFrame(
        {
            "Image Index": [
                f"{p:08d}_{k:03d}.png" for p, k in zip(patient, follow_up, strict=True)
            ],
            "Finding Labels": np.where(several, first + "|" + second, first),
            "Patient ID": patient,
            "Patient Age": rng.integers(1, 95, rows),
            "Patient Gender": rng.choice(["M", "F"], rows),
            "View Position": rng.choice(["PA", "AP"], rows),
        }
    )


def write_files(names: list[str], root: Path) -> None:
    """Write a tiny file for each name, in the folders of NIH ChestX-ray14.

    Parameters
    ----------
    names : list of str
    root : Path
    """
    for number, name in enumerate(names):
        folder = root / f"images_{number // PER_FOLDER + 1:03d}" / "images"
        if number % PER_FOLDER == 0:
            folder.mkdir(parents=True)
        (folder / name).write_bytes(b"x")


def measure_reading(path: Path, root: Path) -> pd.DataFrame:
    """Measure the stages from a table to a split by patient.

    Parameters
    ----------
    path : Path
        The table.
    root : Path
        The folder of its images.

    Returns
    -------
    DataFrame
        ``stage``, ``rows`` (that remain after it), ``seconds`` and ``cpu`` (seconds of processor
        time, which other programs do not lengthen).
    """
    config = RunConfig(
        data=str(path), images=root, columns=tuple(COLUMNS.items()), positive=("Pneumonia",),
        negative=FINDINGS[:1], where=WHERE, test_fraction=0.2, quiet=True,
    )  # fmt: skip
    lines = []

    def _timed(stage: str, call: Callable[[], T], rows: Callable[[T], int]) -> T:
        start, cpu = time.perf_counter(), time.process_time()
        result = call()
        seconds = time.perf_counter() - start, time.process_time() - cpu
        lines.append((stage, rows(result), *seconds))
        return result

    table, _ = _timed("read the table", lambda: read_table_file(path), lambda r: len(r[0]))
    listed = _timed("check it and match names to files",
                    lambda: list_images_of(table, root, config, str(path)),
                    lambda r: len(r.manifest))  # fmt: skip
    everything = config.model_copy(update={"positive": FINDINGS[1:], "where": None})
    _timed("the same, all findings against none",
           lambda: list_images_of(table, root, everything, str(path)),
           lambda r: len(r.manifest))  # fmt: skip
    manifest = listed.manifest
    split, _ = _timed("draw test by patient", lambda: draw_test(manifest, 0.2),
                      lambda r: int((r[0] == "test").sum()))  # fmt: skip
    _timed("draw validation by patient, and check",
           lambda: assign(manifest.assign(split=split), classes=listed.classes),
           lambda r: int((r[0] == "validation").sum()))  # fmt: skip
    return pd.DataFrame(lines, columns=["stage", "rows", "seconds", "cpu"])


@click.command()
@click.option("--rows", default=ROWS, show_default=True, help="Rows of the table that is made.")
@click.option("--table", "given", type=click.Path(path_type=Path, dir_okay=False, exists=True),
              help="The label table of NIH ChestX-ray14, instead of a made one.")  # fmt: skip
def _main(rows: int, given: Path | None) -> None:
    """Print the seconds of each stage, for a table with tiny files of the same names."""
    with TemporaryDirectory() as place:
        path = given or Path(place) / "labels.csv.gz"
        if given is None:
            path.write_bytes(gzip.compress(to_csv(made_table(rows)).encode()))
        names = read_table_file(path)[0][COLUMNS["image"]]
        write_files(names.tolist(), Path(place))
        result = measure_reading(path, Path(place))
    click.echo(result.round(2).to_string(index=False))
    total = result[["seconds", "cpu"]].sum()
    click.echo(f"Total: {total['seconds']:.1f} s, {total['cpu']:.1f} s of processor time")


if __name__ == "__main__":
    _main()
