"""Check whether registration brings anatomical landmarks together, on phantoms."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click
import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.datasets.phantom.anatomy import LANDMARKS
from benchmarks.datasets.phantoms import enrol, radiograph
from benchmarks.io.tables import write_csv
from benchmarks.metrics.bootstrap import PatientBootstrap, percentile_interval
from features.preprocessing.registration import Registration

Floats = NDArray[np.float64]

SIDE = 224  # pixels, to which distances refer
SEED = 1  # not the default phantoms, on which the settings of registration were chosen
DRAWS = 1000
ROTATION = 8.0  # degrees; largest additional changes of framing
SCALE = (0.8, 1.2)
SHIFT = 0.1  # of the image side
POSITIONS = ("unregistered", "registered", "best affine map")
COLUMNS = [
    "framing", "landmark", "images", "patients", "failed", "position", "distance", "lo", "hi",
]  # fmt: skip


@dataclass(frozen=True)
class Shots:
    """Phantoms with known landmarks.

    Attributes
    ----------
    images : ndarray of shape (n, SIDE, SIDE), uint8
    landmarks : ndarray of shape (n, 10, 2), float64
        In half image sides from the centre.
    patient : ndarray of shape (n,), str
    train : ndarray of shape (n,), bool
    """

    images: NDArray[np.uint8]
    landmarks: Floats
    patient: NDArray[np.object_]
    train: NDArray[np.bool_]

    def reframed(self) -> Shots:
        """Rotate, scale and shift each image at random.

        Returns
        -------
        Shots
            Pixels from outside repeat the edge.
        """
        rng = np.random.default_rng(SEED)
        images, landmarks = np.empty_like(self.images), np.empty_like(self.landmarks)
        for row, (image, points) in enumerate(zip(self.images, self.landmarks, strict=True)):
            angle = np.deg2rad(rng.uniform(-ROTATION, ROTATION))
            cos, sin = np.cos(angle), np.sin(angle)
            linear = np.array([[cos, -sin], [sin, cos]]) * rng.uniform(*SCALE)
            shift = 2 * rng.uniform(-SHIFT, SHIFT, 2)
            centre = np.full(2, (SIDE - 1) / 2)
            pixels = np.column_stack([linear, centre + shift * SIDE / 2 - linear @ centre])
            images[row] = cv2.warpAffine(
                image, pixels, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE
            )
            landmarks[row] = points @ linear.T + shift
        return Shots(images, landmarks, self.patient, self.train)


def draw_shots(n_images: int) -> Shots:
    """Generate phantoms.

    Parameters
    ----------
    n_images : int

    Returns
    -------
    Shots
    """
    drawn = [
        (shot.image, shot.landmarks, f"{patient.kind}/{patient.number}", patient.split == "train")
        for patient in enrol(n_images, SEED)
        for shot in radiograph(patient, SIDE, SEED)
    ]
    images, landmarks, patients, train = zip(*drawn, strict=True)
    return Shots(
        np.stack(images), np.stack(landmarks), np.array(patients, dtype=object), np.array(train)
    )


def tabulate(shots: Shots, framing: str) -> pd.DataFrame:
    """Register the test phantoms to a template of the training phantoms.

    Parameters
    ----------
    shots : Shots
    framing : str
        Name in the table.

    Returns
    -------
    DataFrame
        One row per landmark, and one for all, and per position of the landmarks, with the columns
        ``COLUMNS``. ``distance`` is the mean distance of a landmark to its mean position, in pixels
        of an image of side 224, with a 95 % interval by bootstrap over patients. ``best affine
        map`` is a lower bound: each image's least-squares map of its known landmarks to the mean.
        An image whose registration failed counts with its unregistered position.
    """
    alignment = Registration().fit(shots.images[shots.train]).align(shots.images[~shots.train])
    known = shots.landmarks[~shots.train]
    placed = (known, registered_points(known, alignment.matrices), best_affine(known))
    patient = shots.patient[~shots.train]
    ill = np.array([not name.startswith("normal/") for name in patient], dtype=np.int64)
    drawn = PatientBootstrap.draw(patient, ill, SEED, DRAWS)
    rows = []
    for position, points in zip(POSITIONS, placed, strict=True):
        distances = spread(points)
        each = {"all": distances.mean(axis=1), **dict(zip(LANDMARKS, distances.T, strict=True))}
        for landmark, values in each.items():
            draws = drawn.weights @ values / drawn.weights.sum(axis=1)
            rows.append((
                framing, landmark, len(known), len(set(patient)),
                1 - alignment.registered.mean(), position, values.mean(),
                *percentile_interval(draws),
            ))  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def registered_points(points: Floats, matrices: Floats) -> Floats:
    """Move landmarks from images to the template.

    Parameters
    ----------
    points : ndarray of shape (n, k, 2)
    matrices : ndarray of shape (n, 2, 3)
        From the template to the image.

    Returns
    -------
    ndarray of shape (n, k, 2)
    """
    moved = np.swapaxes(points - matrices[:, None, :, 2], 1, 2)
    return np.asarray(np.swapaxes(np.linalg.solve(matrices[:, :, :2], moved), 1, 2))


def best_affine(points: Floats) -> Floats:
    """Map the landmarks of each image to their mean positions by least squares.

    Parameters
    ----------
    points : ndarray of shape (n, k, 2)

    Returns
    -------
    ndarray of shape (n, k, 2)
    """
    target = points.mean(axis=0)
    moved = []
    for own in points:
        design = np.column_stack([own, np.ones(len(own))])
        moved.append(design @ np.linalg.lstsq(design, target, rcond=None)[0])
    return np.stack(moved)


def spread(points: Floats) -> Floats:
    """Compute the distances of landmarks to their mean positions.

    Parameters
    ----------
    points : ndarray of shape (n, k, 2)
        In half image sides.

    Returns
    -------
    ndarray of shape (n, k)
        In pixels of an image of side 224.

    Examples
    --------
    >>> spread(np.array([[[0.0, 0.0]], [[0.0, 1.0]]])).ravel().tolist()
    [56.0, 56.0]
    """
    return np.asarray(np.linalg.norm(points - points.mean(axis=0), axis=2) * SIDE / 2)


@click.command()
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False),
              default=Path("docs/checks/registration.csv"), show_default=True)  # fmt: skip
@click.option("--images", default=600, show_default=True, help="Number of phantoms.")
def _main(out: Path, images: int) -> None:
    """Write how far landmarks of phantoms lie from their mean, before and after registration."""
    shots = draw_shots(images)
    table = pd.concat([tabulate(shots, "as drawn"), tabulate(shots.reframed(), "changed")])
    write_csv(out, table.round(4))
    click.echo(f"{len(table)} rows in {out}")


if __name__ == "__main__":
    _main()
