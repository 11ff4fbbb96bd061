"""Time and memory of reading phantoms from disk and computing features, for growing numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import cv2
import numpy as np
import pandas as pd

from benchmarks import datasets
from benchmarks.config import RunConfig
from benchmarks.datasets.phantoms import generate
from benchmarks.extraction.extract import extract
from benchmarks.extraction.prepare import Preparation, reading_size
from benchmarks.extraction.store import FeatureStore
from benchmarks.io.tables import write_csv
from benchmarks.speed.memory import peak_memory
from features import all_feature_sets

DRAWS = 20  # copies of each phantom, with different noise
COLUMNS = ["images", "pass", "data_seconds", "features_seconds", "peak_mib"]


def write_phantoms(folder: Path, n_images: int, size: int) -> None:
    """Write phantoms to a folder with ``{train,test}/{NORMAL,PNEUMONIA}``.

    Each phantom is written ``DRAWS`` times, each time with different noise of one grey level.

    Parameters
    ----------
    folder : Path
        Created if it does not exist.
    n_images : int
        About how many images are written.
    size : int
        Side in pixels.
    """
    phantoms = generate(max(16, n_images // DRAWS), size)
    noise = np.random.default_rng(0)
    names = phantoms.manifest["image"]
    for name, image in zip(names, np.asarray(phantoms.images), strict=True):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for draw in range(DRAWS):
            varied = image + noise.integers(-1, 2, image.shape)
            file = path.with_name(f"{path.stem}_{draw:02d}.jpeg")
            cv2.imwrite(str(file), varied.clip(0, 255).astype(np.uint8))


def describe(config: RunConfig) -> dict[str, float]:
    """Read a folder, compute its features into the store, and time both stages.

    Parameters
    ----------
    config : RunConfig
        ``data`` is the folder, ``cache`` the folder of the store.

    Returns
    -------
    dict of float
        ``images``, ``data_seconds``, ``features_seconds``.
    """
    start = time.perf_counter()
    dataset = datasets.load(config, reading_size(config))
    read = time.perf_counter()
    assert config.cache is not None
    with TemporaryDirectory(dir=config.cache) as scratch, FeatureStore(config.cache) as store:
        images = Preparation(datasets.image_size(config), config.contrast, {}).applied_to(
            dataset.images
        )
        extract(images, config, all_feature_sets()["handcrafted"], Path(scratch), store)
    return {
        "images": len(dataset.manifest),
        "data_seconds": read - start,
        "features_seconds": time.perf_counter() - read,
    }


def measure(folder: Path, n_images: int, size: int, cache: Path) -> dict[str, float]:
    """Run :func:`describe` in a process of its own and measure its memory.

    Parameters
    ----------
    folder : Path
        From :func:`write_phantoms`.
    n_images : int
        About how many of its images are read.
    size : int
        Side in pixels.
    cache : Path
        Folder of the feature store.

    Returns
    -------
    dict of float
        As :func:`describe`, and ``peak_mib``.

    Raises
    ------
    RuntimeError
        If the process fails.
    """
    values = {"data": str(folder), "limit": n_images, "image_size": size, "cache": str(cache),
              "quiet": True}  # fmt: skip
    command = [sys.executable, "-m", "benchmarks.speed.growth", "--describe", json.dumps(values)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
        peak_memory(process.pid) as peak,
    ):
        output = process.communicate()[0]
    if process.returncode:
        raise RuntimeError(
            f"{n_images} images: got exit code {process.returncode}, but expected 0."
        )
    return {**json.loads(output), "peak_mib": peak.mib}


def _draw(table: pd.DataFrame, path: Path) -> None:
    """Draw time and memory against the number of images, on logarithmic axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, column, label in zip(
        figure.subplots(1, 2), ("features_seconds", "peak_mib"),
        ("features stage (s)", "peak resident memory (MiB)"), strict=True,
    ):  # fmt: skip
        for name, part in table.groupby("pass", sort=False):
            axes.loglog(part["images"], part[column], marker="o", label=name)
        axes.set_xlabel("images")
        axes.set_ylabel(label)
        axes.set_ylim(bottom=1 if column == "peak_mib" else None)
        axes.legend()
        axes.grid(alpha=0.3)
    figure.savefig(path)


@click.command()
@click.option("--images", "counts", default="1000,10000,100000", show_default=True)
@click.option("--size", default=128, show_default=True, help="Side of the phantoms in pixels.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/growth"))
@click.option("--describe", "values", hidden=True)
def _main(counts: str, size: int, out: Path, values: str | None) -> None:
    """Compute features of growing numbers of phantoms, with an empty and with a full store."""
    if values is not None:
        click.echo(json.dumps(describe(RunConfig(**json.loads(values)))))
        return
    out.mkdir(parents=True, exist_ok=True)
    numbers = sorted(int(part) for part in counts.split(","))
    rows = []
    with TemporaryDirectory(dir=out) as place:
        folder = Path(place) / "phantoms"
        click.echo(f"Writing {max(numbers):,} phantoms ({os.cpu_count()} cores) …", err=True)
        write_phantoms(folder, max(numbers), size)
        for number in numbers:
            cache = Path(place) / f"store{number}"
            cache.mkdir()
            for name in ("cold", "warm"):
                rows.append({"pass": name, **measure(folder, number, size, cache)})
                click.echo(rows[-1], err=True)
    table = pd.DataFrame(rows)[COLUMNS]
    write_csv(out / "growth.csv", table)
    _draw(table, out / "growth.svg")
    click.echo(table.to_markdown(index=False, floatfmt=".1f"))


if __name__ == "__main__":
    _main()
