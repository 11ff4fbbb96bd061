"""Check which planted pictures the audit lists: inverted, turned, lateral, pages, photographs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import datasets
from benchmarks.audit.evidence import FLAT
from benchmarks.config import RunConfig
from benchmarks.datasets.dataset import Dataset
from benchmarks.io.image_stack import ImageStack
from benchmarks.io.tables import write_csv
from features.preprocessing.typical_images import Nearest, TypicalImages, thumbnails
from features.reading.preprocess import grey_percentiles, resize

Grey = NDArray[np.uint8]
COLUMNS = ["data", "kind", "n", "listed", "named", "recall", "false", "precision"]
PLANTED = 100  # pictures of each kind at most, one of twenty images
ALONE = "drawn lateral view, one"  # scored by a model that is fitted without any of them
PHOTOGRAPHS = (
    "astronaut", "brick", "camera", "cat", "cell", "clock", "coffee", "coins", "grass", "gravel",
    "hubble_deep_field", "immunohistochemistry", "moon", "page", "retina", "rocket", "text",
)  # fmt: skip
_LETTERS = list("abcdefghijklmnoprstuvwABCDEFR0123456789 ")


def page(rng: np.random.Generator, size: int) -> Grey:
    """Draw a white page with lines of text.

    Parameters
    ----------
    rng : Generator
    size : int
        Side in pixels.

    Returns
    -------
    ndarray of shape (size, size), uint8
    """
    image = np.full((size, size), 255, np.uint8)
    down = size * rng.uniform(0.1, 0.2)
    while down < 0.92 * size:
        text = "".join(rng.choice(_LETTERS, rng.integers(8, 30)))
        cv2.putText(image, text, (size // 14, int(down)), cv2.FONT_HERSHEY_SIMPLEX, size / 560,
                    int(rng.integers(0, 90)), 1, cv2.LINE_AA)  # fmt: skip
        down += size / rng.integers(9, 18)
    return image


def bars(rng: np.random.Generator, size: int) -> Grey:
    """Draw a test chart of eight vertical bars in random order.

    Parameters
    ----------
    rng : Generator
    size : int
        Side in pixels.

    Returns
    -------
    ndarray of shape (size, size), uint8
    """
    levels = rng.permutation(np.array([255, 226, 179, 150, 105, 76, 29, 0], np.uint8))
    return np.broadcast_to(levels.repeat(-(-size // 8))[:size], (size, size)).copy()


def blank(level: int, size: int) -> Grey:
    """Make a picture of one grey level.

    Parameters
    ----------
    level : int
    size : int
        Side in pixels.

    Returns
    -------
    ndarray of shape (size, size), uint8
    """
    return np.full((size, size), level, np.uint8)


def photographs(size: int) -> dict[str, Grey]:
    """Return the photographs that come with scikit-image, as grey squares.

    Parameters
    ----------
    size : int
        Side in pixels.

    Returns
    -------
    dict of ndarray of shape (size, size), uint8
    """
    from skimage import data

    found = {}
    for name in PHOTOGRAPHS:
        image = getattr(data, name)()
        grey = cv2.cvtColor(image[..., :3], cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
        found[name] = resize(np.asarray(grey, np.uint8), size)
    return found


def drawn_lateral(rng: np.random.Generator, size: int) -> Grey:
    """Draw a coarse lateral view: spine at one side, heart at the other, one lung field between.

    Parameters
    ----------
    rng : Generator
    size : int
        Side in pixels.

    Returns
    -------
    ndarray of shape (size, size), uint8
        Ellipses and bands, no anatomy: a stand-in where no lateral radiographs are at hand.
    """
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    x = (x + rng.uniform(-0.1, 0.1) * y) * rng.choice([-1, 1])
    centre = rng.uniform(-0.05, 0.05), rng.uniform(0.1, 0.3)
    thorax = _body(x, y, *centre, rng.uniform(0.6, 0.8), rng.uniform(1.1, 1.4), 3)
    lung = _body(x, y, -0.12, rng.uniform(-0.05, 0.1), 0.42, 0.72, 2.5)
    heart = _body(x, y, 0.28, 0.3, 0.3, 0.34, 2)
    spine = np.exp(-(((x + 0.52 + 0.08 * y**2) / 0.1) ** 2))
    vertebrae = 1 + 0.25 * np.sin(y * rng.uniform(26, 34))
    arms = np.exp(-(((y + 0.85) / 0.22) ** 2) - ((x - 0.3) / 0.5) ** 2)
    diaphragm = 1 / (1 + np.exp(-(y - 0.62 + 0.15 * x + 0.1 * x**2) * 18))
    path = (
        thorax - 0.65 * lung + rng.uniform(0.35, 0.6) * heart + 0.55 * diaphragm * thorax
        + rng.uniform(0.4, 0.8) * spine * vertebrae + rng.uniform(0.3, 0.9) * arms
    )  # fmt: skip
    path = cv2.GaussianBlur(path.clip(0), (0, 0), size / 110)
    image = 1 - np.exp(-1.1 * path)
    image = (image / image.max()) ** rng.uniform(0.7, 1.3) + rng.normal(0, 0.02, image.shape)
    return np.clip(235 * image + 8, 0, 255).astype(np.uint8)


def _body(
    x: NDArray[np.float64], y: NDArray[np.float64], left: float, top: float, width: float,
    height: float, power: float,
) -> NDArray[np.float64]:  # fmt: skip
    away = np.abs((x - left) / width) ** power + np.abs((y - top) / height) ** power
    return np.asarray(np.clip(2.5 * (1.2 - away), 0, 1))


def _planted(kind: str, images: Grey, rng: np.random.Generator) -> Grey:
    """Make a picture of a kind of each image."""
    size, n = images.shape[1], len(images)
    turns = {"turned by 90°": 1, "turned by 180°": 2}
    if kind == "inverted":
        return 255 - images
    if kind in turns:
        return np.rot90(images, turns[kind], axes=(1, 2))
    if kind == "photograph":
        photos = list(photographs(size).values())
        return np.stack([photos[k % len(photos)] for k in range(n)])
    if kind == "blank":
        return np.stack([blank(int(rng.choice([0, 128, 255])), size) for _ in range(n)])
    draw = {"page of text": page, "bars": bars, "drawn lateral view": drawn_lateral,
            ALONE: drawn_lateral}[kind]  # fmt: skip
    return np.stack([draw(rng, size) for _ in range(n)])


KINDS = (
    "inverted", "turned by 90°", "turned by 180°", "drawn lateral view", "page of text", "bars",
    "photograph", "blank", ALONE,
)  # fmt: skip


def _named(kind: str, found: Nearest, empty: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether the reason that is given is the right one."""
    if kind == "blank":
        return empty
    right = {"inverted": found.inverted, "turned by 90°": found.turns == 3,
             "turned by 180°": found.turns == 2}  # fmt: skip
    return np.asarray(right.get(kind, found.unlike) & ~empty)


def tabulate(name: str, dataset: Dataset, planted: int = PLANTED) -> pd.DataFrame:
    """Plant pictures of each kind among the images of a data set, and count those that are listed.

    Parameters
    ----------
    name : str
        For the column ``data``.
    dataset : Dataset
    planted : int
        Pictures of a kind at most, in place of as many images of all splits, and of no more than
        one in twenty. 17 photographs are different.

    Returns
    -------
    DataFrame
        One row per kind, the first without planted pictures: ``n`` (planted), ``listed``
        (of them), ``named`` (with the right reason), ``recall`` = listed / n, ``false`` (other
        images that are listed), ``precision`` = listed / (listed + false).
    """
    stack = ImageStack.of(dataset.images)
    images = np.concatenate([stack[k : k + 256] for k in range(0, len(stack), 256)])
    train = (dataset.manifest["split"] == "train").to_numpy()
    small = thumbnails(images)
    number_planted = min(planted, len(images) // 20)
    rows = []
    for number, kind in enumerate(("none", *KINDS)):
        rng = np.random.default_rng(number)
        chosen = rng.choice(len(images), 0 if kind == "none" else number_planted, replace=False)
        rows.append((name, *_counts(kind, images, small, train, chosen, rng)))
    return pd.DataFrame(rows, columns=COLUMNS)


def _counts(
    kind: str, images: Grey, small: NDArray[np.float32], train: NDArray[np.bool_],
    chosen: NDArray[np.intp], rng: np.random.Generator,
) -> Iterator[object]:  # fmt: skip
    small, empty = small.copy(), np.zeros(len(images), bool)
    if len(chosen):
        made = _planted(kind, images[chosen], rng)
        small[chosen] = thumbnails(made)
        ends = np.array([grey_percentiles(image, 2.5, 97.5) for image in made])
        empty[chosen] = ends[:, 1] - ends[:, 0] < FLAT
    fitted_on = train & ~empty
    if kind == ALONE:
        fitted_on[chosen] = False
    found = TypicalImages.fit(small[fitted_on]).nearest(small)
    listed = found.listed | empty
    own = int(listed[chosen].sum())
    false = int(listed.sum()) - own
    named = int(_named(kind, found, empty)[chosen].sum()) if len(chosen) else 0
    n = len(chosen)
    yield from (kind, n, own, named, own / n if n else np.nan, false,
                own / (own + false) if own else np.nan)  # fmt: skip


@click.command()
@click.argument("data", required=False)
@click.option("--out", type=click.Path(path_type=Path), default=Path("docs/checks/pictures.csv"))
def _main(data: str | None, out: Path) -> None:
    """Plant pictures into 600 phantoms, and into DATA, a folder or an .npz file."""
    tables = [tabulate("phantoms", datasets.load(RunConfig(quiet=True), 128))]
    if data:
        loaded = datasets.load(RunConfig(data=data, quiet=True), 224)
        tables.append(tabulate("radiographs", loaded))
    table = pd.concat(tables, ignore_index=True)
    write_csv(out, table.round({"recall": 3, "precision": 3}))
    click.echo(table.round(3).to_string(index=False))


if __name__ == "__main__":
    _main()
