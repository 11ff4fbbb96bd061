"""Check how often registration fails on radiographs, and draw their mean before and after."""

from __future__ import annotations

from pathlib import Path

import click
import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import datasets
from benchmarks.config import RunConfig
from benchmarks.io.tables import write_csv
from features.preprocessing.registration import REASONS, Alignment, Registration
from features.reading.preprocess import stretch_contrast

SEED = 0
COLUMNS = ["split", "class", "images", "patients", "failed", "before", "after", "moved", *REASONS]
GAP = 4  # pixels between the pictures


def tabulate(
    alignment: Alignment,
    moved: NDArray[np.bool_],
    label: NDArray[np.object_],
    patient: NDArray[np.object_],
    split: str = "train",
) -> pd.DataFrame:
    """Count failures by class and reason.

    Parameters
    ----------
    alignment : Alignment
        Of n images.
    moved : ndarray of shape (n,), bool
        Whether the frame was moved or shrunk.
    label, patient : ndarray of shape (n,), str
    split : str
        Where the images are from.

    Returns
    -------
    DataFrame
        One row for all images and one per class, with the columns ``COLUMNS``: ``failed`` is a
        fraction, ``before`` and ``after`` are median correlations, ``moved`` is the fraction of
        images whose frame was moved or shrunk, reasons are numbers of images.
    """
    rows = []
    for name in ("all", *sorted(set(label))):
        own = np.ones(len(label), bool) if name == "all" else label == name
        reason = alignment.reason[own]
        rows.append({
            "split": split, "class": name, "images": own.sum(), "patients": len(set(patient[own])),
            "failed": (reason != "").mean(), "before": np.median(alignment.before[own]),
            "after": np.median(alignment.after[own]), "moved": moved[own].mean(),
            **{each: (reason == each).sum() for each in REASONS},
        })  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def draw_means(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Draw the mean of images before and after registration, side by side.

    Parameters
    ----------
    before, after : ndarray of shape (n, S, S), uint8

    Returns
    -------
    ndarray of shape (S, 2 S + 4), uint8
    """
    gap = np.full((before.shape[1], GAP), 255.0)
    means = np.hstack([before.mean(axis=0), gap, after.mean(axis=0)])
    return np.rint(means).astype(np.uint8)


def compare_templates(one: Alignment, other: Alignment, side: int) -> pd.DataFrame:
    """Compare registrations of the same images to two templates.

    Parameters
    ----------
    one, other : Alignment
        Of the same n images.
    side : int
        Of the images, in pixels.

    Returns
    -------
    DataFrame
        One row: images registered to both, images registered to one of them only, and the median
        and 95th percentile over the images of the mean distance, in pixels, between the places to
        which the two maps take the points of the template. The shift between the templates
        themselves, which is the same for all images, is not counted.
    """
    both = one.registered & other.registered
    axis = np.linspace(-1, 1, 9)
    points = np.stack([*(grid.ravel() for grid in np.meshgrid(axis, axis)), np.ones(81)])
    moved = (one.matrices[both] - other.matrices[both]) @ points * side / 2
    distance = np.linalg.norm(moved - moved.mean(axis=0), axis=1).mean(axis=1)
    median, high = np.quantile(distance, [0.5, 0.95])
    return pd.DataFrame([{
        "registered_to_both": both.sum(),
        "registered_to_one": (one.registered ^ other.registered).sum(),
        "median_pixels": median, "p95_pixels": high,
    }])  # fmt: skip


@click.command()
@click.option(
    "--data", required=True, help="As for a run. The template is learnt on training images."
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False),
              default=Path("docs/checks"), show_default=True)  # fmt: skip
@click.option("--images", default=800, show_default=True, help="For the template; as many others.")
def _main(data: str, out: Path, images: int) -> None:
    """Fit the template on training images, and register those of other training patients."""
    config = RunConfig(data=data)
    dataset = datasets.load(config, datasets.image_size(config))
    chosen = (dataset.manifest["split"] == "train") & ~dataset.manifest.duplicated("sha256")
    rows = np.flatnonzero(chosen)
    group = dataset.manifest["group"].to_numpy(dtype=object)
    rng = np.random.default_rng(SEED)
    patients = rng.permutation(np.array(sorted(set(group[rows])), dtype=object))
    half = np.isin(group[rows], patients[: len(patients) // 2])
    fitted, others = (rng.permutation(rows[part])[:images] for part in (half, ~half))
    step = Registration().fit(stretch_contrast(dataset.images[np.sort(fitted)]))
    seen = stretch_contrast(dataset.images[np.sort(others)])
    label = dataset.manifest["class"].to_numpy(dtype=object)[np.sort(others)]
    found = step.align(seen)
    table = tabulate(found, step.framed(found)[1], label, group[np.sort(others)])
    test = np.flatnonzero(dataset.manifest["split"] == "test")
    aligned = step.align(stretch_contrast(dataset.images[test]))
    names = dataset.manifest["class"].to_numpy(dtype=object)[test]
    tested = tabulate(aligned, step.framed(aligned)[1], names, group[test], "test")
    table = pd.concat([table, tested])
    write_csv(out / "registration_radiographs.csv", table.round(4))
    unused = np.setdiff1d(rows[half], fitted)
    again = np.sort(rng.permutation(unused)[:images])
    second = Registration().fit(stretch_contrast(dataset.images[again]))
    compared = compare_templates(found, second.align(seen), seen.shape[1])
    write_csv(out / "registration_templates.csv", compared.round(3))
    cv2.imwrite(str(out / "registration.png"), draw_means(seen, step.transform(seen)))
    click.echo(table.to_markdown(index=False, floatfmt=".3f"))


if __name__ == "__main__":
    _main()
